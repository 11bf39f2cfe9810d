//! Rows follow records: what is in the tables after any changes is what the records say.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::packing::LAYOUT;
use super::*;
use crate::domain::callback::{Channel, Interaction, Remarks, State};
use crate::domain::ids::{AgentId, QueueId, WebhookId};
use crate::domain::time::Timestamp;
use crate::domain::webhook::WebhookSettings;
use crate::engine::entry::{IdempotencyKey, Kept, KeptAnswer, Keyed, Secret};
use crate::store::record::Record;
use crate::store::samples::Sampler;
use crate::store::samples::callbacks::id;

const AT: Timestamp = Timestamp(1_000);

fn entry(changes: Vec<Change>) -> Entry {
    Entry { at: AT, changes, events: Vec::new(), kept: None, secret: None }
}

fn rows(change: Change) -> Vec<RowWrite> {
    RowCodec.rows(1, &entry(vec![change])).rows
}

fn made(callback: &Callback) -> Change {
    Change::Callback { before: None, after: Arc::new(callback.clone()) }
}

fn changed(before: &Callback, after: &Callback) -> Change {
    Change::Callback { before: Some(Arc::new(before.clone())), after: Arc::new(after.clone()) }
}

/// Tables, as the projector fills them.
fn apply(rows: Vec<RowWrite>, tables: &mut BTreeMap<RowKey, Bytes>) {
    for row in rows {
        match row.value {
            Some(value) => {
                assert_ne!(row.key.key, keys::NO_KEY, "it may be deleted at any time");
                tables.insert(row.key, value);
            }
            None => {
                assert!(tables.remove(&row.key).is_some(), "{:?} wasn't there", row.key);
            }
        }
    }
}

/// Whether a table's rows stay when the record that they follow from says otherwise.
fn stays(key: &RowKey) -> bool {
    key.table == keys::BY_AGENT
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However a callback and its texts change, the index rows are those of the last records;
    /// only agents keep what they once had.
    #[test]
    fn index_rows_follow_the_records(seed: u64, changes in 1..8_usize) {
        let mut sampler = Sampler::new(seed);
        let mut tables = BTreeMap::new();
        let mut callback: Option<Callback> = None;
        let mut request: Option<Request> = None;
        for version in 1..=u32::try_from(changes).unwrap() {
            let state = sampler.pick(&State::ALL);
            let mut after = sampler.callback(3, state);
            after.request_version = version;
            let change = match &callback {
                Some(before) => changed(before, &after),
                None => made(&after),
            };
            apply(rows(change), &mut tables);
            let texts = Request { version, ..sampler.request(Channel::Chat) };
            let before = request.take().map(Arc::new);
            let written = Arc::new(texts.clone());
            let change = Change::Request { callback: id(3), before, after: written };
            apply(rows(change), &mut tables);
            (callback, request) = (Some(after), Some(texts));
        }
        let (callback, request) = (callback.unwrap(), request.unwrap());
        let mut expected = callback_index(&callback);
        expected.extend(request_index(id(3), &request));
        let records = [keys::CALLBACK, keys::REQUEST];
        let mut found: Vec<_> = tables.keys().filter(|key| !records.contains(&key.table)).collect();
        for key in &expected {
            prop_assert!(found.contains(&key), "{key:?} is missing");
        }
        found.retain(|key| !stays(key) && !expected.contains(key));
        prop_assert!(found.is_empty(), "{found:?} are left over");
        let requests = tables.keys().filter(|key| key.table == keys::REQUEST).count();
        prop_assert_eq!(requests, changes, "every version of the texts is kept");
    }

    #[test]
    fn packed_rows_come_back(seed: u64) {
        let mut sampler = Sampler::new(seed);
        let state = sampler.pick(&State::ALL);
        let (before, after) = (sampler.callback(1, state), sampler.callback(1, State::Queued));
        let mut entry = entry(vec![changed(&before, &after)]);
        entry.events = sampler.events(id(1));
        let packed = RowCodec.rows(7, &entry);
        prop_assert_eq!(&RowCodec.pack(&packed.rows), &packed);
        prop_assert_eq!(RowCodec.unpack(&packed.bytes).unwrap(), packed.rows);
    }

    #[test]
    fn random_bytes_are_damaged_or_rows(mut bytes: Vec<u8>) {
        if let Some(version) = bytes.first_mut() {
            *version = LAYOUT;
        }
        if let Ok(rows) = RowCodec.unpack(&bytes) {
            prop_assert_eq!(RowCodec.unpack(&RowCodec.pack(&rows).bytes).unwrap(), rows);
        }
    }
}

