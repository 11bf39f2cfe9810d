//! Lists, held against the same filter and order over all callbacks in a plain vector.

use proptest::prelude::*;

use super::*;
use crate::domain::callback::{CallbackType, RequestedBy, shown_number};
use crate::domain::policy::Medium;
use crate::engine::library::{ListFilter, SortKey};
use crate::store::samples::EPOCH;

const CALLBACKS: u64 = 120;

/// A workspace with callbacks of all kinds, and all of them as they should be read.
fn filled(seed: u64) -> (Arc<MapRows>, StoreLibrary, Vec<FullCallback>) {
    let (rows, library) = workspace();
    let mut sampler = Sampler::new(seed);
    let mut all = Vec::new();
    for count in 1..=CALLBACKS {
        let state = sampler.pick(&State::ALL);
        let mut callback = sampler.callback(count, state);
        let ended: Vec<_> = sampler.some(Sampler::interaction);
        callback.interactions += u32::try_from(ended.len()).unwrap();
        let request = sampler.request(callback.channel);
        for (index, interaction) in (0..).zip(&ended) {
            let interaction = Box::new(interaction.clone());
            rows.change(Change::Interaction { callback: callback.id, index, interaction });
        }
        put_request(&rows, callback.id, &request);
        let callback = put(&rows, &callback);
        all.push(FullCallback { callback, request: Arc::new(request), ended });
    }
    (rows, library, all)
}

/// At most three conditions, so that something is found.
fn some_filter(sampler: &mut Sampler) -> ListFilter {
    let mut filter = ListFilter::default();
    for _ in 0..sampler.below(4) {
        let owned = |text: &str| Some(text.to_owned());
        match sampler.below(19) {
            0 => filter.states = sampler.some(|it| it.pick(&State::ALL)),
            1 => filter.queues = sampler.some(Sampler::queue_id),
            2 => {
                filter.queues = sampler.some(Sampler::queue_id);
                filter.or_held_by = Some(sampler.agent_id());
            }
            3 => filter.kind = Some(sampler.pick(&[CallbackType::Asap, CallbackType::Scheduled])),
            4 => filter.medium = Some(sampler.pick(&Medium::ALL)),
            5 => filter.requested_by_agent = Some(sampler.yes()),
            6 => filter.agent = Some(sampler.agent_id()),
            7 => filter.booked_by = Some(sampler.agent_id()),
            8 => filter.channel = Some(sampler.pick(&Channel::ALL)),
            9 => filter.contact = owned(sampler.pick(&["CON1", "ada@example.com", "none"])),
            10 => filter.phone = owned(sampler.pick(&["+14155550123", "+1415555012"])),
            11 => filter.email = owned(sampler.pick(&["ADA@example.com", "none@example.com"])),
            12 => filter.case_id = owned(sampler.pick(&["CS1", "CS"])),
            13 => filter.interaction_ref = owned(sampler.pick(&["IMS1", "IMS2"])),
            14 => filter.external_id = owned(sampler.pick(&["E1", "E4"])),
            15 => filter.number = Some(1_000 + sampler.below(CALLBACKS + 5)),
            16 => {
                let words =
                    ["ada", "ADA l", "ὀδυς", "ΟΔΥΣ", "cb0", "CB00010", "+1415", "ovelace", ""];
                filter.prefix = owned(sampler.pick(&words));
            }
            17 => filter.due_before = Some(Timestamp(EPOCH + 500)),
            _ => filter.due_after = Some(Timestamp(EPOCH + 300)),
        }
    }
    if !filter.queues.is_empty() && sampler.yes() {
        // So many that looking into each costs more than looking at all.
        let others = (0..60).map(|place| format!("other{place}"));
        filter.queues.extend(others.map(|id| QueueId::parse(&id).expect("a slug")));
    }
    filter
}

