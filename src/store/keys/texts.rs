//! What stands for texts in keys: a hash where they are looked for as a whole, their beginning in
//! lower case where they are looked for as it is typed.

use sha2::{Digest, Sha256};

use crate::domain::callback::Channel;

/// What a text in [`BY_TEXT`](super::BY_TEXT) is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// What tells the contact.
    Contact,
    /// The whole address, in lower case.
    Email,
    /// The case.
    Case,
    /// The interaction at the channel.
    InteractionRef,
    /// The integrator's id, whatever the channel.
    ExternalId,
}

/// 16 bytes that stand for texts, each with its length.
pub fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let whole: [u8; 32] = digest.finalize().into();
    whole[..16].try_into().expect("16 of 32 bytes")
}

/// The front of [`BY_TEXT`](super::BY_TEXT).
pub fn by_text(kind: TextKind, text: &str) -> [u8; 16] {
    let kind: &[u8] = match kind {
        TextKind::Contact => b"contact",
        TextKind::Email => b"email",
        TextKind::Case => b"case",
        TextKind::InteractionRef => b"interaction_ref",
        TextKind::ExternalId => b"external_id",
    };
    hash(&[kind, text.as_bytes()])
}

/// The front of [`BY_TEXT`](super::BY_TEXT) for an external id of one channel, which is unique.
pub fn external(channel: Channel, external_id: &str) -> [u8; 16] {
    hash(&[b"external", channel.as_str().as_bytes(), external_id.as_bytes()])
}

/// The front of [`BY_PREFIX`](super::BY_PREFIX) for whatever begins with `text`: lower case,
/// without zeros, cut at a bound. Texts as they are stored end with a zero, so that the shorter one
/// is found first.
pub fn by_prefix(text: &str) -> Vec<u8> {
    let mut lower = lower_case(text);
    if lower.contains('\0') {
        lower = lower.replace('\0', "");
    }
    lower.truncate(lower.floor_char_boundary(PREFIX_MAX));
    lower.into_bytes()
}

/// The front of [`BY_PREFIX`](super::BY_PREFIX) under which the whole of `text` is found, and any
/// of its beginnings.
pub fn whole_word(text: &str) -> Vec<u8> {
    let mut front = by_prefix(text);
    front.push(0);
    front
}

/// Lower case, letter by letter: the standard library's makes of Σ at a word's end another letter
/// than inside, so that a word's beginning wouldn't be the beginning of the word.
pub fn lower_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_lowercase).collect()
}

/// So much of a name is found by its beginning, in bytes.
pub(super) const PREFIX_MAX: usize = 64;
