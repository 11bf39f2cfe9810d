//! `GET /v1/reports/{report}`: what was measured in past hours and days.

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, HeaderValue};

use super::call::Call;
use super::reply::Reply;
use crate::domain::zone::TimeZone;
use crate::wire::problem::Problem;
use crate::wire::query::Query;
use crate::wire::report::{CSV, ReportBody, ReportFormat, ReportKind, ReportQuery, Rows, csv};

/// `GET /v1/reports/{report}`.
pub(super) async fn report(call: &Call<'_>) -> Result<Reply, Problem> {
    let kind = ReportKind::parse(call.part("report")).ok_or_else(Problem::not_found)?;
    call.supervises()?;
    let handle = &call.workspace().handle;
    let (queues, agents) = (handle.queues(), handle.agents());
    let mut zones = queues.iter().map(|queue| &queue.settings.time_zone);
    let first = zones.next().filter(|first| zones.all(|zone| zone == *first));
    let usual = first.cloned().unwrap_or_else(TimeZone::utc);
    let ids = match kind {
        ReportKind::Callbacks => 1,
        ReportKind::Queues => queues.len(),
        ReportKind::Agents => agents.len(),
    };
    let pairs = call.query()?;
    let limits = call.shared.limits.reports;
    let query = ReportQuery::read(Query::new(&pairs), &usual, ids, limits)?;
    let mut rows = Rows::new(kind, &query.intervals, &agents);
    if let (Some((from, _)), Some((_, to))) = (query.intervals.first(), query.intervals.last()) {
        handle.measured(*from, *to, |measured| rows.add(measured)).await?;
    }
    let rows = rows.finish(&query.zone, &queues, &agents);
    match query.format.unwrap_or_else(|| accepted(call)) {
        ReportFormat::Json => Ok(Reply::ok(&ReportBody::new(kind, &query, &rows))),
        ReportFormat::Csv => {
            let name = format!("attachment; filename=\"{}.csv\"", kind.as_str());
            let name = HeaderValue::from_str(&name).expect("a word is visible ASCII");
            let reply = Reply::text("text/csv; charset=utf-8; header=present", csv(&rows));
            Ok(reply.header(CONTENT_DISPOSITION, name))
        }
    }
}

/// A table where the request names it before JSON, or before anything whatever.
fn accepted(call: &Call<'_>) -> ReportFormat {
    let accept = call.request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let media = accept.unwrap_or_default().split(',');
    let mut media = media.map(|one| one.split(';').next().unwrap_or_default().trim());
    let first = media.find_map(|one| match one {
        CSV => Some(ReportFormat::Csv),
        "application/json" | "*/*" => Some(ReportFormat::Json),
        _ => None,
    });
    first.unwrap_or(ReportFormat::Json)
}
