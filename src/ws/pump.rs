//! A session's logic: what the client sends, one frame after the other, and what it is sent.
//!
//! The next frame is read only when the last one is answered, so each has exactly one answer, in
//! order. It runs beside the session's actor and not in it, because a client that stops reading
//! stops its actor from being polled at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::guard::Inflow;
use super::outflow::{Outflow, Outgoing, Put};
use super::{Admitted, SocketState};
use crate::domain::agent::Welcome;
use crate::domain::callback::Snapshot;
use crate::domain::effect::Notice;
use crate::domain::ids::{AgentId, QueueId, SessionId};
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;
use crate::engine::handle::{Handle, SessionOutlet, ToSession};
use crate::engine::library::FullCallback;
use crate::wire::action::Known;
use crate::wire::callback::{CallbackBody, Frame, View};
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
    /// A ping or pong.
    Life,
}

/// The client's side of a session.
pub(super) struct Client {
    /// What it does, in order.
    pub(super) frames: mpsc::UnboundedReceiver<FromClient>,
    /// Resolves when its actor is gone.
    pub(super) gone: oneshot::Receiver<()>,
    /// Its frames on their way.
    pub(super) inflow: Arc<Inflow>,
}

/// The engine's messages that may wait for this session's pump.
const MAX_WAITING_MESSAGES: usize = 4_096;

/// So many frames that aren't frames end a session.
const MAX_STRIKES: u32 = 3;

/// A session silent for so many heartbeats is dropped.
const SILENT_HEARTBEATS: u32 = 3;

/// Where the engine puts what this session is sent.
struct Outlet {
    messages: mpsc::UnboundedSender<ToSession>,
    waiting: Arc<AtomicUsize>,
    outflow: Arc<Outflow>,
}

impl SessionOutlet for Outlet {
    fn put(&self, message: ToSession) {
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= MAX_WAITING_MESSAGES {
            self.outflow.end(4413, true);
            return;
        }
        // A pump that is gone has ended its session with the engine.
        let _ = self.messages.send(message);
    }
}

/// Tells the engine that the session is gone, however its pump ends.
struct Gone {
    handle: Handle,
    session: SessionId,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.handle.disconnect(self.session);
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
    heard: Instant,
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
        outflow.end(if removed { 4403 } else { 1012 }, false);
        return;
    };
    let _gone = Gone { handle: admitted.handle.clone(), session };
    let mut beats = interval(state.limits.heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pump = Pump {
        state,
        admitted,
        session,
        outflow,
        outstanding: None,
        frames: 0,
        strikes: 0,
        heard: Instant::now(),
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
            _ = beats.tick() => pump.beat(),
            frame = client.frames.recv(), if idle => match frame {
                Some(frame) => {
                    client.inflow.handled();
                    pump.client_says(frame).await
                }
                None => Err(Over),
            },
            _ = &mut client.gone => Err(Over),
        };
        if over.is_err() {
            return;
        }
    }
}

impl Pump {
    fn now(&self) -> Timestamp {
        self.admitted.handle.now()
    }

    fn send(&self, frame: &ServerFrame<'_>) -> Result<(), Over> {
        match self.outflow.put(Outgoing::Text(frame.to_text(self.now()))) {
            Put::Taken => Ok(()),
            Put::Full => {
                self.outflow.end(4413, true);
                Err(Over)
            }
            Put::Over => Err(Over),
        }
    }

    fn end(&self, code: u16) -> Result<(), Over> {
        self.outflow.end(code, false);
        Err(Over)
    }

    /// Pings, and looks whether the session is still alive and its credential good.
    fn beat(&self) -> Result<(), Over> {
        if self.heard.elapsed() > self.state.limits.heartbeat * SILENT_HEARTBEATS {
            return self.end(4408);
        }
        if self.admitted.expires_at.is_some_and(|at| at <= self.now()) {
            return self.end(4401);
        }
        match self.outflow.put(Outgoing::Ping) {
            Put::Taken | Put::Full => Ok(()),
            Put::Over => Err(Over),
        }
    }

    async fn client_says(&mut self, frame: FromClient) -> Result<(), Over> {
        self.heard = Instant::now();
        let text = match frame {
            FromClient::Text(text) => text,
            FromClient::Binary => {
                let detail = "The frame is binary; send JSON as text.";
                let problem = Problem::new(Kind::Malformed, detail);
                return self.strike(&BadFrame { id: None, problem, strike: true });
            }
            FromClient::Life => return Ok(()),
        };
        match read_frame(&text, &KnownTo(&self.admitted.handle)) {
            Ok(incoming) => self.carry_out(incoming).await,
            Err(bad) => self.strike(&bad),
        }
    }

    fn strike(&mut self, bad: &BadFrame) -> Result<(), Over> {
        self.send(&ServerFrame::Error { id: bad.id.as_ref(), problem: &bad.problem })?;
        self.strikes += u32::from(bad.strike);
        if self.strikes >= MAX_STRIKES { self.end(1008) } else { Ok(()) }
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
                self.outstanding = Some(id);
                handle.session_presence(session, number, presence, reason).await;
            }
            ClientFrame::AnswerOffer(action) => {
                self.outstanding = Some(id);
                handle.session_answer_offer(session, number, action).await;
            }
            ClientFrame::Act { callback, action } => {
                self.outstanding = Some(id);
                handle.session_act(session, number, callback, action).await;
            }
        }
        Ok(())
    }

    /// Goes on with another credential of the same agent.
    fn renew(&mut self, id: &FrameId, token: &str) -> Result<(), Over> {
        match self.state.gate.admit(token) {
            Ok(admitted) if admitted.agent == self.admitted.agent => {
                self.admitted.expires_at = admitted.expires_at;
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
            ToSession::Close(code) => self.end(code),
        }
    }

    /// The callback with its texts. Without them it can't be shown: the session ends, and its
    /// next welcome shows what is.
    async fn complete(&self, callback: &Snapshot) -> Result<FullCallback, Over> {
        match self.admitted.handle.complete(Arc::clone(callback)).await {
            Ok(full) => Ok(full),
            Err(refusal) => {
                tracing::warn!(%refusal, "a callback's texts can't be read for a session");
                self.outflow.end(1012, false);
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
        let body = |place: usize, full| self.body(full, known[place].as_deref());
        let now = self.now();
        let frame = ServerFrame::Welcome(WelcomeBody {
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
            presence_reasons: self.admitted.presence_reasons.iter().map(ChoiceBody::of).collect(),
            links: &self.admitted.links,
        });
        self.send(&frame)
    }

    fn queue(&self, full: &FullCallback) -> Option<Arc<Queue>> {
        self.admitted.handle.queue(&full.callback.queue)
    }

    fn body<'a>(&'a self, full: &'a FullCallback, queue: Option<&'a Queue>) -> CallbackBody<'a> {
        let frame = Frame {
            view: View::Inside,
            queue,
            links: &self.admitted.links,
            at: self.now(),
            position: None,
            omit_context: self.outflow.is_half_full(),
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

/// What frames may refer to.
struct KnownTo<'a>(&'a Handle);

impl Known for KnownTo<'_> {
    fn queue(&self, id: &QueueId) -> Option<Arc<Queue>> {
        self.0.queue(id)
    }

    fn has_agent(&self, id: &AgentId) -> bool {
        self.0.agent(id).is_some()
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }
}
