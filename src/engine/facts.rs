//! Facts first: commands take the keys that their decision needs in line, before any step.
//!
//! A step is pure, yet a duplicate, an external id or an idempotency key stand in the store. Two
//! commands that need the same key must not both read "there is none", so the keys are taken in
//! order of arrival and let go when the first command's entry is with the journal. Nothing here
//! reads or waits: it only says whose turn it is.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::callback::{Channel, ContactKey};
use crate::domain::ids::CallbackId;
use crate::domain::message::Token;

use super::entry::IdempotencyKey;

/// What a command's decision depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FactKey {
    /// A callback's record.
    Callback(CallbackId),
    /// Whether a channel's external id is taken.
    External(Channel, String),
    /// What a contact has, or what there is for a number.
    Contact(ContactKey),
    /// What was answered under a key.
    Idempotency(IdempotencyKey),
    /// What was given up.
    Failure(u64),
}

/// The lines, one per key that anybody wants.
///
/// A command joins all its lines at once, so one that is behind another in one line can't be
/// ahead of it in a second: there is nothing to wait for in a circle.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: BTreeMap<FactKey, VecDeque<Token>>,
    waiting: BTreeMap<Token, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    keys: Vec<FactKey>,
    /// Lines in which somebody else is first.
    behind: usize,
}

impl Lines {
    /// Joins the lines of `keys`; true: it's this command's turn now.
    pub(crate) fn enter(&mut self, token: Token, mut keys: Vec<FactKey>) -> bool {
        keys.sort();
        keys.dedup();
        let mut behind = 0;
        for key in &keys {
            let line = self.lines.entry(key.clone()).or_default();
            behind += usize::from(!line.is_empty());
            line.push_back(token);
        }
        let known = self.waiting.insert(token, Waiting { keys, behind });
        assert!(known.is_none(), "a token marks one command: {token:?}");
        behind == 0
    }

    /// Leaves all lines, from wherever it stands; returns whose turn it is now.
    pub(crate) fn leave(&mut self, token: Token) -> Vec<Token> {
        let Some(left) = self.waiting.remove(&token) else { return Vec::new() };
        let mut ready = Vec::new();
        for key in left.keys {
            let line = self.lines.get_mut(&key).expect("a line lasts while somebody stands in it");
            let was_first = line.front() == Some(&token);
            line.retain(|&other| other != token);
            let Some(&next) = line.front() else {
                self.lines.remove(&key);
                continue;
            };
            if was_first && self.advance(next) {
                ready.push(next);
            }
        }
        ready
    }

    fn advance(&mut self, token: Token) -> bool {
        let waiting = self.waiting.get_mut(&token).expect("who stands in a line is known");
        waiting.behind -= 1;
        waiting.behind == 0
    }

    /// Commands in any line.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback(id: u128) -> FactKey {
        FactKey::Callback(CallbackId(id))
    }

    fn key(byte: u8) -> FactKey {
        FactKey::Idempotency(IdempotencyKey([byte; 32]))
    }

    #[test]
    fn commands_of_one_key_take_turns_in_order_of_arrival() {
        let mut lines = Lines::default();
        assert!(lines.enter(Token(1), vec![key(1)]));
        assert!(!lines.enter(Token(2), vec![key(1)]));
        assert!(!lines.enter(Token(3), vec![key(1)]));
        assert!(lines.enter(Token(4), vec![key(2)]), "another key is another line");
        assert_eq!(lines.leave(Token(1)), [Token(2)]);
        assert_eq!(lines.leave(Token(2)), [Token(3)]);
        assert_eq!(lines.leave(Token(3)), []);
        assert!(lines.lines.keys().eq([&key(2)]), "an empty line is forgotten");
    }

    #[test]
    fn a_turn_comes_when_every_line_has_moved_up() {
        let mut lines = Lines::default();
        assert!(lines.enter(Token(1), vec![callback(1)]));
        assert!(lines.enter(Token(2), vec![key(1)]));
        assert!(!lines.enter(Token(3), vec![key(1), callback(1)]));
        assert_eq!(lines.leave(Token(2)), []);
        assert_eq!(lines.leave(Token(1)), [Token(3)]);
    }

    #[test]
    fn keys_in_any_order_never_block_each_other_in_a_circle() {
        let mut lines = Lines::default();
        assert!(lines.enter(Token(1), vec![callback(1), key(1), key(1)]));
        assert!(!lines.enter(Token(2), vec![key(1), callback(1)]));
        assert!(!lines.enter(Token(3), vec![callback(1), key(2)]));
        assert_eq!(lines.leave(Token(1)), [Token(2)]);
        assert_eq!(lines.leave(Token(2)), [Token(3)]);
    }

    #[test]
    fn leaving_from_the_middle_lets_nobody_jump_the_line() {
        let mut lines = Lines::default();
        assert!(lines.enter(Token(1), vec![key(1)]));
        assert!(!lines.enter(Token(2), vec![key(1)]));
        assert!(!lines.enter(Token(3), vec![key(1)]));
        assert_eq!(lines.leave(Token(2)), []);
        assert_eq!(lines.leave(Token(2)), [], "twice is the same as once");
        assert_eq!(lines.leave(Token(1)), [Token(3)]);
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn a_command_without_keys_waits_for_nobody() {
        let mut lines = Lines::default();
        assert!(lines.enter(Token(1), vec![]));
        assert_eq!(lines.leave(Token(1)), []);
    }
}
