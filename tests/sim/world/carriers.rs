//! Mails and meetings, carried out as the dispatcher does it: one thing of a callback at a time, by
//! what the domain says, told of only when it is durable; what became of it is an entry of its own.

use std::collections::BTreeMap;

use ringback::domain::callback::Snapshot;
use ringback::domain::dispatch::{
    Carrier, Item, Mail, Meeting, MeetingTask, OutboxChange, Outcome, Provider, Task, Turn, Work,
    judge, overtaken, still_holds, turn, work_on,
};
use ringback::domain::effect::Change;
use ringback::domain::ids::CallbackId;
use ringback::domain::message::{CallbackMessage, Letter, Token};
use ringback::domain::time::Timestamp;

use super::records::PLACES;
use super::{Planted, World};
use crate::rng::Rng;

/// Tokens of what the carriers tell callbacks.
const TOKENS: u64 = 1 << 40;

/// What is on its way.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    attempts: BTreeMap<CallbackId, Attempt>,
    tokens: u64,
}

#[derive(Debug)]
struct Attempt {
    item: Item,
    began: Timestamp,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// It was read what it is about; that must be durable up to here before it is told.
    Read { items: Vec<Item>, callback: Snapshot, shown: usize },
    /// The callback was told of its meeting; that must be durable first.
    Telling { token: Token, outcome: Outcome },
    /// It was tried: this is to be written down.
    Tried(Vec<OutboxChange>),
}

impl Carriers {
    /// An answer is durable.
    pub(super) fn answered(&mut self, answered: Token) {
        for attempt in self.attempts.values_mut() {
            if let Stage::Telling { token, outcome } = &attempt.stage
                && *token == answered
            {
                let (item, began) = (&attempt.item, attempt.began);
                let change = judge(item, began, outcome.clone(), began, 0);
                attempt.stage = Stage::Tried(vec![change]);
            }
        }
    }
}

/// Something that can be done now.
enum Step {
    Begin(Item),
    Postpone(Item, Timestamp),
    Try(CallbackId),
    Write(CallbackId),
}

impl World {
    /// Does one thing for what goes out, if there is any; `troubled`: servers fail now and then.
    pub(crate) fn carry(&mut self, rng: &mut Rng, troubled: bool) -> bool {
        let mut steps: Vec<Step> =
            self.due().into_iter().filter_map(|it| self.begins(it)).collect();
        for (id, attempt) in &self.carriers.attempts {
            match &attempt.stage {
                Stage::Read { shown, .. } => {
                    let held = self.planted != Planted::DispatchesNotHeld;
                    if *shown <= self.durable || !held {
                        steps.push(Step::Try(*id));
                    }
                }
                Stage::Tried(_) => steps.push(Step::Write(*id)),
                Stage::Telling { .. } => {}
            }
        }
        if steps.is_empty() {
            return false;
        }
        let place = rng.below(steps.len() as u64);
        match steps.swap_remove(usize::try_from(place).expect("small")) {
            Step::Begin(item) => self.begin(item),
            Step::Postpone(item, until) => {
                let after = Item { next_at: until, ..item.clone() };
                self.note(vec![OutboxChange::Later { before: item, after }]);
            }
            Step::Try(id) => self.attempt(id, rng, troubled),
            Step::Write(id) => {
                let attempt = self.carriers.attempts.remove(&id).expect("it was found there");
                let Stage::Tried(changes) = attempt.stage else { panic!("it wasn't tried") };
                self.note(changes);
            }
        }
        true
    }

    /// Items that are due, of callbacks of which nothing is on its way.
    fn due(&self) -> Vec<Item> {
        let held = self.planted != Planted::DispatchesNotHeld;
        let durable = |item: &&Item| item.id / PLACES <= self.durable as u64 || !held;
        let free = |item: &&Item| !self.carriers.attempts.contains_key(&item.dispatch.callback);
        let due = self.newest.items.values().filter(|item| item.next_at <= self.wall);
        due.filter(durable).filter(free).cloned().collect()
    }

    fn begins(&self, item: Item) -> Option<Step> {
        let items = self.newest.items_of(item.dispatch.callback);
        match turn(&item, &items, self.wall, true) {
            Turn::Go => Some(Step::Begin(item)),
            Turn::Wait(until) => Some(Step::Postpone(item, until)),
            Turn::Behind => None,
        }
    }

    fn begin(&mut self, item: Item) {
        let id = item.dispatch.callback;
        let items = self.newest.items_of(id);
        let Some(callback) = self.newest.callbacks.get(&id).cloned() else {
            self.checks.violations.push(format!("{id}: something goes out for nobody"));
            return;
        };
        if self.wall < item.dispatch.not_before {
            self.checks.violations.push(format!("{id}: {} is early", item.dispatch.name()));
        }
        if self.planted == Planted::DoneTooSoon {
            self.note(vec![OutboxChange::Done(item.clone())]);
        }
        let stage = Stage::Read { items, callback, shown: self.journal.len() };
        let attempt = Attempt { item, began: self.wall, stage };
        self.carriers.attempts.insert(id, attempt);
    }

