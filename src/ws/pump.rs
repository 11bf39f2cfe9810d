//! A session's logic: what the client sends, one frame after the other, and what it is sent.
//!
//! The next frame is read only when the last one is answered, so each has exactly one answer, in
//! order. It runs beside the session's actor and not in it, because a client that stops reading
//! stops its actor from being polled at all.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::acting::may_act;
use super::close::CloseCode;
use super::guard::Inflow;
use super::looks::{Look, Looks, Silence};
use super::outflow::{Outflow, Outgoing, Put};
use super::{Admitted, SocketState};
use crate::domain::agent::Welcome;
use crate::domain::callback::Snapshot;
use crate::domain::effect::Notice;
use crate::domain::ids::SessionId;
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;
use crate::engine::handle::{Handle, SessionOutlet, ToSession};
use crate::engine::library::FullCallback;
use crate::wire::agent::reason_fault;
use crate::wire::callback::{CallbackBody, RenderContext, View};
use crate::wire::frame::{
    AgentName, ChoiceBody, FrameId, OfferBody, ServerFrame, WelcomeBody, WelcomeQueue,
};
use crate::wire::incoming::{BadFrame, ClientFrame, Incoming, read_frame};
use crate::wire::problem::{Kind, Problem};

/// What the client did.
#[derive(Debug)]
pub(super) enum FromClient {
    /// A frame of text.
    Text(String),
    /// A frame that isn't text.
    Binary,
}

/// The client's side of a session.
pub(super) struct Client {
    /// What it does, in order.
    pub(super) frames: mpsc::UnboundedReceiver<FromClient>,
    /// Resolves when its actor is gone.
    pub(super) gone: oneshot::Receiver<()>,
    /// Its frames on their way.
    pub(super) inflow: Arc<Inflow>,
    /// Where it is.
    pub(super) address: Option<IpAddr>,
}

/// The engine's messages that may wait for this session's pump.
const MAX_WAITING_MESSAGES: usize = 4_096;

/// So many frames that aren't frames end a session.
const MAX_STRIKES: u32 = 3;

/// Where the engine puts what this session is sent.
struct Outlet {
    messages: mpsc::UnboundedSender<ToSession>,
    waiting: Arc<AtomicUsize>,
    outflow: Arc<Outflow>,
}

impl SessionOutlet for Outlet {
    fn put(&self, message: ToSession) {
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= MAX_WAITING_MESSAGES {
            self.outflow.cut_off(CloseCode::DoesNotRead);
            return;
        }
        // A pump that is gone has ended its session with the engine.
        let _ = self.messages.send(message);
    }
}

/// Tells the engine that the session is gone, however its pump ends, and doesn't leave a client
/// that is still there on a socket behind which nobody is.
struct Gone {
    handle: Handle,
    session: SessionId,
    outflow: Arc<Outflow>,
    client_left: bool,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.handle.disconnect(self.session);
        if !self.client_left {
            self.outflow.end_in_order(CloseCode::Restart);
        }
    }
}

struct Pump {
    state: SocketState,
    admitted: Admitted,
    session: SessionId,
    outflow: Arc<Outflow>,
    /// The frame that the engine hasn't answered yet.
    outstanding: Option<FrameId>,
    frames: u64,
    strikes: u32,
    silence: Silence,
    inflow: Arc<Inflow>,
    address: Option<IpAddr>,
}

/// Why the pump stops.
struct Over;

