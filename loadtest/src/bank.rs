//! Reads a month of one bank's call centre: the calls of a day, as people made them in 1999.
//!
//! Separate because the file's shape is its own: twelve unquoted columns, gzipped or not. It only
//! reads; what a row means for a replay is decided there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;

const HEADER: &str = "call,date,weekday,type,priority,t_in,t_q,wait,outcome,t_ser,service,agent";
const COLUMNS: usize = 12;
/// The most text that a month may unpack to; the real ones have under 2 MiB.
const LARGEST_BYTES: u64 = 64 * 1024 * 1024;

/// One call. Times are seconds after midnight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) call: u32,
    pub(crate) date: String,
    /// `PS`, `NE` and so on.
    pub(crate) kind: String,
    /// 0 to 2; 2 gets a head start of 90 s.
    pub(crate) priority: u8,
    /// When the caller asked for an agent; `None` for those who left in the menu.
    pub(crate) asked_at: Option<u32>,
    /// How long it stood in the queue; `None` for those who never entered it.
    pub(crate) waited: Option<u32>,
    pub(crate) service: Option<Service>,
}

/// An agent's time with a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) at: u32,
    pub(crate) seconds: u32,
    /// `None` where the file doesn't say who it was.
    pub(crate) agent: Option<String>,
}

/// An agent's day: from the first call to the end of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// Reads a file's rows, in the file's order.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>> {
    let named = || format!("reading {}", path.display());
    let bytes = fs::read(path).with_context(named)?;
    let mut text = String::new();
    let unpacked = if bytes.starts_with(&[0x1f, 0x8b]) {
        GzDecoder::new(bytes.as_slice()).take(LARGEST_BYTES + 1).read_to_string(&mut text)
    } else {
        bytes.as_slice().take(LARGEST_BYTES + 1).read_to_string(&mut text)
    };
    let length = unpacked.with_context(named)?;
    ensure!(length as u64 <= LARGEST_BYTES, "{}: larger than 64 MiB", path.display());
    parse(&text).with_context(|| path.display().to_string())
}

/// The rows of the day, or of the day with the most callers who asked for an agent; of several
/// such days the first.
pub(crate) fn day(rows: Vec<Row>, date: &str) -> Result<Vec<Row>> {
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for row in &rows {
        *asked.entry(row.date.clone()).or_default() += usize::from(row.asked_at.is_some());
    }
    let busiest = asked.iter().rev().max_by_key(|(_, count)| **count);
    let (first, last) = (asked.keys().next().cloned(), asked.keys().next_back().cloned());
    let (Some((busiest, _)), Some(first), Some(last)) = (busiest, first, last) else {
        bail!("the file has no calls");
    };
    let wanted = if date == "busiest" { busiest.clone() } else { date.to_owned() };
    ensure!(
        asked.contains_key(&wanted),
        "no calls on {wanted:?}: the file goes from {first} to {last}; `busiest` is {busiest}"
    );
    Ok(rows.into_iter().filter(|row| row.date == wanted).collect())
}

/// Who served that day, and from when to when.
pub(crate) fn agents(rows: &[Row]) -> BTreeMap<String, Presence> {
    let mut agents: BTreeMap<String, Presence> = BTreeMap::new();
    for service in rows.iter().filter_map(|row| row.service.as_ref()) {
        let Some(agent) = &service.agent else { continue };
        let end = service.at + service.seconds;
        let presence = agents.entry(agent.clone());
        let presence = presence.or_insert(Presence { from: service.at, to: end });
        presence.from = presence.from.min(service.at);
        presence.to = presence.to.max(end);
    }
    agents
}

/// The types of call that asked for an agent.
pub(crate) fn kinds(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().filter(|row| row.asked_at.is_some()).map(|row| row.kind.clone()).collect()
}

/// The mean service time of each type in seconds, and over all types where one was never served.
pub(crate) fn mean_services(rows: &[Row]) -> BTreeMap<String, f64> {
    let mean = |kind: Option<&str>| {
        let times = rows.iter().filter(|row| kind.is_none_or(|kind| row.kind == kind));
        let times = times.filter_map(|row| row.service.as_ref());
        let (sum, count) = times.fold((0.0, 0_u32), |(sum, count), service| {
            (sum + f64::from(service.seconds), count + 1)
        });
        (count > 0).then(|| sum / f64::from(count))
    };
    let overall = mean(None).unwrap_or(0.0);
    kinds(rows)
        .into_iter()
        .map(|kind| (kind.clone(), mean(Some(&kind)).unwrap_or(overall)))
        .collect()
}

fn parse(text: &str) -> Result<Vec<Row>> {
    let mut lines = text.lines().enumerate();
    let header = lines.next().map_or("", |(_, line)| line);
    ensure!(header == HEADER, "line 1: the header must be `{HEADER}`, not `{header}`");
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| row(line).with_context(|| format!("line {}", index + 1)))
        .collect()
}

