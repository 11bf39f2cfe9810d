//! The workspace starts again as a whole, over and over, while work goes on and everything else
//! panics too: what was acknowledged stands, and all of it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use super::rig::{Rig, Session, asap, limits, queue_id, scheduled, until};
use super::storm::{assert_capacity, next_action};
use crate::domain::agent::{Presence, PresenceBy};
use crate::domain::callback::State;
use crate::domain::effect::{Notice, QueueStats};
use crate::domain::ids::{AgentId, CallbackId, OfferId};
use crate::domain::message::{Action, Who};
use crate::domain::policy::QueueSettings;
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;
use crate::engine::handle::{EndReason, ToSession};
use crate::engine::health::Alarm;

const CALLBACKS: usize = 200;
const ROUNDS: usize = 4_000;
const PANICS_UNTIL: usize = 600;

/// Who is at work, and what they were promised.
struct Floor {
    rig: Rig,
    desks: Vec<Desk>,
    /// Number by callback.
    made: BTreeMap<CallbackId, u64>,
    canceled: BTreeSet<CallbackId>,
    /// Sessions that were sent away.
    closed: usize,
}

struct Desk {
    agent: AgentId,
    session: Option<Session>,
    offers: Vec<(CallbackId, OfferId)>,
}

impl Floor {
    fn open(rig: Rig) -> Self {
        let desk = |id| Desk {
            agent: AgentId::parse(id).expect("a slug"),
            session: None,
            offers: Vec::new(),
        };
        let desks = ["mara", "omar"].map(desk).into();
        let (made, canceled) = (BTreeMap::new(), BTreeSet::new());
        Self { rig, desks, made, canceled, closed: 0 }
    }

    async fn until_ready(&self) {
        until("it is ready again", || {
            self.rig.time.advance(Span::millis(100));
            self.rig.handle.health().ready
        })
        .await;
    }

    /// Waits out the start that the last panic caused: until then the vault shows a part of what
    /// it has.
    async fn until_calm(&self) -> QueueStats {
        for _ in 0..ROUNDS {
            self.until_ready().await;
            if let Ok(stats) = self.rig.handle.queue_stats(queue_id()).await {
                return stats;
            }
        }
        panic!("it starts again for ever");
    }

    /// Customers ask for one more, and now and then call one off.
    async fn ask(&mut self, round: usize) {
        if self.made.len() < CALLBACKS {
            let wish = if round.is_multiple_of(3) { scheduled(Span::seconds(900)) } else { asap() };
            if let Ok(callback) = self.rig.create(wish).await {
                self.made.insert(callback.id, callback.number);
            }
        }
        if round.is_multiple_of(5)
            && let Some(id) = self.made.keys().nth(round / 5 % CALLBACKS).copied()
        {
            let cancel = Action::Cancel { reason: None };
            if self.rig.act(id, Who::Channel, cancel).await.is_ok() {
                self.canceled.insert(id);
            }
        }
    }

    async fn work(&mut self) {
        for desk in &mut self.desks {
            self.closed += usize::from(desk.listen());
            desk.come(&self.rig).await;
            desk.work(&self.rig).await;
        }
    }

    fn assert_promises(&self) {
        assert_capacity(&self.rig);
        let now = self.rig.handle.now();
        let numbers: BTreeSet<u64> = self.made.values().copied().collect();
        assert_eq!(numbers.len(), self.made.len(), "a number was given twice");
        for callback in self.rig.vault.callbacks() {
            if let Some(booking) = &callback.booking {
                let lead = Span::seconds(QueueSettings::new(queue_id()).lead_seconds);
                let early = booking.start - lead > now;
                let may = matches!(callback.state(), State::Open | State::Canceled);
                assert!(may || !early, "before its time: {callback:?}");
            }
        }
    }

    fn is_done(&self) -> bool {
        let all = self.rig.vault.callbacks();
        self.made.len() == CALLBACKS && all.iter().all(|one| one.state().is_final())
    }

    fn assert_kept(&self) {
        let all = self.rig.vault.callbacks();
        let left: Vec<_> = all.iter().filter(|one| !one.state().is_final()).collect();
        assert!(left.is_empty(), "{} are left, the first is {:?}", left.len(), left.first());
        for (id, number) in &self.made {
            let kept =
                all.iter().find(|one| one.id == *id).expect("what was acknowledged is there");
            assert_eq!(kept.number, *number);
            let canceled = self.canceled.contains(id);
            assert!(!canceled || kept.state() == State::Canceled, "{kept:?}");
        }
    }
}

