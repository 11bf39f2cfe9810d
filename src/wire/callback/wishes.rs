//! What a callback asks of agents, as answers and frames show it.

use serde::Serialize;

use crate::domain::callback::{Fallback, PreferMode, Preferred};
use crate::domain::skills::Requirement;

#[derive(Debug, Serialize)]
pub(super) struct RequirementBody<'a> {
    skill: &'a str,
    min_level: u8,
    mandatory: bool,
    expires_after_seconds: Option<u32>,
}

impl<'a> RequirementBody<'a> {
    pub(super) fn of(asked: &'a Requirement) -> Self {
        Self {
            skill: asked.skill.as_str(),
            min_level: asked.min_level.value(),
            mandatory: asked.mandatory,
            expires_after_seconds: asked.expires_after_seconds,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct PreferredBody<'a> {
    agent_id: &'a str,
    mode: &'static str,
    wait_seconds: u32,
    fallback: &'static str,
}

impl<'a> PreferredBody<'a> {
    pub(super) fn of(preferred: &'a Preferred) -> Self {
        Self {
            agent_id: preferred.agent.as_str(),
            mode: match preferred.mode {
                PreferMode::Prefer => "prefer",
                PreferMode::Require => "require",
            },
            wait_seconds: preferred.wait_seconds,
            fallback: match preferred.fallback {
                Fallback::Anyone => "anyone",
                Fallback::None => "none",
            },
        }
    }
}
