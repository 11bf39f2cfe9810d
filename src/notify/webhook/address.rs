//! Which addresses a webhook may go to: those that anybody on the internet could reach.
//!
//! An administrator of one workspace chooses where webhooks go; this server can reach things that
//! they can't. So whatever isn't plainly public is refused, and the address that was looked at is
//! the one connected to: looking happens inside the client's own name resolution, so a name that
//! answers differently the second time gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Networks of IPv4 that aren't public, with the lengths of their prefixes.
const SPECIAL_V4: [(Ipv4Addr, u32); 16] = [
    // This network, which means this machine.
    (Ipv4Addr::UNSPECIFIED, 8),
    // Private.
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Carrier-grade NAT, with Alibaba's metadata.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Loopback.
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Azure's metadata and name server: a public number that is answered inside alone.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Link-local, with most clouds' metadata.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Protocol assignments, with Oracle's metadata.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Relays of 6to4, which are gone.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Measuring.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Multicast, reserved and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// A name all of whose addresses are inner ones.
#[derive(Debug, thiserror::Error)]
#[error("the host has inner addresses alone")]
pub(super) struct InnerAddress;

/// Whether an address is one on the public internet.
///
/// By the special-purpose registries of IANA (RFC 6890 and later). Of IPv6 only what is handed
/// out as global unicast counts, which leaves out loopback, link-local, unique-local, multicast
/// and IPv4-mapped addresses without naming each.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !SPECIAL_V4.iter().any(|(network, length)| (network.to_bits() ^ bits) >> (32 - length) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // NAT64 (RFC 6052): how a network without IPv4 reaches it; as good as what it stands for.
    if let [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, v4 @ ..] = address.octets() {
        return is_public_v4(Ipv4Addr::from(v4));
    }
    // Protocol assignments (Teredo among them); documentation; 6to4.
    let special = matches!(
        (first, second),
        (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff)
    );
    (0x2000..=0x3fff).contains(&first) && !special
}

/// Resolves names and lets none but public addresses through.
pub(super) struct Outward {
    names: Arc<dyn Resolve>,
    allow_inner: bool,
}

impl Outward {
    pub(super) fn new(names: Arc<dyn Resolve>, allow_inner: bool) -> Self {
        Self { names, allow_inner }
    }
}

impl Resolve for Outward {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.names.resolve(name);
        let allow_inner = self.allow_inner;
        Box::pin(async move {
            let all = found.await?;
            let taken: Vec<SocketAddr> =
                all.filter(|address| allow_inner || is_public(address.ip())).collect();
            if taken.is_empty() {
                return Err(InnerAddress.into());
            }
            let taken: Addrs = Box::new(taken.into_iter());
            Ok(taken)
        })
    }
}

/// The system's own name resolution.
pub(super) struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Addrs = Box::new(found.collect::<Vec<_>>().into_iter());
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edges of what is refused.
    const INNER: &str = "
        0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255
        127.0.0.1 127.255.255.255 168.63.129.16 169.254.0.0 169.254.169.254 172.16.0.0
        172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.0 192.168.255.255 198.18.0.0
        198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.0 239.255.255.255 240.0.0.0
        255.255.255.255 :: ::1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::127.0.0.1
        64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 1fff:ffff::1 2001::1 2001:1ff:ffff::1 2001:db8::1
        2002:7f00:1::1 3fff::1 4000::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1
    ";

    /// What lies right beside it.
    const PUBLIC: &str = "
        1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
        168.63.129.15 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0
        192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 64:ff9b::8.8.8.8
        2000::1 2001:200::1 2606:4700::1111 3ffe::1
    ";

    #[test]
    fn inner_addresses_are_told_from_public_ones_at_their_edges() {
        for (texts, public) in [(INNER, false), (PUBLIC, true)] {
            assert!(texts.split_whitespace().count() > 20);
            for text in texts.split_whitespace() {
                assert_eq!(is_public(text.parse().expect("an address")), public, "{text}");
            }
        }
    }
}
