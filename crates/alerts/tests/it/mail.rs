//! E-mail, to a server of SMTP on loopback: with TLS, without, and one that refuses.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_alerts::{Channel, Login, Mail, Tls, test};
use flowdeck_http::Trust;
use flowdeck_model::Timestamp;
use flowdeck_testkit::{DEADLINE, wait_for};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio_util::sync::CancellationToken;

use super::{World, receiver_by};

/// It ends with the process.
struct Smtp {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    refuses: Arc<Mutex<Option<(&'static str, &'static str)>>>,
}

impl Smtp {
    fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, refuses) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<_>>::default());
        let smtp = Self { port, heard: Arc::clone(&heard), refuses: Arc::clone(&refuses) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                let refuses = *refuses.lock().unwrap();
                let told = match &tls {
                    None => conversation(stream, &heard, refuses),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                        let stream: StreamOwned<_, TcpStream> = StreamOwned::new(connection, stream);
                        conversation(stream, &heard, refuses)
                    }
                };
                // A client that does not like the certificate goes away.
                drop(told);
            }
        });
        smtp
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn conversation(
    stream: impl Read + Write,
    heard: &Mutex<Vec<String>>,
    refuses: Option<(&str, &str)>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(b"220 test ESMTP\r\n")?;
    let mut is_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        heard.lock().unwrap().push(line.clone());
        let refused = refuses.filter(|(command, _)| line.starts_with(command)).map(|(_, answer)| answer);
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            _ if is_data && line != "." => continue,
            _ if refused.is_some() => refused.unwrap(),
            "EHLO" => "250-test\r\n250 AUTH PLAIN",
            "AUTH" => "235 in",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 OK",
        };
        is_data = answer.starts_with("354");
        stream.get_mut().write_all(format!("{answer}\r\n").as_bytes())?;
    }
}

fn to() -> Vec<String> {
    vec!["Ana <ana@example.org>".to_owned(), "ops@example.org".to_owned()]
}

fn mail(url: &str, login: Option<Login>, tls: Tls, trust: &Trust) -> Channel {
    Channel::Mail(Mail::new(url, "Flowdeck <flowdeck@example.org>", &to(), login, tls, trust).unwrap())
}

async fn tried(channel: Channel) -> Result<Duration, String> {
    let now = Timestamp::from_millis(1_795_270_000_000);
    let receiver = receiver_by(channel);
    let pages = Some("https://ops.example/kafkaflow");
    tokio::task::spawn_blocking(move || test(&receiver, "eu".parse().unwrap(), pages, now)).await.unwrap()
}

#[tokio::test]
async fn an_alert_is_mailed_to_everybody_who_is_named() {
    let (smtp, world, shutdown) = (Smtp::start(None), World::new(), CancellationToken::new());
    let channel = mail(&format!("smtp://127.0.0.1:{}", smtp.port), None, Tls::None, &Trust::System);
    let alerts = world.told_to(receiver_by(channel), &shutdown);
    world.at(60, true);
    wait_for("the count", DEADLINE, async || (alerts.statuses()[0].figures().sent == 1).then_some(())).await;
    let heard = smtp.heard();
    for line in [
        "MAIL FROM:<flowdeck@example.org>",
        "RCPT TO:<ana@example.org>",
        "RCPT TO:<ops@example.org>",
        "Subject: [Flowdeck] Critical: payments on eu: Stalled",
        "Auto-Submitted: auto-generated",
        "no commit moves",
        "https://ops.example/kafkaflow/c/eu/groups/payments",
    ] {
        assert!(heard.iter().any(|one| one == line), "{line}: {heard:#?}");
    }
    shutdown.cancel();
}

#[tokio::test]
async fn without_starttls_at_the_server_nothing_is_sent() {
    let smtp = Smtp::start(None);
    let url = format!("smtp://127.0.0.1:{}", smtp.port);
    let words = tried(mail(&url, None, Tls::Required, &Trust::System)).await.unwrap_err();
    assert!(words.contains("STARTTLS"), "{words}");
    let heard = smtp.heard();
    assert!(heard.iter().all(|line| line.starts_with("EHLO") || line.starts_with("QUIT")), "{heard:?}");
}

#[tokio::test]
async fn a_login_goes_to_a_server_whose_certificate_is_trusted() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let smtp = Smtp::start(Some(Arc::new(config)));
    let url = format!("smtps://127.0.0.1:{}", smtp.port);
    let login = || Some(Login { user: "ana".to_owned(), password: "hunter2".to_owned() });
    let own = Trust::only(own.cert.pem().as_bytes()).unwrap();
    tried(mail(&url, login(), Tls::Required, &own)).await.unwrap();
    let count = |start: &str| smtp.heard().iter().filter(|line| line.starts_with(start)).count();
    assert_eq!((count("AUTH PLAIN"), count("DATA")), (2, 2), "what began, and that it is over");
    let words = tried(mail(&url, login(), Tls::Required, &Trust::System)).await.unwrap_err();
    assert!(words.contains("certificate"), "{words}");
    assert_eq!(count("AUTH PLAIN"), 2);
}

#[tokio::test]
async fn what_a_server_refuses_is_said_and_keeps_back_no_other() {
    let (smtp, world, shutdown) = (Smtp::start(None), World::new(), CancellationToken::new());
    *smtp.refuses.lock().unwrap() = Some(("RCPT", "550 no such mailbox here"));
    let url = format!("smtp://127.0.0.1:{}", smtp.port);
    let channel = || mail(&url, None, Tls::None, &Trust::System);
    let words = tried(channel()).await.unwrap_err();
    assert_eq!(words, "it answers 550: no such mailbox here");
    let alerts = world.told_to(receiver_by(channel()), &shutdown);
    world.at(60, true);
    let figures = || alerts.statuses()[0].figures();
    wait_for("a refusal", DEADLINE, async || (figures().failed == 1).then_some(())).await;
    *smtp.refuses.lock().unwrap() = Some(("MAIL", "451 later"));
    world.0.lock().unwrap().clusters[0].read_at = Timestamp::from_millis(0);
    world.0.lock().unwrap().now = Timestamp::from_millis(200_000);
    wait_for("another try", DEADLINE, async || (figures().failed >= 3).then_some(())).await;
    *smtp.refuses.lock().unwrap() = None;
    wait_for("the other", DEADLINE, async || (figures().sent == 1).then_some(())).await;
    shutdown.cancel();
}
