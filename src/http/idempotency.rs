//! `Idempotency-Key`: the digests by which the engine knows a request that was sent again.

use actix_web::http::header::HeaderMap;
use sha2::{Digest, Sha256};

use crate::engine::entry::{IdempotencyKey, Keyed};
use crate::wire::problem::Problem;

/// The header's name.
const HEADER: &str = "idempotency-key";

/// The longest key, in bytes.
const KEY_MAX: usize = 255;

/// The key of a request, if it has one: digests of credential and key, and of what is asked for.
pub(super) fn keyed(
    headers: &HeaderMap,
    identity: &[u8; 32],
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<Option<Keyed>, Problem> {
    let mut keys = headers.get_all(HEADER);
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.as_bytes();
    if keys.next().is_some() || key.is_empty() || key.len() > KEY_MAX {
        let detail = format!("must be one Idempotency-Key of 1 to {KEY_MAX} bytes");
        return Err(Problem::field("/Idempotency-Key", detail));
    }
    Ok(Some(Keyed {
        key: IdempotencyKey(digest([identity, key])),
        fingerprint: digest([method.as_bytes(), path.as_bytes(), body]),
    }))
}

/// Whether there is a key, without looking at it or at the request.
pub(super) fn is_keyed(headers: &HeaderMap) -> bool {
    headers.contains_key(HEADER)
}

/// A digest of parts that can't be cut differently: each comes with its length.
fn digest<const N: usize>(parts: [&[u8]; N]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const ME: [u8; 32] = [1; 32];
    const PATH: &str = "/v1/callbacks";

    fn headers(keys: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for key in keys {
            let key = HeaderValue::from_str(key).expect("visible ASCII");
            headers.append(HeaderName::from_static(HEADER), key);
        }
        headers
    }

    fn with(keys: &[&str], identity: [u8; 32], path: &str, body: &[u8]) -> Keyed {
        let keyed = keyed(&headers(keys), &identity, "POST", path, body);
        keyed.expect("a good key").expect("there is one")
    }

    #[test]
    fn the_key_is_the_credentials_own_and_the_fingerprint_the_requests() {
        let first = with(&["k"], ME, PATH, b"{}");
        assert_eq!(first, with(&["k"], ME, PATH, b"{}"));
        assert_ne!(first.key, with(&["l"], ME, PATH, b"{}").key);
        assert_ne!(first.key, with(&["k"], [2; 32], PATH, b"{}").key);
        assert_eq!(first.key, with(&["k"], ME, "/other", b"{}").key);
        assert_ne!(first.fingerprint, with(&["k"], ME, "/other", b"{}").fingerprint);
        assert_ne!(first.fingerprint, with(&["k"], ME, PATH, b"{ }").fingerprint);
        assert_ne!(digest([b"ab", b"c"]), digest([b"a", b"bc"]));
    }

    #[test]
    fn keys_have_1_to_255_bytes_and_come_once() {
        let read = |keys: &[&str]| keyed(&headers(keys), &ME, "POST", PATH, b"");
        assert_eq!(read(&[]), Ok(None));
        assert!(read(&[&"x".repeat(255)]).is_ok());
        for bad in [&[""][..], &[&"x".repeat(256)], &["a", "b"]] {
            assert_eq!(read(bad).expect_err("refused").status(), 422);
        }
    }
}
