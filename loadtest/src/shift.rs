//! One simulated agent's working time: connects, works, and comes back after every loss.
//!
//! Separate from the desk, which decides, and from the socket, which speaks; this only carries
//! words between the two and writes down what the crash checker needs.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::client::{Target, back_off};
use crate::clock;
use crate::desk::{Act, Conduct, Desk, Reply, Step};
use crate::ledger::{Entry, OfferLine, Writer};
use crate::socket::{AgentSocket, Ended, Incoming, News, PATIENCE, Refused};
use crate::tally::Shared;

/// A session that lasted this long was no failed attempt, and the back-off starts anew.
const STEADY: Duration = Duration::from_secs(1);

/// When and how an agent works.
#[derive(Debug, Clone)]
pub(crate) struct Shift {
    pub(crate) target: Target,
    pub(crate) token: String,
    pub(crate) starts: Instant,
    /// No more offers are wanted from here on; what is held is finished.
    pub(crate) ends: Instant,
    /// The agent goes, whatever is still held.
    pub(crate) leaves: Instant,
    /// Presence changes back and forth this often, as load; none by default.
    pub(crate) toggle: Option<Duration>,
    pub(crate) ledger: Option<Writer>,
}

/// Works a shift to its end. An error means that the ledger can't be written.
pub(crate) async fn work<C: Conduct>(shift: Shift, mut desk: Desk<C>, tally: Shared) -> Result<()> {
    clock::sleep_until(shift.starts).await;
    let mut losses = 0;
    let mut met_before = false;
    while clock::now() < shift.leaves {
        let began = clock::now();
        if began >= shift.ends && desk.is_idle() {
            break;
        }
        match AgentSocket::connect(&shift.target, &shift.token).await {
            Ok(socket) => {
                {
                    let mut tally = tally.lock();
                    tally.sessions += 1;
                    tally.reconnects += u64::from(met_before);
                }
                met_before = true;
                match session(&shift, &mut desk, socket).await {
                    Ok(()) => break,
                    Err(Stop::Ledger(error)) => return Err(error),
                    Err(Stop::Ended(Ended::Lost(why))) => tally.lock().lost(why),
                    Err(Stop::Ended(Ended::Violation(what))) => {
                        let sentence = format!("{}: {what}", desk.agent_id());
                        tally.lock().violate(sentence);
                    }
                }
                desk.lost();
                if clock::now().duration_since(began) >= STEADY {
                    losses = 0;
                }
            }
            Err(Refused::Unreachable(why)) => tally.lock().lost(why),
            Err(Refused::ForGood(why)) => {
                tally.lock().refused.push(format!("{}: {why}", desk.agent_id()));
                break;
            }
        }
        losses += 1;
        clock::sleep_until(clock::now() + back_off(losses + 1)).await;
    }
    desk.leave();
    Ok(())
}

enum Stop {
    Ended(Ended),
    Ledger(anyhow::Error),
}

impl From<Ended> for Stop {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

async fn session<C: Conduct>(
    shift: &Shift,
    desk: &mut Desk<C>,
    mut socket: AgentSocket<Act>,
) -> Result<(), Stop> {
    let mut greeted = false;
    let greeting_due = clock::now() + PATIENCE;
    let mut toggle = shift.toggle.map(|every| clock::now() + every);
    loop {
        let now = clock::now();
        if greeted {
            keep_presence(shift, desk, now, &mut toggle);
            while let Some(act) = desk.due(now) {
                socket.send(act.kind(), act.fields(), act).await?;
            }
            let done = now >= shift.ends && desk.is_idle() && socket.unanswered() == 0;
            if done || now >= shift.leaves {
                socket.close().await;
                return Ok(());
            }
        } else if now >= greeting_due {
            return Err(Ended::Violation("no welcome within 10 s".to_owned()).into());
        }
        if socket.answer_due().is_some_and(|due| due <= now) {
            return Err(Ended::Violation("a frame wasn't answered within 10 s".to_owned()).into());
        }
        let end = if now < shift.ends { shift.ends } else { shift.leaves };
        let next = if greeted { desk.next_due() } else { Some(greeting_due) };
        let wakes = [next, toggle.filter(|_| greeted), socket.answer_due(), Some(end)];
        let wake = wakes.into_iter().flatten().min().unwrap_or(end);
        tokio::select! {
            incoming = socket.receive() => {
                let incoming = incoming?;
                let welcome = matches!(incoming, Incoming::News { news: News::Welcome(_), .. });
                if welcome == greeted {
                    let what = "`welcome` must come first, and once";
                    return Err(Ended::Violation(what.to_owned()).into());
                }
                greeted = true;
                take_in(shift, desk, incoming).await.map_err(Stop::Ledger)?;
            }
            () = clock::sleep_until(wake) => {}
        }
    }
}

/// Goes offline at the shift's end, and back and forth before it where that is the load.
fn keep_presence<C: Conduct>(
    shift: &Shift,
    desk: &mut Desk<C>,
    now: Instant,
    toggle: &mut Option<Instant>,
) {
    if now >= shift.ends {
        *toggle = None;
        if desk.wanted() != "offline" {
            desk.want("offline", now);
        }
    }
    let Some(due) = *toggle else { return };
    if due <= now {
        desk.want(if desk.wanted() == "away" { "available" } else { "away" }, now);
        *toggle = shift.toggle.map(|every| due + every);
    }
}

async fn take_in<C: Conduct>(
    shift: &Shift,
    desk: &mut Desk<C>,
    incoming: Incoming<Act>,
) -> Result<()> {
    let now = clock::now();
    match incoming {
        Incoming::News { at, news } => {
            if let Some(ledger) = &shift.ledger {
                let offers = match &news {
                    News::Offered(offer) => std::slice::from_ref(offer),
                    News::Welcome(welcome) => welcome.offers.as_slice(),
                    _ => &[],
                };
                for offer in offers {
                    let line = line(desk.agent_id(), &offer.offer_id, &offer.callback.id);
                    ledger.write(Entry::Offered(line)).await?;
                }
            }
            desk.hear(now, at, news);
        }
        Incoming::Answer { at, sent_at, took, tag: act, verdict } => {
            let accepted = act.step == Step::Reply(Reply::Accept) && verdict.is_ok();
            let callback_id = desk.offered_callback(&act.subject).filter(|_| accepted);
            if let (Some(ledger), Some(callback_id)) = (&shift.ledger, callback_id) {
                let line = line(desk.agent_id(), &act.subject, callback_id);
                ledger.write(Entry::Accepted(line)).await?;
            }
            desk.answered(now, (sent_at, at), took, act, verdict);
        }
    }
    Ok(())
}

fn line(agent_id: &str, offer_id: &str, callback_id: &str) -> OfferLine {
    OfferLine {
        at: clock::rfc3339(clock::utc()),
        agent_id: agent_id.to_owned(),
        offer_id: offer_id.to_owned(),
        callback_id: callback_id.to_owned(),
    }
}