/// The wire contract, said again in other words.
fn listed(filter: &ListFilter, full: &FullCallback) -> bool {
    let FullCallback { callback, request, ended } = full;
    let any = |wanted: bool, is: bool| !wanted || is;
    let interactions: Vec<_> = ended.iter().chain(callback.interaction()).collect();
    let agents: Vec<_> = interactions.iter().filter_map(|one| one.agent.as_ref()).collect();
    let mut scope = filter.queues.is_empty() && filter.or_held_by.is_none();
    scope |= filter.queues.contains(&callback.queue);
    if let Some(agent) = &filter.or_held_by {
        scope |= agents.contains(&agent)
            || callback.holder() == Some(agent)
            || callback.booked_by() == Some(agent)
            || callback.accepted_offer.as_deref().is_some_and(|(_, accepted)| accepted == agent)
            || callback.closable_by.as_deref().is_some_and(|(closable, _)| closable == agent);
    }
    let by_agent = callback.requested_by != RequestedBy::Customer;
    let due = callback.next_attempt_at();
    let phone = request.customer.phone.as_ref().map(|phone| phone.as_str().to_owned());
    let email = request.customer.email.as_ref().map(|email| email.as_str().to_lowercase());
    let begins = |wanted: &str| {
        let number = shown_number(callback.number);
        let texts = [Some(request.customer.name.clone()), phone.clone(), Some(number)];
        let begins = |text: &String| keys::lower_case(text).starts_with(&keys::lower_case(wanted));
        texts.iter().flatten().any(begins)
    };
    any(!filter.states.is_empty(), filter.states.contains(&callback.state()))
        && scope
        && filter.kind.is_none_or(|kind| callback.kind == kind)
        && filter.medium.is_none_or(|medium| callback.medium == medium)
        && filter.requested_by_agent.is_none_or(|wanted| wanted == by_agent)
        && any(filter.agent.is_some(), agents.last().copied() == filter.agent.as_ref())
        && any(filter.booked_by.is_some(), callback.booked_by() == filter.booked_by.as_ref())
        && filter.channel.is_none_or(|channel| callback.channel == channel)
        && any(filter.contact.is_some(), request.customer.contact() == filter.contact)
        && any(filter.phone.is_some(), phone == filter.phone)
        && any(filter.email.is_some(), email == filter.email.as_ref().map(|it| it.to_lowercase()))
        && any(filter.case_id.is_some(), request.origin.case_id == filter.case_id)
        && any(
            filter.interaction_ref.is_some(),
            request.origin.interaction_ref == filter.interaction_ref,
        )
        && any(filter.external_id.is_some(), request.external_id == filter.external_id)
        && filter.number.is_none_or(|number| callback.number == number)
        && filter.prefix.as_ref().is_none_or(|prefix| begins(prefix))
        && filter.due_before.is_none_or(|at| due.is_some_and(|due| due < at))
        && filter.due_after.is_none_or(|at| due.is_some_and(|due| due >= at))
}

fn expected(read: &ListRead, all: &[FullCallback]) -> Vec<FullCallback> {
    let at = |full: &FullCallback| match read.sort {
        SortKey::CreatedAt => Some(full.callback.created_at),
        SortKey::Start => full.callback.booking.as_ref().map(|booking| booking.start),
        SortKey::QueuedSince => full.callback.queued_since,
    };
    let matching = all.iter().filter(|full| listed(&read.filter, full));
    let mut placed: Vec<_> = matching.map(|full| (at(full), full)).collect();
    placed.sort_by_key(|(at, full)| (at.is_none(), *at, full.callback.id));
    if read.descending {
        placed.reverse();
    }
    placed.into_iter().map(|(_, full)| full.clone()).collect()
}

/// All pages of a list, one after another.
fn paged(library: &StoreLibrary, mut read: ListRead, at_most: usize) -> Vec<FullCallback> {
    let mut items = Vec::new();
    loop {
        let page = now(library.list(read.clone())).expect("the cursor is the list's own");
        assert!(page.items.len() <= read.limit);
        items.extend(page.items);
        assert!(items.len() <= at_most, "more come than there are");
        read.after = page.next;
        if read.after.is_none() {
            return items;
        }
    }
}

fn numbers(items: &[FullCallback]) -> Vec<u64> {
    items.iter().map(|full| full.callback.number).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any filter, order and page length: all that match come, each once, in order.
    #[test]
    fn pages_are_what_filtering_and_sorting_all_gives(seed: u64) {
        let (_, library, all) = filled(seed);
        let mut sampler = Sampler::new(!seed);
        for _ in 0..40 {
            let read = ListRead {
                filter: some_filter(&mut sampler),
                sort: sampler.pick(&[SortKey::CreatedAt, SortKey::Start, SortKey::QueuedSince]),
                descending: sampler.yes(),
                limit: sampler.pick(&[1, 2, 3, 17, 50, 200]),
                after: None,
            };
            let expected = expected(&read, &all);
            let found = paged(&library, read.clone(), expected.len());
            prop_assert_eq!(numbers(&found), numbers(&expected), "{:?}", read);
            prop_assert_eq!(found, expected);
        }
    }

    /// A cursor of anyone's making is refused or read, and never panics.
    #[test]
    fn made_up_cursors_are_refused(bytes: Vec<u8>) {
        let (_, library) = workspace();
        let read = ListRead { after: Some(bytes), ..read_all(SortKey::CreatedAt) };
        prop_assert!(matches!(now(library.list(read)), Err(None)));
    }
}

fn read_all(sort: SortKey) -> ListRead {
    ListRead { filter: ListFilter::default(), sort, descending: false, limit: 200, after: None }
}

#[test]
fn a_cursor_of_another_filter_or_order_is_refused() {
    let (_, library, _) = filled(1);
    let read = ListRead { limit: 5, ..read_all(SortKey::CreatedAt) };
    let after = now(library.list(read.clone())).expect("the first page").next;
    assert!(after.is_some());
    let read = ListRead { after, ..read };
    assert!(now(library.list(read.clone())).is_ok());
    let more = ListRead { limit: 7, ..read.clone() };
    assert!(now(library.list(more)).is_ok(), "the length of a page may change");
    let states = vec![State::Open];
    let filter = ListFilter { states, ..ListFilter::default() };
    for other in [
        ListRead { descending: true, ..read.clone() },
        ListRead { sort: SortKey::Start, ..read.clone() },
        ListRead { filter, ..read },
    ] {
        assert!(matches!(now(library.list(other)), Err(None)));
    }
}

