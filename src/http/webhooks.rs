//! `/v1/webhooks`: where events are sent. For administrators alone, reads too: addresses of
//! webhooks often have a secret in their path.

use std::sync::Arc;

use actix_web::http::StatusCode;
use serde_json::Value;

use super::call::Call;
use super::reply::Reply;
use crate::domain::ids::WebhookId;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Progress, Webhook};
use crate::engine::feed::EventFeed;
use crate::wire::json::Json;
use crate::wire::page::{PageBody, PageQuery, page_of};
use crate::wire::problem::Problem;
use crate::wire::query::Query;
use crate::wire::request::invalid;
use crate::wire::webhook::{self, Delivering, STATUS, webhook_body};

async fn body(call: &Call<'_>, webhook: &Webhook) -> Result<Value, Problem> {
    if !webhook.settings.active {
        return Ok(Value::Object(webhook_body(webhook, None, call.now)));
    }
    let progress = call.workspace().handle.progress(webhook).await?;
    let oldest = oldest(call, &progress).await?;
    let delivering = Delivering { progress: &progress, oldest };
    Ok(Value::Object(webhook_body(webhook, Some(&delivering), call.now)))
}

/// When the oldest event happened that wasn't sent yet.
async fn oldest(call: &Call<'_>, progress: &Progress) -> Result<Option<Timestamp>, Problem> {
    let handle = &call.workspace().handle;
    let first = progress.open.first().map(|one| one.event);
    let events = match first {
        Some(event) => handle.events_of(vec![event]).await?,
        None => EventFeed::new(handle.clone()).read(progress.read_to, 1).await?,
    };
    Ok(events.first().map(|event| event.at))
}

fn there(call: &Call<'_>) -> Result<Arc<Webhook>, Problem> {
    let id = WebhookId::parse(call.part("id")).map_err(|_| Problem::not_found())?;
    call.workspace().handle.webhook(&id).ok_or_else(Problem::not_found)
}

/// `GET /v1/webhooks`.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let pairs = call.query()?;
    let mut query = Query::new(&pairs);
    let page = PageQuery::read(&mut query, "webhooks");
    query.finish().map_err(Problem::invalid)?;
    let webhooks = call.workspace().handle.webhooks();
    let (rows, next_cursor) = page_of(webhooks.iter(), |one| one.settings.id.as_str(), &page);
    let mut items = Vec::with_capacity(rows.len());
    for webhook in rows {
        items.push(body(call, webhook).await?);
    }
    Ok(Reply::ok(&PageBody { items, next_cursor }))
}

/// `GET /v1/webhooks/{id}`.
pub(super) async fn get(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let webhook = there(call)?;
    Ok(Reply::ok(&body(call, &webhook).await?).version(webhook.version))
}

/// `PUT /v1/webhooks/{id}`.
pub(super) async fn put(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let id = WebhookId::parse(call.part("id"))
        .map_err(|error| Problem::field("/id", error.to_string()))?;
    let mut asked = call.body.object()?.clone();
    asked.remove(STATUS);
    let check = call.shared.webhook_url.as_ref();
    let wanted = webhook::webhook(&Json::Object(asked), &id, check).map_err(invalid)?;
    let handle = &call.workspace().handle;
    let there = handle.webhook(&id).map(|webhook| webhook.version);
    call.check_there(there.is_some())?;
    let if_match = call.if_match(there.unwrap_or_default());
    let is_given = wanted.secret.is_some();
    let (webhook, made) = handle.put_webhook(wanted, if_match).await?;
    if !made {
        return Ok(Reply::ok(&body(call, &webhook).await?).version(webhook.version));
    }
    let mut shown = Value::Object(webhook_body(&webhook, None, call.now));
    if !is_given {
        // The only time that it is told.
        shown["secret"] = webhook.secret.reveal().into();
    }
    let reply = Reply::json(StatusCode::CREATED, &shown).version(webhook.version);
    Ok(reply.location(format!("/v1/webhooks/{id}")))
}

/// `DELETE /v1/webhooks/{id}`.
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let webhook = there(call)?;
    let (id, if_match) = (webhook.settings.id.clone(), call.if_match(webhook.version));
    call.workspace().handle.remove_webhook(id, if_match).await?;
    Ok(Reply::none())
}
