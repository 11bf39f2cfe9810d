//! What each route is for, who may use it, and which shapes go in and out.

/// A route as it is described.
pub(super) struct Operation {
    /// In small letters.
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    /// Whose credentials are taken; none: no credential is needed.
    pub(super) roles: &'static [&'static str],
    /// Names behind the question mark.
    pub(super) query: &'static [&'static str],
    /// The body's shape.
    pub(super) body: Option<&'static str>,
    /// Statuses of success with their shapes; `[]` behind a name means a page of them.
    pub(super) answers: &'static [(u16, Option<&'static str>)],
}

impl Operation {
    /// A name of its own, made of method and path.
    pub(super) fn id(&self) -> String {
        let words = self.path.split(['/', '.']).filter(|part| !part.is_empty());
        let words = words.map(|part| part.trim_matches(['{', '}']));
        words.fold(self.method.to_owned(), |id, word| id + "_" + word)
    }

    /// Whether its answer goes on and on.
    pub(super) fn is_stream(&self) -> bool {
        self.path == "/v1/events"
    }

    /// Whether a request without a body isn't taken.
    pub(super) fn needs_body(&self) -> bool {
        (matches!(self.method, "put" | "patch") && self.body != Some("Deny"))
            || matches!(
                self.body,
                Some("NewCallback" | "Reschedule" | "Assign" | "ServedElsewhere")
            )
    }
}

const ALL: &[&str] = &["customer", "channel", "agent", "supervisor", "admin"];
const INTAKE: &[&str] = &["channel", "agent", "supervisor", "admin"];
const INSIDE: &[&str] = &["agent", "supervisor", "admin"];
const LEAD: &[&str] = &["supervisor", "admin"];
const ADMIN: &[&str] = &["admin"];
const OPEN: &[&str] = &[];
const PAGE: &[&str] = &["limit", "cursor"];
const FILTERS: &[&str] = &[
    "state",
    "queue",
    "type",
    "medium",
    "requested_by",
    "agent_id",
    "booked_by",
    "contact_id",
    "phone",
    "email",
    "case_id",
    "interaction_ref",
    "external_id",
    "number",
    "q",
    "due_before",
    "due_after",
    "sort",
    "limit",
    "cursor",
];

/// A read.
const fn get(
    path: &'static str,
    roles: &'static [&'static str],
    query: &'static [&'static str],
    answers: &'static [(u16, Option<&'static str>)],
    summary: &'static str,
) -> Operation {
    Operation { method: "get", path, summary, roles, query, body: None, answers }
}

/// A write.
const fn write(
    method: &'static str,
    path: &'static str,
    roles: &'static [&'static str],
    body: &'static str,
    answers: &'static [(u16, Option<&'static str>)],
    summary: &'static str,
) -> Operation {
    Operation { method, path, summary, roles, query: &[], body: Some(body), answers }
}

/// A removal.
const fn delete(path: &'static str, summary: &'static str) -> Operation {
    Operation {
        method: "delete",
        path,
        summary,
        roles: ADMIN,
        query: &[],
        body: None,
        answers: &[(204, None)],
    }
}

/// Something done to one callback.
const fn act(
    path: &'static str,
    roles: &'static [&'static str],
    body: &'static str,
    summary: &'static str,
) -> Operation {
    write("post", path, roles, body, &[(200, Some("Callback"))], summary)
}