#[test]
fn a_step_without_a_change_of_place_writes_its_record_alone() {
    let before = Sampler::full(1).callback(1, State::Calling);
    let mut after = before.clone();
    after.version += 1;
    after.remarks = Remarks::new(None, Some("nothing that any list goes by".to_owned()), None);
    let rows = rows(changed(&before, &after));
    let tables: Vec<_> = rows.iter().map(|row| row.key.table.name).collect();
    assert_eq!(tables, ["callback"]);
}

#[test]
fn a_change_of_state_moves_the_rows_of_that_state_alone() {
    let before = Sampler::full(1).callback(1, State::Calling);
    let mut after = before.clone();
    let ended = Sampler::full(2).callback(1, State::ClosedComplete);
    after.phase = ended.phase;
    let found_by = before.reach.keys().count();
    let rows = rows(changed(&before, &after));
    let written = rows.iter().map(|row| (row.key.table.name, row.value.is_some()));
    let mut written: Vec<_> = written.collect();
    written.sort_unstable();
    assert_eq!(found_by, 2, "the sample is full: by contact and by number");
    let expected = [
        ("active", false),
        ("active", false),
        ("by_end", true),
        ("by_queue", false),
        ("by_queue", true),
        ("by_state", false),
        ("by_state", true),
        ("callback", true),
        ("seat", false),
    ];
    assert_eq!(written, expected);
}

/// A step that doesn't know the texts before writes the new ones; lists look at the record.
#[test]
fn texts_whose_old_ones_are_unknown_delete_nothing() {
    let mut after = Sampler::full(1).request(Channel::Chat);
    after.version = 2;
    let rows = rows(Change::Request { callback: id(1), before: None, after: Arc::new(after) });
    assert!(rows.iter().all(|row| row.value.is_some()), "{rows:?}");
}

#[test]
fn only_open_callbacks_are_due_and_only_those_that_are_not_final_are_active() {
    for state in State::ALL {
        let rows = rows(made(&Sampler::full(1).callback(1, state)));
        let has = |table| rows.iter().any(|row| row.key.table == table);
        assert_eq!(has(keys::DUE), state == State::Open, "{state:?}");
        assert_eq!(has(keys::ACTIVE), !state.is_final(), "{state:?}");
    }
}

#[test]
fn an_ended_interaction_is_a_row_and_stays_with_its_agent() {
    let interaction = Sampler::full(1).interaction();
    let agent = interaction.agent.clone().expect("the sample is full");
    let rows = rows(Change::Interaction {
        callback: id(1),
        index: 2,
        interaction: Box::new(interaction.clone()),
    });
    assert_eq!(rows[0].key, keys::interaction(id(1), 2));
    let row = rows[0].value.as_ref().expect("written");
    let read = Box::<Interaction>::from_row(&rows[0].key, row).expect("just written");
    assert_eq!(*read, interaction);
    let front = keys::by_agent(&agent);
    assert_eq!(rows[1].key, keys::key(keys::BY_AGENT, keys::with_id(&front, id(1))));
}

#[test]
fn events_are_numbered_by_entry_and_place_and_stand_in_their_callbacks_history() {
    let events = Sampler::full(1).events(id(9));
    let count = events.len();
    let of_callbacks = events.iter().filter(|event| matches!(event, Event::Callback(..))).count();
    let mut entry = entry(Vec::new());
    entry.events.clone_from(&events);
    let rows = RowCodec.rows(5, &entry).rows;
    let of = |table| rows.iter().filter(move |row| row.key.table == table);
    let ids: Vec<_> = of(keys::EVENT).map(|row| keys::event_at_end(&row.key.key)).collect();
    let expected: Vec<_> = (0..count as u64).map(|place| Some(5 * 32 + place)).collect();
    assert_eq!(ids, expected);
    assert_eq!(of(keys::HISTORY).count(), of_callbacks);
    for (row, event) in of(keys::EVENT).zip(events) {
        let read = EventRecord::from_row(&row.key, row.value.as_ref().expect("written"));
        assert_eq!(read.expect("just written"), EventRecord { at: AT, event });
    }
}

#[test]
#[should_panic(expected = "at most 32 events")]
fn a_step_with_more_events_than_numbers_is_a_defect() {
    let mut entry = entry(Vec::new());
    entry.events = Sampler::full(1).events(id(1)).into_iter().cycle().take(33).collect();
    RowCodec.rows(1, &entry);
}

