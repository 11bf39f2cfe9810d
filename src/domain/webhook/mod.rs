//! Webhooks: where events are sent, which of them, signed with what, and how far each has come.
//!
//! A webhook is a plain record without a machine: nothing happens to it by itself. How far it has
//! come is a record of its own, because it changes with every batch that is delivered. Must never
//! print a secret.

mod filter;
mod outgoing;
mod progress;

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use filter::{EVENT_TYPES, Filter, is_type};
pub use outgoing::{Bounds, Outgoing, READ_AT_ONCE, Settled, WebhookStanding};
pub use progress::{GivenUp, OpenEvent, Progress, Step, Stream};

use super::ids::WebhookId;
use super::time::{Span, Timestamp};

/// Webhooks of one workspace. Each reads every event of it.
pub const MAX_WEBHOOKS: usize = 100;

/// What the scheme asks of a secret, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What every secret begins with when it is written down.
const SECRET_PREFIX: &str = "whsec_";

/// What a webhook's deliveries are signed with, as it is written down.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Arc<str>);

/// Why a text isn't a secret. Doesn't repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and 24 to 64 bytes in base64")]
pub struct BadSecret;

impl SigningSecret {
    /// Takes `whsec_` and base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let bytes = decoded(text).filter(|bytes| SECRET_BYTES.contains(&bytes.len()));
        bytes.map(|_| Self(Arc::from(text))).ok_or(BadSecret)
    }

    /// A secret of 32 random bytes.
    pub fn of_random(random: &[u8; 32]) -> Self {
        Self(format!("{SECRET_PREFIX}{}", STANDARD.encode(random)).into())
    }

    /// As it is written down: for whoever made it, the store, and nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The bytes that messages are signed with.
    pub fn key(&self) -> Vec<u8> {
        decoded(&self.0).expect("it was decoded when it was made")
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.strip_prefix(SECRET_PREFIX)?).ok()
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SigningSecret(..)")
    }
}

/// What an administrator sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Unique in its workspace; chosen by the administrator.
    pub id: WebhookId,
    /// Where events are sent.
    pub url: String,
    /// Which events: no others are sent.
    pub filter: Filter,
    /// Whether events are sent; one that isn't active keeps no progress.
    pub active: bool,
}

/// A secret that a newer one has replaced, while receivers change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerSecret {
    /// Deliveries are signed with it beside the newer one.
    pub secret: SigningSecret,
    /// From then on the newer one signs alone; by the wall clock.
    pub until: Timestamp,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// As set.
    pub settings: Arc<WebhookSettings>,
    /// What each delivery is signed with.
    pub secret: SigningSecret,
    /// What deliveries are signed with as well, for a time.
    pub former: Option<FormerSecret>,
    /// Counts its changes, from the newest event when it was made on: no webhook that had the id
    /// before came as far.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// It is sent events after this one: the newest when it was made, or made active again. No
    /// two beginnings of webhooks with one id share it.
    pub starts_after: u64,
    /// Why the engine itself made it inactive.
    pub disabled: Option<String>,
}

/// A webhook as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// Settings.
    pub settings: WebhookSettings,
    /// A secret to sign with from now on; none: the one that it has.
    pub secret: Option<SigningSecret>,
    /// For how long a secret that is replaced by it still signs too.
    pub keep_former: Span,
}

impl Webhook {
    /// The webhook as asked for, in the place of the one `before`. `fresh` signs where neither has
    /// a secret; `newest` is the newest event there is.
    pub fn put(
        before: Option<&Self>,
        wanted: NewWebhook,
        fresh: SigningSecret,
        newest: u64,
        now: Timestamp,
    ) -> Self {
        let NewWebhook { settings, secret, keep_former } = wanted;
        let begins = settings.active && before.is_none_or(|old| !old.settings.active);
        let settings = Arc::new(settings);
        let Some(old) = before else {
            return Self {
                settings,
                secret: secret.unwrap_or(fresh),
                former: None,
                version: newest + 1,
                created_at: now,
                updated_at: now,
                starts_after: newest,
                disabled: None,
            };
        };
        let changed = secret.filter(|secret| *secret != old.secret);
        let former = match &changed {
            Some(_) if keep_former > Span::ZERO => {
                Some(FormerSecret { secret: old.secret.clone(), until: now + keep_former })
            }
            Some(_) => None,
            None => old.former.clone().filter(|former| former.until > now),
        };
        Self {
            settings,
            secret: changed.unwrap_or_else(|| old.secret.clone()),
            former,
            version: old.version + 1,
            created_at: old.created_at,
            updated_at: now,
            starts_after: if begins { newest } else { old.starts_after },
            disabled: None,
        }
    }

