//! Whether anybody could ever take it.

use super::*;

fn asks(list: Vec<Requirement>) -> Work {
    Work { requirements: requirements(list), ..work(1) }
}

fn missing(skill: &str) -> Unroutable {
    Unroutable::MissingSkill(skill.to_owned())
}

fn holds(number: u32, held: &[(&str, u32, u32)]) -> AgentReport {
    let held = skills(held);
    agent_with(number, |settings| settings.skills = held)
}

#[test]
fn the_reason_is_the_first_thing_that_leaves_nobody() {
    let french = || asks(vec![require("french", 3, true, None)]);
    let both = || asks(vec![require("french", 3, true, None), require("tax", 1, true, None)]);
    let large = || Work { size: 2, ..work(1) };
    let barred = || Work { declined: vec![barred(1)], ..work(1) };
    let video = |report: AgentReport| {
        let mut report = report;
        Arc::make_mut(&mut report.settings).capacity.media.video = Some(0);
        report
    };
    let away = |report| AgentReport { presence: Presence::Away, ..report };
    let cases = [
        (vec![], work(1), Some(Unroutable::NoAgentInQueue)),
        (vec![away(agent(1))], work(1), None),
        (vec![agent(1), holds(2, &[("french", 2, 1)])], french(), Some(missing("french"))),
        (vec![away(holds(2, &[("french", 3, 1)]))], french(), None),
        (
            vec![holds(1, &[("french", 3, 1)]), holds(2, &[("tax", 1, 1)])],
            both(),
            Some(missing("tax")),
        ),
        (vec![holds(1, &[("tax", 3, 1)])], both(), Some(missing("french"))),
        (vec![agent(1)], large(), Some(Unroutable::TooLarge)),
        (
            vec![video(agent(1))],
            Work { medium: Medium::Video, ..work(1) },
            Some(Unroutable::TooLarge),
        ),
        (vec![agent(1)], barred(), Some(Unroutable::AllBarred)),
        (vec![agent(1), away(agent(2))], barred(), None),
    ];
    for (reports, waiting, expected) in cases {
        let mut centre = Centre::new();
        let about = format!("{waiting:?} with {reports:?}");
        for report in reports {
            centre.put(report);
        }
        let said = centre.tell(RouterMessage::Enqueue(Box::new(waiting)));
        let expected: Vec<_> = expected.into_iter().map(|reason| (1, Some(reason))).collect();
        assert_eq!(said.unroutable, expected, "{about}");
    }
}

#[test]
fn it_is_looked_at_again_when_agents_change_and_told_of_changes_only() {
    let mut centre = Centre::new();
    let french = asks(vec![require("french", 3, true, None)]);
    let mut told = |message| centre.tell(message).unroutable;
    let put = |report| RouterMessage::PutAgent(Box::new(report));
    let enqueue = || RouterMessage::Enqueue(Box::new(french.clone()));
    assert_eq!(told(enqueue()), [(1, Some(Unroutable::NoAgentInQueue))]);
    assert_eq!(told(enqueue()), [], "it knows");
    assert_eq!(told(put(agent(1))), [(1, Some(missing("french")))]);
    assert_eq!(told(put(agent(2))), []);
    let away = AgentReport { presence: Presence::Away, ..holds(1, &[("french", 3, 1)]) };
    assert_eq!(told(put(away)), [(1, None)]);
    assert_eq!(told(RouterMessage::RemoveAgent(agent_id(1))), [(1, Some(missing("french")))]);
    assert_eq!(told(RouterMessage::RemoveAgent(agent_id(2))).len(), 1);
    let said = centre.tell(put(holds(3, &[("french", 3, 1)])));
    assert_eq!(said.unroutable, [(1, None)], "before it is proposed");
    assert_eq!(said.proposals, [(1, 3)]);
}

#[test]
fn what_will_be_let_in_by_time_is_not_without_hope() {
    let mut centre = Centre::new();
    centre.put(holds(1, &[("tax", 2, 1)]));
    let said = centre.tell(RouterMessage::Enqueue(Box::new(asks(vec![
        require("french", 3, true, Some(120)),
        require("tax", 2, true, None),
    ]))));
    assert_eq!(said.unroutable, []);
    let said = centre.tell(RouterMessage::PutAgent(Box::new(holds(1, &[("tax", 1, 1)]))));
    assert_eq!(said.unroutable, [(1, Some(missing("french")))]);
    centre.now = at(120);
    let said = centre.tell(RouterMessage::Wake);
    assert_eq!(said.unroutable, [(1, Some(missing("tax")))]);
    let said = centre.tell(RouterMessage::PutAgent(Box::new(holds(1, &[("tax", 2, 1)]))));
    assert_eq!((said.unroutable, said.proposals), (vec![(1, None)], vec![(1, 1)]));
}
