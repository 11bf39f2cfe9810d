//! The web pages' own files, embedded in the binary: plain HTML, style sheets and modules.
//!
//! Separate from `http`, which serves them, so that what a browser gets is all in one folder. There
//! is no build step: a file is served as it is written, less its comments and indentation. Nothing
//! here names another address, and no page has anything inline: the policy that http sends with
//! them would stop it.

/// A file of the pages.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Its name below this folder, with slashes.
    pub name: &'static str,
    /// What it is served as.
    pub media_type: &'static str,
    /// What is in it.
    pub text: &'static str,
}

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        /// All files but the pages themselves, by name.
        pub const FILES: &[File] = &[$(file($name, include_str!($name))),+];
    };
}

files![
    "agent/actions.js",
    "agent/agent.css",
    "agent/agent.js",
    "agent/desk.js",
    "agent/frame.js",
    "agent/inbox.js",
    "agent/list.js",
    "agent/schedule.js",
    "agent/signals.js",
    "agent/texts.de.js",
    "agent/texts.en.js",
    "agent/work.js",
    "callback/ask.js",
    "callback/calendar.js",
    "callback/callback.css",
    "callback/callback.js",
    "callback/element.css",
    "callback/element.js",
    "callback/follow.js",
    "callback/polling.js",
    "callback/slots.js",
    "callback/texts.de.js",
    "callback/texts.en.js",
    "shared/api.js",
    "shared/base.css",
    "shared/clock.js",
    "shared/dialogs.js",
    "shared/events.js",
    "shared/fields.js",
    "shared/icon.svg",
    "shared/kept.js",
    "shared/links.js",
    "shared/page.js",
    "shared/preferences.js",
    "shared/signin.js",
    "shared/socket.js",
    "shared/table.js",
    "shared/texts.de.js",
    "shared/texts.en.js",
    "shared/texts.js",
    "shared/theme.js",
    "shared/time.js",
    "shared/view.js",
    "start/start.css",
    "start/start.js",
    "start/texts.de.js",
    "start/texts.en.js",
    "supervisor/agents.js",
    "supervisor/callback.js",
    "supervisor/callbacks.js",
    "supervisor/frame.js",
    "supervisor/queues.js",
    "supervisor/supervisor.css",
    "supervisor/supervisor.js",
    "supervisor/texts.de.js",
    "supervisor/texts.en.js",
    "supervisor/trend.js",
    "supervisor/why.js",
];

impl File {
    /// What is sent: without comments that have lines of their own, and without indentation. Lines
    /// stay where they are, so that a fault told by line is found.
    pub fn slim(&self) -> String {
        let mut slim = String::with_capacity(self.text.len());
        let mut comment = false;
        for line in self.text.lines() {
            let line = line.trim_start();
            comment |= line.starts_with("/*");
            if !comment && !line.starts_with("// ") {
                slim.push_str(line);
            }
            comment &= !line.ends_with("*/");
            slim.push('\n');
        }
        slim
    }
}

/// Where a page stands for the version of the files; their addresses carry it, so that browsers may
/// keep them for ever.
pub const VERSION: &str = "{version}";

/// Where a page stands for its own folder, style sheet and module.
const NAME: &str = "{page}";

/// The pages: the start page, the agent's workspace, the supervisor's view, the customer's page.
pub const PAGES: [&str; 4] = ["start", "agent", "supervisor", "callback"];

/// A page: its files, and where they draw and speak.
pub fn page(name: &str) -> String {
    include_str!("page.html").replace(NAME, name)
}

const fn file(name: &'static str, text: &'static str) -> File {
    let bytes = name.as_bytes();
    let media_type = match bytes[bytes.len() - 1] {
        b's' if bytes[bytes.len() - 2] == b'j' => "text/javascript; charset=utf-8",
        b'g' => "image/svg+xml",
        _ => "text/css; charset=utf-8",
    };
    File { name, media_type, text }
}

#[cfg(test)]
mod tests;
