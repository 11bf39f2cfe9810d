//! Credentials of two workspaces at one gate.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;
use crate::domain::callback::Channel;
use crate::domain::ids::{AgentId, CallbackId};

const NOW: Timestamp = Timestamp(1_795_532_400_000);
const SIGNING: &[u8] = b"a secret of at least thirty-two bytes";
const CALLBACK: CallbackId = CallbackId(0x0193_6b5e_3c5a_7cc0_8000_0000_0000_0001);

fn hash(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token).into())
}

fn key(token: &str, grant: Grant) -> Arc<ApiKey> {
    Arc::new(ApiKey::configured(hash(token), Some(grant)))
}

fn gate() -> Gate {
    let public = PublicUse {
        allowed_origins: vec!["https://shop.example".to_owned(), "self".to_owned()],
        requests_per_minute: 30,
        callbacks_per_hour: 3,
    };
    let portal = Grant::Channel { channel: Channel::Portal, public: Some(public) };
    let mara = AgentId::parse("mara").expect("an id");
    let verifier = || Verifier::hs256(SIGNING, None, "ringback".to_owned());
    let own = "https://callbacks.example".to_owned();
    let workspaces = vec![
        Credentials {
            workspace: WorkspaceId::parse("main").expect("an id"),
            keys: Arc::new(KeyRing::of([
                key("admin-key", Grant::Admin(None)),
                key("lead-key", Grant::Supervisor(Some(mara.clone()))),
                key("mara-key", Grant::Agent(mara)),
                key("dotted.key.here", portal),
            ])),
            jwt: Some(verifier()),
            secret: [1; 32],
        },
        Credentials {
            workspace: WorkspaceId::parse("other").expect("an id"),
            keys: Arc::new(KeyRing::of([key("other-key", Grant::Admin(None))])),
            jwt: None,
            secret: [2; 32],
        },
    ];
    Gate::new(workspaces, own, 300)
}

fn check(token: &str) -> Result<(usize, Role), AuthError> {
    gate().check(token, NOW).map(|caller| (caller.workspace, caller.role))
}

#[test]
fn a_key_opens_its_own_workspace() {
    let mara = AgentId::parse("mara").expect("an id");
    assert_eq!(check("admin-key"), Ok((0, Role::Admin(None))));
    assert_eq!(check("lead-key"), Ok((0, Role::Supervisor(Some(mara.clone())))));
    assert_eq!(check("mara-key"), Ok((0, Role::Agent(mara))));
    assert_eq!(
        check("dotted.key.here"),
        Ok((0, Role::Channel { channel: Channel::Portal, public: true }))
    );
    assert_eq!(check("other-key"), Ok((1, Role::Admin(None))));
    for bad in ["", "admin-ke", "admin-key ", "ADMIN-KEY", "a.b.c", &"x".repeat(9_000)] {
        assert_eq!(check(bad), Err(AuthError::Bad), "{bad:?}");
    }
}

#[test]
fn a_gate_knows_whose_a_hash_is_and_which_sites_have_keys() {
    assert!(gate().is_known_elsewhere(&hash("other-key"), 0));
    assert!(!gate().is_known_elsewhere(&hash("other-key"), 1));
    assert!(!gate().is_known_elsewhere(&hash("nobody's"), 0));
    let (shop, own) = ("https://shop.example", "https://callbacks.example");
    assert_eq!(gate().shops(), [own.to_owned(), shop.to_owned()].into());
    for site in [shop, own] {
        assert!(gate().is_shop(0, site) && !gate().is_shop(1, site), "{site}");
    }
    assert!(!gate().is_shop(0, "self") && !gate().is_shop(0, "https://evil.example"));
    let public = gate().check("dotted.key.here", NOW).expect("good").public.expect("it is");
    assert_eq!(public.allowed_origins, [shop, own]);
}

#[test]
fn a_header_names_the_scheme() {
    let with = |header: &[u8]| gate().authorize(Some(header), NOW).map(|caller| caller.role);
    assert_eq!(gate().authorize(None, NOW), Err(AuthError::Missing));
    assert_eq!(with(b"Bearer admin-key"), Ok(Role::Admin(None)));
    assert_eq!(with(b"bearer   admin-key"), Ok(Role::Admin(None)));
    assert_eq!(with(b"Basic YTpi"), Err(AuthError::Missing));
    for bad in [&b"admin-key"[..], b"Bearer", b"Bearer ", b"", b"Bearer \xff"] {
        assert_eq!(with(bad), Err(AuthError::Bad), "{bad:?}");
    }
}

#[test]
fn a_manage_token_is_good_for_one_callback_in_its_workspace() {
    let token = manage::token(&[1; 32], CALLBACK);
    assert_eq!(check(&token), Ok((0, Role::Customer(CALLBACK))));
    let foreign = manage::token(&[2; 32], CALLBACK);
    assert_eq!(check(&foreign), Ok((1, Role::Customer(CALLBACK))));
    assert_eq!(check(&manage::token(&[3; 32], CALLBACK)), Err(AuthError::Bad));
}

#[test]
fn a_signed_token_is_held_against_its_workspaces_key() {
    let sign = |workspace: &str, sub: &str, exp: i64| {
        let claims = json!({
            "sub": sub, "role": "agent", "workspace": workspace, "aud": "ringback", "exp": exp,
        });
        encode(&Header::default(), &claims, &EncodingKey::from_secret(SIGNING)).expect("a token")
    };
    let exp = NOW.0 / 1_000 + 60;
    let good = gate().check(&sign("main", "mara", exp), NOW).expect("good");
    assert_eq!(good.expires_at, Some(Timestamp(exp * 1_000)));
    assert_eq!(check(&sign("other", "mara", exp)), Err(AuthError::Bad), "no keys there");
    assert_eq!(check(&sign("third", "mara", exp)), Err(AuthError::Bad));
    assert_eq!(check(&sign("main", "mara", exp - 61)), Err(AuthError::Expired));

    let renewed = gate().check(&sign("main", "mara", exp + 60), NOW).expect("good");
    assert_eq!(good.identity, renewed.identity, "a renewed token is the same credential");
    let tom = gate().check(&sign("main", "tom", exp), NOW).expect("good");
    assert_ne!(good.identity, tom.identity);
    let key = gate().check("mara-key", NOW).expect("good");
    assert_ne!(good.identity, key.identity);
    let of_a_channel = |channel: &str| {
        let claims = json!({
            "sub": "service", "role": "channel", "channel": channel,
            "workspace": "main", "aud": "ringback", "exp": exp,
        });
        let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(SIGNING));
        gate().check(&token.expect("a token"), NOW).expect("good").identity
    };
    assert_eq!(of_a_channel("chat"), of_a_channel("chat"));
    assert_ne!(of_a_channel("chat"), of_a_channel("email"), "nor is another channel's");
}

#[test]
fn wrong_credentials_are_told_alike() {
    let problem = Problem::from(AuthError::Bad);
    assert_eq!(problem.status(), 401);
    assert_eq!(problem.kind.name(), "unauthorized");
}
