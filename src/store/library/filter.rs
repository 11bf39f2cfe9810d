//! Whether a callback is in a list.

use crate::domain::callback::{Callback, RequestedBy, shown_number};
use crate::domain::ids::AgentId;
use crate::domain::phone::PhoneNumber;
use crate::engine::library::{FullCallback, ListFilter};
use crate::store::keys::lower_case;

/// Whether its record alone rules it out: if not, [`matches`] decides.
pub(super) fn may_match(filter: &ListFilter, callback: &Callback) -> bool {
    let by_agent = matches!(callback.requested_by, RequestedBy::Agent(_));
    let due = callback.next_attempt_at();
    (filter.states.is_empty() || filter.states.contains(&callback.state()))
        && (filter.or_held_by.is_some() || in_queues(filter, callback))
        && filter.kind.is_none_or(|kind| kind == callback.kind)
        && filter.medium.is_none_or(|medium| medium == callback.medium)
        && filter.requested_by_agent.is_none_or(|wanted| wanted == by_agent)
        && filter.booked_by.as_ref().is_none_or(|agent| callback.booked_by() == Some(agent))
        && filter.channel.is_none_or(|channel| channel == callback.channel)
        && filter.number.is_none_or(|number| number == callback.number)
        && filter.due_before.is_none_or(|at| due.is_some_and(|due| due < at))
        && filter.due_after.is_none_or(|at| due.is_some_and(|due| due >= at))
}

/// Whether the record is all that the filter asks about.
pub(super) fn asks_the_record_alone(filter: &ListFilter) -> bool {
    let texts = [
        &filter.contact,
        &filter.phone,
        &filter.email,
        &filter.case_id,
        &filter.interaction_ref,
        &filter.external_id,
        &filter.prefix,
    ];
    texts.into_iter().all(Option::is_none) && filter.agent.is_none() && filter.or_held_by.is_none()
}

/// Whether it matches all that the filter asks for; `held`: by the agent whose scope it is.
pub(super) fn matches(filter: &ListFilter, full: &FullCallback, held: bool) -> bool {
    may_match(filter, &full.callback)
        && (held || in_queues(filter, &full.callback))
        && filter.agent.as_ref().is_none_or(|agent| last_agent(full) == Some(agent))
        && says(filter, full)
}

/// Who is offered or assigned it now, or was last.
fn last_agent(full: &FullCallback) -> Option<&AgentId> {
    let now = full.callback.interaction();
    now.into_iter().chain(full.ended.iter().rev()).find_map(|one| one.agent.as_ref())
}

/// Of the queues asked for. An agent who serves none is asked about nothing but what they held.
pub(super) fn in_queues(filter: &ListFilter, callback: &Callback) -> bool {
    let any = filter.queues.is_empty() && filter.or_held_by.is_none();
    any || filter.queues.contains(&callback.queue)
}

/// What stands in its texts.
fn says(filter: &ListFilter, full: &FullCallback) -> bool {
    let request = &full.request;
    let customer = &request.customer;
    let phone = customer.phone.as_ref().map(PhoneNumber::as_str);
    let same = |wanted: &Option<String>, is: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
    };
    let email = |wanted: &String| {
        let is = customer.email.as_ref().map(|email| lower_case(email.as_str()));
        is == Some(lower_case(wanted))
    };
    let prefix = |wanted: &String| {
        let number = shown_number(full.callback.number);
        let texts = [Some(customer.name.as_str()), phone, Some(number.as_str())];
        let wanted = lower_case(wanted);
        texts.into_iter().flatten().any(|text| lower_case(text).starts_with(&wanted))
    };
    let of_contact = |wanted: &String| customer.contact().as_ref() == Some(wanted);
    filter.contact.as_ref().is_none_or(of_contact)
        && same(&filter.phone, phone)
        && filter.email.as_ref().is_none_or(email)
        && same(&filter.case_id, request.origin.case_id.as_deref())
        && same(&filter.interaction_ref, request.origin.interaction_ref.as_deref())
        && same(&filter.external_id, request.external_id.as_deref())
        && filter.prefix.as_ref().is_none_or(prefix)
}
