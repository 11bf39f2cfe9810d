//! The body of `POST /v1/customers/served_elsewhere`: who was served another way.

use super::action::{Known, queue};
use super::settings::fields::Fields;
use super::text::reference;
use crate::domain::callback::ContactKey;
use crate::domain::ids::QueueId;
use crate::domain::phone::PhoneNumber;

/// Whose callbacks are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// All that are for this number.
    Phone(PhoneNumber),
    /// Those of one contact.
    Contact(ContactKey),
}

impl Whose {
    /// The key under which they are found.
    pub fn key(&self) -> ContactKey {
        match self {
            Self::Phone(phone) => ContactKey::of(phone),
            Self::Contact(contact) => *contact,
        }
    }
}

/// Who was served, and what of theirs is to be called off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Whose callbacks.
    pub whose: Whose,
    /// In this queue only.
    pub queue: Option<QueueId>,
    /// What is booked for a time to come too.
    pub include_scheduled: bool,
}

/// Reads it; none where something can't be taken, its fault noted.
pub fn read_served(fields: &mut Fields<'_>, known: &dyn Known) -> Option<Served> {
    let queue = fields.take("queue").and_then(|item| queue(item, known));
    let region = queue.as_ref().and_then(|queue| queue.settings.default_region);
    let given = fields.count_of(&["phone", "contact_id"]);
    let phone = fields.parsed("phone", |text| PhoneNumber::parse(text, region));
    let contact = fields.parsed("contact_id", reference);
    let include_scheduled = fields.flag("include_scheduled", false);
    if given != 1 {
        fields.fault("", "must have either phone or contact_id");
    }
    let contact = contact.map(|text| Whose::Contact(ContactKey::told_by(&text)));
    let whose = phone.map(Whose::Phone).or(contact)?;
    let queue = queue.map(|queue| queue.settings.id.clone());
    Some(Served { whose, queue, include_scheduled })
}
