//! Who carries out what goes out: the mail server of all workspaces, each one's maker of meetings.

use std::sync::Arc;

use crate::config::{OutwardCalls, Settings, Workspace};
use crate::engine::clock::Clock;
use crate::engine::outward::{Mails, Outward};
use crate::notify::mail::{Mailer, MailerError, Post};
use crate::notify::meeting;

/// Why nothing can go out as the settings say.
#[derive(Debug, thiserror::Error)]
pub enum OutwardFault {
    /// Mails.
    #[error(transparent)]
    Mail(#[from] MailerError),
    /// Meetings.
    #[error("workspace.meetings: TLS: {0}")]
    Meetings(reqwest::Error),
}

/// What workspaces send with.
pub(super) struct Senders<'a> {
    mails: Option<Arc<dyn Mails>>,
    calls: &'a OutwardCalls,
}

impl<'a> Senders<'a> {
    /// By the settings; all links begin with `public_url`.
    pub(super) fn new(settings: &'a Settings, public_url: &str) -> Result<Self, OutwardFault> {
        let mailer = settings.mail.as_ref().map(Mailer::new).transpose()?;
        if mailer.is_none() {
            tracing::info!("no mail server is configured: customers get no mails");
        }
        let post = |mailer| Arc::new(Post::new(Arc::new(mailer), public_url.to_owned()));
        let mails = mailer.map(|mailer| post(mailer) as Arc<dyn Mails>);
        Ok(Self { mails, calls: &settings.meetings })
    }

    /// A workspace's own.
    pub(super) fn of(
        &self,
        workspace: &Workspace,
        clock: &Arc<Clock>,
    ) -> Result<Outward, OutwardFault> {
        let open = |settings| {
            meeting::open(settings, self.calls, Arc::clone(clock)).map_err(OutwardFault::Meetings)
        };
        let meetings = workspace.meetings.as_ref().map(open).transpose()?;
        Ok(Outward { mails: self.mails.clone(), meetings })
    }
}