#[test]
fn what_comes_and_goes_between_pages_moves_nothing_else() {
    let (rows, library, all) = filled(2);
    let mut read = ListRead { limit: 10, ..read_all(SortKey::CreatedAt) };
    let mut items = Vec::new();
    let mut gone = Vec::new();
    loop {
        let page = now(library.list(read.clone())).expect("the cursor is the list's own");
        items.extend(numbers(&page.items));
        read.after = page.next;
        if read.after.is_none() {
            break;
        }
        // The one that the cursor names goes, and one from before comes.
        let last = all.iter().find(|full| Some(&full.callback.number) == items.last());
        let last = last.expect("it was listed").callback.id;
        rows.drop_row(keys::callback(last));
        gone.push(last);
        assert!(items.len() <= all.len());
    }
    assert_eq!(items, numbers(&all));
    assert_eq!(gone.len(), 11);
}

/// Many rows and few that match: each page looks at 5,000 and ends, and all come in the end.
#[test]
fn a_page_looks_at_5000_rows_at_most() {
    let (rows, library) = workspace();
    let mut sampler = Sampler::new(3);
    let count = 12_000;
    let request = sampler.request(Channel::Api);
    for place in 1..=count {
        let mut callback = sampler.callback(place, State::Canceled);
        callback.medium = if place % 4_001 == 0 { Medium::Video } else { Medium::Voice };
        put(&rows, &callback);
        put_request(&rows, callback.id, &request);
    }
    let filter = ListFilter { medium: Some(Medium::Video), ..ListFilter::default() };
    let mut read = ListRead { filter, ..read_all(SortKey::CreatedAt) };
    let mut pages = Vec::new();
    loop {
        rows.read_keys.store(0, Ordering::Relaxed);
        let page = now(library.list(read.clone())).expect("the cursor is the list's own");
        let looked_at = rows.read_keys.load(Ordering::Relaxed);
        assert!(looked_at <= 5_000 + 2, "{looked_at} keys were read");
        pages.push(numbers(&page.items));
        read.after = page.next;
        if read.after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [vec![5_001], vec![9_002], vec![]]);
}

/// Whoever books or was called a thousand times is found by walking, the same as before.
#[test]
fn lists_by_start_stay_right_where_too_many_are_found_to_be_sorted() {
    let (rows, library) = workspace();
    let mut sampler = Sampler::new(4);
    let request = sampler.request(Channel::Api);
    let mut all = Vec::new();
    for place in 1..=1_300 {
        let mut callback = sampler.callback(place, State::Canceled);
        callback.requested_by = RequestedBy::Agent(AgentId::parse("ann").ok());
        let callback = put(&rows, &callback);
        put_request(&rows, callback.id, &request);
        let request = Arc::new(request.clone());
        all.push(FullCallback { callback, request, ended: Vec::new() });
    }
    let filter = ListFilter { booked_by: AgentId::parse("ann").ok(), ..ListFilter::default() };
    for sort in [SortKey::Start, SortKey::QueuedSince, SortKey::CreatedAt] {
        for filter in
            [filter.clone(), ListFilter { prefix: Some("cb000".to_owned()), ..filter.clone() }]
        {
            let read = ListRead { filter, ..read_all(sort) };
            let expected = expected(&read, &all);
            assert!(expected.len() > 500);
            assert_eq!(paged(&library, read, expected.len()), expected);
        }
    }
}

/// The step that writes new texts needn't know the old ones: their index rows stay, and lead to
/// texts that don't match any more.
#[test]
fn texts_that_were_replaced_are_not_found_any_more() {
    let (rows, library) = workspace();
    let mut sampler = Sampler::full(5);
    let mut callback = sampler.callback(1, State::Open);
    callback.interactions = 0;
    if let Phase::Open { carried, .. } = &mut callback.phase {
        *carried = None;
    }
    let mut request = sampler.request(callback.channel);
    for (version, name) in [(1, "Ada"), (2, "Grace")] {
        request.version = version;
        request.customer.name = name.to_owned();
        request.origin.case_id = Some(format!("CS-{name}"));
        put_request(&rows, callback.id, &request);
        callback.request_version = version;
        put(&rows, &callback);
    }
    let count = |filter| {
        let read = ListRead { filter, ..read_all(SortKey::CreatedAt) };
        paged(&library, read, 1).len()
    };
    for (name, expected) in [("Ada", 0), ("Grace", 1)] {
        let prefix = Some(name.to_owned());
        assert_eq!(count(ListFilter { prefix, ..ListFilter::default() }), expected);
        let case_id = Some(format!("CS-{name}"));
        assert_eq!(count(ListFilter { case_id, ..ListFilter::default() }), expected);
    }
}