/// Runs a session until the client or the engine ends it.
pub(super) async fn run(
    state: SocketState,
    admitted: Admitted,
    mut client: Client,
    outflow: Arc<Outflow>,
) {
    let (messages, mut from_engine) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let outlet = Outlet { messages, waiting: Arc::clone(&waiting), outflow: Arc::clone(&outflow) };
    let connected = admitted.handle.connect(admitted.agent.clone(), Box::new(outlet)).await;
    let Ok(session) = connected else {
        // Removed meanwhile, or the engine can't take sessions now.
        let removed = admitted.handle.agent(&admitted.agent).is_none();
        outflow.end_in_order(if removed { CloseCode::AgentRemoved } else { CloseCode::Restart });
        return;
    };
    let handle = admitted.handle.clone();
    let mut gone = Gone { handle, session, outflow: Arc::clone(&outflow), client_left: false };
    let mut looks = Looks::new(state.limits.heartbeat);
    let mut pump = Pump {
        state,
        admitted,
        session,
        outflow,
        outstanding: None,
        frames: 0,
        strikes: 0,
        silence: Silence::default(),
        inflow: Arc::clone(&client.inflow),
        address: client.address,
    };
    loop {
        let idle = pump.outstanding.is_none();
        let over = tokio::select! {
            biased;
            message = from_engine.recv() => match message {
                Some(message) => {
                    waiting.fetch_sub(1, Ordering::AcqRel);
                    pump.engine_says(message).await
                }
                None => Err(Over),
            },
            look = looks.next() => match look {
                Look::Heartbeat => pump.beat(),
                Look::Between => pump.check_credential(),
            },
            frame = client.frames.recv(), if idle => match frame {
                Some(frame) => {
                    client.inflow.handled();
                    pump.client_says(frame).await
                }
                None => client_left(&mut gone),
            },
            _ = &mut client.gone => client_left(&mut gone),
        };
        if over.is_err() {
            return;
        }
    }
}

fn client_left(gone: &mut Gone) -> Result<(), Over> {
    gone.client_left = true;
    Err(Over)
}

impl Pump {
    fn now(&self) -> Timestamp {
        self.admitted.handle.now()
    }

    fn send(&self, frame: &ServerFrame<'_>) -> Result<(), Over> {
        self.send_text(frame.to_text(self.now()))
    }

    fn send_text(&self, text: String) -> Result<(), Over> {
        match self.outflow.put(Outgoing::Text(text)) {
            Put::Taken => Ok(()),
            Put::Full => {
                self.outflow.cut_off(CloseCode::DoesNotRead);
                Err(Over)
            }
            Put::Over => Err(Over),
        }
    }

    fn end(&self, code: CloseCode) -> Result<(), Over> {
        self.outflow.end_in_order(code);
        Err(Over)
    }

    /// A credential that has ended is good for nothing more.
    fn check_credential(&self) -> Result<(), Over> {
        let now = &self.admitted;
        let ended = now.expires_at.is_some_and(|at| at <= self.now())
            || now.key.as_ref().is_some_and(|key| !now.handle.keys().holds(key));
        if ended { self.end(CloseCode::CredentialEnded) } else { Ok(()) }
    }

    /// Pings, and looks whether the session is still alive and its credential good.
    fn beat(&mut self) -> Result<(), Over> {
        if self.silence.beat(self.inflow.was_heard()) {
            return self.end(CloseCode::Silent);
        }
        self.check_credential()?;
        match self.outflow.put(Outgoing::Ping) {
            Put::Taken | Put::Full => Ok(()),
            Put::Over => Err(Over),
        }
    }

    async fn client_says(&mut self, frame: FromClient) -> Result<(), Over> {
        self.check_credential()?;
        let text = match frame {
            FromClient::Text(text) => text,
            FromClient::Binary => {
                let detail = "The frame is binary; send JSON as text.";
                let problem = Problem::new(Kind::Malformed, detail);
                return self.strike(&BadFrame { id: None, problem, strike: true });
            }
        };
        match read_frame(&text, &self.admitted.handle) {
            Ok(incoming) => self.carry_out(incoming).await,
            Err(bad) => self.strike(&bad),
        }
    }

    fn strike(&mut self, bad: &BadFrame) -> Result<(), Over> {
        self.send(&ServerFrame::Error { id: bad.id.as_ref(), problem: &bad.problem })?;
        self.strikes += u32::from(bad.strike);
        if self.strikes >= MAX_STRIKES { self.end(CloseCode::NoFrames) } else { Ok(()) }
    }

