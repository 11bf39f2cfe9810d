//! `queue.updated`: while somebody is connected, how each queue's line is, every few seconds.
//!
//! The line is asked of its queue as any other question is, so what is told is durable and comes
//! in order; nothing is sent where nothing has changed and nobody has come. Sessions are told in
//! portions: thousands at once would keep the threads that write to their sockets for so long that
//! offers and answers wait.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::answers::Reply;
use super::handle::ToSession;
use super::office::Office;
use crate::domain::effect::{Notice, QueueStats};
use crate::domain::ids::{AgentId, QueueId, SessionId};
use crate::domain::message::{Letter, QueueMessage, Token};
use crate::domain::time::Span;

/// How often at most a session is told of a line.
const EVERY: Span = Span::seconds(5);

/// So many notices go out at once, or one in so many of all that are to.
const AT_ONCE: usize = 64;
const ONE_IN: usize = 256;

/// Between two portions: with `ONE_IN` all go out well within `EVERY`.
const PAUSE: Span = Span::millis(2);

/// What sessions were told of the lines last, and which questions aren't answered yet.
#[derive(Debug, Default)]
pub(crate) struct LineNotices {
    told: BTreeMap<QueueId, QueueStats>,
    asked: BTreeMap<QueueId, Token>,
    watching: bool,
    /// Who is still to be told what.
    untold: VecDeque<(SessionId, Rc<Notice>)>,
    telling: bool,
}

impl Office {
    /// Begins to look at the lines; ends by itself when nobody is connected.
    pub(crate) fn watch_lines(self: &Rc<Self>) {
        let mut lines = self.line_notices.borrow_mut();
        if std::mem::replace(&mut lines.watching, true) {
            return;
        }
        drop(lines);
        let office = Rc::clone(self);
        self.spawn(async move {
            while !office.sessions.borrow().is_empty() {
                office.shared.clock.wait(EVERY).await;
                office.look_at_lines();
            }
            *office.line_notices.borrow_mut() = LineNotices::default();
        });
    }

    /// Asks every queue whose last question was answered.
    fn look_at_lines(self: &Rc<Self>) {
        if self.shared.door.standing().stalled_since.is_some() || self.draining.get() {
            return;
        }
        let queues = self.known.borrow().queue_ids();
        for queue in queues {
            let open = self.line_notices.borrow().asked.get(&queue).copied();
            if open.is_some_and(|token| self.answers.borrow_mut().of(token).is_some()) {
                continue;
            }
            let token = self.answers.borrow_mut().open(Reply::Line(queue.clone()), None);
            self.line_notices.borrow_mut().asked.insert(queue.clone(), token);
            // Agents are told no estimate.
            let message = QueueMessage::Stats { token, free_agents: 0 };
            self.deliver(Letter::Queue(queue, message), None);
        }
    }

    /// A session of an agent has come up: it must be told of their lines, changed or not.
    pub(crate) fn tell_lines_again(&self, agent: &AgentId) {
        let known = self.known.borrow();
        self.line_notices.borrow_mut().told.retain(|queue, _| !known.serves(agent, queue));
    }

    /// A line's answer is durable: the sessions of its agents are told, if it has changed.
    pub(crate) fn tell_line(self: &Rc<Self>, queue: &QueueId, stats: &QueueStats) {
        let told = self.line_notices.borrow_mut().told.insert(queue.clone(), stats.clone());
        let same = |told: QueueStats| {
            told.waiting == stats.waiting && told.oldest_since == stats.oldest_since
        };
        if told.is_some_and(same) {
            return;
        }
        let known = self.known.borrow();
        let (waiting, oldest_since) = (stats.waiting, stats.oldest_since);
        let notice = Rc::new(Notice::QueueUpdated { queue: queue.clone(), waiting, oldest_since });
        let sessions = self.sessions.borrow().welcomed(|agent| known.serves(agent, queue));
        let untold = sessions.into_iter().map(|session| (session, Rc::clone(&notice)));
        self.line_notices.borrow_mut().untold.extend(untold);
        self.tell_untold();
    }

    /// Tells a portion, and after each pause the next; all lines together.
    fn tell_untold(self: &Rc<Self>) {
        if std::mem::replace(&mut self.line_notices.borrow_mut().telling, true) {
            return;
        }
        let office = Rc::clone(self);
        self.spawn(async move {
            while !office.line_notices.borrow().untold.is_empty() {
                office.tell_portion();
                office.shared.clock.wait(PAUSE).await;
            }
            office.line_notices.borrow_mut().telling = false;
        });
    }

    fn tell_portion(&self) {
        let portion: Vec<_> = {
            let untold = &mut self.line_notices.borrow_mut().untold;
            let many = AT_ONCE.max(untold.len() / ONE_IN).min(untold.len());
            untold.drain(..many).collect()
        };
        let sessions = self.sessions.borrow();
        for (session, notice) in portion {
            sessions.put(session, ToSession::Notice(Notice::clone(&notice)));
        }
    }
}
