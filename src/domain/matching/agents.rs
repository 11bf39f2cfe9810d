//! An agent, as far as routing needs them: what they can do, what they hold, what waits for them.

use std::cell::RefCell;
use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::lines::Lines;
use super::queues::QueueState;
use super::registry::No;
use super::room::Kept;
use super::signatures::{Able, Fit, Signature, SignatureKey};
use crate::domain::agent::Presence;
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::message::AgentReport;
use crate::domain::policy::{Medium, PerMedium};
use crate::domain::time::Timestamp;

/// What a callback takes of its holder's capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) medium: Medium,
    pub(crate) size: u32,
}

/// What an agent holds, and how often it was given to them: a proposal and a claim may cross.
#[derive(Debug)]
pub(crate) struct Grants {
    held: Held,
    count: u32,
}

/// A signature whose work the agent could ever take.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) signature: No<Signature>,
    pub(crate) fit: Fit,
    /// Where they stand among those who can take it now, if they do.
    pub(crate) able: Option<Able>,
}

/// An agent and what is filed under them.
#[derive(Debug)]
pub(crate) struct AgentState {
    pub(crate) id: AgentId,
    /// None while only others speak of them.
    pub(crate) report: Option<AgentReport>,
    /// They have missed something, and may be about to say that they are away.
    pub(crate) rests: bool,
    /// What they hold, from the proposal to the end of wrap-up.
    pub(crate) held: BTreeMap<CallbackId, Grants>,
    /// Units held, per medium; with 64 bits, since force may go past any capacity.
    held_units: PerMedium<u64>,
    /// The number of the proposal made last; 0 for none yet.
    pub(crate) last_offered: i64,
    /// Queues that they serve.
    pub(crate) queues: Vec<No<QueueState>>,
    /// By signature.
    pub(crate) entries: Vec<Entry>,
    /// Work that isn't offered to them at the moment, or for good.
    pub(crate) excluded: BTreeSet<CallbackId>,
    /// Work that asks for them.
    pub(crate) preferring: BTreeSet<CallbackId>,
    /// Work that waits for them alone.
    pub(crate) reserved: BTreeMap<No<Signature>, Lines>,
    /// For what they were last found to keep room, and in which generation of the room; forgotten
    /// with each change of them.
    pub(super) kept: RefCell<Option<(u64, Rc<Kept>)>>,
}

impl AgentState {
    pub(crate) const fn new(id: AgentId) -> Self {
        Self {
            id,
            report: None,
            rests: false,
            held: BTreeMap::new(),
            held_units: PerMedium::both(0),
            last_offered: 0,
            queues: Vec::new(),
            entries: Vec::new(),
            excluded: BTreeSet::new(),
            preferring: BTreeSet::new(),
            reserved: BTreeMap::new(),
            kept: RefCell::new(None),
        }
    }

    /// Whether they want work, and can be told of it.
    pub(crate) fn takes_work(&self) -> bool {
        let there =
            |report: &AgentReport| report.connected && report.presence == Presence::Available;
        !self.rests && self.report.as_ref().is_some_and(there)
    }

    pub(crate) fn idle_since(&self) -> Timestamp {
        self.report.as_ref().map_or(Timestamp::NEVER, |report| report.idle_since)
    }

    /// Units in use, by held callbacks and by work elsewhere.
    pub(crate) fn used_units(&self) -> u64 {
        let external = self.report.as_ref().map_or(0, |report| report.external_units);
        self.held_units.voice + self.held_units.video + u64::from(external)
    }

    /// Units in use by held callbacks of a medium.
    pub(crate) const fn held_of(&self, medium: Medium) -> u64 {
        self.held_units.of(medium)
    }

    pub(crate) fn free_units(&self) -> u32 {
        let units = self.report.as_ref().map_or(0, |report| report.settings.capacity.units);
        let free = u64::from(units).saturating_sub(self.used_units());
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    /// Whether so much more fits now.
    pub(crate) fn has_room(&self, medium: Medium, size: u32) -> bool {
        let Some(report) = &self.report else {
            return false;
        };
        let most = report.settings.capacity.media.of(medium);
        let media = self.held_of(medium) + u64::from(size);
        size <= self.free_units() && most.is_none_or(|most| media <= u64::from(most))
    }

    /// Whether so much finds no room now, but will when callbacks that they hold have ended.
    pub(crate) fn room_comes(&self, medium: Medium, size: u32) -> bool {
        let comes = |report: &AgentReport| {
            let units = u64::from(report.settings.capacity.units);
            u64::from(size) + u64::from(report.external_units) <= units
        };
        self.report.as_ref().is_some_and(comes) && !self.has_room(medium, size)
    }

    /// Whether they can be given so much now.
    pub(crate) fn can_hold(&self, medium: Medium, size: u32) -> bool {
        self.takes_work() && self.has_room(medium, size)
    }

    /// Something that decides what they may be given is another.
    pub(crate) fn changed(&mut self) {
        *self.kept.get_mut() = None;
    }

    /// Takes capacity once, however often it is granted; true if it is the first grant.
    pub(crate) fn hold(&mut self, callback: CallbackId, held: Held) -> bool {
        self.changed();
        let grants = self.held.entry(callback).or_insert(Grants { held, count: 0 });
        grants.count += 1;
        let first = grants.count == 1;
        if first {
            *self.units_of(held.medium) += u64::from(held.size);
        }
        first
    }

    /// Gives one grant back; true if it was the last, and capacity is free again.
    pub(crate) fn release(&mut self, callback: CallbackId) -> bool {
        self.changed();
        let btree_map::Entry::Occupied(mut grants) = self.held.entry(callback) else {
            return false;
        };
        grants.get_mut().count -= 1;
        let last = grants.get().count == 0;
        if last {
            let Held { medium, size } = grants.remove().held;
            *self.units_of(medium) -= u64::from(size);
        }
        last
    }

    const fn units_of(&mut self, medium: Medium) -> &mut u64 {
        match medium {
            Medium::Voice => &mut self.held_units.voice,
            Medium::Video => &mut self.held_units.video,
        }
    }

    /// How they fit what is asked in a queue, worked out from their settings.
    pub(crate) fn fit_of(&self, queue: &QueueId, key: &SignatureKey) -> Option<Fit> {
        let settings = &self.report.as_ref()?.settings;
        let membership = settings.membership(queue)?;
        Fit::of(settings, membership.preference, key)
    }

    /// How they fit a signature.
    pub(crate) fn fit(&self, signature: No<Signature>) -> Option<Fit> {
        let place = self.place_of(signature).ok()?;
        Some(self.entries[place].fit)
    }

    /// Where the entry of a signature is, or would be.
    pub(crate) fn place_of(&self, signature: No<Signature>) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&signature, |entry| entry.signature)
    }

    /// Whether nothing speaks of them any more.
    pub(crate) fn is_unused(&self) -> bool {
        self.report.is_none()
            && self.held.is_empty()
            && self.preferring.is_empty()
            && self.excluded.is_empty()
    }
}