    async fn carry_out(&mut self, incoming: Incoming) -> Result<(), Over> {
        let Incoming { id, frame } = incoming;
        self.frames += 1;
        let (number, session) = (self.frames, self.session);
        let handle = self.admitted.handle.clone();
        match frame {
            ClientFrame::Ping => return self.send(&ServerFrame::Pong { id: &id }),
            ClientFrame::Auth { token } => return self.renew(&id, &token),
            ClientFrame::Presence { presence, reason } => {
                let reasons = &self.admitted.presence_reasons;
                if let Some(fault) = reason.as_deref().and_then(|one| reason_fault(one, reasons)) {
                    let problem = Problem::field("/reason", fault);
                    return self.send(&ServerFrame::Error { id: Some(&id), problem: &problem });
                }
                self.outstanding = Some(id);
                handle.session_presence(session, number, presence, reason).await;
            }
            ClientFrame::AnswerOffer { offer, answer } => {
                self.outstanding = Some(id);
                handle.session_answer_offer(session, number, offer, answer).await;
            }
            ClientFrame::Act { callback, name, action } => {
                match may_act(&self.admitted, callback, name, *action).await {
                    Ok(action) => {
                        self.outstanding = Some(id);
                        handle.session_act(session, number, callback, action).await;
                    }
                    Err(problem) => {
                        return self.send(&ServerFrame::Error { id: Some(&id), problem: &problem });
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes on with another credential of the same agent.
    fn renew(&mut self, id: &FrameId, token: &str) -> Result<(), Over> {
        let now = &self.admitted;
        match self.state.gate.admit(token, self.address) {
            Ok(next) if next.workspace == now.workspace && next.agent == now.agent => {
                self.admitted.expires_at = next.expires_at;
                self.admitted.key = next.key;
                self.send(&ServerFrame::Ack { id })
            }
            Ok(_) => {
                let problem = Problem::forbidden("The credential is another agent's.");
                self.send(&ServerFrame::Error { id: Some(id), problem: &problem })
            }
            Err(problem) => self.send(&ServerFrame::Error { id: Some(id), problem: &problem }),
        }
    }

    async fn engine_says(&mut self, message: ToSession) -> Result<(), Over> {
        match message {
            ToSession::Welcome(welcome) => self.welcome(&welcome).await,
            ToSession::Notice(notice) => self.notice(notice).await,
            ToSession::Answer { frame: _, result } => {
                // One command is under way at most: it is this one's answer.
                let Some(id) = self.outstanding.take() else { return Ok(()) };
                match result {
                    Ok(()) => self.send(&ServerFrame::Ack { id: &id }),
                    Err(refusal) => {
                        let problem = Problem::from(refusal);
                        self.send(&ServerFrame::Error { id: Some(&id), problem: &problem })
                    }
                }
            }
            ToSession::End(reason) => self.end(reason.into()),
        }
    }

    /// The callback with its texts. Without them it can't be shown: the session ends, and its
    /// next welcome shows what is.
    async fn complete(&self, callback: &Snapshot) -> Result<FullCallback, Over> {
        match self.admitted.handle.complete(Arc::clone(callback)).await {
            Ok(full) => Ok(full),
            Err(refusal) => {
                tracing::warn!(%refusal, "a callback's texts can't be read for a session");
                self.end(CloseCode::Restart)?;
                Err(Over)
            }
        }
    }

    async fn welcome(&self, welcome: &Welcome) -> Result<(), Over> {
        let mut offers = Vec::new();
        for callback in &welcome.offers {
            offers.push(self.complete(callback).await?);
        }
        let mut assignments = Vec::new();
        for callback in &welcome.assignments {
            assignments.push(self.complete(callback).await?);
        }
        let handle = &self.admitted.handle;
        let settings = &welcome.agent.settings;
        let queues: Vec<_> =
            settings.queues.iter().filter_map(|one| handle.queue(&one.queue)).collect();
        let known: Vec<_> =
            offers.iter().chain(&assignments).map(|full| self.queue(full)).collect();
        let now = self.now();
        let text = |omit_context| {
            let body =
                |place: usize, full| self.body_with(full, known[place].as_deref(), omit_context);
            ServerFrame::Welcome(WelcomeBody {
                session_id: welcome.session,
                agent: AgentName::of(settings),
                heartbeat_seconds: self.state.limits.heartbeat.as_secs(),
                presence: welcome.agent.presence.as_str(),
                reason: welcome.agent.reason.as_deref(),
                offers: offers
                    .iter()
                    .enumerate()
                    .filter_map(|(place, full)| OfferBody::new(&full.callback, body(place, full)))
                    .collect(),
                assignments: assignments
                    .iter()
                    .enumerate()
                    .map(|(place, full)| body(offers.len() + place, full))
                    .collect(),
                queues: queues.iter().map(|queue| WelcomeQueue::of(queue, now)).collect(),
                presence_reasons: self
                    .admitted
                    .presence_reasons
                    .iter()
                    .map(ChoiceBody::of)
                    .collect(),
                links: &self.admitted.links,
            })
            .to_text(now)
        };
        let omits = self.outflow.is_half_full();
        let whole = text(omits);
        let fits = omits || whole.len() <= self.outflow.half();
        self.send_text(if fits { whole } else { text(true) })
    }

    fn queue(&self, full: &FullCallback) -> Option<Arc<Queue>> {
        self.admitted.handle.queue(&full.callback.queue)
    }

    fn body<'a>(&'a self, full: &'a FullCallback, queue: Option<&'a Queue>) -> CallbackBody<'a> {
        self.body_with(full, queue, self.outflow.is_half_full())
    }

    fn body_with<'a>(
        &'a self,
        full: &'a FullCallback,
        queue: Option<&'a Queue>,
        omit_context: bool,
    ) -> CallbackBody<'a> {
        let frame = RenderContext {
            view: View::Inside,
            queue,
            links: &self.admitted.links,
            at: self.now(),
            lost: None,
            position: None,
            estimated_wait_seconds: None,
            omit_context,
        };
        CallbackBody::new(full, frame)
    }

    async fn notice(&self, notice: Notice) -> Result<(), Over> {
        match notice {
            Notice::Offered { callback } => {
                let full = self.complete(&callback).await?;
                let queue = self.queue(&full);
                match OfferBody::new(&callback, self.body(&full, queue.as_deref())) {
                    Some(offer) => self.send(&ServerFrame::Offered(offer)),
                    None => Ok(()),
                }
            }
            Notice::OfferRevoked { callback, offer, reason } => {
                self.send(&ServerFrame::offer_revoked(callback, offer, reason))
            }
            Notice::OfferDeclined { callback, offer } => {
                self.send(&ServerFrame::offer_declined(callback, offer))
            }
            Notice::OfferExpired { callback, offer } => {
                self.send(&ServerFrame::offer_expired(callback, offer))
            }
            Notice::Assigned { callback, by } => {
                let full = self.complete(&callback).await?;
                let queue = self.queue(&full);
                self.send(&ServerFrame::assigned(self.body(&full, queue.as_deref()), by))
            }
            Notice::Updated { callback } => {
                let full = self.complete(&callback).await?;
                let queue = self.queue(&full);
                let callback = self.body(&full, queue.as_deref());
                self.send(&ServerFrame::Updated { callback })
            }
            Notice::Unassigned { callback, reason } => {
                self.send(&ServerFrame::unassigned(callback, reason))
            }
            Notice::PresenceChanged { agent, by } => {
                let reason = agent.reason.as_deref();
                self.send(&ServerFrame::presence_changed(agent.presence, reason, by))
            }
            Notice::QueueUpdated { queue, waiting, oldest_since } => {
                let now = self.now();
                self.send(&ServerFrame::queue_updated(&queue, waiting, oldest_since, now))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::handle::EndReason;

    #[test]
    fn an_engine_that_says_more_than_is_read_cuts_the_session_off() {
        let (messages, mut from_engine) = mpsc::unbounded_channel();
        let (waiting, outflow) = (Arc::new(AtomicUsize::new(0)), Outflow::new(1_000));
        let outlet =
            Outlet { messages, waiting: Arc::clone(&waiting), outflow: Arc::clone(&outflow) };
        for _ in 0..=MAX_WAITING_MESSAGES {
            outlet.put(ToSession::End(EndReason::Restart));
        }
        let mut taken = 0;
        while from_engine.try_recv().is_ok() {
            taken += 1;
        }
        assert_eq!(taken, MAX_WAITING_MESSAGES);
        assert_eq!(outflow.put(Outgoing::Ping), Put::Over);
    }
}
