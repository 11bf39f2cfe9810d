//! Skills that agents hold, requirements on them, and who is eligible when.

use proptest::prelude::*;

use super::*;

fn skill(name: &str) -> SkillName {
    SkillName::parse(name).unwrap()
}

fn level(value: i64) -> Level {
    Level::new(value).unwrap()
}

fn skills(list: &[(&str, i64, i64)]) -> Skills {
    let held = |level, preference| Held {
        level: Level::new(level).unwrap(),
        preference: Preference::new(preference).unwrap(),
    };
    let map = list.iter().map(|&(name, level, preference)| (skill(name), held(level, preference)));
    Skills::new(map.collect()).unwrap()
}

fn must(name: &str, min_level: i64) -> Requirement {
    Requirement {
        skill: skill(name),
        mandatory: true,
        min_level: level(min_level),
        expires_after_seconds: None,
    }
}

fn may(name: &str, min_level: i64) -> Requirement {
    Requirement { mandatory: false, ..must(name, min_level) }
}

fn until(seconds: u32, requirement: Requirement) -> Requirement {
    Requirement { expires_after_seconds: Some(seconds), ..requirement }
}

fn all(list: &[Requirement]) -> Requirements {
    Requirements::new(list.to_vec(), MAX_REQUIREMENTS).unwrap()
}

fn now(list: &[Requirement]) -> InForce {
    all(list).in_force(Span::ZERO)
}

#[test]
fn levels_and_preferences_have_limits() {
    for value in [i64::MIN, -1, 0, 6, 256 + 1, i64::MAX] {
        assert_eq!(Level::new(value), Err(BadSkills::Level(value)));
    }
    for value in [i64::MIN, -1, 0, 10, 256 + 1, i64::MAX] {
        assert_eq!(Preference::new(value), Err(BadSkills::Preference(value)));
    }
    assert!((1..=5).all(|value| Level::new(value).is_ok_and(|it| i64::from(it.value()) == value)));
    assert!(
        (1..=9).all(|value| Preference::new(value).is_ok_and(|it| i64::from(it.value()) == value))
    );
    assert_eq!(Preference::default(), Preference::FIRST);
}

#[test]
fn an_agent_holds_a_bounded_number_of_skills() {
    let held = Held { level: level(1), preference: Preference::FIRST };
    let of = |count: usize| (0..count).map(|n| (skill(&format!("s{n}")), held)).collect();
    assert_eq!(Skills::new(of(MAX_SKILLS)).map(|it| it.iter().len()), Ok(MAX_SKILLS));
    assert_eq!(Skills::new(of(MAX_SKILLS + 1)), Err(BadSkills::TooManySkills(MAX_SKILLS + 1)));
}

#[test]
fn requirements_are_bounded_and_name_a_skill_once_in_each_way() {
    let eight: Vec<_> = (0..8).map(|n| must(&format!("s{n}"), 1)).collect();
    assert!(Requirements::new(eight.clone(), 8).is_ok());
    assert_eq!(
        Requirements::new(eight, 7),
        Err(BadSkills::TooManyRequirements { given: 8, max: 7 })
    );
    assert!(Requirements::new(vec![must("a", 3), may("a", 5)], 8).is_ok());
    for (list, mandatory) in [
        (vec![must("a", 3), may("b", 1), until(10, must("a", 5))], true),
        (vec![may("a", 3), must("a", 1), may("a", 3)], false),
    ] {
        let refused = Err(BadSkills::Duplicate { skill: skill("a"), mandatory });
        assert_eq!(Requirements::new(list, 8), refused);
    }
    assert!(Requirements::new(Vec::new(), 0).is_ok_and(|none| none.is_empty()));
}

