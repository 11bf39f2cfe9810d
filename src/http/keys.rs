//! `/v1/keys`: who is let in, by the hashes of their tokens. For administrators alone.

use actix_web::http::StatusCode;
use serde_json::Value;

use super::call::Call;
use super::reply::Reply;
use crate::domain::key::{ApiKey, TokenHash};
use crate::wire::page::{PageBody, PageQuery, page_of};
use crate::wire::problem::Problem;
use crate::wire::query::Query;
use crate::wire::request::invalid;
use crate::wire::settings::{key, print_key};

fn body(key: &ApiKey) -> Value {
    Value::Object(print_key(key))
}

/// `GET /v1/keys`.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let pairs = call.query()?;
    let mut query = Query::new(&pairs);
    let page = PageQuery::read(&mut query, "keys");
    query.finish().map_err(Problem::invalid)?;
    let keys = call.workspace().handle.keys().all();
    let named = keys.into_iter().map(|key| (key.token.to_string(), key));
    let (rows, next_cursor) = page_of(named, |(token, _)| token.as_str(), &page);
    let items: Vec<_> = rows.iter().map(|(_, key)| body(key)).collect();
    Ok(Reply::ok(&PageBody { items, next_cursor }))
}

/// The hash in the path; what isn't one is no key's.
fn token(call: &Call<'_>) -> Result<TokenHash, Problem> {
    TokenHash::parse(call.part("token_sha256")).map_err(|_| Problem::not_found())
}

/// `GET /v1/keys/{token_sha256}`.
pub(super) async fn get(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let key = call.workspace().handle.keys().one(&token(call)?).ok_or_else(Problem::not_found)?;
    Ok(Reply::ok(&body(&key)).version(key.version))
}

/// `PUT /v1/keys/{token_sha256}`.
pub(super) async fn put(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let token = TokenHash::parse(call.part("token_sha256"))
        .map_err(|error| Problem::field("/token_sha256", error.to_string()))?;
    let grant = key(&call.body.value, token).map_err(invalid)?;
    if call.shared.gate.is_known_elsewhere(&token, call.caller.workspace) {
        // Whoever shows a token doesn't say which workspace it is meant for.
        return Err(Problem::field("/token_sha256", "is another workspace's too; make a new one"));
    }
    let handle = &call.workspace().handle;
    let there = handle.keys().one(&token).map(|key| key.version);
    call.check_there(there.is_some())?;
    let if_match = call.if_match(there.unwrap_or_default());
    let (key, made) = handle.put_key(token, grant, if_match).await?;
    if !made {
        return Ok(Reply::ok(&body(&key)).version(key.version));
    }
    let reply = Reply::json(StatusCode::CREATED, &body(&key)).version(key.version);
    Ok(reply.location(format!("/v1/keys/{token}")))
}

/// `DELETE /v1/keys/{token_sha256}`.
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let token = token(call)?;
    let handle = &call.workspace().handle;
    let there = handle.keys().one(&token).ok_or_else(Problem::not_found)?;
    handle.revoke_key(token, call.if_match(there.version)).await?;
    Ok(Reply::none())
}
