//! Hands mails to the mail server, and says what became of each.
//!
//! A connection for each mail: nothing of one conversation can get into the next. The time-out
//! is around the whole of it, since lettre's own bounds nothing but connecting.
//!
//! Keeps nothing between mails, and tries none twice: that is the outbox's, by [`Outcome`].

use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, TlsParameters, TlsParametersBuilder as Trusted,
};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret;

use super::compose::{ComposeError, MailSettings, compose};
use super::item::MailItem;
use super::templates::{TemplateFaults, Templates};
use super::words::one_line;
use crate::config::{Encryption, Mail, MailServer};
use crate::domain::dispatch::Outcome;

/// How long to wait for the goodbye of a server that has answered for the mail already.
const GOODBYE: Duration = Duration::from_secs(1);
/// The most characters of a reason.
const REASON_MAX: usize = 300;

/// What keeps mails from being sent at all.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The texts.
    #[error("mail.templates: {0}")]
    Templates(#[from] TemplateFaults),
    /// What is needed for TLS.
    #[error("mail.server: TLS: {0}")]
    Tls(Error),
}

/// The way to one mail server. Cheap to keep, and may be used by many tasks at once.
pub struct Mailer {
    server: MailServer,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    hello: ClientId,
    timeout: Duration,
    settings: MailSettings,
}

/// How far a conversation came: a refusal before the mail itself isn't one of the mail.
enum Failure {
    Greeting(Error),
    Mail(Error),
}

impl Mailer {
    /// Reads the templates and what TLS needs; meets no server yet.
    pub fn new(mail: &Mail) -> Result<Self, MailerError> {
        let trusted = TlsParameters::builder(mail.server.host.clone());
        Self::trusting(mail, trusted)
    }

    /// The same, with more to trust than what the machine trusts.
    pub(super) fn trusting(mail: &Mail, trusted: Trusted) -> Result<Self, MailerError> {
        let templates = Templates::load(mail.templates.as_deref())?;
        let tls = match mail.server.encryption {
            Encryption::None => None,
            Encryption::StartTls | Encryption::Tls => {
                Some(trusted.build().map_err(MailerError::Tls)?)
            }
        };
        let credentials = mail.login.as_ref().map(|login| {
            let password = login.password.expose_secret().to_owned();
            Credentials::new(login.user.clone(), password)
        });
        Ok(Self {
            server: mail.server.clone(),
            tls,
            credentials,
            hello: ClientId::Domain(mail.from.email.domain().to_owned()),
            timeout: mail.timeout,
            settings: MailSettings {
                from: mail.from.clone(),
                reply_to: mail.reply_to.clone(),
                templates,
            },
        })
    }

    /// Puts the mail together and hands it over; ends within the time-out.
    pub async fn send(&self, item: &MailItem) -> Outcome {
        let outcome = match compose(item, &self.settings) {
            Ok(message) => self.hand_over(&message).await,
            Err(error @ (ComposeError::Address | ComposeError::Mail(_))) => {
                Outcome::given_up(error.to_string())
            }
            // The operator may mend it before the day is over.
            Err(error @ ComposeError::Template(_)) => Outcome::later(error.to_string()),
        };
        match outcome {
            Outcome::Delivered(()) => Outcome::Delivered(()),
            Outcome::Later { reason, retry_after } => {
                Outcome::Later { reason: shown(&reason), retry_after }
            }
            Outcome::GivenUp { reason } => Outcome::GivenUp { reason: shown(&reason) },
        }
    }

    async fn hand_over(&self, message: &Message) -> Outcome {
        let Ok(result) = tokio::time::timeout(self.timeout, self.converse(message)).await else {
            let seconds = self.timeout.as_secs();
            return Outcome::later(format!("the mail server took longer than {seconds} s"));
        };
        match result {
            Ok(mut connection) => {
                // What the server says to this changes nothing: it has the mail.
                let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
                Outcome::Delivered(())
            }
            Err(Failure::Mail(error)) if error.is_permanent() => {
                Outcome::given_up(error.to_string())
            }
            Err(Failure::Greeting(error) | Failure::Mail(error)) => {
                Outcome::later(error.to_string())
            }
        }
    }

    /// From connecting to the server's answer for the mail.
    async fn converse(&self, message: &Message) -> Result<AsyncSmtpConnection, Failure> {
        let mut connection = self.connect().await.map_err(Failure::Greeting)?;
        let bytes = message.formatted();
        connection.send(message.envelope(), &bytes).await.map_err(Failure::Mail)?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let server = (self.server.host.as_str(), self.server.port);
        let at_once = match self.server.encryption {
            Encryption::Tls => self.tls.clone(),
            Encryption::None | Encryption::StartTls => None,
        };
        // An address of the server that doesn't answer leaves time for its next one.
        let each = Some(self.timeout / 3);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, each, &self.hello, at_once, None).await?;
        if let (Encryption::StartTls, Some(tls)) = (self.server.encryption, &self.tls) {
            // Ends with an error where the server doesn't offer it: never on in the clear.
            connection.starttls(tls.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
        }
        Ok(connection)
    }
}

/// A reason as it may be kept and logged: one line, bounded, without the customer's address, which
/// servers like to repeat.
fn shown(reason: &str) -> String {
    let reason = one_line(reason);
    let words = reason.split(' ').map(|word| if word.contains('@') { "(address)" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(REASON_MAX).collect()
}
