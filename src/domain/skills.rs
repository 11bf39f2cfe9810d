//! What agents can do, what callbacks ask for, and whether the two fit.
//!
//! Separate from the router, because intake, the routing trace and the router must judge a pair by
//! the same rule. Must never know the time of day: how long a callback has waited comes in as an
//! argument, so that a requirement expires by the queue's clock, whichever way that one runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

pub use super::ids::SkillName;
use super::time::Span;

/// The most skills that one agent may hold.
pub const MAX_SKILLS: usize = 100;

/// The most requirements of one callback, unless the settings say otherwise (`max_requirements`).
pub const MAX_REQUIREMENTS: usize = 8;

/// How well a skill is held or asked for: 1–5, 5 the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

/// How gladly an agent is given such work: 1–9, 1 (the default) first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Preference(u8);

/// Why something about skills isn't what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSkills {
    /// A level outside 1 to 5.
    #[error("{0} is not a level: use 1 to 5, 5 being the best")]
    Level(i64),
    /// A preference outside 1 to 9.
    #[error("{0} is not a preference: use 1 to 9, 1 being first")]
    Preference(i64),
    /// More skills than an agent may hold.
    #[error("{0} skills are too many: at most {MAX_SKILLS} fit an agent")]
    TooManySkills(usize),
    /// More requirements than a callback may have.
    #[error("{given} requirements are too many: at most {max} are taken")]
    TooManyRequirements {
        /// How many there are.
        given: usize,
        /// How many are taken.
        max: usize,
    },
    /// The same skill is asked for twice in the same way.
    #[error("the skill {skill} is asked for twice: at most once as mandatory and once as optional")]
    Duplicate {
        /// The skill.
        skill: SkillName,
        /// Whether both are mandatory; else both are optional.
        mandatory: bool,
    },
}

impl Level {
    /// Takes 1 to 5.
    pub fn new(value: i64) -> Result<Self, BadSkills> {
        let fits = u8::try_from(value).ok().filter(|value| (1..=5).contains(value));
        fits.map(Self).ok_or(BadSkills::Level(value))
    }

    /// So many levels lower, 1 at the least.
    fn lowered(self, by: i64) -> Self {
        let lower = i64::from(self.0).saturating_sub(by).max(1);
        Self(u8::try_from(lower).unwrap_or(self.0))
    }

    /// The number.
    pub const fn value(self) -> u8 {
        self.0
    }
}

impl Preference {
    /// Where nothing else is said: served first.
    pub const FIRST: Self = Self(1);

    /// Takes 1 to 9.
    pub fn new(value: i64) -> Result<Self, BadSkills> {
        let fits = u8::try_from(value).ok().filter(|value| (1..=9).contains(value));
        fits.map(Self).ok_or(BadSkills::Preference(value))
    }

    /// The number.
    pub const fn value(self) -> u8 {
        self.0
    }
}

impl Default for Preference {
    fn default() -> Self {
        Self::FIRST
    }
}

/// One skill as an agent holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// How well they do it.
    pub level: Level,
    /// How gladly work that needs it is given to the agent.
    pub preference: Preference,
}

/// The skills of one agent, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Skills(BTreeMap<SkillName, Held>);

impl Skills {
    /// Takes at most [`MAX_SKILLS`].
    pub fn new(skills: BTreeMap<SkillName, Held>) -> Result<Self, BadSkills> {
        if skills.len() > MAX_SKILLS {
            return Err(BadSkills::TooManySkills(skills.len()));
        }
        Ok(Self(skills))
    }