    /// Tries what was read.
    fn attempt(&mut self, id: CallbackId, rng: &mut Rng, troubled: bool) {
        let Attempt { item, began, stage } =
            self.carriers.attempts.remove(&id).expect("it was found there");
        let Stage::Read { items, callback, .. } = stage else { panic!("it was tried already") };
        let stage = match &item.dispatch.task {
            Task::Mail(mail) => {
                let outcome = self.send(mail, &callback, rng, troubled);
                Stage::Tried(vec![judge(&item, began, outcome, self.wall, 0)])
            }
            Task::Meeting(task) => self.meet(&item, *task, &callback, rng, troubled),
            Task::Withdraw => {
                let mut gone = overtaken(&items, &callback, self.wall);
                gone.push(item.clone());
                Stage::Tried(gone.into_iter().map(OutboxChange::Done).collect())
            }
        };
        self.carriers.attempts.insert(id, Attempt { item, began, stage });
    }

    fn send(&mut self, mail: &Mail, callback: &Snapshot, rng: &mut Rng, troubled: bool) -> Outcome {
        if !callback.has_email || !still_holds(mail, callback, self.wall) {
            return Outcome::Delivered(());
        }
        if troubled && rng.percent(15) {
            return Outcome::later("the mail server is busy");
        }
        self.outside.mail(callback.id, mail);
        if troubled && rng.percent(5) {
            return Outcome::later("its answer got lost");
        }
        Outcome::Delivered(())
    }

    fn meet(
        &mut self,
        item: &Item,
        task: MeetingTask,
        callback: &Snapshot,
        rng: &mut Rng,
        troubled: bool,
    ) -> Stage {
        let tried = |outcome, now| Stage::Tried(vec![judge(item, now, outcome, now, 0)]);
        if troubled && rng.percent(15) {
            return tried(Outcome::later("the provider is busy"), self.wall);
        }
        let start = callback.booking.as_ref().map_or(callback.created_at, |booking| booking.start);
        let meetings = &mut self.outside.meetings;
        match work_on(callback, task, Provider::Jitsi) {
            Work::Nothing => return tried(Outcome::Delivered(()), self.wall),
            Work::Delete(_) => {
                meetings.remove(&callback.id);
                return tried(Outcome::Delivered(()), self.wall);
            }
            Work::Create | Work::Update(_) => {
                meetings.insert(callback.id, start);
            }
            Work::Renew(_) => {}
        }
        if troubled && rng.percent(5) {
            return tried(Outcome::later("its answer got lost"), self.wall);
        }
        self.carriers.tokens += 1;
        let token = Token(TOKENS + self.carriers.tokens);
        let meeting = Meeting {
            provider: Provider::Jitsi,
            id: callback.id.to_string(),
            join_url: "https://meet.example/room".to_owned(),
            host_url: "https://meet.example/host".to_owned(),
        };
        let late = task == MeetingTask::Keep && item.tries > 0;
        let message = CallbackMessage::MeetingMade { token, meeting, late };
        self.post(Letter::Callback(callback.id, message));
        Stage::Telling { token, outcome: Outcome::Delivered(()) }
    }

    /// Writes down what became of items.
    fn note(&mut self, mut changes: Vec<OutboxChange>) {
        // What was written down as done before it was sent is gone by now.
        changes.retain(|change| match change {
            OutboxChange::Done(item) => self.newest.items.contains_key(&item.id),
            _ => true,
        });
        let changes = changes.into_iter().map(|change| Change::Outbox(Box::new(change)));
        self.write(changes.collect(), Vec::new());
    }

    /// When what failed is tried again; none: nothing is left but what waits for its time.
    pub(crate) fn carries_at(&self) -> Option<Timestamp> {
        let failed = self.newest.items.values().filter(|item| item.tries > 0);
        failed.map(|item| item.next_at).min()
    }

    /// What ought to be gone when every callback is over, and what was promised by then.
    pub(crate) fn check_outside(&mut self) {
        let mut found = self.checks.missing_mails(&self.outside);
        for item in self.newest.items.values() {
            let (name, id) = (item.dispatch.name(), item.dispatch.callback);
            let left = if item.dispatch.carrier() == Carrier::Mail { "waits" } else { "is left" };
            found.push(format!("{id} is over, and its {name} {left}"));
        }
        let over = |id: &CallbackId| format!("{id} is over, and its meeting stands");
        found.extend(self.outside.meetings.keys().map(over));
        found.extend(self.missing_events());
        self.checks.violations.extend(found);
    }
}
