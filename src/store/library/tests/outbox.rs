//! The outbox: what is due comes in order, a callback's items and failures are found, and each
//! change leaves the rows that it should.

use proptest::prelude::*;

use super::*;
use crate::domain::dispatch::{
    Carrier, Dispatch, Failure, Item, MeetingTask, OutboxChange, Task, Undelivered,
};
use crate::engine::library::OutboxPlace;

fn dispatch(callback: u64, at: i64) -> Dispatch {
    Dispatch {
        callback: id(callback),
        caused_at: AT,
        not_before: Timestamp(at),
        task: Task::Meeting(MeetingTask::Keep),
    }
}

fn change(rows: &MapRows, change: OutboxChange) {
    rows.change(Change::Outbox(Box::new(change)));
}

fn due(library: &StoreLibrary, after: Option<OutboxPlace>, until: i64) -> Vec<OutboxPlace> {
    let read = library.outbox_due(Carrier::Meeting, after, Timestamp(until), 100);
    now(read).expect("no damage")
}

fn items(library: &StoreLibrary, callback: u64) -> Vec<Item> {
    now(library.outbox_of(id(callback))).expect("no damage")
}

#[test]
fn items_come_by_when_they_are_due_each_carriers_apart() {
    let (rows, library) = workspace();
    for (callback, at) in [(1, 30), (2, 10), (1, 20), (3, -5)] {
        change(&rows, OutboxChange::New(dispatch(callback, at)));
    }
    let all = due(&library, None, i64::MAX);
    let order: Vec<(i64, u64)> = all.iter().map(|place| (place.at.0, place.id / 32)).collect();
    assert_eq!(order, [(-5, 4), (10, 2), (20, 3), (30, 1)]);
    assert_eq!(due(&library, None, 10), all[..2]);
    assert_eq!(due(&library, Some(all[1]), 20), all[2..3]);
    let mails = library.outbox_due(Carrier::Mail, None, Timestamp::NEVER, 100);
    assert_eq!(now(mails).expect("no damage"), []);
    let ids: Vec<u64> = items(&library, 1).iter().map(|item| item.id).collect();
    assert_eq!(ids, [32, 96]);
    assert_eq!(items(&library, 4), []);
}

#[test]
fn what_is_given_up_is_a_failure_until_it_is_due_again() {
    let (rows, library) = workspace();
    change(&rows, OutboxChange::New(dispatch(1, 10)));
    let before = items(&library, 1).pop().expect("one");
    let (first_try, next_at, reason) = (Some(AT), Timestamp(50), Some("no".to_owned()));
    let after = Item { tries: 1, first_try, next_at, reason, ..before.clone() };
    change(&rows, OutboxChange::Later { before, after: after.clone() });
    assert_eq!(items(&library, 1), std::slice::from_ref(&after));
    assert_eq!(
        due(&library, None, i64::MAX).iter().map(|place| place.at.0).collect::<Vec<_>>(),
        [50]
    );
    let what = Undelivered::Dispatch(after.dispatch.clone());
    let reason = "no".to_owned();
    let failure = Failure { id: after.id, what, tries: 1, first_try: AT, failed_at: AT, reason };
    change(&rows, OutboxChange::GivenUp { item: after.clone(), failure: failure.clone() });
    assert_eq!((items(&library, 1), due(&library, None, i64::MAX)), (vec![], vec![]));
    let webhook = Failure {
        id: 7,
        what: Undelivered::Webhook { webhook: "crm".to_owned(), event: 5, callback: None },
        ..failure.clone()
    };
    change(&rows, OutboxChange::Failed(webhook.clone()));
    let failures = |after, limit| now(library.failures(after, limit)).expect("no damage");
    assert_eq!(failures(0, 10), [webhook.clone(), failure.clone()]);
    assert_eq!(failures(7, 10), std::slice::from_ref(&failure));
    assert_eq!(failures(0, 1), std::slice::from_ref(&webhook));
    assert_eq!(now(library.failure(32)).expect("no damage"), Some(failure.clone()));
    let item = Some(Item::new(32, failure.what_dispatch()));
    change(&rows, OutboxChange::Again { failure, item: item.clone() });
    change(&rows, OutboxChange::Again { failure: webhook, item: None });
    assert_eq!((failures(0, 10), items(&library, 1)), (vec![], Vec::from_iter(item)));
}

impl Failure {
    fn what_dispatch(&self) -> Dispatch {
        match &self.what {
            Undelivered::Dispatch(dispatch) => dispatch.clone(),
            Undelivered::Webhook { .. } => panic!("{self:?}"),
        }
    }
}

proptest! {
    /// Whatever becomes of an item, nothing is left when it is done.
    #[test]
    fn nothing_is_left_of_what_is_done(seed: u64, moves in 0..4_usize) {
        let (rows, library) = workspace();
        let mut sampler = Sampler::new(seed);
        let dispatch = sampler.dispatch(1);
        change(&rows, OutboxChange::New(dispatch));
        let mut item = items(&library, 1).pop().expect("one");
        for _ in 0..moves {
            let after = Item { id: item.id, dispatch: item.dispatch.clone(), ..sampler.item(1) };
            change(&rows, OutboxChange::Later { before: item, after: after.clone() });
            item = after;
        }
        prop_assert_eq!(items(&library, 1), vec![item.clone()]);
        change(&rows, OutboxChange::Done(item));
        prop_assert_eq!(rows.keys(), Vec::<RowKey>::new());
    }
}