    /// How a skill is held; none if it isn't.
    pub fn held(&self, skill: &SkillName) -> Option<Held> {
        self.0.get(skill).copied()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&SkillName, Held)> {
        self.0.iter().map(|(name, held)| (name, *held))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One thing that a callback asks of its agent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    /// The skill.
    pub skill: SkillName,
    /// Without it nobody is eligible; else it only ranks agents.
    pub mandatory: bool,
    /// The level that is enough.
    pub min_level: Level,
    /// After so long a wait it isn't asked for any more; none: always asked for.
    pub expires_after_seconds: Option<u32>,
}

impl Requirement {
    /// It is asked for until the wait is as long as its limit, and not at that moment any more.
    fn in_force(&self, waited: Span) -> bool {
        self.expires_after().is_none_or(|limit| waited < limit)
    }

    fn expires_after(&self) -> Option<Span> {
        self.expires_after_seconds.map(Span::seconds)
    }
}

/// A step by which a queue asks for less of those who wait long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Widening {
    /// From this length of wait on.
    pub after_seconds: u32,
    /// By so much every level asked for falls, whichever the sign; never below 1.
    pub min_level_delta: i64,
    /// What is optional isn't asked for any more.
    pub drop_optional: bool,
}

impl Widening {
    /// The largest step: from the best level to the lowest.
    pub const MAX_DELTA: i64 = 4;

    fn after(&self) -> Span {
        Span::seconds(self.after_seconds)
    }
}

/// All that a callback asks of its agent, sorted by skill. None is asked for twice in one way, but
/// where the queue asks for it as well ([`Requirements::with`]).
///
/// Most ask for nothing, and each waiting callback has one of these: so it is a pointer's size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Requirements(Option<Arc<Asked>>);

/// What there is of requirements where there are any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Asked {
    list: Box<[Requirement]>,
    /// By which they widen, as their queue says; each adds to those before it.
    steps: Arc<[Widening]>,
}

impl Requirements {
    /// Takes at most `max` requirements in any order.
    pub fn new(mut list: Vec<Requirement>, max: usize) -> Result<Self, BadSkills> {
        if list.len() > max {
            return Err(BadSkills::TooManyRequirements { given: list.len(), max });
        }
        list.sort();
        let asks = |it: &Requirement| (it.skill.clone(), it.mandatory);
        if let Some(pair) = list.windows(2).find(|pair| asks(&pair[0]) == asks(&pair[1])) {
            let Requirement { skill, mandatory, .. } = pair[0].clone();
            return Err(BadSkills::Duplicate { skill, mandatory });
        }
        Ok(Self::of(list, Arc::default()))
    }

    fn of(list: Vec<Requirement>, steps: Arc<[Widening]>) -> Self {
        let list = list.into_boxed_slice();
        Self((!list.is_empty()).then(|| Arc::new(Asked { list, steps })))
    }

    fn list(&self) -> &[Requirement] {
        self.0.as_ref().map_or(&[], |asked| &asked.list)
    }

    fn steps(&self) -> &[Widening] {
        self.0.as_ref().map_or(&[], |asked| &asked.steps)
    }

    /// Each of them, by skill.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Requirement> + Clone {
        self.list().iter()
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// These, widening by the queue's steps.
    #[must_use]
    pub fn widened(mut self, steps: &[Widening]) -> Self {
        if let (Some(asked), false) = (&mut self.0, steps.is_empty()) {
            Arc::make_mut(asked).steps = steps.into();
        }
        self
    }

    /// These and others together. Where both ask for one skill, each keeps its own level and its
    /// own limit, so that what expires of one leaves what the other asks for.
    #[must_use]
    pub fn with(&self, others: &Self) -> Self {
        if others.is_empty() {
            return self.clone();
        }
        let mut list: Vec<_> = self.iter().chain(others.iter()).cloned().collect();
        list.sort();
        let steps = self.0.as_ref().map(|asked| Arc::clone(&asked.steps));
        Self::of(list, steps.unwrap_or_default())
    }

