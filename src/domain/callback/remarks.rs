//! What people write when a callback ends.
//!
//! Separate because hardly any callback has it while it waits, which is when most of them are in
//! memory: the texts stand in a box of their own, and where there are none there is no box.

/// What was written when a callback ended, or its wrap-up did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remarks(Option<Box<Texts>>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Texts {
    disposition: Option<String>,
    notes: Option<String>,
    cancel_reason: Option<String>,
}

impl Remarks {
    /// The closing code, closing notes, and why it was called off.
    pub fn new(
        disposition: Option<String>,
        notes: Option<String>,
        cancel_reason: Option<String>,
    ) -> Self {
        let texts = Texts { disposition, notes, cancel_reason };
        Self((texts != Texts::default()).then(|| Box::new(texts)))
    }

    /// The closing code.
    pub fn disposition(&self) -> Option<&str> {
        self.0.as_ref()?.disposition.as_deref()
    }

    /// Closing notes.
    pub fn notes(&self) -> Option<&str> {
        self.0.as_ref()?.notes.as_deref()
    }

    /// Why it was called off.
    pub fn cancel_reason(&self) -> Option<&str> {
        self.0.as_ref()?.cancel_reason.as_deref()
    }

    /// Takes what is given; the rest stays.
    pub fn add(&mut self, given: Self) {
        let Some(given) = given.0 else { return };
        let Texts { disposition, notes, cancel_reason } = *given;
        let old = *self.0.take().unwrap_or_default();
        *self = Self::new(
            disposition.or(old.disposition),
            notes.or(old.notes),
            cancel_reason.or(old.cancel_reason),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_replaces_and_the_rest_stays() {
        let text = |text: &str| Some(text.to_owned());
        let mut remarks = Remarks::default();
        remarks.add(Remarks::new(None, None, None));
        assert_eq!(remarks, Remarks(None), "nothing takes no box");
        remarks.add(Remarks::new(text("settled"), text("early"), None));
        remarks.add(Remarks::new(None, text("late"), None));
        let found = (remarks.disposition(), remarks.notes(), remarks.cancel_reason());
        assert_eq!(found, (Some("settled"), Some("late"), None));
    }
}