impl Desk {
    /// Takes in what was sent; true: the session was sent away.
    fn listen(&mut self) -> bool {
        let Some(session) = &mut self.session else { return false };
        while let Some(sent) = session.sent() {
            match sent {
                ToSession::Notice(Notice::Offered { callback }) => {
                    self.offers.extend(callback.offer().map(|offer| (callback.id, offer.id)));
                }
                ToSession::End(reason) => {
                    assert_eq!(reason, EndReason::Restart);
                    self.session = None;
                    self.offers.clear();
                    return true;
                }
                ToSession::Notice(_) | ToSession::Answer { .. } | ToSession::Welcome(_) => {}
            }
        }
        false
    }

    async fn come(&mut self, rig: &Rig) {
        if self.session.is_none() {
            // Not yet ready, or the connect itself panicked: next time.
            self.session = rig.try_connect(self.agent.as_str()).await.ok();
        }
        let (agent, by) = (self.agent.clone(), PresenceBy::Supervisor);
        // It may panic, and comes again in the next round.
        let _ = rig.handle.set_presence(agent, by, Presence::Available, None).await;
    }

    async fn work(&mut self, rig: &Rig) {
        let who = Who::Agent(self.agent.clone());
        for (callback, offer) in std::mem::take(&mut self.offers) {
            // Late, or cut by a panic: it comes again.
            let _ = rig.act(callback, who.clone(), Action::Accept { offer, session: None }).await;
        }
        for callback in rig.vault.callbacks() {
            if callback.assigned_agent() == Some(&self.agent)
                && let Some(action) = next_action(&callback)
            {
                let _ = rig.act(callback.id, who.clone(), action).await;
            }
        }
    }
}

#[tokio::test]
async fn what_is_acknowledged_stands_while_the_whole_workspace_collapses() {
    let mut limits = limits();
    limits.max_panics = usize::MAX;
    let mut floor = Floor::open(Rig::with(limits).await);
    for round in 0..ROUNDS {
        if round < PANICS_UNTIL {
            let kinds = ["callback", "agent", "queue"];
            floor.rig.handle.poison_after(kinds[round % 3], round % 7);
            if round.is_multiple_of(6) {
                // Each life begins with steps of both: some panic in the middle of a recovery.
                let kind = ["router", "scheduler"][round / 6 % 2];
                floor.rig.handle.poison_after(kind, round % 11);
            }
        } else {
            floor.rig.handle.antidote();
        }
        floor.until_ready().await;
        floor.ask(round).await;
        floor.work().await;
        floor.assert_promises();
        floor.rig.time.advance(Span::seconds(1));
        if floor.is_done() {
            break;
        }
    }
    floor.rig.handle.antidote();
    let stats = floor.until_calm().await;
    floor.assert_kept();
    assert!(floor.closed > 20, "the workspace did start again: {}", floor.closed);
    assert!(floor.rig.handle.health().panics > 100);
    assert_eq!((stats.waiting, stats.with_agents), (0, 0), "no ghosts in line");
}

#[tokio::test]
async fn a_workspace_that_finds_another_store_when_it_starts_again_shows_nothing() {
    let rig = Rig::new().await;
    rig.create(asap()).await.expect("taken");
    rig.vault.replace();
    rig.handle.poison("router");
    // It may be answered before the panic is noticed, or not at all.
    let _ = rig.create(asap()).await;
    until("it is told", || rig.handle.health().alarms.contains(&Alarm::StoreReplaced)).await;
    assert!(!rig.handle.health().ready);
    assert_eq!(rig.create(asap()).await.err(), Some(Refusal::Unavailable));
    rig.running.drain().await;
}

#[tokio::test]
async fn a_workspace_that_cant_start_again_says_so_until_it_has() {
    let rig = Rig::new().await;
    let rings = || rig.handle.health().alarms.contains(&Alarm::RecoveryFailing);
    let callback = rig.create(asap()).await.expect("taken");
    rig.vault.is_gone.store(true, Ordering::Relaxed);
    rig.handle.poison("router");
    // It may be answered before the panic is noticed, or not at all.
    let _ = rig.create(asap()).await;
    until("it is told", rings).await;
    assert!(!rig.handle.health().ready);
    rig.handle.antidote();
    rig.vault.is_gone.store(false, Ordering::Relaxed);
    until("it is ready again", || {
        rig.time.advance(Span::millis(100));
        rig.handle.health().ready
    })
    .await;
    assert!(!rings());
    assert!(rig.vault.callbacks().iter().any(|there| there.id == callback.id));
    rig.running.drain().await;
}
