//! Reads `[mail]`: which server takes mails, as whom, and in whose words.
//!
//! Separate, because its keys depend on one another and on nothing else. Opens nothing: the
//! server is met with the first mail, and the folder of templates is read by `notify`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::SecretString;

use super::read::seconds;
use crate::wire::settings::fields::Fields;

/// How mails go out.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The server that takes them.
    pub server: MailServer,
    /// Who we are to it; none: it asks nobody.
    pub login: Option<Login>,
    /// Whom they are from.
    pub from: Mailbox,
    /// Where answers go; none: to `from`.
    pub reply_to: Option<Mailbox>,
    /// How long handing one over may take.
    pub timeout: Duration,
    /// The folder of templates that win over the built-in ones.
    pub templates: Option<PathBuf>,
}

/// A mail server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the conversation is kept from others.
    pub encryption: Encryption,
}

/// How a conversation with a mail server is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// `smtp://`: not at all.
    None,
    /// `starttls://`: from its second command on; refused where the server can't.
    StartTls,
    /// `smtps://`: from the first byte.
    Tls,
}

/// A login.
#[derive(Debug, Clone)]
pub struct Login {
    /// The name.
    pub user: String,
    /// What shows that it is ours.
    pub password: SecretString,
}

/// None without a server, and where a part is missing; the fault is noted then.
pub(super) fn mail(fields: &mut Fields<'_>) -> Option<Mail> {
    let server = fields.parsed("server", server);
    let user = fields.text("user");
    let password = fields.parsed("password", password);
    let from = fields.parsed("from", mailbox);
    let reply_to = fields.parsed("reply_to", mailbox);
    let timeout = seconds(fields, "timeout_seconds", 1..=600);
    let templates = fields.parsed("templates", folder);
    let given = |key| fields.count_of(&[key]) > 0;
    let (with_server, with_from) = (given("server"), given("from"));
    let (with_user, with_password) = (given("user"), given("password"));
    // Told at the key that is there: one that isn't has no file to be named with.
    if with_server && !with_from {
        fields.fault("server", "needs `from` as well");
    }
    if with_user && !with_password {
        fields.fault("user", "needs `password` as well");
    }
    if with_password && !with_user {
        fields.fault("password", "needs `user` as well");
    }
    let server = server?;
    if with_password && server.encryption == Encryption::None && !is_loopback(&server.host) {
        fields.fault("server", "would get the password in the clear: use smtps:// or starttls://");
    }
    let login = user.zip(password).map(|(user, password)| Login { user, password });
    Some(Mail { server, login, from: from?, reply_to, timeout, templates })
}

fn server(text: &str) -> Result<MailServer, &'static str> {
    const ALLOWED: &str = "must be smtps://HOST[:PORT], starttls://HOST[:PORT] or \
                           smtp://HOST[:PORT]; the login stands in `user` and `password`";
    let schemes = [
        ("smtps://", Encryption::Tls, 465),
        ("starttls://", Encryption::StartTls, 587),
        ("smtp://", Encryption::None, 25),
    ];
    let found = schemes.into_iter().find_map(|(scheme, encryption, port)| {
        text.strip_prefix(scheme).map(|rest| (rest, encryption, port))
    });
    let (rest, encryption, usual) = found.ok_or(ALLOWED)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !rest.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let port = match port.map(str::parse::<u16>) {
        None => usual,
        Some(Ok(port)) if port > 0 => port,
        Some(_) => return Err(ALLOWED),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bracketed {
        Some(host) if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) => host,
        None if is_name(host) => host,
        _ => return Err(ALLOWED),
    };
    Ok(MailServer { host: host.to_owned(), port, encryption })
}

/// A host's name, or an address of version 4.
fn is_name(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    !host.is_empty() && host.len() <= 253 && host.bytes().all(plain)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `ada@example.com`, or `Ada <ada@example.com>`.
fn mailbox(text: &str) -> Result<Mailbox, &'static str> {
    let one_line = text.chars().count() <= 320 && !text.contains(char::is_control);
    // Not every server takes other scripts in an address; a name may have them.
    let plain = |mailbox: &Mailbox| one_line && mailbox.email.to_string().is_ascii();
    let mailbox = text.parse::<Mailbox>().ok();
    mailbox
        .filter(plain)
        .ok_or("must be ADDRESS or NAME <ADDRESS>, such as Example <callbacks@example.com>")
}

fn password(text: &str) -> Result<SecretString, &'static str> {
    if text.is_empty() { Err("must not be empty") } else { Ok(text.into()) }
}

