//! What can be asked about a contact rather than about one callback, and of the deny list.

use std::sync::Arc;

use super::{Answered, CommandError, Handle, unreadable};
use crate::domain::callback::ContactKey;
use crate::domain::denied::Denied;
use crate::domain::effect::Answer;
use crate::domain::ids::CallbackId;
use crate::domain::message::Who;
use crate::domain::phone::PhoneNumber;
use crate::domain::refusal::Refusal;
use crate::engine::answers::strange;
use crate::engine::ask::Ask;
use crate::engine::entry::Keyed;
use crate::engine::intake::ACTIVE_MAX;
use crate::engine::library::FullCallback;

/// Callbacks whose texts, of up to 64 KiB each, are read at once: a slow store has less than a
/// second for each read.
const TEXTS_AT_ONCE: usize = 32;

/// What became of a contact's callbacks when they were served another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedElsewhere {
    /// Called off by that.
    pub closed: Vec<CallbackId>,
    /// Left as they were.
    pub kept: Vec<CallbackId>,
}

impl Handle {
    /// Callbacks of a contact or a number that aren't final, with their texts: the oldest thousand.
    pub async fn active(&self, contact: ContactKey) -> Result<Vec<FullCallback>, Refusal> {
        let gate = self.shared.gate()?;
        let found = gate.library.active(contact, ACTIVE_MAX).await.map_err(unreadable)?;
        let mut all = Vec::with_capacity(found.len());
        for some in found.chunks(TEXTS_AT_ONCE) {
            let some = gate.library.complete_all(some.to_vec()).await;
            all.extend(some.map_err(unreadable)?);
        }
        self.shown(&gate, all).await
    }

    /// Tells these callbacks that their customer was served another way: which were called off, and
    /// which were kept.
    pub async fn serve_elsewhere(
        &self,
        callbacks: Vec<CallbackId>,
        who: Who,
        include_scheduled: bool,
        keyed: Option<Keyed>,
    ) -> Result<Answered<ServedElsewhere>, CommandError> {
        let ask = Ask::ServeElsewhere { callbacks, who, include_scheduled };
        let Answered { value, replayed } = self.command(ask, keyed).await?;
        match value {
            Answer::Served { closed, kept } => {
                Ok(Answered { value: ServedElsewhere { closed, kept }, replayed })
            }
            other => Err(strange(&other).into()),
        }
    }

    /// Puts a number on the deny list; true: it wasn't there.
    pub async fn deny(
        &self,
        denied: Denied,
        if_match: Option<u64>,
    ) -> Result<(Arc<Denied>, bool), Refusal> {
        let phone = denied.phone;
        match self.plain(Ask::Deny { phone, denied: Some(denied), if_match }).await? {
            Answer::Denied { denied, created } => Ok((denied, created)),
            other => Err(strange(&other)),
        }
    }

    /// Takes a number off the deny list.
    pub async fn allow(&self, phone: PhoneNumber, if_match: Option<u64>) -> Result<(), Refusal> {
        match self.plain(Ask::Deny { phone, denied: None, if_match }).await? {
            Answer::Done => Ok(()),
            other => Err(strange(&other)),
        }
    }

    /// A number on the deny list, as durable.
    pub fn denied(&self, phone: &PhoneNumber) -> Option<Arc<Denied>> {
        self.shared.boards.denied.one(phone)
    }

    /// The deny list, by number, as durable.
    pub fn all_denied(&self) -> Vec<Arc<Denied>> {
        self.shared.boards.denied.all()
    }
}
