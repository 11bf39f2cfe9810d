//! Meetings at Zoom, by its REST API v2.
//!
//! Zoom takes no idempotency key, so a meeting carries its callback's id in the agenda, and before
//! one is made the host's meetings are looked through for it. What an answer lost left behind is
//! found so; of two, which only a look that came too early can leave, the older one stays.

mod calls;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use self::calls::{Calls, Failed};
use crate::config::{OutwardCalls, ZoomAccount};
use crate::domain::civil::format_rfc3339;
use crate::domain::dispatch::Outcome;
use crate::domain::dispatch::{Meeting, Provider};
use crate::domain::ids::CallbackId;
use crate::domain::time::Timestamp;
use crate::engine::clock::Clock;
use crate::engine::outward::{Appointment, Meetings};
use crate::engine::ports::PortFuture;

/// The most that Zoom lists at once.
const PAGE: &str = "300";

/// Pages that are looked through: 100 meetings a day, made up to four months ahead.
const PAGES_MAX: usize = 40;

/// The longest topic that Zoom takes, in characters.
const TOPIC_MAX: usize = 200;

/// The longest meeting that Zoom takes, in minutes.
const MINUTES_MAX: i64 = 1_440;

/// Makes meetings with one Zoom account.
pub struct Zoom {
    calls: Calls,
    host_user: String,
}

/// A page of the host's meetings.
#[derive(Deserialize)]
struct Page {
    meetings: Vec<Listed>,
    #[serde(default)]
    next_page_token: Option<String>,
}

/// A meeting as lists show it: without the host's link, the agenda cut to 250 characters.
#[derive(Deserialize, Debug)]
struct Listed {
    id: u64,
    agenda: Option<String>,
    created_at: Option<String>,
    topic: Option<String>,
    start_time: Option<String>,
    duration: Option<i64>,
}

/// A meeting as it is shown by itself.
#[derive(Deserialize)]
struct Shown {
    id: u64,
    join_url: String,
    start_url: String,
}

impl Zoom {
    /// For one account. Fails where TLS can't be set up.
    pub fn new(
        account: &ZoomAccount,
        calls: &OutwardCalls,
        clock: Arc<Clock>,
    ) -> Result<Self, reqwest::Error> {
        let calls = Calls::new(account, calls, clock)?;
        Ok(Self { calls, host_user: account.host_user.clone() })
    }

    async fn make(&self, appointment: &Appointment) -> Result<Meeting, Failed> {
        let mut found = self.find(appointment.callback).await?.into_iter();
        let Some(first) = found.next() else {
            let url = self.calls.url(&["users", &self.host_user, "meetings"]);
            let shown: Shown =
                self.calls.ask(Method::POST, url, Some(&wanted(appointment))).await?;
            return shown.meeting();
        };
        for further in found {
            self.remove(&further.id.to_string()).await?;
        }
        let id = first.id.to_string();
        if !first.fits(appointment) {
            let url = self.calls.url(&["meetings", &id]);
            self.calls.tell(Method::PATCH, url, Some(&wanted(appointment))).await?;
        }
        self.show(&id).await
    }

    async fn shift(&self, id: &str, appointment: &Appointment) -> Result<Meeting, Failed> {
        let url = self.calls.url(&["meetings", id]);
        match self.calls.tell(Method::PATCH, url, Some(&wanted(appointment))).await {
            Ok(()) => self.show(id).await,
            Err(Failed::Gone) => self.make(appointment).await,
            Err(other) => Err(other),
        }
    }

    async fn links(&self, id: &str, appointment: &Appointment) -> Result<Meeting, Failed> {
        match self.show(id).await {
            Err(Failed::Gone) => self.make(appointment).await,
            other => other,
        }
    }

    async fn clear(&self, callback: CallbackId, id: Option<&str>) -> Result<(), Failed> {
        if let Some(id) = id {
            return self.remove(id).await;
        }
        for found in self.find(callback).await? {
            self.remove(&found.id.to_string()).await?;
        }
        Ok(())
    }

    async fn show(&self, id: &str) -> Result<Meeting, Failed> {
        let url = self.calls.url(&["meetings", id]);
        let shown: Shown = self.calls.ask(Method::GET, url, None).await?;
        shown.meeting()
    }

    async fn remove(&self, id: &str) -> Result<(), Failed> {
        let url = self.calls.url(&["meetings", id]);
        match self.calls.tell(Method::DELETE, url, None).await {
            Err(Failed::Gone) => Ok(()),
            other => other,
        }
    }

