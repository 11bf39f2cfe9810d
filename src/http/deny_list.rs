//! `/v1/deny_list`: numbers that aren't called, whoever asks.

use actix_web::http::StatusCode;

use super::call::Call;
use super::reply::Reply;
use crate::domain::denied::Denied;
use crate::domain::phone::{BadPhone, PhoneNumber};
use crate::wire::denied::{DeniedBody, read_reason};
use crate::wire::page::{PageBody, PageQuery, page_of};
use crate::wire::problem::Problem;
use crate::wire::query::Query;

/// `GET /v1/deny_list`.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    let pairs = call.query()?;
    let mut query = Query::new(&pairs);
    let page = PageQuery::read(&mut query, "deny_list");
    query.finish().map_err(Problem::invalid)?;
    let all = call.workspace().handle.all_denied();
    let (rows, next_cursor) = page_of(all.iter(), |denied| denied.phone.as_str(), &page);
    let items: Vec<_> = rows.into_iter().map(|denied| DeniedBody::new(denied)).collect();
    Ok(Reply::ok(&PageBody { items, next_cursor }))
}

/// The number in the path. The router leaves an encoded plus as it came, since one may mean a
/// blank elsewhere.
fn read_phone(call: &Call<'_>) -> Result<PhoneNumber, BadPhone> {
    let text = call.part("phone").replace("%2B", "+").replace("%2b", "+");
    PhoneNumber::parse(&text, None)
}

/// The same of one that should be on the list; what isn't a number is on none.
fn phone(call: &Call<'_>) -> Result<PhoneNumber, Problem> {
    read_phone(call).map_err(|_| Problem::not_found())
}

/// `GET /v1/deny_list/{phone}`.
pub(super) async fn get(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    let denied = call.workspace().handle.denied(&phone(call)?).ok_or_else(Problem::not_found)?;
    Ok(Reply::ok(&DeniedBody::new(&denied)).version(denied.version))
}

/// `PUT /v1/deny_list/{phone}`.
pub(super) async fn put(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    let phone = read_phone(call).map_err(|error| Problem::field("/phone", error.to_string()))?;
    let reason = call.fields(|fields| Some(read_reason(fields)))?;
    let handle = &call.workspace().handle;
    let there = handle.denied(&phone).map(|denied| denied.version);
    call.check_there(there.is_some())?;
    let if_match = call.if_match(there.unwrap_or_default());
    let (since, by) = (call.now, call.role().who().by());
    // The version is counted where it is written.
    let denied = Denied { phone, since, by, reason, version: 0 };
    let (denied, made) = handle.deny(denied, if_match).await?;
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    let reply = Reply::json(status, &DeniedBody::new(&denied)).version(denied.version);
    let path = format!("/v1/deny_list/{}", phone.as_str().replace('+', "%2B"));
    Ok(if made { reply.location(path) } else { reply })
}

/// `DELETE /v1/deny_list/{phone}`.
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    let (phone, handle) = (phone(call)?, &call.workspace().handle);
    let there = handle.denied(&phone).ok_or_else(Problem::not_found)?;
    handle.allow(phone, call.if_match(there.version)).await?;
    Ok(Reply::none())
}
