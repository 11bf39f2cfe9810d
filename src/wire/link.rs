//! Links out of Ringback: the administrator's templates, filled in for one callback.
//!
//! Separate, because a page puts them into `href`: what customers wrote is percent-encoded here
//! and nowhere else.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::domain::callback::{Callback, Request};

/// Templates by name, such as `case = "https://crm.example/{case_id}"`.
pub type Links = BTreeMap<String, String>;

/// The template that `record_url` is made of.
const RECORD: &str = "case";

/// The link to the record that a callback belongs to; none without a template, and none where the
/// callback lacks what the template names.
pub fn record_url(links: &Links, callback: &Callback, request: &Request) -> Option<String> {
    let customer = &request.customer;
    fill(links.get(RECORD)?, |name| match name {
        "id" => Some(callback.id.to_string()),
        "queue" => Some(callback.queue.to_string()),
        "case_id" => request.origin.case_id.clone(),
        "interaction_ref" => request.origin.interaction_ref.clone(),
        "external_id" => request.external_id.clone(),
        "contact_id" => customer.id.clone(),
        "account" => customer.account.clone(),
        "phone" => customer.phone.as_ref().map(|phone| phone.as_str().to_owned()),
        "email" => customer.email.as_ref().map(|email| email.as_str().to_owned()),
        _ => None,
    })
}

/// Puts values where the template has `{name}`; none if one is missing.
fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}')?;
        filled.push_str(before);
        encode(&value(name)?, &mut filled);
        rest = behind;
    }
    filled.push_str(rest);
    Some(filled)
}

/// Percent-encodes all but the characters that RFC 3986 calls unreserved, and `+` and `@`, which
/// numbers and addresses have and which mean nothing in a path.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~+@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String can't fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_customers_wrote_cannot_leave_its_place_in_the_link() {
        let link = fill("https://crm.example/{case_id}?x=1", |_| Some("a/../b?c#d\"<é".into()));
        assert_eq!(link.as_deref(), Some("https://crm.example/a%2F..%2Fb%3Fc%23d%22%3C%C3%A9?x=1"));
    }

    #[test]
    fn a_link_with_a_missing_or_broken_part_is_none() {
        assert_eq!(fill("https://a/{x}", |_| None), None);
        assert_eq!(fill("https://a/{x", |_| Some("1".into())), None);
        assert_eq!(fill("tel:{phone}", |_| Some("+49301".into())).as_deref(), Some("tel:+49301"));
        assert_eq!(fill("https://a/", |_| None).as_deref(), Some("https://a/"));
    }
}
