//! The house style as a test: reads the sources and names file, line and rule.
//!
//! What clippy and rustfmt can check is theirs. Here stands what they can't: lengths, heads of
//! files, which layer may name which, and words that have no place in finished work. Each rule
//! has a test beside it that feeds it a bad sample, so that none of them can pass by looking away.

mod layers;
mod operations;
mod rules;
mod scan;

use scan::{Fault, Source};

/// Runs `rule` over every file and fails with all that it found at once.
fn check(rule: fn(&Source) -> Vec<Fault>) {
    let sources = scan::repository();
    assert!(
        sources.iter().any(|source| source.path == "src/domain/time.rs"),
        "the sources weren't found, so nothing was checked"
    );
    let faults: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            rule(source).into_iter().map(|fault| {
                let Fault { line, rule } = fault;
                format!("{}:{line}: {rule}", source.path)
            })
        })
        .collect();
    assert!(faults.is_empty(), "{} fault(s)\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn files_have_at_most_500_lines() {
    check(rules::file_length);
}

#[test]
fn functions_have_at_most_70_lines() {
    check(rules::function_length);
}

#[test]
fn lines_have_at_most_100_columns() {
    check(rules::line_length);
}

#[test]
fn files_begin_with_what_they_own() {
    check(rules::head);
}

#[test]
fn nothing_is_left_unfinished_or_skipped() {
    check(rules::unfinished);
}

#[test]
fn tests_wait_for_signals_and_never_sleep() {
    check(rules::sleep_in_tests);
}

#[test]
fn nothing_unwraps_outside_tests() {
    check(rules::unwrap_outside_tests);
}

#[test]
fn no_path_of_one_machine_is_named() {
    check(rules::machine_paths);
}

#[test]
fn every_key_of_the_default_configuration_is_explained() {
    check(rules::explained_keys);
}

#[test]
fn imports_point_down_only() {
    check(layers::imports);
}

#[test]
fn the_domain_is_pure() {
    check(layers::purity);
}

#[test]
fn actix_stays_where_it_belongs() {
    check(layers::actors);
}
