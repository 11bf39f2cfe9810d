//! Meetings on a Jitsi server: a room's name and two signed links, made without any call.
//!
//! By the token authentication of Jitsi's prosody (jitsi/lib-jitsi-meet, doc/tokens.md). A room
//! exists while somebody is in it, so there is nothing to create, move or delete.

use std::future::ready;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::Sha256;

use crate::config::JitsiServer;
use crate::domain::dispatch::Outcome;
use crate::domain::dispatch::{Meeting, Provider};
use crate::domain::ids::{CallbackId, WorkspaceId};
use crate::domain::time::Span;
use crate::engine::outward::{Appointment, Meetings};
use crate::engine::ports::PortFuture;

/// How long after its booked end a meeting's links still work: a call may begin late and last as
/// long as `max_call_seconds` allows by default.
const GOOD_AFTER_END: Span = Span::minutes(4 * 60);

/// How much of the HMAC names a room: 128 bits can't be guessed.
const ROOM_BYTES: usize = 16;

/// Signs links into the rooms of one Jitsi server.
pub struct Jitsi {
    domain: String,
    app_id: String,
    app_secret: SecretString,
    audience: String,
    subject: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    room: &'a str,
    exp: i64,
    context: Context<'a>,
}

#[derive(Serialize)]
struct Context<'a> {
    user: User<'a>,
}

/// Who comes in. Older and newer versions of prosody's `token_affiliation` read one field each.
#[derive(Serialize)]
struct User<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    moderator: bool,
    affiliation: &'static str,
}

#[derive(Clone, Copy)]
enum Guest<'a> {
    Customer(Option<&'a str>),
    Host,
}

impl Jitsi {
    /// For one server.
    pub fn new(server: &JitsiServer) -> Self {
        Self {
            domain: server.domain.clone(),
            app_id: server.app_id.clone(),
            app_secret: server.app_secret.clone(),
            audience: server.audience.clone(),
            subject: server.subject.clone(),
        }
    }

    /// The callback's room: always the same, and not to be guessed without the secret. In small
    /// letters, because Jitsi makes them small before it compares.
    fn room(&self, workspace: &WorkspaceId, callback: CallbackId) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.app_secret.expose_secret().as_bytes())
            .expect("an HMAC takes keys of any length");
        mac.update(format!("ringback room:{workspace}:{callback}").as_bytes());
        let bytes = mac.finalize().into_bytes();
        let hex = bytes[..ROOM_BYTES].iter().map(|byte| format!("{byte:02x}"));
        format!("callback-{}", hex.collect::<String>())
    }

    fn meeting(&self, appointment: &Appointment) -> Meeting {
        let room = self.room(&appointment.workspace, appointment.callback);
        let customer = Guest::Customer(appointment.customer_name.as_deref());
        Meeting {
            provider: Provider::Jitsi,
            join_url: self.link(&room, appointment, customer),
            host_url: self.link(&room, appointment, Guest::Host),
            id: room,
        }
    }

    fn link(&self, room: &str, appointment: &Appointment, guest: Guest<'_>) -> String {
        let user = match guest {
            Guest::Customer(name) => User { name, moderator: false, affiliation: "member" },
            Guest::Host => User { name: None, moderator: true, affiliation: "owner" },
        };
        let claims = Claims {
            aud: &self.audience,
            iss: &self.app_id,
            sub: &self.subject,
            room,
            exp: (appointment.end + GOOD_AFTER_END).0.div_euclid(1_000),
            context: Context { user },
        };
        let key = EncodingKey::from_secret(self.app_secret.expose_secret().as_bytes());
        let token = encode(&Header::new(Algorithm::HS256), &claims, &key)
            .expect("texts, numbers and flags can be written as JSON, and HMAC takes any key");
        format!("https://{}/{room}?jwt={token}", self.domain)
    }
}

impl Meetings for Jitsi {
    fn provider(&self) -> Provider {
        Provider::Jitsi
    }

    fn create<'a>(&'a self, appointment: &'a Appointment) -> PortFuture<'a, Outcome<Meeting>> {
        Box::pin(ready(Outcome::Delivered(self.meeting(appointment))))
    }

