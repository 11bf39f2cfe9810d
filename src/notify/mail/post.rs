//! The engine's port for mails: what an item of the outbox says, with what is known of the
//! customer, made a mail and handed over.
//!
//! Separate from `compose`, which is given everything and looks nothing up. Links are made here:
//! the base of all of them, and the secret that they are signed with, are known nowhere below.

use std::sync::Arc;

use super::item::MailItem;
use super::mailer::Mailer;
use crate::domain::dispatch::Outcome;
use crate::domain::policy::QueueSettings;
use crate::engine::outward::{MailToSend, Mails};
use crate::engine::ports::PortFuture;
use crate::wire::manage;

/// Sends a workspace's mails.
pub struct Post {
    mailer: Arc<Mailer>,
    public_url: String,
}

impl Post {
    /// By this mailer, with links that begin with `public_url`.
    pub fn new(mailer: Arc<Mailer>, public_url: String) -> Self {
        Self { mailer, public_url }
    }
}

impl Mails for Post {
    fn send<'a>(&'a self, mail: &'a MailToSend) -> PortFuture<'a, Outcome> {
        Box::pin(async move {
            match item(mail, &self.public_url) {
                Some(item) => self.mailer.send(&item).await,
                None => Outcome::given_up("the customer has no address"),
            }
        })
    }
}

/// Everything that the mail will say; none where there is nobody to send it to.
pub(super) fn item(order: &MailToSend, public_url: &str) -> Option<MailItem> {
    let MailToSend { id, mail, caused_at, full, queue, secret } = order;
    let (callback, customer) = (&full.callback, &full.request.customer);
    let booked_zone = callback.booking.as_ref().map(|booking| &booking.zone);
    let zone = customer.time_zone.as_ref().or(booked_zone).unwrap_or(&callback.zone);
    let token = manage::token(secret, callback.id);
    Some(MailItem {
        id: format!("{}-{id:x}", callback.id),
        kind: mail.kind,
        at: *caused_at,
        callback: callback.id,
        number: callback.number,
        sequence: mail.sequence,
        customer_name: customer.name.clone(),
        customer_email: customer.email.clone()?,
        locale: customer.locale.clone(),
        zone: zone.clone(),
        queue: queue_name(&queue.settings, customer.locale.as_deref()),
        medium: callback.medium,
        slot: mail.slot,
        previous_slot: mail.previous_slot,
        attempts: mail.attempts,
        position: mail.position,
        estimate: mail.estimate,
        next_try: mail.next_try,
        manage_url: manage::url(public_url, &token),
        book_url: Some(format!("{public_url}/callback?queue={}", callback.queue)),
        join_url: callback.meeting.as_ref().map(|meeting| meeting.join_url.clone()),
    })
}

/// The queue's name in the customer's language, if it has one: that of the locale as a whole, else
/// of its language.
fn queue_name(settings: &QueueSettings, locale: Option<&str>) -> String {
    let of = |wanted: &str| {
        let mut labels = settings.labels.iter();
        labels.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, label)| label)
    };
    let language = locale.map(|locale| locale.split(['-', '_']).next().unwrap_or(locale));
    let label = locale.and_then(of).or_else(|| language.and_then(of));
    label.unwrap_or(&settings.name).clone()
}
