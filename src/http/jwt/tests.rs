//! Tokens: what is believed, and the tricks that aren't.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
const NOW: Timestamp = Timestamp(1_795_532_400_000);
const LATER: i64 = 1_795_532_400 + 3_600;

fn verifier() -> Verifier {
    Verifier::hs256(SECRET, Some("https://idp.example".to_owned()), "ringback".to_owned())
}

fn claims() -> Value {
    json!({
        "sub": "mara", "role": "agent", "workspace": "main", "aud": "ringback",
        "iss": "https://idp.example", "exp": LATER,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().expect("an object");
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    claims
}

fn sign(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET)).expect("a token")
}

fn verify(token: &str) -> Result<Grant, AuthError> {
    verifier().verify(token, "main", NOW)
}

#[test]
fn a_token_says_who_its_bearer_is() {
    let grant = verify(&sign(&claims())).expect("good");
    let mara = AgentId::parse("mara").expect("an id");
    assert_eq!(grant.role, Role::Agent(mara.clone()));
    assert_eq!(grant.subject, "mara");
    assert_eq!(grant.expires_at, Timestamp(LATER * 1_000));
    let role = |claims: Value| verify(&sign(&claims)).map(|grant| grant.role);
    assert_eq!(role(with("role", json!("supervisor"))), Ok(Role::Supervisor(None)));
    let mut lead = with("role", json!("supervisor"));
    lead["agent"] = json!("mara");
    assert_eq!(role(lead), Ok(Role::Supervisor(Some(mara))));
    assert_eq!(role(with("role", json!("admin"))), Ok(Role::Admin(None)));
    let mut channel = with("role", json!("channel"));
    assert_eq!(role(channel.clone()), Err(AuthError::Bad), "which one?");
    channel["channel"] = json!("chat");
    assert_eq!(role(channel), Ok(Role::Channel { channel: Channel::Chat, public: false }));
    for bad in ["customer", "root", "Admin", ""] {
        assert_eq!(role(with("role", json!(bad))), Err(AuthError::Bad), "{bad:?}");
    }
    assert_eq!(role(with("sub", json!("Not An Id"))), Err(AuthError::Bad));
}

#[test]
fn a_token_ends_to_the_second() {
    let until = |exp: Value| verify(&sign(&with("exp", exp))).map(|_| ());
    let now = NOW.0 / 1_000;
    assert_eq!(until(json!(now + 1)), Ok(()));
    assert_eq!(until(json!(now)), Err(AuthError::Expired));
    assert_eq!(until(json!(now - 1)), Err(AuthError::Expired));
    assert_eq!(until(json!(0)), Err(AuthError::Expired));
    for bad in [json!("soon"), json!(-1), json!(1e300), json!(null)] {
        assert_eq!(until(bad.clone()), Err(AuthError::Bad), "{bad}");
    }
    assert_eq!(verify(&sign(&with("nbf", json!(now + 60)))), Err(AuthError::Bad));
    assert!(verify(&sign(&with("nbf", json!(now)))).is_ok());
}

#[test]
fn every_claim_that_is_asked_for_must_be_there_and_right() {
    for name in ["sub", "role", "workspace", "aud", "iss", "exp"] {
        assert_eq!(verify(&sign(&with(name, Value::Null))), Err(AuthError::Bad), "{name}");
    }
    for (name, wrong) in [
        ("aud", json!("elsewhere")),
        ("aud", json!([])),
        ("iss", json!("https://evil.example")),
        ("workspace", json!("other")),
    ] {
        assert_eq!(verify(&sign(&with(name, wrong))), Err(AuthError::Bad), "{name}");
    }
    assert!(verify(&sign(&with("aud", json!(["x", "ringback"])))).is_ok());
    let mut nobody = with("role", json!("supervisor"));
    assert!(verify(&sign(&nobody)).is_ok());
    nobody["sub"] = json!("");
    assert_eq!(verify(&sign(&nobody)), Err(AuthError::Bad));
}