    fn update<'a>(
        &'a self,
        _: &'a str,
        appointment: &'a Appointment,
    ) -> PortFuture<'a, Outcome<Meeting>> {
        self.create(appointment)
    }

    fn renew<'a>(
        &'a self,
        _: &'a str,
        appointment: &'a Appointment,
    ) -> PortFuture<'a, Outcome<Meeting>> {
        self.create(appointment)
    }

    fn delete<'a>(&'a self, _: CallbackId, _: Option<&'a str>) -> PortFuture<'a, Outcome> {
        Box::pin(ready(Outcome::Delivered(())))
    }
}

#[cfg(test)]
mod tests {
    use jwt_compact::alg::{Hs256, Hs256Key};
    use jwt_compact::{AlgorithmExt, UntrustedToken};
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::time::Timestamp;

    const SECRET: &str = "the secret of prosody";

    fn jitsi(secret: &str) -> Jitsi {
        Jitsi::new(&JitsiServer {
            domain: "meet.example:8443".into(),
            app_id: "ringback".into(),
            app_secret: secret.into(),
            audience: "jitsi".into(),
            subject: "meet.internal".into(),
        })
    }

    fn appointment(callback: u128) -> Appointment {
        Appointment {
            workspace: WorkspaceId::parse("main").expect("a slug"),
            callback: CallbackId(callback),
            topic: "Callback CB0001042".into(),
            start: Timestamp(1_796_137_200_000),
            end: Timestamp(1_796_138_100_000),
            customer_name: Some("Ada \"Countess\" Lovelace".into()),
        }
    }

    async fn made(jitsi: &Jitsi, appointment: &Appointment) -> Meeting {
        match jitsi.create(appointment).await {
            Outcome::Delivered(meeting) => meeting,
            other => panic!("{other:?}"),
        }
    }

    /// What a link's token says, read by another library; none where it isn't believed.
    fn claims(link: &str, secret: &str) -> Option<(Value, i64)> {
        let (_, token) = link.split_once("?jwt=").expect("a signed link");
        let token = UntrustedToken::new(token).expect("a token");
        assert_eq!(token.algorithm(), "HS256");
        let key = Hs256Key::new(secret.as_bytes());
        let token = Hs256.validator::<Value>(&key).validate(&token).ok()?;
        let expires = token.claims().expiration.expect("it ends").timestamp();
        Some((token.claims().custom.clone(), expires))
    }

    #[tokio::test]
    async fn customer_and_host_come_into_the_same_room_with_different_rights() {
        let meeting = made(&jitsi(SECRET), &appointment(7)).await;
        let user = |link: &str, user: Value| {
            let (custom, expires) = claims(link, SECRET).expect("it is believed");
            assert_eq!(
                custom,
                json!({
                    "aud": "jitsi", "iss": "ringback", "sub": "meet.internal",
                    "room": meeting.id, "context": {"user": user},
                })
            );
            assert_eq!(expires, 1_796_138_100 + 4 * 3_600);
            assert!(link.starts_with(&format!("https://meet.example:8443/{}?jwt=", meeting.id)));
            assert_eq!(claims(link, "another secret"), None);
        };
        let ada = "Ada \"Countess\" Lovelace";
        let customer = json!({"name": ada, "moderator": false, "affiliation": "member"});
        user(&meeting.join_url, customer);
        user(&meeting.host_url, json!({"moderator": true, "affiliation": "owner"}));
    }

    #[tokio::test]
    async fn a_room_is_stable_per_callback_and_can_not_be_guessed() {
        let (jitsi, other) = (jitsi(SECRET), jitsi("another secret"));
        let first = made(&jitsi, &appointment(7)).await;
        assert!(first.id.len() == "callback-".len() + 32 && first.id == first.id.to_lowercase());
        let moved = Appointment { end: Timestamp(1_796_200_000_000), ..appointment(7) };
        let Outcome::Delivered(later) = jitsi.update(&first.id, &moved).await else { panic!() };
        assert_eq!(later.id, first.id);
        assert_ne!(later.join_url, first.join_url);
        let elsewhere = WorkspaceId::parse("other").expect("a slug");
        let elsewhere = Appointment { workspace: elsewhere, ..appointment(7) };
        for different in [
            made(&jitsi, &appointment(8)).await,
            made(&jitsi, &elsewhere).await,
            made(&other, &appointment(7)).await,
        ] {
            assert_ne!(different.id, first.id);
        }
        assert!(!format!("{first:?}").contains(&first.id));
    }
}
