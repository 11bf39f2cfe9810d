//! Pages of lists: how far to read, and where the next page begins.
//!
//! A cursor is opaque to clients. It names the list that it is of, so that no other takes it; what
//! else it says is the reader's below.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::problem::Problem;
use super::query::Query;
use crate::domain::refusal::FieldFault;

/// Rows on a page unless said.
pub const LIMIT: usize = 50;
/// The most rows on a page.
pub const LIMIT_MAX: usize = 200;
/// The longest cursor that is read, in characters.
const CURSOR_MAX: usize = 2_048;

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct PageBody<T> {
    /// At most `limit`; fewer don't mean the end.
    pub items: Vec<T>,
    /// Where the next page begins; none at the end.
    pub next_cursor: Option<String>,
}

/// A page asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    /// At most so many rows; 1 to [`LIMIT_MAX`].
    pub limit: usize,
    /// What the last page's cursor said.
    pub after: Option<Vec<u8>>,
    /// The list that its cursors are of.
    list: String,
}

impl PageQuery {
    /// Reads `limit` and `cursor` of a page of `list`, a name that no other list has.
    pub fn read(query: &mut Query<'_>, list: impl Into<String>) -> Self {
        let list = list.into();
        let limit = query.parsed("limit", |text| {
            let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
            limit.ok_or_else(|| format!("must be an integer from 1 to {LIMIT_MAX}"))
        });
        let after = query.parsed("cursor", |text| read_cursor(text, &list).ok_or(BAD_CURSOR));
        Self { limit: limit.unwrap_or(LIMIT), after, list }
    }

    /// Behind which number the page begins, in a list by numbers; 0 at the first.
    pub fn after_number(&self) -> Result<u64, Problem> {
        let Some(after) = &self.after else { return Ok(0) };
        let after = after.as_slice().try_into().map(u64::from_be_bytes);
        after.map_err(|_| {
            let detail = BAD_CURSOR.to_owned();
            Problem::invalid(vec![FieldFault { pointer: "/cursor".to_owned(), detail }])
        })
    }

    /// The cursor of the page behind `position`.
    pub fn next(&self, position: &[u8]) -> String {
        print_cursor(&self.list, position)
    }
}

const BAD_CURSOR: &str = "is not a cursor of this list; start again without one";

/// What stands between a list's name and a position in it.
const END_OF_NAME: u8 = 0;

/// A cursor of `list` as text.
pub fn print_cursor(list: &str, position: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode([list.as_bytes(), &[END_OF_NAME], position].concat())
}

fn read_cursor(text: &str, list: &str) -> Option<Vec<u8>> {
    let read = (text.len() <= CURSOR_MAX).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten()?;
    let position = read.strip_prefix(list.as_bytes())?.strip_prefix(&[END_OF_NAME])?;
    Some(position.to_vec())
}

/// A page out of rows that are all at hand, sorted by a key that no two of them share.
pub fn page_of<T>(
    rows: impl Iterator<Item = T>,
    key: impl Fn(&T) -> &str,
    page: &PageQuery,
) -> (Vec<T>, Option<String>) {
    let after = page.after.as_deref();
    let mut rows = rows.skip_while(|row| after.is_some_and(|after| key(row).as_bytes() <= after));
    let items: Vec<T> = rows.by_ref().take(page.limit).collect();
    let more = rows.next().is_some();
    let last = items.last().filter(|_| more);
    let next = last.map(|row| page.next(key(row).as_bytes()));
    (items, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[(&str, &str)]) -> Result<PageQuery, Vec<FieldFault>> {
        let pairs: Vec<(String, String)> =
            text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut query = Query::new(&pairs);
        let page = PageQuery::read(&mut query, "rows");
        query.finish().map(|()| page)
    }

    #[test]
    fn limits_are_from_1_to_200() {
        assert_eq!(read(&[]).expect("good").limit, 50);
        assert_eq!(read(&[("limit", "1")]).expect("good").limit, 1);
        assert_eq!(read(&[("limit", "200")]).expect("good").limit, 200);
        for bad in ["0", "201", "-1", "x", "", "1.0"] {
            let faults = read(&[("limit", bad)]).expect_err("bad");
            assert_eq!(faults[0].pointer, "/limit");
        }
    }

    #[test]
    fn cursors_come_back_as_they_were_printed() {
        let position = [0, 255, 62, 63, 7];
        let text = print_cursor("rows", &position);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        let page = read(&[("cursor", &text)]).expect("good");
        assert_eq!(page.after.as_deref(), Some(&position[..]));
        let (other, longer) = (print_cursor("row", &position), print_cursor("rows2", &position));
        for bad in ["", "=", "a b", "ä", &"A".repeat(CURSOR_MAX + 1), &other, &longer] {
            assert!(read(&[("cursor", bad)]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn pages_of_rows_at_hand_have_each_row_once() {
        let rows = ["a", "b", "c", "d", "e"];
        let mut page = PageQuery { limit: 2, after: None, list: "rows".to_owned() };
        let mut seen = Vec::new();
        for _ in 0..=rows.len() {
            let (items, next) = page_of(rows.into_iter(), |row| row, &page);
            seen.extend(items);
            let Some(next) = next else { break };
            page.after = read_cursor(&next, "rows");
        }
        assert_eq!(seen, rows);
        let (items, next) = page_of(rows[..2].iter().copied(), |row| row, &page);
        assert_eq!((items.len(), next), (0, None));
    }
}
