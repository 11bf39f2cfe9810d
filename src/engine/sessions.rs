//! Agents' sessions that are up: where to put what they are sent, and what they were offered.
//!
//! A frame that answers an offer names the offer alone, so the callback of each offer is
//! remembered per agent, over reconnects: a repeated accept must find it again.

use std::collections::{BTreeMap, VecDeque};

use super::handle::{EndReason, SessionOutlet, ToSession};
use crate::domain::agent::{RevokeReason, Welcome};
use crate::domain::callback::Callback;
use crate::domain::effect::Notice;
use crate::domain::ids::{AgentId, CallbackId, OfferId, SessionId};

/// How many offers of an agent are remembered, pending ones and ones that were answered; the oldest
/// go first.
const OFFERS_KEPT: usize = 128;

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    sessions: BTreeMap<SessionId, Session>,
    offers: BTreeMap<AgentId, VecDeque<(OfferId, CallbackId)>>,
}

struct Session {
    agent: AgentId,
    outlet: Box<dyn SessionOutlet>,
    /// It has its first frame; before that it is sent nothing else.
    welcomed: bool,
}

impl Sessions {
    /// A session comes up.
    pub(crate) fn add(&mut self, id: SessionId, agent: AgentId, outlet: Box<dyn SessionOutlet>) {
        self.sessions.insert(id, Session { agent, outlet, welcomed: false });
    }

    /// A session is gone; returns whose it was.
    pub(crate) fn remove(&mut self, id: SessionId) -> Option<AgentId> {
        self.sessions.remove(&id).map(|session| session.agent)
    }

    /// Whose session it is.
    pub(crate) fn agent(&self, id: SessionId) -> Option<&AgentId> {
        self.sessions.get(&id).map(|session| &session.agent)
    }

    /// The sessions of an agent.
    pub(crate) fn of(&self, agent: &AgentId) -> Vec<SessionId> {
        let theirs =
            |(id, session): (&SessionId, &Session)| (session.agent == *agent).then_some(*id);
        self.sessions.iter().filter_map(theirs).collect()
    }

    /// Whether nobody is connected.
    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Sends to one session, if it is up.
    pub(crate) fn put(&self, id: SessionId, message: ToSession) {
        if let Some(session) = self.sessions.get(&id) {
            session.outlet.put(message);
        }
    }

    /// Sends a session's first frame, and remembers the offers that it shows.
    pub(crate) fn welcome(&mut self, welcome: Box<Welcome>) {
        let agent = welcome.agent.settings.id.clone();
        for callback in welcome.offers.iter().chain(&welcome.assignments) {
            self.remember(&agent, callback);
        }
        if let Some(session) = self.sessions.get_mut(&welcome.session) {
            session.welcomed = true;
            session.outlet.put(ToSession::Welcome(welcome));
        }
    }

    /// Sends a notice to sessions of one agent.
    pub(crate) fn notify(&mut self, ids: &[SessionId], notice: &Notice) {
        let agent = ids.iter().find_map(|id| self.agent(*id)).cloned();
        match (notice, agent) {
            (Notice::Offered { callback }, Some(agent)) => self.remember(&agent, callback),
            // What was accepted in another session may be accepted there once more.
            (Notice::OfferRevoked { reason: RevokeReason::AcceptedElsewhere, .. }, _) => {}
            (
                Notice::OfferRevoked { offer, .. } | Notice::OfferExpired { offer, .. },
                Some(agent),
            ) => {
                if let Some(offers) = self.offers.get_mut(&agent) {
                    offers.retain(|(id, _)| id != offer);
                }
            }
            _ => {}
        }
        for id in ids {
            self.put(*id, ToSession::Notice(notice.clone()));
        }
    }

    /// All sessions that have their welcome and whose agent is one of those.
    pub(crate) fn welcomed(&self, one_of: impl Fn(&AgentId) -> bool) -> Vec<SessionId> {
        let up = self.sessions.iter().filter(|(_, session)| session.welcomed);
        up.filter(|(_, session)| one_of(&session.agent)).map(|(id, _)| *id).collect()
    }

