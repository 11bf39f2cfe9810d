//! Why a callback isn't assigned, as `GET /v1/callbacks/{id}/routing` shows it.

use serde::Serialize;

use crate::domain::callback::{Callback, Unroutable};
use crate::domain::effect::{Candidate, Failed, Trace};

/// The state, the place in line, and each agent's reason.
#[derive(Debug, Serialize)]
pub struct TraceBody<'a> {
    state: &'static str,
    position: Option<u32>,
    candidates: Vec<CandidateBody<'a>>,
    would_change: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct CandidateBody<'a> {
    agent_id: &'a str,
    eligible: bool,
    failed: Option<&'static str>,
    detail: &'a str,
}

impl<'a> TraceBody<'a> {
    /// The trace of a callback.
    pub fn new(callback: &Callback, position: Option<u32>, trace: &'a Trace) -> Self {
        let candidate = |one: &'a Candidate| CandidateBody {
            agent_id: one.agent.as_str(),
            eligible: one.failed.is_none(),
            failed: one.failed.map(Failed::as_str),
            detail: &one.detail,
        };
        // Nobody is eligible for what is over.
        let over = callback.state().is_final();
        let candidates = if over { &[] } else { trace.candidates.as_slice() };
        Self {
            state: callback.state().as_str(),
            position,
            candidates: candidates.iter().map(candidate).collect(),
            would_change: match callback.unroutable.as_deref() {
                _ if over => Vec::new(),
                Some(Unroutable::NumberDenied) => vec!["take the number off the deny list"],
                Some(_) | None => trace.would_change.iter().map(String::as_str).collect(),
            },
        }
    }
}
