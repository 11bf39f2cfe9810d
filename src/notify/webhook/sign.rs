//! Signatures by the Standard Webhooks scheme (version 1.0.0): HMAC-SHA256 over id, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::webhook::SigningSecret;

/// `v1,…`: the signature of a webhook. The id must not have a full stop in it.
fn sign(secret: &SigningSecret, id: &str, seconds: i64, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&secret.key()).expect("an HMAC takes keys of any length");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The value of `webhook-signature`: one signature for each secret, so that a receiver who knows
/// either believes it while they change.
pub(super) fn signatures<'a>(
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
    id: &str,
    seconds: i64,
    body: &[u8],
) -> String {
    let all: Vec<String> =
        secrets.into_iter().map(|secret| sign(secret, id, seconds, body)).collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_s_libraries_is_reproduced() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let secret = secret.expect("a secret");
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            signatures([&secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