    /// Ends sessions and forgets them.
    pub(crate) fn end(&mut self, ids: &[SessionId], reason: EndReason) {
        for id in ids {
            if let Some(session) = self.sessions.remove(id) {
                session.outlet.put(ToSession::End(reason));
            }
        }
    }

    /// Ends all sessions.
    pub(crate) fn end_all(&mut self, reason: EndReason) {
        for session in std::mem::take(&mut self.sessions).into_values() {
            session.outlet.put(ToSession::End(reason));
        }
    }

    /// An agent is gone for good.
    pub(crate) fn forget(&mut self, agent: &AgentId) {
        self.offers.remove(agent);
    }

    /// The callback that was put to an agent by this offer.
    pub(crate) fn offered(&self, agent: &AgentId, offer: OfferId) -> Option<CallbackId> {
        let offers = self.offers.get(agent)?;
        offers.iter().find(|(id, _)| *id == offer).map(|(_, callback)| *callback)
    }

    fn remember(&mut self, agent: &AgentId, callback: &Callback) {
        let pending = callback.offer().map(|offer| offer.id);
        let accepted = callback.accepted_offer.as_deref().map(|(offer, _)| *offer);
        for offer in pending.into_iter().chain(accepted) {
            self.remember_offer(agent, offer, callback.id);
        }
    }

    fn remember_offer(&mut self, agent: &AgentId, offer: OfferId, callback: CallbackId) {
        if self.offered(agent, offer).is_some() {
            return;
        }
        let offers = self.offers.entry(agent.clone()).or_default();
        if offers.len() == OFFERS_KEPT {
            offers.pop_front();
        }
        offers.push_back((offer, callback));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;
    use crate::domain::agent::{Agent, Presence};
    use crate::domain::policy::{AgentSettings, Capacity};
    use crate::domain::skills::Skills;
    use crate::domain::time::Timestamp;

    struct Outlet(mpsc::Sender<ToSession>);

    impl SessionOutlet for Outlet {
        fn put(&self, message: ToSession) {
            self.0.send(message).expect("the test reads it");
        }
    }

    fn welcome(session: SessionId, id: &AgentId) -> Welcome {
        let settings = AgentSettings {
            id: id.clone(),
            name: "Mara".to_owned(),
            queues: Vec::new(),
            skills: Skills::default(),
            capacity: Capacity::default(),
        };
        let agent = Agent {
            settings: Arc::new(settings),
            version: 1,
            presence: Presence::Available,
            reason: None,
            presence_since: Timestamp(0),
            missed_offers: 0,
            idle_since: Timestamp(0),
            external: None,
            settings_version: 1,
        };
        let (offers, assignments) = (Vec::new(), Vec::new());
        Welcome { session, agent: Arc::new(agent), offers, assignments }
    }

    #[test]
    fn a_session_is_among_the_welcomed_after_its_welcome() {
        let (outlet, sent) = mpsc::channel();
        let (mut sessions, session) = (Sessions::default(), SessionId(1));
        let mara = AgentId::parse("mara").expect("a slug");
        sessions.add(session, mara.clone(), Box::new(Outlet(outlet)));
        assert_eq!(sessions.welcomed(|_| true), [], "its welcome isn't there yet");
        sessions.welcome(Box::new(welcome(session, &mara)));
        assert!(matches!(sent.try_recv(), Ok(ToSession::Welcome(_))));
        assert_eq!(sessions.welcomed(|agent| *agent == mara), [session]);
        assert_eq!(sessions.welcomed(|agent| *agent != mara), []);
    }

    #[test]
    fn the_offers_remembered_are_the_last() {
        let mut sessions = Sessions::default();
        let mara = AgentId::parse("mara").expect("a slug");
        let offers: Vec<_> =
            (0..=OFFERS_KEPT as u128).map(|it| (OfferId(it), CallbackId(it))).collect();
        for (offer, callback) in &offers {
            sessions.remember_offer(&mara, *offer, *callback);
            sessions.remember_offer(&mara, *offer, *callback);
        }
        let ((first, _), others) = offers.split_first().expect("some");
        assert_eq!(sessions.offered(&mara, *first), None);
        let known = |(offer, callback)| sessions.offered(&mara, offer) == Some(callback);
        assert!(others.iter().copied().all(known));
    }
}
