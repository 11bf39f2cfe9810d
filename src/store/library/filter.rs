//! Whether a callback is in a list.

use crate::domain::callback::{RequestedBy, shown_number};
use crate::domain::phone::PhoneNumber;
use crate::engine::library::{FullCallback, ListFilter};
use crate::store::index::contact;

/// Whether it matches all that the filter asks for.
pub(super) fn matches(filter: &ListFilter, full: &FullCallback) -> bool {
    stands(filter, full) && says(filter, full)
}

/// What stands in the callback's record.
fn stands(filter: &ListFilter, full: &FullCallback) -> bool {
    let callback = &full.callback;
    let by_agent = matches!(callback.requested_by, RequestedBy::Agent(_));
    let last = callback.interaction().and_then(|interaction| interaction.agent.as_ref());
    let last = last.or_else(|| full.ended.last().and_then(|one| one.agent.as_ref()));
    let due = callback.next_attempt_at();
    (filter.states.is_empty() || filter.states.contains(&callback.state()))
        && in_scope(filter, full)
        && filter.kind.is_none_or(|kind| kind == callback.kind)
        && filter.medium.is_none_or(|medium| medium == callback.medium)
        && filter.requested_by_agent.is_none_or(|wanted| wanted == by_agent)
        && filter.agent.as_ref().is_none_or(|agent| last == Some(agent))
        && filter.booked_by.as_ref().is_none_or(|agent| callback.booked_by() == Some(agent))
        && filter.channel.is_none_or(|channel| channel == callback.channel)
        && filter.number.is_none_or(|number| number == callback.number)
        && filter.due_before.is_none_or(|at| due.is_some_and(|due| due < at))
        && filter.due_after.is_none_or(|at| due.is_some_and(|due| due >= at))
}

/// Of the queues, or what the agent booked, holds or held.
fn in_scope(filter: &ListFilter, full: &FullCallback) -> bool {
    let callback = &full.callback;
    let queues = &filter.queues;
    let of_queues = queues.contains(&callback.queue);
    match &filter.or_held_by {
        None => queues.is_empty() || of_queues,
        Some(agent) => {
            let live = callback.interaction().into_iter();
            let held = live.chain(&full.ended).any(|one| one.agent.as_ref() == Some(agent));
            of_queues || held || callback.booked_by() == Some(agent)
        }
    }
}

/// What stands in its texts.
fn says(filter: &ListFilter, full: &FullCallback) -> bool {
    let request = &full.request;
    let customer = &request.customer;
    let phone = customer.phone.as_ref().map(PhoneNumber::as_str);
    let same = |wanted: &Option<String>, is: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
    };
    let email = customer.email.as_ref().map(|email| email.as_str().to_lowercase());
    let wanted_email = filter.email.as_ref().map(|email| email.to_lowercase());
    same(&filter.contact, contact(request).as_deref())
        && same(&filter.phone, phone)
        && same(&wanted_email, email.as_deref())
        && same(&filter.case_id, request.origin.case_id.as_deref())
        && same(&filter.interaction_ref, request.origin.interaction_ref.as_deref())
        && same(&filter.external_id, request.external_id.as_deref())
        && filter.prefix.as_deref().is_none_or(|prefix| {
            let prefix = prefix.to_lowercase();
            let number = shown_number(full.callback.number);
            [Some(customer.name.as_str()), phone, Some(number.as_str())]
                .into_iter()
                .flatten()
                .any(|text| text.to_lowercase().starts_with(&prefix))
        })
}
