//! What the supervisor's page says of routing, held against the codes and sentences of the API: it
//! has words of its own for each, in both languages, and would show others as they come.

use std::collections::BTreeSet;

use ringback::domain::callback::Unroutable;
use ringback::domain::effect::Failed;

const TEXTS: [(&str, &str); 2] = [
    ("en", include_str!("../../src/pages/supervisor/texts.en.js")),
    ("de", include_str!("../../src/pages/supervisor/texts.de.js")),
];

/// The names of one kind of words.
fn words(text: &'static str, kind: &str) -> BTreeSet<&'static str> {
    let begin = format!("\n  {kind}: {{\n");
    let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("there is no {kind}"));
    let lines = rest.lines().take_while(|line| line.starts_with("    "));
    let named = lines.filter_map(|line| line.split_once(':'));
    let named = named.filter(|(name, _)| !name[4..].starts_with(' '));
    named.map(|(name, _)| name.trim()).collect()
}

/// All ways in which an agent fails; one that is new doesn't compile until it has its place.
fn failures() -> impl Iterator<Item = Failed> {
    std::iter::successors(Some(Failed::NotInQueue), |last| match last {
        Failed::NotInQueue => Some(Failed::MissingSkill),
        Failed::MissingSkill => Some(Failed::Barred),
        Failed::Barred => Some(Failed::Offline),
        Failed::Offline => Some(Failed::Away),
        Failed::Away => Some(Failed::NotConnected),
        Failed::NotConnected => Some(Failed::AtCapacity),
        Failed::AtCapacity => Some(Failed::Cooldown),
        Failed::Cooldown => Some(Failed::ReservedForPreferred),
        Failed::ReservedForPreferred => None,
    })
}

/// The same of why nobody could ever take it.
fn never() -> impl Iterator<Item = Unroutable> {
    std::iter::successors(Some(Unroutable::NoAgentInQueue), |last| match last {
        Unroutable::NoAgentInQueue => Some(Unroutable::MissingSkill("french".to_owned())),
        Unroutable::MissingSkill(_) => Some(Unroutable::TooLarge),
        Unroutable::TooLarge => Some(Unroutable::AllBarred),
        Unroutable::AllBarred => Some(Unroutable::RequiredAgent),
        Unroutable::RequiredAgent => Some(Unroutable::NumberDenied),
        Unroutable::NumberDenied => None,
    })
}

#[test]
fn the_supervisors_page_has_words_for_each_reason_of_routing_and_for_no_other() {
    let failures: BTreeSet<&str> = failures().map(Failed::as_str).collect();
    let never: BTreeSet<String> = never().map(|reason| reason.to_text()).collect();
    let never: BTreeSet<&str> =
        never.iter().filter_map(|reason| reason.split(':').next()).collect();
    for (language, text) in TEXTS {
        assert_eq!(words(text, "failed"), failures, "{language}");
        assert_eq!(words(text, "unroutable"), never, "{language}");
    }
}

/// What the page's patterns know of what one agent, or one of several, would have to do.
fn changes_of(page: &str) -> BTreeSet<String> {
    let named = page.split("who('").skip(1).filter_map(|rest| rest.split('\'').next());
    named.map(str::to_owned).collect()
}

/// A sentence without what differs each time: the words that a pattern or a format is sure of.
fn bare(sentence: &str) -> String {
    let mut bare = String::new();
    let mut rest = sentence;
    while let Some(at) = rest.find(['{', '(', '\\']) {
        bare.push_str(&rest[..at]);
        let (skipped, shown) = match &rest[at..] {
            part if part.starts_with("\\.") => (2, "."),
            part if part.starts_with('\\') => (3, "_"),
            part => (1 + part.find(['}', ')']).expect("it is closed"), "_"),
        };
        bare.push_str(shown);
        rest = &rest[at + skipped..];
    }
    bare + rest
}

#[test]
fn the_supervisors_page_knows_the_sentences_of_routing_word_for_word() {
    let page = include_str!("../../src/pages/supervisor/why.js");
    let patterns = page.lines().filter_map(|line| {
        let (_, pattern) = line.split_once("/^")?;
        Some(pattern.rsplit_once("$/")?.0)
    });
    let alternatives = patterns.flat_map(|pattern| {
        let all = pattern.strip_prefix("(?:").and_then(|all| all.strip_suffix(')'));
        all.unwrap_or(pattern).split('|')
    });
    // How long from now is written by a function of its own, unit and all.
    let known: BTreeSet<String> =
        alternatives.map(|pattern| bare(pattern).replace("_ s", "_")).collect();
    let changes: BTreeSet<String> = changes_of(page);
    let source = include_str!("../../src/domain/machines/router/trace.rs");
    let denied = include_str!("../../src/wire/trace.rs");
    let code = [source, denied].into_iter().flat_map(str::lines);
    let code = code.filter(|line| !line.trim_start().starts_with("//"));
    let texts = code.flat_map(|line| line.split('"').skip(1).step_by(2));
    let mut written: BTreeSet<String> =
        texts.filter(|text| text.contains(' ') || changes.contains(*text)).map(bare).collect();
    // Those of one who can take it, or has it, aren't shown; the others are pieces.
    for other in ["can take it", "is offered it, or has it", "_ s", ", ", ", …"] {
        assert!(written.remove(other), "{other} isn't written any more");
    }
    for sentence in ["One of _ agents _: __.", "_ _."] {
        assert!(written.remove(sentence), "{sentence} isn't written any more");
    }
    assert_eq!(known.union(&changes).cloned().collect::<BTreeSet<_>>(), written);
}
