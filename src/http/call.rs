//! A request on its way to its handler: who asks, what for, and on which workspace.
//!
//! By the time that a handler sees it, credential, type, size and JSON are good. What remains is
//! checked in this order: 404, 403, replay, 422, 429, 412, 409.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, ORIGIN};

use super::auth::Caller;
use super::body::Body;
use super::state::{Shared, Workspace};
use super::{idempotency, precondition};
use crate::domain::ids::CallbackId;
use crate::domain::phone::PhoneNumber;
use crate::domain::time::Timestamp;
use crate::engine::entry::Keyed;
use crate::engine::library::FullCallback;
use crate::wire::json::Json;
use crate::wire::list::seen;
use crate::wire::problem::{Kind, Problem};
use crate::wire::query::Query;
use crate::wire::request::invalid;
use crate::wire::role::Role;
use crate::wire::settings::fields::{Fields, Item};

/// How a browser says which site's page asks, where it sends no `Origin`.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A request with a credential.
pub(super) struct Call<'a> {
    pub(super) shared: Arc<Shared>,
    pub(super) caller: Caller,
    pub(super) request: HttpRequest,
    pub(super) body: Body<'a>,
    pub(super) now: Timestamp,
    /// Whether its handler has asked what stands behind the question mark.
    pub(super) query_read: Cell<bool>,
}

