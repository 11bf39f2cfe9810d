//! Panics in every kind of machine while work goes on: everything still ends, nobody has too much.

use std::collections::BTreeMap;

use super::rig::{Rig, Session, asap, limits};
use crate::domain::agent::Presence;
use crate::domain::callback::{Callback, Outcome, Phase};
use crate::domain::effect::Notice;
use crate::domain::ids::{AgentId, CallbackId, OfferId};
use crate::domain::message::{Action, Who};
use crate::domain::time::Span;
use crate::engine::handle::ToSession;

const CALLBACKS: usize = 120;
const ROUNDS: usize = 4_000;

/// What an agent does next about a callback of theirs.
pub(super) fn next_action(callback: &Callback) -> Option<Action> {
    match &callback.phase {
        Phase::Accepted { .. } => Some(Action::Call),
        Phase::Calling { interaction, .. } if interaction.outcome.is_none() => {
            Some(Action::Outcome { outcome: Outcome::Answered, notes: None })
        }
        Phase::Calling { .. } => Some(Action::EndCall { notes: None }),
        Phase::WrapUp { .. } => {
            Some(Action::Close { disposition: None, notes: None, resolved: None })
        }
        Phase::Open { .. } | Phase::Queued { .. } | Phase::Offered { .. } | Phase::Ended { .. } => {
            None
        }
    }
}

/// Offers that came, and whether the agent was sent away.
fn heard(session: &mut Session) -> (Vec<(CallbackId, OfferId)>, bool) {
    let (mut offers, mut away) = (Vec::new(), false);
    while let Some(sent) = session.sent() {
        match sent {
            ToSession::Notice(Notice::Offered { callback }) => {
                offers.extend(callback.offer().map(|offer| (callback.id, offer.id)));
            }
            ToSession::Notice(Notice::PresenceChanged { agent, .. }) => {
                away = agent.presence != Presence::Available;
            }
            ToSession::Notice(_) | ToSession::Answer { .. } => {}
            ToSession::Welcome(_) | ToSession::End(_) => panic!("sessions last: {sent:?}"),
        }
    }
    (offers, away)
}

async fn work(rig: &Rig, agent: &AgentId, session: &mut Session) {
    let who = Who::Agent(agent.clone());
    let (offers, away) = heard(session);
    if away {
        rig.make_available(agent).await;
    }
    for (callback, offer) in offers {
        // Late, or cut by a panic: it comes again.
        let _ = rig.act(callback, who.clone(), Action::Accept { offer, session: None }).await;
    }
    for callback in rig.vault.callbacks() {
        if callback.assigned_agent() == Some(agent)
            && let Some(action) = next_action(&callback)
        {
            let _ = rig.act(callback.id, who.clone(), action).await;
        }
    }
}

pub(super) fn assert_capacity(rig: &Rig) {
    let mut held: BTreeMap<AgentId, usize> = BTreeMap::new();
    for callback in rig.vault.callbacks() {
        if let Some(agent) = callback.holder() {
            *held.entry(agent.clone()).or_default() += 1;
        }
    }
    assert!(held.values().all(|count| *count <= 1), "one unit each: {held:?}");
}

#[tokio::test]
async fn work_ends_and_nobody_has_too_much_while_machines_panic() {
    let mut limits = limits();
    limits.max_panics = usize::MAX;
    let rig = Rig::with(limits).await;
    let agents = ["mara", "omar"].map(|id| AgentId::parse(id).expect("a slug"));
    let mut sessions = [rig.session("mara").await, rig.session("omar").await];
    let mut made = 0;
    for round in 0..ROUNDS {
        // Every few rounds a step of each kind panics, at another place each time.
        if round < ROUNDS / 4 {
            let kinds = ["callback", "agent", "queue"];
            rig.handle.poison_after(kinds[round % 3], round % 7);
        }
        if made < CALLBACKS && rig.create(asap()).await.is_ok() {
            made += 1;
        }
        for (agent, session) in agents.iter().zip(&mut sessions) {
            work(&rig, agent, session).await;
        }
        assert_capacity(&rig);
        rig.time.advance(Span::seconds(1));
        if made == CALLBACKS && rig.vault.callbacks().iter().all(|one| one.state().is_final()) {
            break;
        }
    }
    rig.handle.antidote();
    let open: Vec<_> =
        rig.vault.callbacks().into_iter().filter(|one| !one.state().is_final()).collect();
    assert!(open.is_empty(), "{} are left, the first is {:?}", open.len(), open.first());
    assert!(rig.handle.health().panics > 100);
    assert_eq!(rig.handle.health().set_aside, 0);
    let stats = rig.handle.queue_stats(super::rig::queue_id()).await.expect("known");
    assert_eq!((stats.waiting, stats.with_agents), (0, 0), "no ghosts in line");
    // Both are free: the next two callbacks are offered at once.
    for _ in 0..2 {
        rig.create(asap()).await.expect("taken");
    }
    for session in &mut sessions {
        while !matches!(session.next().await, ToSession::Notice(Notice::Offered { .. })) {}
    }
}