    /// The webhook, made inactive by the engine.
    #[must_use]
    pub fn disable(&self, why: String, now: Timestamp) -> Self {
        let settings = WebhookSettings { active: false, ..(*self.settings).clone() };
        Self {
            settings: Arc::new(settings),
            version: self.version + 1,
            updated_at: now,
            disabled: Some(why),
            ..self.clone()
        }
    }

    /// The secret before, while it still signs.
    pub fn former_secret(&self, now: Timestamp) -> Option<&FormerSecret> {
        self.former.as_ref().filter(|former| former.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(fill: u8) -> SigningSecret {
        SigningSecret::of_random(&[fill; 32])
    }

    fn wanted(secret: Option<SigningSecret>, active: bool) -> NewWebhook {
        let id = WebhookId::parse("crm").expect("a slug");
        let url = "https://hooks.example".to_owned();
        let settings = WebhookSettings { id, url, filter: Filter::default(), active };
        NewWebhook { settings, secret, keep_former: Span::days(1) }
    }

    fn put(before: Option<&Webhook>, wanted: NewWebhook, newest: u64, now: i64) -> Webhook {
        Webhook::put(before, wanted, secret(9), newest, Timestamp(now))
    }

    #[test]
    fn secrets_are_held_to_the_scheme_s_form() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for good in [of(24), of(32), of(64), secret(9).reveal().to_owned()] {
            assert!(SigningSecret::parse(&good).is_ok(), "{good}");
        }
        let bare = STANDARD.encode([7; 32]);
        for bad in [of(23), of(65), bare, "whsec_".into(), "whsec_!".into(), String::new()] {
            assert_eq!(SigningSecret::parse(&bad).err(), Some(BadSecret), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_printed_by_debug() {
        let webhook = put(None, wanted(Some(secret(42)), true), 0, 0);
        let text = format!("{webhook:?}");
        assert!(!text.contains("whsec_") && !text.contains("42"), "{text}");
    }

    #[test]
    fn a_new_one_has_the_secret_that_came_with_it_or_a_fresh_one_and_starts_at_now() {
        let given = put(None, wanted(Some(secret(1)), true), 64, 5);
        assert_eq!((given.secret, given.starts_after, given.version), (secret(1), 64, 65));
        assert_eq!(put(None, wanted(None, true), 64, 5).secret, secret(9));
    }

    #[test]
    fn a_secret_that_is_replaced_signs_too_for_a_time() {
        let one = put(None, wanted(Some(secret(1)), true), 0, 0);
        let same = put(Some(&one), wanted(Some(secret(1)), true), 0, 1);
        assert_eq!((&same.former, same.version), (&None, one.version + 1));
        let two = put(Some(&same), wanted(Some(secret(2)), true), 0, 10);
        assert_eq!(two.secret, secret(2));
        let day = Span::days(1).0;
        let former = |webhook: &Webhook, now| {
            webhook.former_secret(Timestamp(now)).map(|former| former.secret.clone())
        };
        assert_eq!(former(&two, 10 + day - 1), Some(secret(1)));
        assert_eq!(former(&two, 10 + day), None);
        let later = put(Some(&two), wanted(None, true), 0, 20);
        assert_eq!((&later.secret, former(&later, 20)), (&secret(2), Some(secret(1))), "stays");
        let at_once = NewWebhook { keep_former: Span::ZERO, ..wanted(Some(secret(3)), true) };
        assert_eq!(former(&put(Some(&two), at_once, 0, 20), 20), None, "a leaked one");
    }

    #[test]
    fn only_what_becomes_active_starts_anew() {
        let one = put(None, wanted(None, true), 10, 0);
        let changed = put(Some(&one), wanted(None, true), 20, 1);
        assert_eq!(changed.starts_after, 10);
        let off = changed.disable("answered 410".to_owned(), Timestamp(2));
        assert_eq!((off.settings.active, off.version), (false, one.version + 2));
        assert_eq!(off.disabled.as_deref(), Some("answered 410"));
        let on = put(Some(&off), wanted(None, true), 40, 3);
        assert_eq!((on.starts_after, on.disabled), (40, None));
    }
}