impl Call<'_> {
    /// The workspace that the credential belongs to.
    pub(super) fn workspace(&self) -> &Workspace {
        &self.shared.workspaces[self.caller.workspace]
    }

    /// Its role.
    pub(super) fn role(&self) -> &Role {
        &self.caller.role
    }

    /// A part of the path; empty where it isn't text.
    pub(super) fn part(&self, name: &str) -> &str {
        self.request.match_info().get(name).unwrap_or_default()
    }

    /// The address that the request comes from.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.request.peer_addr().map(|address| address.ip())
    }

    /// What stands behind the question mark.
    pub(super) fn query(&self) -> Result<Vec<(String, String)>, Problem> {
        self.query_read.set(true);
        super::query_pairs(self.request.query_string())
    }

    /// Refuses parameters of a GET whose handler knows none. Held against it when it has answered,
    /// since 404 and 403 come first, and reading changes nothing.
    pub(super) fn check_query(&self) -> Result<(), Problem> {
        if self.query_read.get() || self.request.query_string().is_empty() {
            return Ok(());
        }
        Query::new(&self.query()?).finish().map_err(Problem::invalid)
    }

    /// Its `Idempotency-Key`, as digests.
    pub(super) fn keyed(&self) -> Result<Option<Keyed>, Problem> {
        let method = self.request.method().as_str();
        let path = self.request.path();
        let headers = self.request.headers();
        idempotency::keyed(headers, &self.caller.identity, method, path, self.body.bytes)
    }

    /// Whether it has an `Idempotency-Key`, good or not.
    pub(super) fn is_keyed(&self) -> bool {
        idempotency::is_keyed(self.request.headers())
    }

    /// The version that it is meant for, where `now` is that of what there is.
    pub(super) fn if_match(&self, now: u64) -> Option<u64> {
        precondition::wanted(self.request.headers(), now)
    }

    /// Refuses a PUT that is meant for what there is, where there is nothing.
    pub(super) fn check_there(&self, there: bool) -> Result<(), Problem> {
        if there || !precondition::has_if_match(self.request.headers()) {
            return Ok(());
        }
        let detail = "There is nothing to replace; leave If-Match out to make it.";
        Err(Problem::new(Kind::VersionStale, detail))
    }

    /// The body's fields, read by `read`; every fault of them is told at once.
    pub(super) fn fields<T>(
        &self,
        read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
    ) -> Result<T, Problem> {
        read_fields(&self.body.value, read)
    }

    /// Refuses keys that stand in pages: they may ask for a callback, and nothing else.
    pub(super) fn not_public(&self) -> Result<(), Problem> {
        match self.role() {
            Role::Channel { public: true, .. } => Err(Problem::forbidden(
                "A public key may ask for a callback, and nothing else; use a secret key.",
            )),
            _ => Ok(()),
        }
    }

    /// Lets agents and supervisors pass.
    pub(super) fn inside(&self) -> Result<(), Problem> {
        if self.role().is_inside() {
            return Ok(());
        }
        Err(Problem::forbidden("Only agents and supervisors may do that."))
    }

    /// Lets supervisors pass.
    pub(super) fn supervises(&self) -> Result<(), Problem> {
        if self.role().supervises() {
            return Ok(());
        }
        Err(Problem::forbidden("Only supervisors may do that."))
    }

    /// Lets administrators pass.
    pub(super) fn administers(&self) -> Result<(), Problem> {
        if matches!(self.role(), Role::Admin(_)) {
            return Ok(());
        }
        Err(Problem::forbidden("Only administrators may do that."))
    }

    /// Holds a key that stands in a page to the pages' sites.
    pub(super) fn public_request(&self) -> Result<(), Problem> {
        let Some(public) = &self.caller.public else { return Ok(()) };
        let headers = self.request.headers();
        // To its own server a page's GET says no more than that it is one of theirs.
        let own =
            || (headers.get(FETCH_SITE)? == "same-origin").then_some(self.shared.own_site.as_str());
        let origin = headers.get(ORIGIN).map_or_else(own, |value| value.to_str().ok());
        if origin.is_some_and(|origin| public.allows(origin)) {
            return Ok(());
        }
        Err(Problem::forbidden("This key is taken from the pages of its sites only."))
    }

    /// Counts a request with a key that stands in a page.
    pub(super) fn count_public_request(&self) -> Result<(), Problem> {
        let Some(public) = &self.caller.public else { return Ok(()) };
        let key = self.caller.identity;
        self.shared.public_uses.request(key, self.address(), public, self.now)
    }

    /// How many requests one number may make, if this one counts: agents' bookings don't.
    fn phone_limit(&self) -> Option<u32> {
        let most = self.workspace().phone_requests_per_minute;
        (most > 0 && !self.role().is_inside()).then_some(most)
    }

    /// Counts a request for a callback, for a key that stands in a page and for a number.
    pub(super) fn count_callback(&self, phone: Option<PhoneNumber>) -> Result<(), Problem> {
        if let Some(public) = &self.caller.public {
            let key = self.caller.identity;
            self.shared.public_uses.callback(key, self.address(), public, self.now)?;
        }
        let (Some(phone), Some(most)) = (phone, self.phone_limit()) else { return Ok(()) };
        let counted =
            self.shared.phone_requests.count(self.caller.workspace, phone, most, self.now);
        counted.inspect_err(|_| self.uncount_public_callback())
    }

    /// Takes back what was counted for a request of which nothing came.
    pub(super) fn uncount_callback(&self, phone: Option<PhoneNumber>) {
        self.uncount_public_callback();
        if let (Some(phone), Some(_)) = (phone, self.phone_limit()) {
            self.shared.phone_requests.uncount(self.caller.workspace, phone, self.now);
        }
    }

    fn uncount_public_callback(&self) {
        if self.caller.public.is_some() {
            let key = self.caller.identity;
            self.shared.public_uses.uncount_callback(key, self.address(), self.now);
        }
    }

    /// The callback in the path, if the caller may see it.
    pub(super) async fn callback(&self) -> Result<FullCallback, Problem> {
        let id = CallbackId::parse(self.part("id")).ok_or_else(Problem::not_found)?;
        if let Role::Customer(own) = self.role()
            && *own != id
        {
            return Err(Problem::not_found());
        }
        let workspace = self.workspace();
        let full = seen(&workspace.handle, self.role(), id).await?;
        if self.is_over_for_customer(&full) {
            return Err(Problem::not_found());
        }
        Ok(full)
    }

    /// The one callback that a manage token is good for; none for other credentials.
    pub(super) async fn own_callback(&self) -> Result<Option<FullCallback>, Problem> {
        let Role::Customer(own) = self.role() else { return Ok(None) };
        let full = self.workspace().handle.callback(*own).await?.ok_or_else(Problem::not_found)?;
        if self.is_over_for_customer(&full) {
            return Err(Problem::not_found());
        }
        Ok(Some(full))
    }

    /// A customer's link ends some days after their callback did.
    fn is_over_for_customer(&self, full: &FullCallback) -> bool {
        let callback = &full.callback;
        matches!(self.role(), Role::Customer(_))
            && callback.state().is_final()
            && self.now > callback.updated_at + self.shared.limits.manage_read()
    }
}

/// Fields of a JSON object, read by `read`.
pub(super) fn read_fields<T>(
    value: &Json<'_>,
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, Problem> {
    let mut faults = Vec::new();
    let read = Item::root(value, &mut faults).table(read).flatten();
    match read {
        Some(read) if faults.is_empty() => Ok(read),
        _ => Err(invalid(faults)),
    }
}