/// What is asked for, and what is lacking: the skill, the level asked for, the level held.
type Case<'a> = (&'a [Requirement], Option<(&'a str, i64, Option<i64>)>);

#[test]
fn eligible_is_who_holds_every_mandatory_skill_at_its_level() {
    let agent = skills(&[("french", 3, 1), ("refunds", 5, 2)]);
    let cases: [Case<'_>; 8] = [
        (&[], None),
        (&[must("french", 3)], None),
        (&[must("french", 4)], Some(("french", 4, Some(3)))),
        (&[must("dutch", 1)], Some(("dutch", 1, None))),
        (&[may("dutch", 1)], None),
        (&[may("french", 5)], None),
        (&[must("refunds", 5), must("french", 3)], None),
        // The first by name, whatever the order in which they were asked for.
        (&[must("german", 1), must("french", 5)], Some(("french", 5, Some(3)))),
    ];
    for (asks, expected) in cases {
        let asks = now(asks);
        let lacking = asks.lacking(&agent);
        let expected = expected.map(|(name, min, held)| (skill(name), level(min), held.map(level)));
        assert_eq!(lacking.map(|it| (it.skill.clone(), it.min_level, it.held)), expected);
        assert_eq!(asks.met_by(&agent), expected.is_none());
    }
}

#[test]
fn what_is_lacking_reads_as_a_sentence() {
    let agent = skills(&[("french", 3, 1)]);
    let text = |asks: &[Requirement]| now(asks).lacking(&agent).map(|it| it.to_string());
    assert_eq!(
        text(&[must("french", 4)]).as_deref(),
        Some("french at level 4 is needed, level 3 is held")
    );
    assert_eq!(
        text(&[must("dutch", 2)]).as_deref(),
        Some("dutch at level 2 is needed, it is not held")
    );
}

#[test]
fn optional_asks_count_and_preferences_come_from_the_mandatory_ones() {
    let agent = skills(&[("french", 3, 4), ("refunds", 5, 2), ("dutch", 5, 9)]);
    let cases: [(&[Requirement], usize, u8); 6] = [
        (&[], 0, 1),
        (&[must("french", 1)], 0, 4),
        (&[must("refunds", 1), must("french", 1)], 0, 4),
        (&[must("refunds", 1), may("dutch", 5)], 1, 2),
        (&[may("dutch", 5), may("french", 4), may("greek", 1)], 1, 1),
        (&[must("french", 2), may("french", 3)], 1, 4),
    ];
    for (asks, met, preference) in cases {
        assert_eq!(now(asks).optional_met(&agent), met, "{asks:?}");
        assert_eq!(now(asks).preference(&agent).value(), preference, "{asks:?}");
    }
}

#[test]
fn a_requirement_is_in_force_until_its_limit_and_not_at_it() {
    let asks =
        all(&[until(120, must("french", 3)), until(60, may("dutch", 1)), must("refunds", 2)]);
    let names = |waited: Span| {
        asks.in_force(waited).iter().map(|ask| ask.skill.to_string()).collect::<Vec<_>>().join(" ")
    };
    let (minute, millisecond) = (Span::minutes(1), Span::millis(1));
    assert_eq!(names(Span::ZERO), "dutch french refunds");
    assert_eq!(names(minute - millisecond), "dutch french refunds");
    assert_eq!(names(minute), "french refunds");
    assert_eq!(names(Span::minutes(2) - millisecond), "french refunds");
    assert_eq!(names(Span::minutes(2)), "refunds");
    assert_eq!(names(Span(i64::MAX)), "refunds");

    assert_eq!(asks.next_expiry(Span::ZERO), Some(minute));
    assert_eq!(asks.next_expiry(minute - millisecond), Some(minute));
    assert_eq!(asks.next_expiry(minute), Some(Span::minutes(2)));
    assert_eq!(asks.next_expiry(Span::minutes(2)), None);
    assert_eq!(all(&[until(0, must("a", 1))]).next_expiry(Span::ZERO), None);
    assert!(now(&[until(0, must("a", 1))]).is_empty());
}

#[test]
fn what_asks_for_the_same_shares_a_signature() {
    let plain = now(&[must("french", 3)]);
    assert_eq!(all(&[until(9, must("b", 1)), must("french", 3)]).in_force(Span::seconds(9)), plain);
    assert_eq!(now(&[may("french", 3), must("french", 3)]), plain);
    assert_eq!(now(&[may("french", 1), must("french", 3)]), plain);
    assert_eq!(now(&[until(60, must("french", 3))]), plain);
    assert_ne!(now(&[may("french", 4), must("french", 3)]), plain);
    assert_ne!(now(&[must("french", 4)]), plain);
    assert_ne!(now(&[may("french", 3)]), plain);
    // Once the mandatory ask has expired the optional one stands for itself again.
    let both = all(&[until(60, must("french", 3)), may("french", 2)]);
    assert_eq!(both.in_force(Span::minutes(1)), now(&[may("french", 2)]));
}

fn any_skills() -> impl Strategy<Value = Skills> {
    let held = (1..=5i64, 1..=9i64);
    proptest::collection::btree_map("[a-d]", held, 0..5).prop_map(|map| {
        let list: Vec<_> = map.iter().map(|(name, &(l, p))| (name.as_str(), l, p)).collect();
        skills(&list)
    })
}

fn any_requirements() -> impl Strategy<Value = Requirements> {
    let kind = ("[a-d]", any::<bool>());
    let rest = (1..=5i64, proptest::option::of(0..200u32));
    proptest::collection::btree_map(kind, rest, 0..8).prop_map(|map| {
        let list = map.into_iter().map(|((name, mandatory), (min, expires_after_seconds))| {
            Requirement { mandatory, expires_after_seconds, ..must(&name, min) }
        });
        Requirements::new(list.collect(), 8).unwrap()
    })
}

proptest! {
    /// Between two expiries nothing changes, and at each of them something does.
    #[test]
    fn the_circle_changes_at_expiries_only(asks in any_requirements(), waited in 0..220i64) {
        let waited = Span(waited * 1_000);
        let before_next = asks.next_expiry(waited).map_or(Span(i64::MAX), |it| it - Span(1));
        prop_assert_eq!(asks.in_force(waited), asks.in_force(before_next));
        if let Some(next) = asks.next_expiry(waited) {
            let count = |waited| asks.iter().filter(|it| it.in_force(waited)).count();
            prop_assert!(count(next) < count(waited));
        }
    }

    /// Waiting only ever widens the circle.
    #[test]
    fn the_circle_only_widens(
        asks in any_requirements(), agent in any_skills(), early in 0..220i64, more in 0..220i64,
    ) {
        let (early, late) = (Span(early * 1_000), Span((early + more) * 1_000));
        if asks.in_force(early).met_by(&agent) {
            prop_assert!(asks.in_force(late).met_by(&agent));
        }
    }

    /// Leaving out what a mandatory ask includes ranks two eligible agents as before.
    #[test]
    fn normalising_keeps_the_ranking(
        asks in any_requirements(), one in any_skills(), other in any_skills(),
    ) {
        let normal = asks.in_force(Span::ZERO);
        prop_assume!(normal.met_by(&one) && normal.met_by(&other));
        let plain = |agent: &Skills| {
            let live = asks.iter().filter(|it| !it.mandatory && it.in_force(Span::ZERO));
            let levels = live.filter_map(|it| Some((agent.held(&it.skill)?.level, it.min_level)));
            levels.filter(|(held, min)| held >= min).count()
        };
        prop_assert_eq!(
            plain(&one).cmp(&plain(&other)),
            normal.optional_met(&one).cmp(&normal.optional_met(&other))
        );
    }
}

fn step(after_seconds: u32, min_level_delta: i64, drop_optional: bool) -> Widening {
    Widening { after_seconds, min_level_delta, drop_optional }
}

#[test]
fn steps_ask_for_less_and_each_adds_to_those_before_it() {
    let asked = all(&[must("french", 4), may("tax", 2), until(90, must("wine", 5))]);
    let asked = asked.widened(&[step(60, -1, false), step(120, 2, true), step(180, -4, false)]);
    let at = |seconds| asked.in_force(Span::seconds(seconds));
    assert_eq!(at(59), now(&[must("french", 4), may("tax", 2), must("wine", 5)]));
    assert_eq!(at(60), now(&[must("french", 3), may("tax", 1), must("wine", 4)]));
    assert_eq!(at(90), now(&[must("french", 3), may("tax", 1)]));
    assert_eq!(at(120), now(&[must("french", 1)]), "what is optional is dropped");
    assert_eq!(at(180), now(&[must("french", 1)]), "no level falls below 1");
    let next = |seconds| asked.next_expiry(Span::seconds(seconds));
    let times = [0, 60, 90, 120, 180].map(|seconds| next(seconds).map(Span::whole_seconds));
    assert_eq!(times, [Some(60), Some(90), Some(120), Some(180), None]);
}

#[test]
fn steps_stay_with_what_is_added_and_mean_nothing_where_nothing_is_asked() {
    let steps = [step(60, 1, false)];
    let both = all(&[must("french", 3)]).widened(&steps).with(&all(&[must("tax", 2)]));
    assert_eq!(both.in_force(Span::seconds(60)), now(&[must("french", 2), must("tax", 1)]));
    assert_eq!(all(&[]).widened(&steps), all(&[]));
}

#[test]
fn a_skill_that_queue_and_callback_ask_for_is_asked_by_each_in_its_own_way() {
    let both = |own: Requirement, of_queue: Requirement| all(&[own]).with(&all(&[of_queue]));
    for asked in [
        both(until(2, must("x", 4)), must("x", 2)),
        both(must("x", 2), until(2, must("x", 4))),
        both(until(2, must("x", 4)), until(9, must("x", 2))),
    ] {
        assert_eq!(asked.in_force(Span::ZERO), now(&[must("x", 4)]), "the higher level");
        assert_eq!(asked.next_expiry(Span::ZERO), Some(Span::seconds(2)));
        assert_eq!(asked.in_force(Span::seconds(2)), now(&[must("x", 2)]));
    }
    let asked = both(may("x", 4), may("x", 2)).in_force(Span::ZERO);
    let met = |held: &[_]| asked.optional_met(&skills(held));
    assert_eq!([met(&[]), met(&[("x", 2, 1)]), met(&[("x", 4, 1)])], [0, 1, 2]);
    let twice = both(until(60, may("x", 3)), may("x", 3));
    assert_eq!(twice.in_force(Span::ZERO), now(&[may("x", 3)]), "the same is asked once");
    let lower = both(must("x", 3), may("x", 5)).widened(&[step(60, 4, false)]);
    assert_eq!(lower.in_force(Span::minutes(1)), now(&[must("x", 1)]));
}
