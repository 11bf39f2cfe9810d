//! What all callbacks are told, some in a step.

use super::{Bench, OFFERS, place};
use crate::domain::effect::Effect;
use crate::domain::machines::callback::tests as callbacks;
use crate::domain::machines::callback::tests::START;
use crate::domain::message::{CallbackMessage, Letter, QueueMessage, SchedulerMessage};
use crate::domain::time::Span;

/// With so many in line.
fn crowded(count: u128) -> Bench {
    let mut bench = Bench::office();
    for id in 1..=count {
        bench.join(id, Some(place(1)));
    }
    bench
}

/// How many were told of a new record, and whether the queue has more to tell.
fn changed(bench: &Bench) -> (usize, bool) {
    let told = bench.told();
    let changed = told.iter().filter(|(_, it)| matches!(it, CallbackMessage::QueueChanged(_)));
    (changed.count(), goes_on(bench))
}

/// Whether it asks to be woken at once.
fn goes_on(bench: &Bench) -> bool {
    bench.out.effects.iter().any(|effect| match effect {
        Effect::Send(Letter::Scheduler(SchedulerMessage::SetTimer { steady, .. })) => {
            *steady == Some(bench.at)
        }
        _ => false,
    })
}

#[test]
fn a_long_line_is_told_of_a_change_in_several_steps() {
    let mut bench = crowded(1_001);
    bench.pause(OFFERS, None);
    assert_eq!(changed(&bench), (500, true));
    bench.join(1_002, Some(place(2)));
    assert_eq!(changed(&bench), (0, false), "it goes on when it is woken");
    bench.tell(QueueMessage::Wake);
    assert_eq!(changed(&bench), (500, true));
    assert_eq!(bench.told()[0].0, 501);
    bench.tell(QueueMessage::Wake);
    assert_eq!(changed(&bench), (2, false));
}

#[test]
fn a_change_meanwhile_is_told_to_all_from_the_beginning() {
    let mut bench = crowded(501);
    bench.pause(OFFERS, None);
    let other = callbacks::Bench::open_until("17:00", |_| ());
    bench.put(&other);
    assert_eq!(changed(&bench).0, 0, "it is woken soon");
    bench.tell(QueueMessage::Wake);
    assert_eq!(changed(&bench), (500, true));
    assert_eq!(bench.told()[0].0, 1);
    bench.tell(QueueMessage::Wake);
    assert_eq!(changed(&bench), (1, false));
}

#[test]
fn at_the_closing_a_long_line_goes_in_several_steps_and_stays_if_it_opens_again() {
    for opens in [false, true] {
        let mut bench = crowded(501);
        bench.at = START + Span::minutes(11 * 60);
        bench.tell(QueueMessage::Wake);
        assert_eq!((bench.carried().len(), goes_on(&bench)), (500, true));
        if opens {
            bench.put(&callbacks::Bench::open_until("20:00", |_| ()));
        }
        bench.tell(QueueMessage::Wake);
        if opens {
            assert_eq!((bench.carried().len(), changed(&bench)), (0, (500, true)));
        } else {
            assert_eq!((bench.carried().len(), goes_on(&bench)), (1, false));
        }
    }
}
