//! Manage tokens: what lets a customer see, move and call off one callback, and nothing else.
//!
//! A token is the callback's id, a nonce, and an HMAC of both under the workspace's secret. The
//! nonce follows from the id and the secret, so that a token is never stored and a replayed
//! answer has the same one.
//!
//! Here and not in `http`, because mails carry such links too.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::ids::CallbackId;

const ID: usize = 16;
const NONCE: usize = 8;
const MAC: usize = 32;
const TOKEN: usize = ID + NONCE + MAC;

/// What signs tokens: a secret, made ready once for all that it signs.
#[derive(Debug, Clone)]
pub struct Signer(Hmac<Sha256>);

impl Signer {
    /// Signs with this secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("an HMAC takes keys of any length"))
    }

    /// The token of a callback.
    pub fn token(&self, callback: CallbackId) -> String {
        let mut token = [0; TOKEN];
        let (signed, mac) = token.split_at_mut(ID + NONCE);
        let id = callback.to_bytes();
        signed[..ID].copy_from_slice(&id);
        signed[ID..].copy_from_slice(&self.mac(b"nonce", &id)[..NONCE]);
        mac.copy_from_slice(&self.mac(b"manage", signed));
        URL_SAFE_NO_PAD.encode(token)
    }

    fn mac(&self, purpose: &[u8], message: &[u8]) -> [u8; MAC] {
        let mut mac = self.0.clone();
        mac.update(purpose);
        mac.update(b":");
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

/// The token of a callback, signed with a secret.
pub fn token(secret: &[u8; 32], callback: CallbackId) -> String {
    Signer::new(secret).token(callback)
}

/// Where a customer sees, moves and cancels the callback that the token is good for.
pub fn url(public_url: &str, token: &str) -> String {
    format!("{public_url}/callback/{token}")
}

/// The callback that a token is good for; none if it isn't signed with this secret.
pub fn verify(secret: &[u8; 32], token: &str) -> Option<CallbackId> {
    let bytes: [u8; TOKEN] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
    let (signed, found) = bytes.split_at(ID + NONCE);
    let valid = Signer::new(secret).mac(b"manage", signed).ct_eq(found);
    let id: [u8; ID] = signed[..ID].try_into().ok()?;
    bool::from(valid).then(|| CallbackId(u128::from_be_bytes(id)))
}

/// Whether a text has the shape of a token, so that a secret needs to be asked at all.
pub fn is_token(text: &str) -> bool {
    text.len() == TOKEN.div_ceil(3) * 4 - 1 && !text.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];
    const ID_1: CallbackId = CallbackId(0x0193_6b5e_3c5a_7cc0_8000_0000_0000_0001);

    #[test]
    fn a_token_names_its_callback_and_is_the_same_each_time() {
        let text = token(&SECRET, ID_1);
        assert_eq!(text, token(&SECRET, ID_1));
        assert!(is_token(&text), "{text}");
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(verify(&SECRET, &text), Some(ID_1));
        assert_ne!(text, token(&SECRET, CallbackId(ID_1.0 + 1)));
    }

    #[test]
    fn another_secret_or_a_changed_bit_is_refused() {
        let text = token(&SECRET, ID_1);
        assert_eq!(verify(&[8; 32], &text), None);
        let bytes = URL_SAFE_NO_PAD.decode(&text).expect("a token");
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(verify(&SECRET, &URL_SAFE_NO_PAD.encode(changed)), None, "{place}");
        }
        for bad in ["", "x", &text[1..], &format!("{text}A"), &format!("{text}=")] {
            assert_eq!(verify(&SECRET, bad), None, "{bad:?}");
        }
    }
}