fn row(line: &str) -> Result<Row> {
    let cells: Vec<&str> = line.split(',').collect();
    ensure!(cells.len() == COLUMNS, "{} columns instead of {COLUMNS}", cells.len());
    let call = number(&cells, 0)?;
    let asked = time(&cells, 6)?;
    time(&cells, 5)?;
    let waited = time(&cells, 7)?.filter(|_| asked.is_some());
    let (served_at, seconds) = (time(&cells, 9)?, time(&cells, 10)?);
    let service = match cells[8] {
        "served" => {
            let at = served_at.with_context(|| column(&cells, 9, "the start of a service"))?;
            let seconds = seconds.with_context(|| column(&cells, 10, "a service's length"))?;
            let agent = Some(cells[11]).filter(|name| !name.is_empty() && *name != "NO_SERVER");
            Some(Service { at, seconds, agent: agent.map(str::to_owned) })
        }
        "abandoned" | "vru_abandon" => None,
        _ => bail!(column(&cells, 8, "`served`, `abandoned` or `vru_abandon`")),
    };
    ensure!(!cells[1].is_empty(), column(&cells, 1, "a date"));
    ensure!(!cells[3].is_empty(), column(&cells, 3, "a type"));
    // Who was served at once never entered the queue and asked at that very moment.
    let asked_at = asked.or(service.as_ref().map(|service| service.at));
    Ok(Row {
        call,
        date: cells[1].to_owned(),
        kind: cells[3].to_owned(),
        priority: number(&cells, 4)?,
        asked_at,
        waited,
        service,
    })
}

fn number<T: std::str::FromStr>(cells: &[&str], index: usize) -> Result<T> {
    cells[index].parse().ok().with_context(|| column(cells, index, "a whole number"))
}

/// Seconds, or `None` for −1.
fn time(cells: &[&str], index: usize) -> Result<Option<u32>> {
    match cells[index] {
        "-1" => Ok(None),
        _ => number(cells, index).map(Some),
    }
}

fn column(cells: &[&str], index: usize, wanted: &str) -> String {
    let name = HEADER.split(',').nth(index).unwrap_or_default();
    format!("column `{name}`: {:?} is not {wanted}", cells[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "call,date,weekday,type,priority,t_in,t_q,wait,outcome,t_ser,service,agent
1,1999-01-04,0,PS,2,8,10,140,served,150,60,A01
2,1999-01-04,0,PS,0,20,-1,0,served,25,100,
3,1999-01-04,0,NE,0,30,-1,0,vru_abandon,-1,0,
4,1999-01-04,0,NE,0,40,41,9,abandoned,-1,0,
5,1999-01-05,1,NE,0,50,51,9,served,60,10,NO_SERVER
6,1999-01-04,0,PS,0,300,301,9,served,310,20,A01
";

    fn fault(line: &str) -> String {
        format!("{:#}", parse(&format!("{HEADER}\n{line}\n")).unwrap_err())
    }

    #[test]
    fn rows_say_when_an_agent_was_asked_for_and_who_served() {
        let rows = parse(SAMPLE).unwrap();
        assert_eq!(rows.len(), 6);
        let asked: Vec<_> = rows.iter().map(|row| row.asked_at).collect();
        assert_eq!(asked, [Some(10), Some(25), None, Some(41), Some(51), Some(301)]);
        let waited: Vec<_> = rows.iter().map(|row| row.waited).collect();
        assert_eq!(waited, [Some(140), None, None, Some(9), Some(9), Some(9)]);
        let nobody = rows.iter().filter_map(|row| row.service.as_ref());
        assert_eq!(nobody.filter(|service| service.agent.is_none()).count(), 2);
    }

    #[test]
    fn a_day_has_its_agents_types_and_mean_times() {
        let rows = day(parse(SAMPLE).unwrap(), "busiest").unwrap();
        assert_eq!(rows.len(), 5);
        let agents = agents(&rows);
        assert_eq!(agents["A01"], Presence { from: 150, to: 330 });
        assert_eq!(agents.len(), 1);
        assert_eq!(kinds(&rows).into_iter().collect::<Vec<_>>(), ["NE", "PS"]);
        let means = mean_services(&rows);
        assert!((means["PS"] - 60.0).abs() < 1e-9);
        // Nobody of that type was served, so it gets the mean of all.
        assert!((means["NE"] - 60.0).abs() < 1e-9);
    }

    #[test]
    fn an_unknown_day_is_refused_with_what_there_is() {
        let error = day(parse(SAMPLE).unwrap(), "1999-02-01").unwrap_err().to_string();
        assert!(error.contains("1999-01-04") && error.contains("1999-01-05"), "{error}");
    }

    #[test]
    fn faults_name_line_and_column() {
        let error = fault("1,1999-01-04,0,PS,2,8,x,140,served,150,60,A01");
        assert!(error.contains("line 2") && error.contains("`t_q`"), "{error}");
        let error = fault("1,1999-01-04,0,PS,2,8,10,140,lost,150,60,A01");
        assert!(error.contains("`outcome`") && error.contains("\"lost\""), "{error}");
        let error = fault("1,1999-01-04,0,PS,2,8,10,140,served,-1,60,A01");
        assert!(error.contains("`t_ser`"), "{error}");
        assert!(fault("1,1999-01-04").contains("2 columns instead of 12"));
        let error = format!("{:#}", parse("call,date\n").unwrap_err());
        assert!(error.contains("header"), "{error}");
    }

    /// The real month, which the tests need: see the data's own README for where it is from.
    #[test]
    fn the_busiest_day_of_january() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/bank/january.csv.gz");
        let rows = read(Path::new(path)).expect("the bank's January must be at shared/data/bank");
        assert_eq!(rows.len(), 31_038);
        let day = day(rows, "busiest").unwrap();
        assert_eq!(day[0].date, "1999-01-03");
        let asked = day.iter().filter(|row| row.asked_at.is_some()).count();
        assert_eq!((day.len(), asked, agents(&day).len()), (2_063, 2_023, 22));
    }
}