fn folder(text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() { Err("must be a folder's path") } else { Ok(PathBuf::from(text)) }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::{Input, load};

    fn with(keys: &str) -> Result<Option<Mail>, Vec<String>> {
        let file = Some(("my.toml".to_owned(), format!("[mail]\n{keys}")));
        let loaded = load(&Input { file, ..Input::default() });
        loaded.map(|loaded| loaded.settings.mail).map_err(|error| error.lines)
    }

    fn faults(keys: &str) -> Vec<String> {
        with(keys).err().unwrap_or_default()
    }

    #[test]
    fn without_a_server_there_is_no_mail() {
        assert!(load(&Input::default()).expect("the defaults").settings.mail.is_none());
        assert!(with("from = \"a@b.example\"\ntimeout_seconds = 5").expect("good").is_none());
    }

    #[test]
    fn all_of_it_is_read() {
        let keys = r#"
            server = "starttls://mail.example"
            user = "ringback"
            password = "horse"
            from = "Example Ltd <callbacks@example.com>"
            reply_to = "service@example.com"
            timeout_seconds = 7
            templates = "texts"
        "#;
        let mail = with(keys).expect("good").expect("a server");
        let server = MailServer {
            host: "mail.example".to_owned(),
            port: 587,
            encryption: Encryption::StartTls,
        };
        assert_eq!(mail.server, server);
        let login = mail.login.as_ref().expect("a login");
        assert_eq!((&*login.user, login.password.expose_secret()), ("ringback", "horse"));
        assert_eq!(mail.from.name.as_deref(), Some("Example Ltd"));
        let reply_to = mail.reply_to.as_ref().expect("given");
        assert_eq!(reply_to.email.to_string(), "service@example.com");
        assert_eq!(mail.timeout, Duration::from_secs(7));
        assert_eq!(mail.templates, Some(PathBuf::from("texts")));
        assert!(!format!("{mail:?}").contains("horse"));
    }

    #[test]
    fn addresses_of_servers_are_taken_or_refused_whole() {
        for (text, host, port, encryption) in [
            ("smtps://mail.example", "mail.example", 465, Encryption::Tls),
            ("smtps://mail.example:2465/", "mail.example", 2_465, Encryption::Tls),
            ("smtp://127.0.0.1", "127.0.0.1", 25, Encryption::None),
            ("smtp://[::1]:2525", "::1", 2_525, Encryption::None),
            ("starttls://[::1]", "::1", 587, Encryption::StartTls),
        ] {
            let expected = MailServer { host: host.to_owned(), port, encryption };
            assert_eq!(server(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "mail.example:25",
            "http://mail.example",
            "smtp://",
            "smtp://:25",
            "smtp://mail.example:0",
            "smtp://mail.example:65536",
            "smtp://mail.example/path",
            "smtp://user:horse@mail.example",
            "smtp://[127.0.0.1]",
            "smtp://::1",
            "smtps://mail.example\r\nRSET",
        ] {
            assert!(server(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn each_fault_is_a_line_and_none_shows_a_password() {
        let keys = r#"
            server = "smtp://user:horse@mail.example"
            user = "ringback"
            from = "nobody"
            reply_to = "A\nBcc: eve@example.com <a@example.com>"
            timeout_seconds = 0
            templates = ""
            passwort = "x"
        "#;
        let faults = faults(keys);
        assert_eq!(faults.len(), 7, "{faults:#?}");
        let all = faults.join("\n");
        assert!(!all.contains("horse"), "{all}");
        let server = r#"my.toml: mail.server = "smtp://user:(hidden)@mail.example": must be smtps"#;
        assert!(all.contains(server), "{all}");
        assert!(all.contains("mail.user = \"ringback\": needs `password` as well"), "{all}");
        assert!(all.contains("mail.passwort = \"x\": unknown key; did you mean"), "{all}");
    }

    #[test]
    fn a_password_goes_in_the_clear_to_this_machine_alone() {
        let keys = |server: &str| {
            format!(
                "server = \"{server}\"\nuser = \"u\"\npassword = \"horse\"\n\
                 from = \"a@example.com\""
            )
        };
        let refused = faults(&keys("smtp://mail.example"));
        assert_eq!(
            refused,
            ["my.toml: mail.server = \"smtp://mail.example\": would get the password in the \
              clear: use smtps:// or starttls://"]
        );
        for good in ["smtp://localhost", "smtp://127.0.0.2:25", "smtp://[::1]", "smtps://x.example"]
        {
            assert_eq!(faults(&keys(good)), [""; 0], "{good}");
        }
        assert_eq!(
            faults("server = \"smtps://mail.example\""),
            ["my.toml: mail.server = \"smtps://mail.example\": needs `from` as well"]
        );
    }
}
