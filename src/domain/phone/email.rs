//! E-mail addresses, as far as they can be judged without sending a mail.
//!
//! Separate from the numbers, because a mail address has no numbering plan to ask. Must never let
//! through what could end a header line or name a second recipient.

use std::fmt;
use std::sync::Arc;

/// The most bytes of an address: RFC 5321 section 4.5.3.1.3, a path of 256 less its brackets.
const MAX_BYTES: usize = 254;
/// The most bytes before the `@`: RFC 5321 section 4.5.3.1.1.
const LOCAL_MAX_BYTES: usize = 64;

/// An e-mail address; the domain in lower case, the part before it as it was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(Arc<str>);

/// Why a text isn't an e-mail address; it isn't repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address: write it as ada@example.com, at most {MAX_BYTES} bytes")]
pub struct BadEmail;

impl Email {
    /// Takes `local@domain`: one `@`, a domain with a dot in it or `localhost`, and nothing that
    /// has a meaning of its own in a mail's header. Quoted local parts and address literals are
    /// legal and refused: nobody has them, and they are how headers are smuggled.
    pub fn parse(text: &str) -> Result<Self, BadEmail> {
        let (local, domain) = text.split_once('@').ok_or(BadEmail)?;
        let special = |c: char| c.is_control() || c.is_whitespace() || "@<>()[]\\,;:\"".contains(c);
        let sound = text.len() <= MAX_BYTES
            && (1..=LOCAL_MAX_BYTES).contains(&local.len())
            && !local.contains(special)
            && !domain.contains(special)
            && is_domain(domain);
        sound.then(|| Self([local, "@", &domain.to_lowercase()].concat().into())).ok_or(BadEmail)
    }

    /// The address, for mailing and storing. Not for logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    /// The domain alone: it tells a wrong mail server from a wrong person.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "…@{}", self.0.rsplit('@').next().unwrap_or_default())
    }
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c != '-');
        label.len() <= 63 && edge(label.chars().next()) && edge(label.chars().next_back())
    };
    text.eq_ignore_ascii_case("localhost") || (text.contains('.') && text.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_in_use_are_taken() {
        for (text, kept) in [
            ("ada@example.com", "ada@example.com"),
            ("Ada.Lovelace+calls@Mail.Example.COM", "Ada.Lovelace+calls@mail.example.com"),
            ("o'brien_{x}@a-b.example", "o'brien_{x}@a-b.example"),
            ("root@localhost", "root@localhost"),
            ("jürgen@müller.example", "jürgen@müller.example"),
        ] {
            assert_eq!(Email::parse(text).map(|it| it.as_str().to_owned()), Ok(kept.to_owned()));
        }
    }

    #[test]
    fn what_is_no_single_address_is_refused() {
        for text in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "ada@@example.com",
            "ada@example@com.org",
            "ada@.com",
            "ada@example.",
            "ada@exa..mple.com",
            "ada@-example.com",
            "ada@example-.com",
            "ada lovelace@example.com",
            " ada@example.com",
            "ada@example.com ",
            "ada@exa\u{a0}mple.com",
            "ada@example.com\nBcc: eve@example.com",
            "ada@example.com\r",
            "ada\0@example.com",
            "Ada <ada@example.com>",
            "ada@example.com,eve@example.com",
            "ada;eve@example.com",
            "\"ada\"@example.com",
            "ada@[127.0.0.1]",
            "ada(work)@example.com",
            "mailto:ada@example.com",
        ] {
            assert_eq!(Email::parse(text), Err(BadEmail), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_those_of_the_mail_protocol() {
        let domain = format!("{}.{}.{}.example", "a".repeat(63), "b".repeat(63), "c".repeat(53));
        let local = |length: usize| format!("{}@{domain}", "x".repeat(length));
        assert_eq!(local(64).len(), 254);
        assert!(Email::parse(&local(64)).is_ok());
        assert_eq!(Email::parse(&local(65)), Err(BadEmail));
        assert_eq!(Email::parse(&format!("{}@example.com", "x".repeat(65))), Err(BadEmail));
        assert_eq!(Email::parse(&format!("a@{}.com", "d".repeat(64))), Err(BadEmail));
        assert_eq!(Email::parse(&format!("{}d", local(64))), Err(BadEmail));
    }

    proptest! {
        /// Whatever comes in, what is taken is read back the same and stays on one header line.
        #[test]
        fn taken_addresses_are_single_words(text in "\\PC{0,20}@\\PC{0,20}|[a-z.@<>, -]{0,30}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
                prop_assert!(!email.as_str().contains(|c: char| c.is_whitespace() || c == ','));
                prop_assert_eq!(email.as_str().matches('@').count(), 1);
                let (local, _) = email.as_str().split_once('@').unwrap();
                let debugged = format!("{email:?}");
                prop_assert!(debugged.starts_with("…@"), "{} in {}", local, debugged);
            }
        }
    }
}
