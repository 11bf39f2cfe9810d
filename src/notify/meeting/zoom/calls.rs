//! Calls to Zoom's API: tokens, time-outs, bounded answers, and what each status means.
//!
//! Tokens come by server-to-server OAuth (grant `account_credentials`): good for an hour, without
//! a refresh token. Zoom may end one early, which its 401 shows; then one new token is tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::config::{OutwardCalls, ZoomAccount};
use crate::domain::dispatch::Outcome;
use crate::domain::time::{Span, Timestamp};
use crate::engine::clock::Clock;
use crate::notify::answer::{body, retry_after, why};

/// The longest answer that is read: a page of 300 meetings is a tenth of it.
const ANSWER_MAX: usize = 4 << 20;

/// A token is renewed so long before its end, so that none ends on its way.
const RENEW_BEFORE: Span = Span::seconds(60);

/// Zoom's codes for tokens that are wrong or lack a scope, which come with 400: mended by whoever
/// runs the account, and not by another request.
const TOKEN_CODES: [i64; 3] = [124, 4_700, 4_711];

/// Why a call didn't do it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// What it was about doesn't exist.
    Gone,
    /// Not now.
    Later { reason: String, retry_after: Option<Span> },
    /// Not in this form.
    Refused { reason: String },
}

impl Failed {
    pub(super) fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), retry_after: None }
    }

    pub(super) fn outcome<T>(self) -> Outcome<T> {
        match self {
            // Only the account's own settings can be what is missing here: they may be mended.
            Self::Gone => Outcome::later("Zoom doesn't know the host user"),
            Self::Later { reason, retry_after } => Outcome::Later { reason, retry_after },
            Self::Refused { reason } => Outcome::GivenUp { reason },
        }
    }
}

/// Zoom's API, with one account's credentials.
pub(super) struct Calls {
    client: Client,
    clock: Arc<Clock>,
    api: Url,
    token_url: Url,
    client_id: String,
    client_secret: SecretString,
    /// Held while a new one is fetched, so that many calls at once fetch one.
    token: Mutex<Option<Token>>,
    /// Until when Zoom asked to be left alone.
    held_until: AtomicI64,
}

#[derive(Clone)]
struct Token {
    value: SecretString,
    good_until: Timestamp,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u32,
}

