//! E-mail: an SMTP server, from whom and to whom. Blocks where it sends.

use std::fmt;

use flowdeck_http::Trust;
use flowdeck_model::shown;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls as SmtpTls, TlsParameters};
use lettre::{SmtpTransport, Transport as _};
use url::{Host, Url};

use crate::alert::Alert;
use crate::format::text;
use crate::send::{Failure, LIMIT};

/// What a server says is repeated so far.
const ANSWER_MAX: usize = 200;

/// What is wrong with the settings. It names no password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MailError {
    #[error(
        "{0}; write the SMTP server as smtps://mail.example.org, or as smtp://mail.example.org for STARTTLS"
    )]
    Url(&'static str),
    #[error("{0:?} is no e-mail address: write ana@example.org, or Ana <ana@example.org>")]
    Address(String),
    #[error("nobody is named to send to")]
    Nobody,
    #[error("a password is never sent without TLS")]
    LoginWithoutTls,
    #[error("the certificates cannot be used: {0}")]
    Certificates(String),
}

#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
}

/// Whether `smtp://` asks for TLS by STARTTLS, and then goes on with it only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    #[default]
    Required,
    None,
}

/// Messages to people.
#[derive(Clone)]
pub struct Mail {
    transport: SmtpTransport,
    origin: String,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl Mail {
    /// `url`: `smtps://HOST[:465]`, or `smtp://HOST[:587]` with STARTTLS, or `smtp://HOST[:25]` without TLS. Reads the
    /// system's certificates where there are no others.
    pub fn new(
        url: &str,
        from: &str,
        to: &[String],
        login: Option<Login>,
        tls: Tls,
        trust: &Trust,
    ) -> Result<Self, MailError> {
        let server = Server::parse(url, tls)?;
        if login.is_some() && server.tls == ServerTls::None {
            return Err(MailError::LoginWithoutTls);
        }
        let to = to.iter().map(|one| address(one)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(MailError::Nobody);
        }
        let mut transport = SmtpTransport::builder_dangerous(&server.host)
            .port(server.port)
            .timeout(Some(LIMIT))
            .tls(server.tls(trust)?);
        if let Some(Login { user, password }) = login {
            transport = transport.credentials(Credentials::new(user, password));
        }
        Ok(Self { transport: transport.build(), origin: server.origin(), from: address(from)?, to })
    }

    /// For messages.
    pub fn origin(&self) -> String {
        self.origin.clone()
    }

    /// As they are written in the configuration.
    pub fn people(&self) -> (String, Vec<String>) {
        (self.from.to_string(), self.to.iter().map(ToString::to_string).collect())
    }

    pub(crate) fn send(&self, alerts: &[Alert], pages: Option<&str>) -> Result<(), Failure> {
        let failed = |words, is_final| Failure { words, after: None, is_final };
        let message = self.message(alerts, pages);
        let message = message.map_err(|error| failed(format!("it cannot be written: {error}"), true))?;
        self.transport.send(&message).map(drop).map_err(|error| failed(words(&error), is_final(&error)))
    }

    fn message(&self, alerts: &[Alert], pages: Option<&str>) -> Result<Message, lettre::error::Error> {
        let id = format!("<{}@{}>", uuid::Uuid::new_v4(), self.from.email.domain());
        let automatic =
            HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(text::subject(alerts))
            .message_id(Some(id))
            .raw_header(automatic)
            .header(ContentType::TEXT_PLAIN);
        for one in &self.to {
            message = message.to(one.clone());
        }
        message.body(text::body(alerts, pages))
    }
}

fn address(text: &str) -> Result<Mailbox, MailError> {
    text.parse().map_err(|_| MailError::Address(text.to_owned()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ServerTls {
    FromTheStart,
    Starttls,
    None,
}

struct Server {
    host: String,
    port: u16,
    tls: ServerTls,
}

impl Server {
    fn parse(url: &str, tls: Tls) -> Result<Self, MailError> {
        // What was written is not repeated: it may have a password.
        let url = Url::parse(url).map_err(|_| MailError::Url("it is no URL"))?;
        let (tls, port) = match (url.scheme(), tls) {
            ("smtps", Tls::Required) => (ServerTls::FromTheStart, 465),
            ("smtps", Tls::None) => return Err(MailError::Url("smtps is never without TLS")),
            ("smtp", Tls::Required) => (ServerTls::Starttls, 587),
            ("smtp", Tls::None) => (ServerTls::None, 25),
            _ => return Err(MailError::Url("it is no address of an SMTP server")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(MailError::Url("credentials are not part of it: there are username and password"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(MailError::Url("it has more than a host and a port"));
        }
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) if !host.to_string().is_empty() => host.to_string(),
            _ => return Err(MailError::Url("it has no host")),
        };
        Ok(Self { host, port: url.port().unwrap_or(port), tls })
    }

    fn origin(&self) -> String {
        let scheme = if self.tls == ServerTls::FromTheStart { "smtps" } else { "smtp" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{host}:{}", self.port)
    }

    fn tls(&self, trust: &Trust) -> Result<SmtpTls, MailError> {
        if self.tls == ServerTls::None {
            return Ok(SmtpTls::None);
        }
        let parameters = parameters(&self.host, trust)
            .map_err(|error| MailError::Certificates(shown::text(&error.to_string())))?;
        Ok(match self.tls {
            ServerTls::FromTheStart => SmtpTls::Wrapper(parameters),
            _ => SmtpTls::Required(parameters),
        })
    }
}

fn parameters(host: &str, trust: &Trust) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Trust::Only(certificates) = trust {
        parameters = parameters.certificate_store(CertificateStore::None);
        for der in certificates {
            parameters = parameters.add_root_certificate(Certificate::from_der(der.clone())?);
        }
    }
    parameters.build_rustls()
}

fn words(error: &lettre::transport::smtp::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    let cause: String = shown::text(&cause).chars().take(ANSWER_MAX).collect();
    match error.status().map(u16::from) {
        Some(code @ (530 | 534 | 535 | 538)) => {
            format!("it answers {code}: the user name or the password is not accepted ({cause})")
        }
        Some(code) => format!("it answers {code}: {cause}"),
        None => cause,
    }
}

/// What concerns the message or its recipients. Who may sign in can be changed at the server.
fn is_final(error: &lettre::transport::smtp::Error) -> bool {
    error.is_permanent() && !matches!(error.status().map(u16::from), Some(530 | 534 | 535 | 538))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(url: &str, to: &str, login: bool, tls: Tls) -> Result<Mail, MailError> {
        let login = login.then(|| Login { user: "ana".to_owned(), password: "hunter2".to_owned() });
        let to: Vec<String> = to.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect();
        Mail::new(url, "Flowdeck <flowdeck@example.org>", &to, login, tls, &Trust::Only(vec![]))
    }

    #[test]
    fn a_server_is_named_by_scheme_and_host() {
        let origin = |url, tls| mail(url, "ana@example.org", false, tls).unwrap().origin();
        assert_eq!(origin("smtps://mail.example.org", Tls::Required), "smtps://mail.example.org:465");
        assert_eq!(origin("smtp://mail.example.org", Tls::Required), "smtp://mail.example.org:587");
        assert_eq!(origin("smtp://[::1]:2525", Tls::None), "smtp://[::1]:2525");
    }

    #[test]
    fn what_is_wrong_is_said_without_a_password() {
        for (url, to, login, tls) in [
            ("hunter2", "ana@example.org", false, Tls::Required),
            ("https://hunter2", "ana@example.org", false, Tls::Required),
            ("smtp://ana:hunter2@mail.example.org", "ana@example.org", false, Tls::Required),
            ("smtp://mail.example.org/?auth=hunter2", "ana@example.org", false, Tls::Required),
            ("smtps://mail.example.org", "ana@example.org", false, Tls::None),
            ("smtp://mail.example.org", "ana@example.org", true, Tls::None),
            ("smtps://mail.example.org", "ana", true, Tls::Required),
            ("smtps://mail.example.org", "", true, Tls::Required),
        ] {
            let error = mail(url, to, login, tls).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let mail = mail("smtps://mail.example.org", "ana@example.org", true, Tls::Required).unwrap();
        assert_eq!(format!("{mail:?}"), "smtps://mail.example.org:465");
    }
}
