//! The texts of mails: built in, and an operator's own over them.
//!
//! A template is a file in a folder named for its locale; `layout.html` and `parts.html` stand
//! beside those folders. A customer's locale is looked for as a whole, then by its language, then
//! English is taken. Everything is read once, at the start, and tried on sample mails: a template
//! that can't be used stops the start, not a mail.
//!
//! Templates reach nothing but their own kind: no file, no clock, no variable of the process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

use super::words;
use crate::domain::dispatch::MailKind;

/// The largest template taken, in bytes.
const FILE_MAX: usize = 64 * 1_024;
/// The language that all others fall back to.
const LAST: &str = "en";
/// Beside the locales' folders.
const SHARED: [&str; 2] = ["layout.html", "parts.html"];
/// In each locale's folder, besides two files for each kind of mail.
const OTHERS: [&str; 2] = ["when.txt", "calendar.txt"];

macro_rules! built_in {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("templates/", $name)))),*]
    };
}

/// What is built in.
const BUILT_IN: [(&str, &str); 31] = built_in![
    "layout.html" "parts.html" "en-US/when.txt"
    "en/when.txt" "en/calendar.txt"
    "en/confirmation.txt" "en/confirmation.html" "en/change.txt" "en/change.html"
    "en/cancellation.txt" "en/cancellation.html" "en/reminder.txt" "en/reminder.html"
    "en/tried_to_reach.txt" "en/tried_to_reach.html" "en/sorry.txt" "en/sorry.html"
    "de/when.txt" "de/calendar.txt"
    "de/confirmation.txt" "de/confirmation.html" "de/change.txt" "de/change.html"
    "de/cancellation.txt" "de/cancellation.html" "de/reminder.txt" "de/reminder.html"
    "de/tried_to_reach.txt" "de/tried_to_reach.html" "de/sorry.txt" "de/sorry.html"
];

/// All texts, ready to be filled in.
pub struct Templates {
    environment: Environment<'static>,
    /// The files of each locale; names in lower case.
    locales: BTreeMap<String, BTreeSet<String>>,
}

/// What is wrong with a folder of templates, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub struct TemplateFaults {
    /// File and fault.
    pub lines: Vec<String>,
}

impl Templates {
    /// The built-in texts, with those of `folder` over them.
    pub fn load(folder: Option<&Path>) -> Result<Self, TemplateFaults> {
        let mut files: BTreeMap<String, String> =
            BUILT_IN.iter().map(|(name, text)| (name.to_lowercase(), (*text).to_owned())).collect();
        let mut faults = Vec::new();
        if let Some(folder) = folder {
            read_folder(folder, &mut files, &mut faults);
        }
        let templates = Self::of(files, &mut faults);
        if faults.is_empty() {
            templates.find_missing(&mut faults);
        }
        if faults.is_empty() {
            templates.try_out(&mut faults);
        }
        if faults.is_empty() { Ok(templates) } else { Err(TemplateFaults { lines: faults }) }
    }

    /// The locales that there are texts for.
    pub fn locales(&self) -> impl Iterator<Item = &str> {
        self.locales.keys().map(String::as_str)
    }

    /// Fills in `file` (such as `reminder.txt`) in the nearest language to `locale`.
    ///
    /// `context` is given the language that was found.
    pub(super) fn render(
        &self,
        locale: Option<&str>,
        file: &str,
        context: impl FnOnce(&str) -> Value,
    ) -> Result<String, minijinja::Error> {
        let found = self.nearest(locale, file);
        let template = self.environment.get_template(&format!("{found}/{file}"))?;
        template.render(context(&found))
    }

    /// The first of the locale, its shorter forms and English that has the file.
    fn nearest(&self, locale: Option<&str>, file: &str) -> String {
        let has = |name: &str| self.locales.get(name).is_some_and(|files| files.contains(file));
        let wanted = locale.map(normal).unwrap_or_default();
        shorter(&wanted).find(|name| has(name)).unwrap_or(LAST).to_owned()
    }

