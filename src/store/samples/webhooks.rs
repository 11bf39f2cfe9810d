//! Webhooks, and how far they have come.

use std::sync::Arc;

use super::Sampler;
use crate::domain::callback::Channel;
use crate::domain::ids::{CallbackId, WebhookId};
use crate::domain::webhook::{
    EVENT_TYPES, Filter, FormerSecret, OpenEvent, Progress, SigningSecret, Stream, Webhook,
    WebhookSettings,
};

impl Sampler {
    pub(in crate::store) fn webhook(&mut self, id: WebhookId) -> Webhook {
        let filter = Filter {
            types: self.some(|it| it.pick(&EVENT_TYPES).to_owned()).into_iter().collect(),
            channels: self.some(|it| it.pick(&Channel::ALL)).into_iter().collect(),
        };
        Webhook {
            settings: Arc::new(WebhookSettings {
                id,
                url: self.text(),
                filter,
                active: self.yes(),
            }),
            secret: self.signing_secret(),
            former: self.maybe(|it| FormerSecret { secret: it.signing_secret(), until: it.at() }),
            version: self.next(),
            created_at: self.at(),
            updated_at: self.at(),
            starts_after: self.next(),
            disabled: self.maybe(Self::text),
        }
    }

    fn signing_secret(&mut self) -> SigningSecret {
        let mut random = [0; 32];
        random.fill_with(|| self.next().to_be_bytes()[0]);
        SigningSecret::of_random(&random)
    }

    pub(in crate::store) fn progress(&mut self, webhook: WebhookId) -> Progress {
        let mut open = self.some(|it| {
            let stream = Stream::Callback(CallbackId(it.wide()));
            it.open_event(stream)
        });
        let (agent, queue) = (self.agent_id(), self.queue_id());
        open.extend(self.maybe(|it| it.open_event(Stream::Agent(agent))));
        open.extend(self.maybe(|it| it.open_event(Stream::Queue(queue))));
        Progress {
            webhook,
            starts_after: self.next(),
            read_to: self.next(),
            open,
            delivered_at: self.maybe(Self::at),
            failed: self.maybe(|it| (it.at(), it.text())),
        }
    }

    fn open_event(&mut self, stream: Stream) -> OpenEvent {
        OpenEvent {
            event: self.next(),
            stream,
            failed: self.count(),
            since: self.at(),
            next_at: self.at(),
        }
    }
}
