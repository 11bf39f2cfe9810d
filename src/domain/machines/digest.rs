//! A digest of an agent's action, so that its repetition is known without keeping its texts.

use crate::domain::fnv::Fnv;
use crate::domain::message::Action;

/// Fields one after the other, so written that no two actions give the same bytes. Stored in
/// records, so it must stay the same from release to release.
#[derive(Default)]
struct Fields(Fnv);

impl Fields {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.take(bytes);
    }

    fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => {
                self.bytes(&[1]);
                self.bytes(&(text.len() as u64).to_le_bytes());
                self.bytes(text.as_bytes());
            }
            None => self.bytes(&[0]),
        }
    }
}

/// The digest of an action with all its fields. Actions that aren't answered again when repeated
/// are told apart by name alone.
pub(super) fn digest(action: &Action) -> u64 {
    let mut fields = Fields::default();
    fields.text(Some(action.name()));
    match action {
        Action::Outcome { outcome, notes } => {
            fields.text(Some(outcome.as_str()));
            fields.text(notes.as_deref());
        }
        Action::EndCall { notes } => fields.text(notes.as_deref()),
        Action::Retry { at, mine, customer_agreed } => {
            fields.bytes(&at.map_or(i64::MIN, |at| at.0).to_le_bytes());
            fields.bytes(&[u8::from(*mine), u8::from(*customer_agreed)]);
        }
        Action::Requeue { queue, agent } => {
            fields.text(queue.as_ref().map(|queue| queue.settings.id.as_str()));
            fields.text(agent.as_ref().map(crate::domain::ids::AgentId::as_str));
        }
        Action::Close { disposition, notes, resolved } => {
            fields.text(disposition.as_deref());
            fields.text(notes.as_deref());
            fields.bytes(&[resolved.map_or(2, u8::from)]);
        }
        Action::Accept { .. }
        | Action::Decline { .. }
        | Action::Call
        | Action::ExtendWrapUp { .. }
        | Action::Assign { .. }
        | Action::Cancel { .. }
        | Action::Reschedule { .. }
        | Action::ServeElsewhere { .. }
        | Action::Patch(_) => {}
    }
    fields.0.value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::callback::Outcome;

    #[test]
    fn the_digest_tells_fields_apart_and_stays_the_same() {
        let close = |notes: Option<&str>, resolved| Action::Close {
            disposition: None,
            notes: notes.map(str::to_owned),
            resolved,
        };
        let all = [
            digest(&Action::Call),
            digest(&Action::Outcome { outcome: Outcome::Busy, notes: None }),
            digest(&Action::Outcome { outcome: Outcome::Busy, notes: Some(String::new()) }),
            digest(&Action::Outcome { outcome: Outcome::NoAnswer, notes: None }),
            digest(&close(None, None)),
            digest(&close(None, Some(true))),
            digest(&close(Some("a"), Some(true))),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[place + 1..].iter().all(|other| other != one), "{place}");
        }
        assert_eq!(digest(&Action::Call), 0xaf3a_04c5_9927_d628, "stored digests must stay valid");
    }
}