#[test]
fn the_key_decides_the_algorithm_and_never_the_token() {
    let good = sign(&claims());
    let (_, payload) = good.split_once('.').expect("a token");
    let (payload, signature) = payload.split_once('.').expect("a token");
    let header = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for bad in [
        format!("{}.{payload}.", header(json!({"alg": "none"}))),
        format!("{}.{payload}.{signature}", header(json!({"alg": "none"}))),
        format!("{}.{payload}.", header(json!({"alg": "HS256"}))),
        format!("{}.{payload}.{signature}", header(json!({"alg": "HS384"}))),
        format!("{}.{payload}.{signature}", header(json!({"alg": "RS256"}))),
        format!("{}.{payload}.{signature}", header(json!({"alg": "HS256", "x": 1}))),
        format!("{}.{payload}.{signature}", header(json!({}))),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!(".{payload}.{signature}"),
        "a.b.c".to_owned(),
        "..".to_owned(),
        ".".repeat(5),
    ] {
        assert_eq!(verify(&bad), Err(AuthError::Bad), "{bad}");
    }
    let critical = Header { crit: Some(vec!["exp".to_owned()]), ..Header::default() };
    let token = encode(&critical, &claims(), &EncodingKey::from_secret(SECRET)).expect("a token");
    assert_eq!(verify(&token), Err(AuthError::Bad));
    let other = encode(&Header::default(), &claims(), &EncodingKey::from_secret(b"another"));
    assert_eq!(verify(&other.expect("a token")), Err(AuthError::Bad));
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let key = EncodingKey::from_secret(SECRET);
        let token = encode(&Header::new(algorithm), &claims(), &key).expect("a token");
        assert_eq!(verify(&token), Err(AuthError::Bad));
    }
}

/// The key pair of RFC 8037, appendix A.
const ED_PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";

fn jwks(keys: &Value) -> Result<Verifier, BadKeys> {
    let text = json!({"keys": keys}).to_string();
    Verifier::jwks(&text, None, "ringback".to_owned())
}

#[test]
fn public_keys_are_found_by_their_names() {
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": ED_PUBLIC, "kid": "one"});
    let verifier = jwks(&json!([key])).expect("a key");
    let private = EncodingKey::from_ed_pem(ED_PRIVATE.as_bytes()).expect("a key");
    let sign = |kid: Option<&str>| {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = kid.map(str::to_owned);
        encode(&header, &claims(), &private).expect("a token")
    };
    assert!(verifier.verify(&sign(Some("one")), "main", NOW).is_ok());
    assert!(verifier.verify(&sign(None), "main", NOW).is_ok());
    assert_eq!(verifier.verify(&sign(Some("two")), "main", NOW), Err(AuthError::Bad));
    // The oldest trick: the public key taken for a shared secret.
    let public = URL_SAFE_NO_PAD.decode(ED_PUBLIC).expect("a key");
    for secret in [public.as_slice(), ED_PUBLIC.as_bytes()] {
        let forged = encode(&Header::default(), &claims(), &EncodingKey::from_secret(secret));
        let forged = forged.expect("a token");
        assert_eq!(verifier.verify(&forged, "main", NOW), Err(AuthError::Bad));
    }
}

#[test]
fn a_set_without_a_public_key_is_refused() {
    assert!(matches!(Verifier::jwks("{", None, String::new()), Err(BadKeys::Malformed(_))));
    assert!(matches!(jwks(&json!([])), Err(BadKeys::Empty)));
    let shared = json!({"kty": "oct", "k": "AAAA", "kid": "s", "alg": "HS256"});
    assert!(matches!(jwks(&json!([shared])), Err(BadKeys::Empty)));
    let broken = json!({"kty": "OKP", "crv": "Ed25519", "x": "!", "kid": "b"});
    assert!(matches!(jwks(&json!([broken])), Err(BadKeys::Key { .. })));
}

#[test]
fn a_token_tells_the_workspace_that_it_is_for() {
    assert_eq!(claimed_workspace(&sign(&claims())).as_deref(), Some("main"));
    for bad in ["", "a.b.c", "..", &sign(&with("workspace", json!(7)))] {
        assert_eq!(claimed_workspace(bad), None, "{bad:?}");
    }
}