    /// What is still asked for after waiting so long.
    pub fn in_force(&self, waited: Span) -> InForce {
        let reached = || self.steps().iter().filter(move |step| step.after() <= waited);
        let lower = reached().map(|step| step.min_level_delta.saturating_abs()).sum::<i64>();
        let drop_optional = reached().any(|step| step.drop_optional);
        let live = self.list().iter().filter(|it| it.in_force(waited));
        let asked = live.filter(|it| it.mandatory || !drop_optional);
        let asked = asked.map(|it| Ask {
            skill: it.skill.clone(),
            mandatory: it.mandatory,
            min_level: it.min_level.lowered(lower),
        });
        // What asks for the same is one ask.
        let all: BTreeSet<Ask> = asked.collect();
        // A mandatory ask includes those for less, and every eligible agent meets the optional ones
        // among them, so that they rank nobody; without them more callbacks share a signature.
        let included = |ask: &Ask| {
            let mut of_skill = all.iter().filter(|it| it.mandatory && it.skill == ask.skill);
            let by = |it: &Ask| (it.min_level, it.mandatory) > (ask.min_level, ask.mandatory);
            of_skill.any(by)
        };
        InForce(all.iter().filter(|ask| !included(ask)).cloned().collect())
    }

    /// The next length of wait, longer than `waited`, at which less is asked for.
    pub fn next_expiry(&self, waited: Span) -> Option<Span> {
        let expiries = self.list().iter().filter_map(Requirement::expires_after);
        let steps = self.steps().iter().map(Widening::after);
        expiries.chain(steps).filter(|&it| it > waited).min()
    }
}

/// A requirement without its expiry: what is asked for now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ask {
    /// The skill.
    pub skill: SkillName,
    /// Without it nobody is eligible; else it only ranks agents.
    pub mandatory: bool,
    /// The level that is enough.
    pub min_level: Level,
}

/// The requirements in force at one moment: the part of a signature that is about skills.
///
/// Two that ask for the same are equal, whatever has expired on the way. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InForce(Arc<[Ask]>);

/// A mandatory requirement that an agent doesn't meet, for the routing trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lacking<'a> {
    /// The skill.
    pub skill: &'a SkillName,
    /// The level asked for.
    pub min_level: Level,
    /// The level held; none where the agent doesn't hold the skill at all.
    pub held: Option<Level>,
}

impl fmt::Display for Lacking<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at level {} is needed, ", self.skill, self.min_level.0)?;
        match self.held {
            Some(level) => write!(out, "level {} is held", level.0),
            None => out.write_str("it is not held"),
        }
    }
}

impl InForce {
    /// Each ask, by skill.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Ask> + Clone {
        self.0.iter()
    }

    /// Whether anybody meets it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an agent with these skills is eligible: every mandatory ask is met.
    pub fn met_by(&self, skills: &Skills) -> bool {
        self.lacking(skills).is_none()
    }

    /// The first mandatory ask, by skill, that these skills don't meet.
    pub fn lacking(&self, skills: &Skills) -> Option<Lacking<'_>> {
        let lacking = |ask: &'_ Ask| !meets(skills, ask);
        let ask = self.0.iter().find(|ask| ask.mandatory && lacking(ask))?;
        let held = skills.held(&ask.skill).map(|held| held.level);
        Some(Lacking { skill: &ask.skill, min_level: ask.min_level, held })
    }

    /// How many optional asks these skills meet.
    pub fn optional_met(&self, skills: &Skills) -> usize {
        self.0.iter().filter(|ask| !ask.mandatory && meets(skills, ask)).count()
    }

    /// The largest preference among the mandatory skills; [`Preference::FIRST`] where none is asked
    /// for. The preference of a pair is the larger of this and the membership's.
    pub fn preference(&self, skills: &Skills) -> Preference {
        let used = self.0.iter().filter(|ask| ask.mandatory);
        let held = used.filter_map(|ask| skills.held(&ask.skill));
        held.map(|held| held.preference).max().unwrap_or_default()
    }
}

fn meets(skills: &Skills, ask: &Ask) -> bool {
    skills.held(&ask.skill).is_some_and(|held| held.level >= ask.min_level)
}

#[cfg(test)]
mod tests;
