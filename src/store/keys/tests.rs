//! Keys sort as what they stand for does, and are never taken for another's.

use proptest::prelude::*;

use super::*;

#[test]
fn each_table_stands_at_the_place_of_its_number() {
    let numbers: Vec<_> = ALL.iter().map(|table| usize::from(table.number)).collect();
    assert_eq!(numbers, (0..ALL.len()).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn instants_sort_as_their_bytes(a: i64, b: i64) {
        let (a, b) = (Timestamp(a), Timestamp(b));
        prop_assert_eq!(a.cmp(&b), instant(a).cmp(&instant(b)));
        prop_assert_eq!(instant_of(instant(a)), a);
    }

    /// A key is before the end of a front exactly if it begins with it or sorts before it.
    #[test]
    fn a_front_ends_where_nothing_begins_with_it(
        front in prop::collection::vec(prop::sample::select(vec![0, 1, 254, 255_u8]), 0..4),
        key in prop::collection::vec(prop::sample::select(vec![0, 1, 254, 255_u8]), 0..6),
    ) {
        let below = past(&front).is_none_or(|end| key[..] < end[..]);
        prop_assert_eq!(below, key.starts_with(&front) || key < front);
    }

    #[test]
    fn a_text_is_found_by_each_of_its_beginnings(text: String, count: usize) {
        let beginning: String = text.chars().take(count % 80).collect();
        prop_assert!(by_prefix(&text).starts_with(&by_prefix(&beginning)));
        prop_assert!(by_prefix(&text).len() <= texts::PREFIX_MAX);
    }
}

#[test]
fn a_text_is_not_another_ones_with_a_part_moved() {
    assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    assert_ne!(by_text(TextKind::Case, "1"), by_text(TextKind::Contact, "1"));
}

#[test]
fn keys_end_with_what_they_are_looked_up_for() {
    let id = CallbackId(7);
    assert_eq!(id_at_end(&with_id(&instant(Timestamp(3)), id)), Some(id));
    assert_eq!(id_at_end(&[0; 15]), None);
    assert_eq!(event_at_end(&history(id, 9).key), Some(9));
    let due = outbox_due(Carrier::Meeting, Timestamp(5), 9, id);
    assert_eq!(outbox_due_of(&due.key), Some((Timestamp(5), 9, id)));
    assert_eq!(outbox_due_of(&due.key[1..]), None);
}
