//! Gathers the sources of the configuration for the commands that need it, and tells its faults.

use std::env;
use std::fs;
use std::path::Path;

use super::{Sources, complain};
use crate::config::{self, Input, Loaded};
use crate::notify::mail::Templates;

/// The small call centre that `--demo` serves.
const DEMO: &str = include_str!("../../config/demo.toml");

/// The faults were told.
pub(super) struct Told;

/// The settings that a server would run with.
pub(super) fn load(sources: &Sources) -> Result<Loaded, Told> {
    let file = match &sources.config {
        Some(path) => Some(read(path)?),
        None => sources.demo.then(|| ("config/demo.toml".to_owned(), DEMO.to_owned())),
    };
    let flags = [("--listen", "listen", &sources.listen), ("--store", "store", &sources.store)];
    let flags = flags.into_iter().filter_map(|(flag, key, value)| {
        value.as_ref().map(|value| (flag.to_owned(), key, value.clone()))
    });
    let input = Input { file, environment: environment(), flags: flags.collect() };
    let mut loaded = told(&input)?;
    loaded.settings.demo = sources.demo;
    templates(&loaded)?;
    Ok(loaded)
}

/// Reads and tries the templates of mails: what is wrong with one would show with its first mail.
fn templates(loaded: &Loaded) -> Result<(), Told> {
    let Some(mail) = &loaded.settings.mail else { return Ok(()) };
    Templates::load(mail.templates.as_deref()).map(drop).map_err(|faults| {
        for line in &faults.lines {
            complain(&format!("mail.templates: {line}"));
        }
        Told
    })
}

/// What a file alone says, over the defaults.
pub(super) fn load_file(path: &Path) -> Result<Loaded, Told> {
    told(&Input { file: Some(read(path)?), ..Input::default() })
}

fn told(input: &Input) -> Result<Loaded, Told> {
    config::load(input).map_err(|error| {
        complain(&error.to_string());
        Told
    })
}

fn read(path: &Path) -> Result<(String, String), Told> {
    let name = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            complain(&format!("{name}: can't be read: {error}"));
            Err(Told)
        }
    }
}

/// The variables that are ours; what isn't Unicode becomes a value that nothing takes.
fn environment() -> Vec<(String, String)> {
    let variables = env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let ours = name.starts_with(config::PREFIX);
        ours.then(|| (name, value.to_string_lossy().into_owned()))
    });
    variables.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_a_good_configuration() {
        let file = Some(("config/demo.toml".to_owned(), DEMO.to_owned()));
        let loaded = config::load(&Input { file, ..Input::default() }).expect("it is shipped");
        let [workspace] = &loaded.settings.workspaces[..] else { panic!("one workspace") };
        assert_eq!((workspace.queues.len(), workspace.agents.len()), (3, 12));
        assert!(matches!(loaded.settings.store, config::StoreUrl::Embedded(_)), "as in earnest");
        let unserved = workspace.queues.iter().find(|queue| {
            !workspace.agents.iter().any(|agent| agent.membership(&queue.id).is_some())
        });
        assert!(unserved.is_none(), "{unserved:?}");
    }

    #[test]
    fn at_least_two_queues_of_the_demo_are_open_at_any_time() {
        let file = Some(("config/demo.toml".to_owned(), DEMO.to_owned()));
        let loaded = config::load(&Input { file, ..Input::default() }).expect("it is shipped");
        let queues = &loaded.settings.workspaces[0].queues;
        // A week of quarters of an hour, from a Monday on.
        for quarter in 0..7 * 24 * 4 {
            let at = crate::domain::time::Timestamp(1_767_571_200_000 + quarter * 900_000);
            let open = queues.iter().filter(|queue| queue.hours.is_open(at)).count();
            assert!(open >= 2, "{open} at {at:?}");
        }
    }
}
