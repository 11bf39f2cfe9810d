//! Puts a mail together: headers, both bodies, the calendar entry.
//!
//! Pure: the same item and settings make the same bytes, so that a mail that is sent twice is
//! known to be the same one. Whatever goes into a header was made one line before.

use std::time::{Duration, SystemTime};

use lettre::message::header::{
    ContentDisposition, ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::calendar::{self, Method};
use super::item::MailItem;
use super::templates::Templates;
use super::words::{self, Words};
use crate::domain::phone::Email;

/// As whom mails are written, and in which words.
#[derive(Debug)]
pub struct MailSettings {
    /// Whom they are from.
    pub from: Mailbox,
    /// Where answers go; none: to `from`.
    pub reply_to: Option<Mailbox>,
    /// The texts.
    pub templates: Templates,
}

/// Why a mail can't be put together. Trying again won't help.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The address isn't one that mail servers take.
    #[error("the customer's address is not one that mail can be sent to")]
    Address,
    /// A template failed on it that worked with the samples.
    #[error("template: {0}")]
    Template(#[from] minijinja::Error),
    /// A part of it was refused by the mail library.
    #[error("mail: {0}")]
    Mail(#[from] lettre::error::Error),
}

/// Makes the mail of an item.
pub fn compose(item: &MailItem, settings: &MailSettings) -> Result<Message, ComposeError> {
    let words = words::of(item, &settings.templates)?;
    let name = Some(words::greeted(&item.customer_name)).filter(|name| !name.is_empty());
    let to = Mailbox::new(name, address(&item.customer_email)?);
    let notice = calendar::notice(item);
    let entry = notice.map(|(method, slot)| {
        let (summary, description) = (&words.summary, words.description.trim_end());
        let file = calendar::file(item, (method, slot), &settings.from, &to, summary, description);
        (method, file)
    });
    let id = local_part(&item.id);
    let since_1970 = Duration::from_millis(u64::try_from(item.at.0).unwrap_or_default());
    let mut message = Message::builder()
        .from(settings.from.clone())
        .to(to)
        .subject(words.subject.clone())
        .date(SystemTime::UNIX_EPOCH + since_1970)
        .message_id(Some(format!("<{id}@{}>", settings.from.email.domain())))
        .header(AutoSubmitted);
    if let Some(reply_to) = &settings.reply_to {
        message = message.reply_to(reply_to.clone());
    }
    Ok(message.multipart(bodies(&words, entry))?)
}

/// Both bodies; with a calendar entry a third beside them, which programs act on, and the same as
/// an attachment, which people can open where theirs doesn't.
fn bodies(words: &Words, entry: Option<(Method, String)>) -> MultiPart {
    let alternative = MultiPart::alternative()
        // Can't occur in a part: encoded text has no `=_`.
        .boundary("=_alternative")
        .singlepart(text_part("text/plain; charset=utf-8", &words.text))
        .singlepart(text_part("text/html; charset=utf-8", &words.html));
    let Some((method, file)) = entry else { return alternative };
    let kind = format!("text/calendar; charset=utf-8; method={}", method.as_str());
    let attachment = SinglePart::builder()
        .header(content_type("application/ics; name=\"callback.ics\""))
        .header(ContentDisposition::attachment("callback.ics"))
        .body(encoded(file.clone(), ContentTransferEncoding::Base64));
    MultiPart::mixed()
        .boundary("=_mixed")
        .multipart(alternative.singlepart(text_part(&kind, &file)))
        .singlepart(attachment)
}

fn text_part(kind: &str, text: &str) -> SinglePart {
    // Every line break as mail has it, or the encoding would keep bare ones as they are.
    let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    SinglePart::builder()
        .header(content_type(kind))
        .body(encoded(text, ContentTransferEncoding::QuotedPrintable))
}

fn content_type(text: &str) -> ContentType {
    ContentType::parse(text).expect("the types here are written rightly")
}

fn encoded(text: String, encoding: ContentTransferEncoding) -> Body {
    Body::new_with_encoding(text, encoding).expect("both encodings take any text")
}

/// The address as mail servers take it: the domain in ASCII, whatever script it is written in.
fn address(email: &Email) -> Result<Address, ComposeError> {
    let (local, domain) = email.as_str().rsplit_once('@').ok_or(ComposeError::Address)?;
    let domain = idna::domain_to_ascii(domain).map_err(|_| ComposeError::Address)?;
    Address::new(local, domain).map_err(|_| ComposeError::Address)
}

/// An item's id as it may stand in a `Message-ID`; different ids stay different.
fn local_part(id: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            out.push(char::from(byte));
        } else {
            write!(out, "_{byte:02X}").expect("writing to a String can't fail");
        }
    }
    out
}

/// RFC 3834: keeps holiday notes and other machines from answering.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
