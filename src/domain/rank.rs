//! Who goes first.

/// 0 to 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8);

/// Smallest first.
pub fn rank(
    queued_since: super::time::Timestamp,
    priority: Priority,
    age_step_seconds: u32,
) -> i64 {
    queued_since.0 - i64::from(priority.0) * i64::from(age_step_seconds) * 1000
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

impl Priority {
    /// 0 to 9.
    pub fn new(value: u8) -> Option<Self> {
        (value < 10).then_some(Self(value))
    }
}
