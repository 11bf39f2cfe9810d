//! Signatures by the Standard Webhooks scheme (version 1.0.0): HMAC-SHA256 over id, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

/// What the scheme asks of a secret, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What every secret begins with when it is written down.
const PREFIX: &str = "whsec_";

/// What an endpoint's webhooks are signed with.
#[derive(Debug)]
pub struct Secret(SecretSlice<u8>);

/// Why a text isn't a secret. Doesn't repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and 24 to 64 bytes in base64")]
pub struct BadSecret;

impl Secret {
    /// Takes `whsec_` and base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.filter(|bytes| SECRET_BYTES.contains(&bytes.len())).ok_or(BadSecret)?;
        Ok(Self(bytes.into()))
    }

    /// The written form of 32 random bytes, for an endpoint that comes without a secret.
    pub fn text_of(random: &[u8; 32]) -> String {
        format!("{PREFIX}{}", STANDARD.encode(random))
    }

    /// `v1,…`: the signature of a webhook. The id must not have a full stop in it.
    fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret())
            .expect("an HMAC takes keys of any length");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The value of `webhook-signature`: one signature for each secret, so that a receiver who knows
/// either believes it while they change.
pub(super) fn signatures<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    id: &str,
    seconds: i64,
    body: &[u8],
) -> String {
    let all: Vec<String> =
        secrets.into_iter().map(|secret| secret.sign(id, seconds, body)).collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_s_libraries_is_reproduced() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            signatures([&secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn secrets_are_held_to_the_scheme_s_form() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for good in [of(24), of(32), of(64), Secret::text_of(&[9; 32])] {
            assert!(Secret::parse(&good).is_ok(), "{good}");
        }
        let bare = STANDARD.encode([7; 32]);
        for bad in [of(23), of(65), bare, "whsec_".into(), "whsec_!".into(), String::new()] {
            assert_eq!(Secret::parse(&bad).err(), Some(BadSecret), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_printed_by_debug() {
        let secret = Secret::parse(&Secret::text_of(&[42; 32])).expect("a secret");
        assert!(!format!("{secret:?}").contains("42"), "{secret:?}");
    }
}
