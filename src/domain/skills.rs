//! Skills and requirements.

/// Skills held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Skills;
/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirements;

impl Requirements {
    /// Nothing is asked.
    pub fn none() -> Self {
        Self
    }

    /// With others.
    #[must_use]
    pub fn with(&self, _other: &Self) -> Self {
        Self
    }
}
