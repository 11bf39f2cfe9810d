//! What becomes of webhooks' deliveries, counted by whoever makes them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Tally;
use crate::domain::ids::WebhookId;
use crate::domain::webhook::WebhookStanding;

/// What became of an attempt to deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivered {
    /// The receiver has it.
    Delivered,
    /// It will be tried again.
    Failed,
    /// It won't.
    GivenUp,
}

impl Delivered {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::GivenUp];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// What whoever delivers counts.
#[derive(Debug, Default)]
pub struct Deliveries {
    attempts: Tally<Delivered>,
    standings: Mutex<BTreeMap<WebhookId, WebhookStanding>>,
}

impl Deliveries {
    /// Counts an attempt.
    pub fn count(&self, what: Delivered) {
        self.attempts.count(what);
    }

    /// Shows how a webhook stands; none: nobody delivers for it any more.
    pub fn show(&self, id: &WebhookId, standing: Option<WebhookStanding>) {
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        match standing {
            Some(standing) => standings.insert(id.clone(), standing),
            None => standings.remove(id),
        };
    }

    /// All of it.
    pub(crate) fn read(&self) -> DeliveryFigures {
        let counted: BTreeMap<Delivered, u64> = self.attempts.read().into_iter().collect();
        let attempts = Delivered::ALL.map(|what| (what, counted.get(&what).copied().unwrap_or(0)));
        let standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        let webhooks = standings.iter().map(|(id, standing)| (id.clone(), *standing)).collect();
        DeliveryFigures { attempts: attempts.to_vec(), webhooks }
    }
}

/// The same, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryFigures {
    /// Attempts by what became of them.
    pub attempts: Vec<(Delivered, u64)>,
    /// How each webhook stands, by id.
    pub webhooks: Vec<(WebhookId, WebhookStanding)>,
}