#[test]
fn kept_answers_are_found_by_key_and_by_time() {
    let key = IdempotencyKey([7; 32]);
    let queue = Sampler::full(1).queue(QueueId::parse("billing").expect("a slug"));
    let answer = KeptAnswer::Queue(Arc::new(queue));
    let kept = Kept { keyed: Keyed { key, fingerprint: [9; 32] }, at: AT, answer };
    let mut entry = entry(Vec::new());
    entry.kept = Some(kept.clone());
    let rows = RowCodec.rows(1, &entry).rows;
    let found: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
    assert_eq!(found, [keys::kept(&key), keys::kept_by_time(AT, &key)]);
    let row = rows[0].value.as_ref().expect("written");
    assert_eq!(Kept::from_row(&rows[0].key, row).expect("just written"), kept);
}

#[test]
fn the_secret_is_written_as_it_is() {
    let mut entry = entry(Vec::new());
    entry.secret = Some(Secret([3; 32]));
    let rows = RowCodec.rows(1, &entry).rows;
    assert_eq!(rows, [RowWrite { key: keys::secret(), value: Some(vec![3; 32].into()) }]);
}

#[test]
fn removed_queues_and_agents_are_deleted() {
    let (agent, queue) = (AgentId::parse("ann"), QueueId::parse("billing"));
    let (agent, queue) = (agent.expect("a slug"), queue.expect("a slug"));
    let deleted = |key| vec![RowWrite { key, value: None }];
    assert_eq!(rows(Change::AgentRemoved(agent.clone())), deleted(keys::agent(&agent)));
    assert_eq!(rows(Change::QueueRemoved(queue.clone())), deleted(keys::queue(&queue)));
}

#[test]
fn a_webhook_keeps_its_progress_while_it_is_active() {
    let id = WebhookId::parse("crm").expect("a slug");
    let (record, progress) = (keys::webhook(&id), keys::webhook_progress(&id));
    let mut webhook = Sampler::new(1).webhook(id.clone());
    let mut put = |active: bool| {
        let settings = WebhookSettings { active, ..(*webhook.settings).clone() };
        webhook.settings = Arc::new(settings);
        let change = WebhookChange::Put(Arc::new(webhook.clone()));
        let written = rows(Change::Webhook(change)).into_iter();
        written.map(|row| (row.key, row.value.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(put(true), [(record.clone(), true)]);
    assert_eq!(put(false), [(record.clone(), true), (progress.clone(), false)]);
    let further = Arc::new(Sampler::new(2).progress(id.clone()));
    let written = rows(Change::Webhook(WebhookChange::Progress(further)));
    assert_eq!(written[0].key, progress);
    let again = keys::webhook_again(&id, 77);
    let row = |change, value: Option<Bytes>| {
        assert_eq!(rows(Change::Webhook(change)), [RowWrite { key: again.clone(), value }]);
    };
    row(WebhookChange::Again { webhook: id.clone(), event: 77 }, Some(Bytes::new()));
    row(WebhookChange::TakenAgain { webhook: id.clone(), event: 77 }, None);
    let deleted = [record, progress].map(|key| RowWrite { key, value: None });
    assert_eq!(rows(Change::Webhook(WebhookChange::Removed(id))), deleted);
}

#[test]
fn a_log_entry_of_another_layout_is_told() {
    for bytes in [&[][..], &[LAYOUT + 1], &[LAYOUT, 200, 0, 0], &[LAYOUT, 0, 5, 1]] {
        let read = RowCodec.unpack(bytes);
        assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    }
}

/// The log's bytes are read by later releases.
#[test]
fn packed_rows_are_written_as_ever() {
    let rows = [
        RowWrite { key: keys::key(keys::META, b"k".as_slice()), value: Some(vec![1, 2].into()) },
        RowWrite { key: keys::key(keys::BY_PREFIX, vec![5; 130]), value: Some(Bytes::new()) },
        RowWrite { key: keys::key(keys::CALLBACK, b"c".as_slice()), value: None },
    ];
    let mut expected = vec![1, 9, 1, b'k', 3, 1, 2, 19, 0x82, 1];
    expected.extend([5; 130]);
    expected.extend([1, 0, 1, b'c', 0]);
    assert_eq!(RowCodec.pack(&rows).bytes[..], expected);
}

#[test]
fn tables_have_names_of_their_own() {
    let names: std::collections::BTreeSet<_> = keys::ALL.iter().map(|table| table.name).collect();
    assert_eq!(names.len(), keys::ALL.len());
}
