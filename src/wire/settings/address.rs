//! Addresses of sites and servers, as settings have them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// `https://host[:port]`, with a path where `path` allows one; a slash at the end goes.
pub fn web_address(text: &str, path: bool) -> Result<String, &'static str> {
    const BASE: &str = "must be https://HOST[:PORT][/PATH] (or http://), without query or fragment";
    const SITE: &str = "must be https://HOST[:PORT] (or http://), without a path";
    let allowed = if path { BASE } else { SITE };
    let text = if path { text.trim_end_matches('/') } else { text };
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return Err(allowed) };
    let (authority, tail) = rest.split_once('/').map_or((rest, None), |(a, b)| (a, Some(b)));
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#@\"'<>\\;,".contains(&byte);
    let good = is_authority(authority)
        && text.bytes().all(plain)
        && (path || (tail.is_none() && !authority.bytes().any(|byte| byte.is_ascii_uppercase())));
    if good { Ok(text.to_owned()) } else { Err(allowed) }
}

/// A host, by name or address, with a port or without.
pub fn is_authority(text: &str) -> bool {
    if text.parse::<SocketAddr>().is_ok() || text.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let named = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let host = bracketed.map_or(named, |host| host.parse::<Ipv6Addr>().is_ok());
    host && port.is_none_or(|port| port.parse::<u16>().is_ok())
}