impl Calls {
    pub(super) fn new(
        account: &ZoomAccount,
        calls: &OutwardCalls,
        clock: Arc<Clock>,
    ) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(calls.connect)
            .timeout(calls.answer)
            .build()?;
        let parse = |url: &str| Url::parse(url).expect("the settings were checked to be addresses");
        let mut token_url = parse(&account.token_url);
        token_url
            .query_pairs_mut()
            .append_pair("grant_type", "account_credentials")
            .append_pair("account_id", &account.account_id);
        Ok(Self {
            client,
            clock,
            api: parse(&account.api_url),
            token_url,
            client_id: account.client_id.clone(),
            client_secret: account.client_secret.clone(),
            token: Mutex::new(None),
            held_until: AtomicI64::new(i64::MIN),
        })
    }

    /// The address of a thing; each step of the path is escaped.
    pub(super) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.api.clone();
        url.path_segments_mut().expect("http addresses have paths").pop_if_empty().extend(path);
        url
    }

    /// Asks, and reads what is answered.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        json: Option<&Value>,
    ) -> Result<T, Failed> {
        let answer = self.call(method, url, json).await?;
        let body = body(answer, ANSWER_MAX).await.map_err(Failed::later)?;
        serde_json::from_slice(&body).map_err(|_| Failed::later("Zoom's answer wasn't understood"))
    }

    /// Asks for something to be done, whatever is answered to its being done.
    pub(super) async fn tell(
        &self,
        method: Method,
        url: Url,
        json: Option<&Value>,
    ) -> Result<(), Failed> {
        self.call(method, url, json).await.map(drop)
    }

    async fn call(
        &self,
        method: Method,
        url: Url,
        json: Option<&Value>,
    ) -> Result<Response, Failed> {
        self.refuse_while_held()?;
        let token = self.token().await?;
        let mut answer = self.send(&token, method.clone(), url.clone(), json).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.forget(&token).await;
            let token = self.token().await?;
            answer = self.send(&token, method, url, json).await?;
            if answer.status() == StatusCode::UNAUTHORIZED {
                self.forget(&token).await;
            }
        }
        if answer.status().is_success() { Ok(answer) } else { Err(self.judge(answer).await) }
    }

    async fn send(
        &self,
        token: &Token,
        method: Method,
        url: Url,
        json: Option<&Value>,
    ) -> Result<Response, Failed> {
        let request = self.client.request(method, url).bearer_auth(token.value.expose_secret());
        let request = match json {
            Some(json) => request.json(json),
            None => request,
        };
        request.send().await.map_err(|error| Failed::later(format!("Zoom: {}", why(error))))
    }

    async fn token(&self) -> Result<Token, Failed> {
        let mut kept = self.token.lock().await;
        let now = self.clock.running();
        if let Some(token) = kept.as_ref().filter(|token| now < token.good_until) {
            return Ok(token.clone());
        }
        let request = self.client.post(self.token_url.clone());
        let secret = self.client_secret.expose_secret();
        let answer = request.basic_auth(&self.client_id, Some(secret)).send().await;
        let answer = answer.map_err(|error| Failed::later(format!("Zoom: {}", why(error))))?;
        let status = answer.status();
        if !status.is_success() {
            let judged = self.judge(answer).await;
            let refused = format!("Zoom gives no token (answered {})", status.as_u16());
            return Err(match judged {
                Failed::Later { retry_after, .. } => Failed::Later { reason: refused, retry_after },
                // Wrong credentials: mended in the settings or at Zoom.
                Failed::Gone | Failed::Refused { .. } => Failed::later(refused),
            });
        }
        let body = body(answer, ANSWER_MAX).await.map_err(Failed::later)?;
        let answer: TokenAnswer = serde_json::from_slice(&body)
            .map_err(|_| Failed::later("Zoom's token wasn't understood"))?;
        let length = Span::seconds(answer.expires_in);
        let early = if length > RENEW_BEFORE + RENEW_BEFORE { RENEW_BEFORE } else { Span::ZERO };
        let token = Token { value: answer.access_token.into(), good_until: now + (length - early) };
        *kept = Some(token.clone());
        Ok(token)
    }

    /// Drops a token that isn't believed, unless another call has a newer one already.
    async fn forget(&self, token: &Token) {
        let value = token.value.expose_secret();
        let mut kept = self.token.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.value.expose_secret() == value) {
            *kept = None;
        }
    }

    fn refuse_while_held(&self) -> Result<(), Failed> {
        let until = Timestamp(self.held_until.load(Ordering::SeqCst));
        let left = until.since(self.clock.running());
        if left <= Span::ZERO {
            return Ok(());
        }
        let reason = "Zoom asked to be left alone for a while".to_owned();
        Err(Failed::Later { reason, retry_after: Some(left) })
    }

    /// What an answer that isn't a success means.
    async fn judge(&self, answer: Response) -> Failed {
        let status = answer.status();
        let now = self.clock.wall();
        let asked = retry_after(answer.headers(), now);
        let daily = is_daily(answer.headers());
        let fault = Fault::read(answer).await;
        let code = fault.code.map_or_else(String::new, |code| format!(", code {code}"));
        let reason = format!("Zoom answered {}{code}", status.as_u16());
        match status {
            StatusCode::NOT_FOUND => Failed::Gone,
            StatusCode::TOO_MANY_REQUESTS => {
                let daily = daily || fault.message.contains("daily rate limit");
                let retry_after = asked.or_else(|| daily.then(|| until_midnight(now)));
                if let Some(span) = retry_after {
                    self.held_until.store((self.clock.running() + span).0, Ordering::SeqCst);
                }
                Failed::Later { reason, retry_after }
            }
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::CONFLICT => Failed::Later { reason, retry_after: asked },
            _ if !status.is_client_error() => Failed::Later { reason, retry_after: asked },
            _ if fault.code.is_some_and(|code| TOKEN_CODES.contains(&code)) => {
                Failed::later(reason)
            }
            _ => Failed::Refused { reason },
        }
    }
}

/// Zoom's own word for what is wrong: `{"code": 300, "message": "…"}`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Fault {
    code: Option<i64>,
    message: String,
}

impl Fault {
    /// An answer without one, as from a proxy in between, has neither.
    async fn read(answer: Response) -> Self {
        let body = body(answer, ANSWER_MAX).await.unwrap_or_default();
        serde_json::from_slice(&body).unwrap_or_default()
    }
}

/// Whether the limit that was hit is one of the day's.
fn is_daily(headers: &HeaderMap) -> bool {
    let kind = headers.get("x-ratelimit-type").and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("daily-limit"))
}

/// Zoom's days end at midnight UTC.
fn until_midnight(now: Timestamp) -> Span {
    let day = Span::days(1);
    Span(day.0 - now.0.rem_euclid(day.0))
}