/// Every route, in the order of the document.
#[rustfmt::skip]
pub(super) const OPERATIONS: &[Operation] = &[
    get("/v1/callbacks", INTAKE, FILTERS, &[(200, Some("Callback[]"))],
        "Lists callbacks; `state=active` means not final. Channels must name a contact, phone, \
         email, case or external id"),
    write("post", "/v1/callbacks", INTAKE, "NewCallback",
        &[(200, Some("Callback")), (201, Some("Callback"))],
        "Asks for a callback. 200 with `existing`: it had been asked for before"),
    get("/v1/callbacks/{id}", ALL, &[], &[(200, Some("Callback"))], "Shows a callback"),
    write("patch", "/v1/callbacks/{id}", INTAKE, "CallbackPatch", &[(200, Some("Callback"))],
        "Changes fields, as far as the role may"),
    act("/v1/callbacks/{id}/reschedule", ALL, "Reschedule", "Moves it to another time"),
    act("/v1/callbacks/{id}/cancel", ALL, "Cancel", "Calls it off"),
    act("/v1/callbacks/{id}/accept", INSIDE, "Accept", "Takes the offer"),
    act("/v1/callbacks/{id}/decline", INSIDE, "Decline", "Doesn't take the offer"),
    act("/v1/callbacks/{id}/call", INSIDE, "Call", "Records that the agent calls"),
    act("/v1/callbacks/{id}/outcome", INSIDE, "OutcomeOfCall", "Tells how the call went"),
    act("/v1/callbacks/{id}/end_call", INSIDE, "EndCall", "Ends an answered call"),
    act("/v1/callbacks/{id}/extend_wrap_up", INSIDE, "ExtendWrapUp", "Gives wrap-up more time"),
    act("/v1/callbacks/{id}/retry", INSIDE, "Retry", "Tries again later"),
    act("/v1/callbacks/{id}/requeue", INSIDE, "Requeue", "Sends it back to a queue"),
    act("/v1/callbacks/{id}/close", INSIDE, "Close", "Closes it"),
    act("/v1/callbacks/{id}/assign", INSIDE, "Assign", "Gives it to an agent"),
    get("/v1/callbacks/{id}/routing", INSIDE, &[], &[(200, Some("RoutingTrace"))],
        "Tells why it isn't assigned, agent by agent"),
    get("/v1/callbacks/{id}/history", INSIDE, PAGE, &[(200, Some("Event[]"))],
        "Lists its events, oldest first"),
    write("post", "/v1/customers/served_elsewhere", INTAKE, "ServedElsewhere",
        &[(200, Some("Served"))],
        "Calls off what waits for a customer who was served another way"),
    get("/v1/deny_list", LEAD, PAGE, &[(200, Some("Denied[]"))], "Lists numbers not to be called"),
    get("/v1/deny_list/{phone}", LEAD, &[], &[(200, Some("Denied"))], "Shows why it is denied"),
    write("put", "/v1/deny_list/{phone}", LEAD, "Deny",
        &[(200, Some("Denied")), (201, Some("Denied"))], "Puts a number on the deny list"),
    Operation { roles: LEAD, ..delete("/v1/deny_list/{phone}", "Takes it off the deny list") },
    get("/v1/queues", LEAD, PAGE, &[(200, Some("Queue[]"))], "Lists queues"),
    get("/v1/queues/{id}", LEAD, &[], &[(200, Some("Queue"))], "Shows a queue"),
    write("put", "/v1/queues/{id}", ADMIN, "Queue", &[(200, Some("Queue")), (201, Some("Queue"))],
        "Makes or replaces a queue"),
    delete("/v1/queues/{id}", "Removes a queue in which nothing waits"),
    get("/v1/queues/{id}/availability", INTAKE, &["medium", "live_wait_seconds"],
        &[(200, Some("Availability"))],
        "Tells whether to offer a callback, the wait expected, and the next free slots"),
    get("/v1/queues/{id}/slots", ALL, &["medium", "from", "to", "time_zone"],
        &[(200, Some("Slots"))],
        "Lists the starts that customers may choose, full ones too; a week from now on unless \
         said, 31 days at most"),
    write("post", "/v1/queues/{id}/pause", LEAD, "Pause", &[(200, Some("Queue"))],
        "Stops requests, offers, or both"),
    write("post", "/v1/queues/{id}/resume", LEAD, "Resume", &[(200, Some("Queue"))],
        "Lets requests, offers, or both go on"),
    get("/v1/agents", LEAD, PAGE, &[(200, Some("Agent[]"))], "Lists agents"),
    get("/v1/agents/{id}", LEAD, &[], &[(200, Some("Agent"))], "Shows an agent's settings"),
    write("put", "/v1/agents/{id}", ADMIN, "Agent", &[(200, Some("Agent")), (201, Some("Agent"))],
        "Makes or replaces an agent"),
    delete("/v1/agents/{id}", "Removes an agent who holds nothing"),
    write("put", "/v1/agents/{id}/presence", INSIDE, "PresenceChange",
        &[(200, Some("AgentStatus"))], "Sets what an agent wants"),
    write("put", "/v1/agents/{id}/external_load", INTAKE, "ExternalLoad",
        &[(200, Some("AgentLoad"))], "Tells of an agent's work elsewhere"),
    get("/v1/agents/{id}/status", LEAD, &[], &[(200, Some("AgentStatus"))],
        "Shows how an agent is doing"),
    get("/v1/agent_status", LEAD, PAGE, &[(200, Some("AgentStatus[]"))],
        "Shows how all agents are doing"),
    get("/v1/directory", INSIDE, &[], &[(200, Some("Directory"))],
        "Lists queues and agents for transfers"),
    get("/v1/stats", LEAD, &[], &[(200, Some("Stats"))],
        "Shows how queues and agents stand now, and what was measured in the last 1, 15 and 60 \
         minutes and on the day"),
    get("/v1/reports/{report}", LEAD, &["from", "to", "by", "time_zone", "format"],
        &[(200, Some("Report"))],
        "Reports of past hours and days: `callbacks` of the workspace, `queues` and `agents` each. \
         A table by `format=csv` or `Accept: text/csv`"),
    get("/v1/events", &["channel", "supervisor", "admin"], &[], &[(200, Some("Event"))],
        "Follows events as server-sent events; Last-Event-ID takes a stream up again. Channels \
         see their own callbacks'"),
    get("/v1/webhooks", ADMIN, PAGE, &[(200, Some("Webhook[]"))], "Lists webhooks"),
    get("/v1/webhooks/{id}", ADMIN, &[], &[(200, Some("Webhook"))],
        "Shows a webhook and how its deliveries stand"),
    write("put", "/v1/webhooks/{id}", ADMIN, "Webhook",
        &[(200, Some("Webhook")), (201, Some("Webhook"))],
        "Makes or replaces a webhook. Without a `secret` one is made, and told this once"),
    delete("/v1/webhooks/{id}", "Removes a webhook; what it wasn't sent yet, it never is"),
    get("/v1/keys", ADMIN, PAGE, &[(200, Some("Key[]"))], "Lists API keys that are good"),
    get("/v1/keys/{token_sha256}", ADMIN, &[], &[(200, Some("Key"))], "Shows what a key allows"),
    write("put", "/v1/keys/{token_sha256}", ADMIN, "Key", &[(200, Some("Key")), (201, Some("Key"))],
        "Lets whoever shows a token of this hash in, or changes what they may"),
    delete("/v1/keys/{token_sha256}", "Lets nobody in with a token of this hash any more"),
    get("/v1/outbox/failures", ADMIN, PAGE, &[(200, Some("Failure[]"))],
        "Lists mails, meetings and webhooks that were given up, the oldest first"),
    write("post", "/v1/outbox/failures/{id}/retry", ADMIN, "Empty", &[(200, Some("Failure"))],
        "Has it tried again; answers what it was"),
    get("/healthz", OPEN, &[], &[(200, Some("Status"))], "The process answers"),
    get("/readyz", OPEN, &[], &[(200, Some("Status"))], "Every workspace takes commands"),
    get("/metrics", OPEN, &[], &[(200, None)], "Figures for Prometheus; by setting, supervisors'"),
    get("/openapi.json", OPEN, &[], &[(200, None)], "This document"),
    get("/docs", OPEN, &[], &[(200, None)], "A page that shows this document"),
    get("/docs/docs.js", OPEN, &[], &[(200, None)], "That page's script"),
    get("/docs/docs.css", OPEN, &[], &[(200, None)], "That page's style"),
    get("/problems", OPEN, &[], &[(200, None)], "Every kind of problem"),
    get("/problems/{name}", OPEN, &[], &[(200, None)], "One of them: its `type` leads here"),
    get("/v1/agent/socket", INSIDE, &[], &[(101, None)],
        "The agent's WebSocket, subprotocol `ringback.v1`"),
];
