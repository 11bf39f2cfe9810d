//! Webhooks: events, signed, sent to endpoints, and what became of them.
//!
//! By the Standard Webhooks scheme 1.0.0. Here is the one attempt: it remembers nothing, and must
//! never follow a redirect, take a proxy from the environment, or connect to an address that isn't
//! public (unless told so for a lab). Beside it: a `courier` per
//! webhook sends what the domain's `Outgoing` decides, and `couriers` are all of them.

mod address;
mod courier;
mod couriers;
mod sign;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use reqwest::dns::Resolve;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde::Serialize;

pub use address::is_public;
pub use couriers::{Couriers, StartError};

use self::address::{InnerAddress, Outward, SystemNames};
use super::answer::{retry_after, why};
use crate::config::Webhooks;
use crate::domain::civil::format_rfc3339;
use crate::domain::dispatch::Outcome;
use crate::domain::ids::WorkspaceId;
use crate::domain::time::Timestamp;
use crate::domain::webhook::SigningSecret;
use crate::engine::library::StoredEvent;
use crate::wire::event::EventBody;

/// The longest address of an endpoint, in bytes.
const URL_MAX: usize = 2_000;

/// Idle connections that are kept to one host, so that a burst of events doesn't shake hands for
/// each; more would only be held for nothing.
const IDLE_PER_HOST: usize = 2;

/// Who tells the receiver's log what we are.
const USER_AGENT: &str = concat!("ringback/", env!("CARGO_PKG_VERSION"));

/// Where webhooks go, and what they are signed with.
#[derive(Debug)]
pub struct Endpoint {
    /// `https://…`.
    pub url: String,
    /// What they are signed with.
    pub secret: SigningSecret,
    /// The one before, while receivers change to the new one.
    pub former_secret: Option<SigningSecret>,
}

/// The scheme's `type`, `timestamp` and `data`, two of which an event has anyway.
#[derive(Serialize)]
struct Message<'a> {
    timestamp: String,
    #[serde(flatten)]
    event: EventBody<'a>,
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The same at each attempt, so that a receiver can drop what it has: no full stop in it.
    id: String,
    /// When this attempt is made.
    at: Timestamp,
    body: Vec<u8>,
}

impl Delivery {
    /// An attempt at `at` to send an event of a workspace.
    pub fn new(event: &StoredEvent, workspace: &WorkspaceId, at: Timestamp) -> Self {
        let message = Message {
            timestamp: format_rfc3339(event.at),
            event: EventBody::new(event, workspace),
        };
        let body = serde_json::to_vec(&message).expect("an event is texts and numbers under texts");
        Self { id: format!("evt_{workspace}_{}", event.id), at, body }
    }
}

/// Why an address isn't one that webhooks may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// No address that we could ask.
    #[error("must be https://HOST[:PORT][/PATH], without user name and fragment")]
    Malformed,
    /// Not encrypted.
    #[error("must begin with https://")]
    NotEncrypted,
    /// An inner address, in numbers.
    #[error("must not be an inner address")]
    Inner,
}

/// Sends webhooks; one for the whole process.
pub struct Sender {
    client: Client,
    allow_inner: bool,
}

impl Sender {
    /// With the system's own name resolution. Fails where TLS can't be set up.
    pub fn new(settings: &Webhooks) -> Result<Self, reqwest::Error> {
        Self::with_names(settings, Arc::new(SystemNames))
    }

    /// With another name resolution; its addresses are looked at all the same.
    pub fn with_names(
        settings: &Webhooks,
        names: Arc<dyn Resolve>,
    ) -> Result<Self, reqwest::Error> {
        let allow_inner = settings.allow_inner;
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            // A proxy would resolve names itself, past our look at the addresses.
            .no_proxy()
            .dns_resolver(Arc::new(Outward::new(names, allow_inner)))
            .connect_timeout(settings.connect)
            .timeout(settings.answer)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .build()?;
        Ok(Self { client, allow_inner })
    }

    /// Whether webhooks may go to an address, as far as can be seen without asking for its name.
    pub fn check_url(&self, url: &str) -> Result<(), BadUrl> {
        self.url(url).map(|_| ())
    }

    /// Sends an event once. Ends within the time-outs of the settings whatever the receiver does.
    pub async fn deliver(&self, endpoint: &Endpoint, delivery: &Delivery) -> Outcome {
        // Looked at each time: the setting may be another than when the endpoint was stored.
        let url = match self.url(&endpoint.url) {
            Ok(url) => url,
            Err(error) => return Outcome::given_up(format!("the address {error}")),
        };
        let headers = headers(endpoint, delivery);
        let request = self.client.post(url).headers(headers).body(delivery.body.clone());
        match request.send().await {
            // The body is dropped unread: what it says can't change what the status said.
            Ok(answer) => judge(answer.status(), answer.headers(), delivery.at),
            Err(error) if is_inner(&error) => {
                // The name may lead elsewhere tomorrow, so it is tried again within the day.
                Outcome::later(InnerAddress.to_string())
            }
            Err(error) => Outcome::later(why(error)),
        }
    }

    fn url(&self, text: &str) -> Result<Url, BadUrl> {
        let url = Url::parse(text).map_err(|_| BadUrl::Malformed)?;
        let plain = text.len() <= URL_MAX
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        let host = url.host_str().filter(|_| plain).ok_or(BadUrl::Malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_inner => {}
            "http" => return Err(BadUrl::NotEncrypted),
            _ => return Err(BadUrl::Malformed),
        }
        // The client doesn't ask for the name of an address in numbers, so it is looked at here.
        // The parser has already turned 0x7f.1 and its like into the usual four numbers.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let literal = bare.parse::<IpAddr>().ok();
        if !self.allow_inner && literal.is_some_and(|address| !is_public(address)) {
            return Err(BadUrl::Inner);
        }
        Ok(url)
    }
}

fn headers(endpoint: &Endpoint, delivery: &Delivery) -> HeaderMap {
    let seconds = delivery.at.0.div_euclid(1_000);
    let secrets = [Some(&endpoint.secret), endpoint.former_secret.as_ref()];
    let signature =
        sign::signatures(secrets.into_iter().flatten(), &delivery.id, seconds, &delivery.body);
    let value = |text: String| {
        HeaderValue::try_from(text).expect("slugs, numbers and base64 are visible ASCII")
    };
    HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("webhook-id"), value(delivery.id.clone())),
        (HeaderName::from_static("webhook-timestamp"), value(seconds.to_string())),
        (HeaderName::from_static("webhook-signature"), value(signature)),
    ])
}

/// What a status means: any 2xx is success, 410 says never again, all else may change.
fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Outcome {
    if status.is_success() {
        return Outcome::Delivered(());
    }
    let reason = format!("answered {}", status.as_u16());
    if status == StatusCode::GONE {
        return Outcome::GivenUp { reason };
    }
    Outcome::Later { reason, retry_after: retry_after(headers, now) }
}

/// Whether a request failed because a name led to inner addresses.
fn is_inner(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(next) = cause {
        if next.is::<InnerAddress>() {
            return true;
        }
        cause = next.source();
    }
    false
}
