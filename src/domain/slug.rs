//! The text of an id that an administrator chooses, kept in place where it is short.
//!
//! Separate from the ids, which give it its meanings. Such ids are the keys of maps of thousands:
//! text that lay elsewhere would be fetched from there for each comparison, and most ids are far
//! shorter than they may be.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Why a text isn't an id: the text, shortened to what may be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id: use 1 to 63 of a-z, 0-9, _ and -, the first a letter or digit")]
pub struct BadSlug(pub String);

/// The most characters that an id chosen by the administrator may have.
pub const SLUG_MAX: usize = 63;

/// The most that are kept in place: with them a slug has 24 bytes, 8 more than a pointer to text.
const SHORT_MAX: usize = 22;

/// A text of `[a-z0-9][a-z0-9_-]{0,62}`.
#[derive(Clone)]
pub(super) enum Slug {
    Short { length: u8, bytes: [u8; SHORT_MAX] },
    Long(Arc<str>),
}

impl Slug {
    /// Takes what it says and nothing else.
    pub(super) fn parse(text: &str) -> Result<Self, BadSlug> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let from = text.as_bytes();
        let fits = (1..=SLUG_MAX).contains(&from.len())
            && word(from[0])
            && from.iter().all(|&byte| word(byte) || byte == b'_' || byte == b'-');
        if !fits {
            return Err(BadSlug(text.chars().take(80).collect()));
        }
        let mut bytes = [0; SHORT_MAX];
        Ok(match (bytes.get_mut(..from.len()), u8::try_from(from.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(from);
                Self::Short { length, bytes }
            }
            _ => Self::Long(Arc::from(text)),
        })
    }

    /// The text.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short { .. } => str::from_utf8(self.as_bytes()).expect("it was taken from text"),
            Self::Long(text) => text,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(text) => text.as_bytes(),
        }
    }
}

impl PartialEq for Slug {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Slug {}

impl PartialOrd for Slug {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Slug {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Slug {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_ones_sort_as_their_texts_do() {
        let mut texts: Vec<String> = (1..=SLUG_MAX).map(|length| "a".repeat(length)).collect();
        texts.extend((1..=SLUG_MAX).map(|length| "a".repeat(length - 1) + "b"));
        let slugs: Vec<Slug> =
            texts.iter().map(|text| Slug::parse(text).expect("a slug")).collect();
        for (slug, text) in slugs.iter().zip(&texts) {
            assert_eq!(slug.as_str(), text);
            assert_eq!(matches!(slug, Slug::Short { .. }), text.len() <= SHORT_MAX, "{text}");
            for (other, other_text) in slugs.iter().zip(&texts) {
                assert_eq!(slug.cmp(other), text.cmp(other_text), "{text} and {other_text}");
                assert_eq!(slug == other, text == other_text);
            }
        }
    }

    #[test]
    fn one_that_may_be_missing_takes_no_more() {
        assert_eq!((size_of::<Slug>(), size_of::<Option<Slug>>()), (24, 24));
    }
}