    fn of(files: BTreeMap<String, String>, faults: &mut Vec<String>) -> Self {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.expect("the usual delimiters don't clash"));
        // A misspelt name is a fault, and not a hole in a mail.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut locales: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, text) in files {
            if let Some((locale, file)) = name.split_once('/') {
                locales.entry(locale.to_owned()).or_default().insert(file.to_owned());
            }
            if let Err(error) = environment.add_template_owned(name.clone(), text) {
                faults.push(one_line(&name, &error));
            }
        }
        Self { environment, locales }
    }

    /// A language lacks no file, or a customer would get half of their mails in another one.
    fn find_missing(&self, faults: &mut Vec<String>) {
        for locale in self.locales.keys() {
            for file in files_of_locale() {
                let mut chain = shorter(locale).filter_map(|name| self.locales.get(name));
                if !chain.any(|files| files.contains(&file)) {
                    faults.push(format!("{locale}/{file}: is missing"));
                }
            }
        }
    }

    /// Fills in every template with samples that take every branch once.
    fn try_out(&self, faults: &mut Vec<String>) {
        let mut told = BTreeSet::new();
        for locale in self.locales.keys() {
            for item in words::samples(locale) {
                if let Err(error) = words::of(&item, self) {
                    told.insert(one_line(&format!("{locale}/{}", item.kind.as_str()), &error));
                }
            }
        }
        faults.extend(told);
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.locales.keys()).finish()
    }
}

/// The names of all files that a language has.
fn files_of_locale() -> impl Iterator<Item = String> {
    let kinds = MailKind::ALL.into_iter();
    let kinds =
        kinds.flat_map(|kind| ["txt", "html"].map(|end| format!("{}.{end}", kind.as_str())));
    kinds.chain(OTHERS.map(str::to_owned))
}

/// `de-AT`, `de_at` and `DE-AT` are one.
fn normal(locale: &str) -> String {
    locale.to_lowercase().replace('_', "-")
}

/// `zh-hant-tw`, `zh-hant`, `zh`.
fn shorter(locale: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(locale), |name| name.rsplit_once('-').map(|(start, _)| start))
}

/// The templates in an operator's folder; what isn't text of a mail is passed over.
fn read_folder(folder: &Path, files: &mut BTreeMap<String, String>, faults: &mut Vec<String>) {
    for (path, name) in entries(folder, faults) {
        if path.is_dir() && crate::wire::text::locale(&name).is_ok() {
            for (path, file) in entries(&path, faults) {
                if files_of_locale().any(|known| known == file) {
                    read_file(&path, format!("{}/{file}", normal(&name)), files, faults);
                } else if is_template(&file) {
                    let known: Vec<String> = files_of_locale().collect();
                    let known = known.join(", ");
                    faults.push(format!("{}: is none of {known}", path.display()));
                }
            }
        } else if SHARED.contains(&&*name) {
            read_file(&path, name, files, faults);
        } else if is_template(&name) {
            faults.push(format!("{}: is none of {}", path.display(), SHARED.join(", ")));
        }
    }
}

fn is_template(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    matches!(ending, Some("txt" | "html")) && !name.starts_with('.')
}

/// What a folder holds, by name, in a fixed order.
fn entries(folder: &Path, faults: &mut Vec<String>) -> Vec<(std::path::PathBuf, String)> {
    let read = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut found: Vec<_> = match read {
        Ok(entries) => entries
            .into_iter()
            .filter_map(|entry| Some((entry.path(), entry.file_name().into_string().ok()?)))
            .collect(),
        Err(error) => {
            faults.push(format!("{}: can't be read: {error}", folder.display()));
            Vec::new()
        }
    };
    found.sort();
    found
}

fn read_file(
    path: &Path,
    name: String,
    files: &mut BTreeMap<String, String>,
    faults: &mut Vec<String>,
) {
    match fs::read_to_string(path) {
        Ok(text) if text.len() <= FILE_MAX => {
            files.insert(name, text);
        }
        Ok(_) => faults.push(format!("{}: is larger than {FILE_MAX} bytes", path.display())),
        Err(error) => faults.push(format!("{}: can't be read: {error}", path.display())),
    }
}

fn one_line(name: &str, error: &minijinja::Error) -> String {
    let line = format!("{name}: {error}");
    line.lines().collect::<Vec<_>>().join(", ")
}