    /// The callback's meetings, the oldest first; at most one, unless Zoom's list was behind.
    async fn find(&self, callback: CallbackId) -> Result<Vec<Listed>, Failed> {
        let tag = tag(callback);
        let mut found = Vec::new();
        let mut next = String::new();
        for _ in 0..PAGES_MAX {
            let mut url = self.calls.url(&["users", &self.host_user, "meetings"]);
            url.query_pairs_mut().append_pair("type", "scheduled").append_pair("page_size", PAGE);
            if !next.is_empty() {
                url.query_pairs_mut().append_pair("next_page_token", &next);
            }
            let page: Page = self.calls.ask(Method::GET, url, None).await?;
            let tagged = |one: &Listed| one.agenda.as_deref().is_some_and(|all| all.contains(&tag));
            found.extend(page.meetings.into_iter().filter(tagged));
            next = page.next_page_token.unwrap_or_default();
            if next.is_empty() {
                found.sort_by(|a, b| (&a.created_at, a.id).cmp(&(&b.created_at, b.id)));
                return Ok(found);
            }
        }
        Err(Failed::later("the host has too many meetings at Zoom to look through"))
    }
}

/// What a callback's meeting is known by.
fn tag(callback: CallbackId) -> String {
    format!("[ringback:{callback}]")
}

/// What is sent when a meeting is made or moved. The customer waits until the agent lets them in.
fn wanted(appointment: &Appointment) -> Value {
    json!({
        "type": 2,
        "topic": topic(appointment),
        "agenda": tag(appointment.callback),
        "start_time": start(appointment),
        "duration": minutes(appointment),
        "settings": {
            "join_before_host": false,
            "waiting_room": true,
            "use_pmi": false,
            "email_notification": false,
        },
    })
}

fn topic(appointment: &Appointment) -> String {
    appointment.topic.chars().take(TOPIC_MAX).collect()
}

/// In UTC to the second, as Zoom reads it.
fn start(appointment: &Appointment) -> String {
    let seconds = appointment.start.0.div_euclid(1_000);
    format_rfc3339(Timestamp(seconds * 1_000))
}

fn minutes(appointment: &Appointment) -> i64 {
    let seconds = appointment.end.since(appointment.start).whole_seconds();
    seconds.saturating_add(59).div_euclid(60).clamp(1, MINUTES_MAX)
}

impl Listed {
    /// Whether it is as it should be already; a change counts against the day's limit.
    fn fits(&self, appointment: &Appointment) -> bool {
        self.topic.as_ref() == Some(&topic(appointment))
            && self.start_time.as_ref() == Some(&start(appointment))
            && self.duration == Some(minutes(appointment))
    }
}

impl Shown {
    /// Customers are sent these links, so only real ones are taken.
    fn meeting(self) -> Result<Meeting, Failed> {
        if [&self.join_url, &self.start_url].iter().any(|url| !url.starts_with("https://")) {
            return Err(Failed::later("Zoom's answer has no links"));
        }
        Ok(Meeting {
            provider: Provider::Zoom,
            id: self.id.to_string(),
            join_url: self.join_url,
            host_url: self.start_url,
        })
    }
}

fn outcome<T>(done: Result<T, Failed>) -> Outcome<T> {
    done.map_or_else(Failed::outcome, Outcome::Delivered)
}

impl Meetings for Zoom {
    fn provider(&self) -> Provider {
        Provider::Zoom
    }

    fn create<'a>(&'a self, appointment: &'a Appointment) -> PortFuture<'a, Outcome<Meeting>> {
        Box::pin(async move { outcome(self.make(appointment).await) })
    }

    fn update<'a>(
        &'a self,
        id: &'a str,
        appointment: &'a Appointment,
    ) -> PortFuture<'a, Outcome<Meeting>> {
        Box::pin(async move { outcome(self.shift(id, appointment).await) })
    }

    fn renew<'a>(
        &'a self,
        id: &'a str,
        appointment: &'a Appointment,
    ) -> PortFuture<'a, Outcome<Meeting>> {
        Box::pin(async move { outcome(self.links(id, appointment).await) })
    }

    fn delete<'a>(&'a self, callback: CallbackId, id: Option<&'a str>) -> PortFuture<'a, Outcome> {
        Box::pin(async move { outcome(self.clear(callback, id).await) })
    }
}
