//! How webhooks, and how far they have come, are stored.

use std::collections::BTreeSet;

use super::codec::{Broken, Reader, Stored, put_text, stored_as, stored_struct, stored_text};
use super::values::stored_tuples;
use crate::domain::callback::Channel;
use crate::domain::ids::WebhookId;
use crate::domain::webhook::{
    Filter, FormerSecret, OpenEvent, Progress, SigningSecret, Stream, Webhook, WebhookSettings,
};

stored_text!(WebhookId, as_str, WebhookId::parse);
stored_text!(SigningSecret, reveal, SigningSecret::parse);
stored_as!(
    Filter as (Vec<String>, Vec<Channel>),
    |it: &Filter| { (it.types.iter().cloned().collect(), it.channels.iter().copied().collect()) },
    |(types, channels): (Vec<String>, Vec<Channel>)| {
        let (types, channels): (BTreeSet<_>, BTreeSet<_>) =
            (types.into_iter().collect(), channels.into_iter().collect());
        Ok(Filter { types, channels })
    }
);
stored_struct!(WebhookSettings { id, url, filter, active });
stored_struct!(FormerSecret { secret, until });
stored_struct!(Webhook {
    settings,
    secret,
    former,
    version,
    created_at,
    updated_at,
    starts_after,
    disabled,
});
stored_tuples!(Stream { 0 => Callback(id), 1 => Agent(id), 2 => Queue(id) });
stored_struct!(OpenEvent { event, stream, failed, since, next_at });
stored_struct!(Progress { webhook, starts_after, read_to, open, delivered_at, failed });
