//! TLS by the server itself: what is spoken, what is cut, and files that cannot be used.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use flowdeck::auth::CookieScope;
use flowdeck::config::TlsFiles;
use flowdeck::{Certificate, Options, Tls, exposed_key};
use http::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::people::{PASSWORD, People, settings};
use crate::program::{command, signal, start as start_program, wait};
use crate::support::{Listening, options};

const LONG: Duration = Duration::from_secs(10);
const H1: &[u8] = b"http/1.1";
const H2: &[u8] = b"h2";

/// A certificate for loopback names that is its own issuer, as files and for a client.
pub(crate) struct Issued {
    _folder: TempDir,
    pub(crate) files: TlsFiles,
    pub(crate) root: CertificateDer<'static>,
}

impl Issued {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files =
            TlsFiles { certificate: folder.path().join("tls.pem"), key: folder.path().join("tls.key") };
        let root = issue(&files);
        Self { _folder: folder, files, root }
    }

    /// For a server of the test's own.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::from_pem_file(&self.files.key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth().with_single_cert(vec![self.root.clone()], key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }

    pub(crate) fn tls(&self) -> Tls {
        Tls::new(Certificate::read(&self.files).unwrap()).unwrap()
    }
}

/// Writes a new certificate and its key.
pub(crate) fn issue(files: &TlsFiles) -> CertificateDer<'static> {
    use std::os::unix::fs::PermissionsExt as _;
    let names = ["localhost", "flowdeck.test", "127.0.0.1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names.to_vec()).unwrap();
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o600)).unwrap();
    made.cert.der().clone()
}

async fn start(options: Options, issued: &Issued) -> Listening {
    Listening::secured(options, issued.tls()).await
}

/// A client that trusts `root` alone.
pub(crate) async fn connect(
    address: SocketAddr,
    root: &CertificateDer<'static>,
    speaks: &[&[u8]],
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = speaks.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

/// One request by HTTP/1.1, as it is on the wire; all that comes back.
pub(crate) async fn ask(address: SocketAddr, root: &CertificateDer<'static>, request: &str) -> String {
    let mut stream = connect(address, root, &[H1], rustls::ALL_VERSIONS).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![];
    tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("an end").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

type Sender = hyper::client::conn::http2::SendRequest<Body>;

/// Takes as much of each answer as `window` says before it is read.
async fn http2(site: &Listening, issued: &Issued, window: u32) -> (Sender, tokio::task::JoinHandle<()>) {
    let stream = connect(site.address, &issued.root, &[H2, H1], rustls::ALL_VERSIONS).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(H2));
    let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(window);
    let (sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
    let ended = tokio::spawn(async move {
        let _ = connection.await;
    });
    (sender, ended)
}

fn http2_get(path: &str) -> Request<Body> {
    Request::get(format!("https://localhost/kafkaflow{path}")).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn https_works_with_every_tls_and_http_version() {
    let issued = Issued::new();
    let mut options = options();
    options.hosts = options.hosts.allow("flowdeck.test".parse().unwrap());
    options.tls = true;
    let site = start(options, &issued).await;

    let page = ask(site.address, &issued.root, &get("/kafkaflow", "flowdeck.test")).await;
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(page.contains("strict-transport-security: max-age=31536000"), "{page}");
    let here = ask(site.address, &issued.root, &get("/kafkaflow", "localhost:8077")).await;
    assert!(here.starts_with("HTTP/1.1 200 OK") && !here.contains("strict-transport"), "{here}");
    let other_host = ask(site.address, &issued.root, &get("/kafkaflow", "evil.example")).await;
    assert!(other_host.starts_with("HTTP/1.1 421"), "{other_host}");

    for (versions, spoken) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let stream = connect(site.address, &issued.root, &[], &[versions]).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(spoken));
    }

    let (mut sender, _) = http2(&site, &issued, 65_535).await;
    let page = sender.send_request(http2_get("/api/v1/groups")).await.unwrap();
    assert_eq!((page.status(), page.version()), (StatusCode::OK, Version::HTTP_2));
    let body = axum::body::to_bytes(Body::new(page.into_body()), 1 << 20).await.unwrap();
    assert!(body.starts_with(b"{"), "{body:?}");
    // Many streams on one connection: the six of a browser bind nobody here.
    let mut open = vec![];
    for _ in 0..12 {
        let stream = sender.send_request(http2_get("/events?view=fleet")).await.unwrap();
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        open.push(stream);
    }
    for stream in &mut open {
        let frame = http_body_util::BodyExt::frame(stream.body_mut()).await.unwrap().unwrap();
        assert!(frame.data_ref().unwrap().starts_with(b"event: snapshot"));
    }
}

#[tokio::test]
async fn the_cookies_are_secure() {
    let issued = Issued::new();
    let people = People::at(settings(&[("ana", "admin")], &[]), CookieScope::new("/kafkaflow", true)).await;
    let site = start(Options { tls: true, ..people.options() }, &issued).await;
    let form = format!("name=ana&password={}", PASSWORD.replace(' ', "+"));
    let head = "POST /kafkaflow/login HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\n\
                Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{form}", form.len());
    let answer = ask(site.address, &issued.root, &request).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.starts_with("__Secure-flowdeck_session=") && cookie.ends_with("; Secure"), "{cookie}");
    // The theme's, too, without a proxy and its `public_url`.
    let request = format!("{}Content-Length: 10\r\n\r\ntheme=dark", head.replace("/login", "/theme"));
    let answer = ask(site.address, &issued.root, &request).await;
    let theme = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(theme.starts_with("flowdeck_theme=dark; ") && theme.ends_with("; Secure"), "{theme}");
    // Over HTTP/2, where a browser may send each cookie in a field of its own.
    let (mut sender, _) = http2(&site, &issued, 65_535).await;
    let mut request = http2_get("/api/v1/groups");
    for cookie in ["flowdeck_theme=dark", cookie.split(';').next().unwrap()] {
        request.headers_mut().append("cookie", cookie.parse().unwrap());
    }
    assert_eq!(sender.send_request(request).await.unwrap().status(), StatusCode::OK);
}

/// All that comes until the server ends it.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut all = vec![];
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut all)).await;
    // An end by a reset is one, too.
    let _ = read.expect("the server ends it");
    all
}

#[tokio::test]
async fn slow_or_missing_tls_handshake_is_disconnected() {
    let issued = Issued::new();
    let mut bounded = options();
    bounded.limits.head_seconds = 1;
    let site = start(bounded, &issued).await;
    // Plain HTTP.
    let mut plain = TcpStream::connect(site.address).await.unwrap();
    plain.write_all(get("/kafkaflow", "localhost").as_bytes()).await.unwrap();
    let answer = rest(plain).await;
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
    // Nothing at all, and half of a greeting.
    for begun in [&b""[..], &[22, 3, 1, 2, 0, 1, 0]] {
        // The server's second begins after this.
        let start = std::time::Instant::now();
        let mut slow = TcpStream::connect(site.address).await.unwrap();
        slow.write_all(begun).await.unwrap();
        let (answer, took) = (rest(slow).await, start.elapsed());
        assert!(answer.is_empty() && took >= Duration::from_millis(900), "{answer:?} {took:?}");
    }
    // Others never noticed.
    let page = ask(site.address, &issued.root, &get("/kafkaflow", "localhost")).await;
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
}

#[tokio::test]
async fn idle_or_stalled_http2_client_is_disconnected() {
    let issued = Issued::new();
    let mut bounded = options();
    (bounded.limits.head_seconds, bounded.limits.stall_seconds) = (2, 2);
    bounded.limits.streams_per_client = 1;
    let site = start(bounded, &issued).await;
    for number in 0..200 {
        site.memory.set_lag(&format!("{number}-{}", "x".repeat(200)), 1);
    }
    let (_sender, idle) = http2(&site, &issued, 65_535).await;
    let (mut sender, deaf) = http2(&site, &issued, 1_024).await;
    let taken = sender.send_request(http2_get("/events?view=fleet&limit=200")).await.unwrap();
    assert_eq!(taken.status(), StatusCode::OK);
    let (mut reader, reads) = http2(&site, &issued, 65_535).await;
    let refused = reader.send_request(http2_get("/events?view=fleet&limit=1")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    for (who, ended) in [("idle", idle), ("deaf", deaf)] {
        tokio::time::timeout(LONG, ended).await.unwrap_or_else(|_| panic!("the {who} one is cut")).unwrap();
    }
    drop((taken, reads));
    let (mut reader, reads) = http2(&site, &issued, 65_535).await;
    let mut stream = reader.send_request(http2_get("/events?view=fleet&limit=1")).await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK, "the slot of the client that does not read");
    // Who reads what it asked for stays, however long.
    let until = tokio::time::Instant::now() + Duration::from_secs(5);
    while tokio::time::Instant::now() < until {
        let frame = http_body_util::BodyExt::frame(stream.body_mut());
        assert!(tokio::time::timeout(LONG, frame).await.unwrap().unwrap().is_ok());
    }
    assert!(!reads.is_finished());
}

#[tokio::test]
async fn shutdown_with_open_http2_streams_takes_seconds() {
    let issued = Issued::new();
    let mut site = start(options(), &issued).await;
    let (mut sender, ended) = http2(&site, &issued, 65_535).await;
    let stream = sender.send_request(http2_get("/events?view=fleet")).await.unwrap();
    let _mute = TcpStream::connect(site.address).await.unwrap();
    site.shutdown.cancel();
    let all = axum::body::to_bytes(Body::new(stream.into_body()), 1 << 20).await.unwrap();
    assert!(String::from_utf8_lossy(&all).contains(r#"{"reason":"shutdown"}"#));
    tokio::time::timeout(Duration::from_secs(5), &mut site.ended).await.expect("an end").unwrap();
    tokio::time::timeout(LONG, ended).await.expect("the connection ends, too").unwrap();
}

#[tokio::test]
async fn new_certificate_is_used_for_new_connections() {
    let issued = Issued::new();
    let tls = issued.tls();
    let site = Listening::secured(options(), tls.clone()).await;
    let before = connect(site.address, &issued.root, &[H1], rustls::ALL_VERSIONS).await.unwrap();
    let renewed = issue(&issued.files);
    tls.show(Certificate::read(&issued.files).unwrap());
    let old = connect(site.address, &issued.root, &[H1], rustls::ALL_VERSIONS).await;
    assert!(old.is_err(), "the old one is not shown any more");
    let page = ask(site.address, &renewed, &get("/kafkaflow", "localhost")).await;
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    // Who is connected stays.
    let mut before = before;
    before.write_all(get("/kafkaflow", "localhost").as_bytes()).await.unwrap();
    let mut answer = vec![];
    before.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
}

fn refused(certificate: &Path, key: &Path) -> String {
    let files = TlsFiles { certificate: certificate.to_owned(), key: key.to_owned() };
    let error = Certificate::read(&files).err().expect("it cannot be used");
    format!("{:#}", anyhow::Error::from(error))
}

#[test]
fn unusable_tls_files_are_named() {
    let (issued, other) = (Issued::new(), Issued::new());
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (empty, missing) = (write("empty", "\n"), folder.path().join("missing"));
    let broken = write("broken", "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n");
    let locked =
        write("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let (certificate, key) = (&issued.files.certificate, &issued.files.key);
    for (certificate, key, words) in [
        (certificate, &other.files.key, "does not belong to the certificate in"),
        (&missing, key, "tls.certificate: "),
        (certificate, &missing, "tls.key: "),
        (&missing, key, "could not be read: No such file"),
        (&empty, key, "holds no certificate"),
        (key, key, "holds no certificate"),
        (&broken, key, "is no PEM file"),
        (certificate, &empty, "holds no key"),
        (certificate, certificate, "holds no key"),
        (certificate, &locked, "is encrypted"),
    ] {
        let said = refused(certificate, key);
        assert!(said.contains(words), "{said}\n{words}");
        let wrong =
            if words.contains("certificate") && !words.contains("belong") { certificate } else { key };
        assert!(
            said.contains(wrong.to_str().unwrap()) || said.contains("broken") || said.contains("missing"),
            "{said}"
        );
        assert!(!said.contains("BEGIN PRIVATE") || said.contains("holds no key"), "{said}");
    }
}

#[test]
fn world_readable_key_is_reported() {
    use std::os::unix::fs::PermissionsExt as _;
    let issued = Issued::new();
    assert_eq!(exposed_key(&issued.files), None);
    std::fs::set_permissions(&issued.files.key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = exposed_key(&issued.files).unwrap();
    assert!(said.contains(issued.files.key.to_str().unwrap()) && said.contains("chmod"), "{said}");
}

#[test]
fn tls_files_are_checked_and_reloaded() {
    let (issued, other) = (Issued::new(), Issued::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowdeck.toml");
    let config = path.to_str().unwrap();
    let write = |key: &Path| {
        let text = format!("[tls]\ncertificate = {:?}\nkey = {key:?}\n", issued.files.certificate);
        std::fs::write(&path, text).unwrap();
    };
    write(&other.files.key);
    let words = format!("tls.key: {} does not belong to", other.files.key.display());
    let output = command(&["serve", "--listen", "127.0.0.1:0", "--config", config]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.lines().last().unwrap().contains(&words), "{said}");
    let output = command(&["serve", "--check", "--config", config]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && said.contains(&words), "{said}");

    write(&issued.files.key);
    let (mut program, line) = start_program(&["serve", "--listen", "127.0.0.1:0", "--config", config]);
    let said = line.trim().strip_prefix("Flowdeck: https://").unwrap_or_else(|| panic!("{line:?}"));
    let address: SocketAddr = said.split('/').next().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shows = |root: &CertificateDer<'static>| {
        runtime.block_on(connect(address, root, &[H1], rustls::ALL_VERSIONS)).is_ok()
    };
    let page = runtime.block_on(ask(address, &issued.root, &get("/kafkaflow", "localhost")));
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    // What cannot be used changes nothing.
    let key = std::fs::read(&issued.files.key).unwrap();
    std::fs::copy(&other.files.key, &issued.files.key).unwrap();
    signal(&program, "HUP");
    program.logs("was not read again");
    assert!(shows(&issued.root));
    std::fs::write(&issued.files.key, key).unwrap();
    let renewed = issue(&issued.files);
    signal(&program, "HUP");
    let begun = std::time::Instant::now();
    while !shows(&renewed) {
        assert!(begun.elapsed() < LONG, "the renewed one is not shown");
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(&program, "TERM");
    assert!(wait(&mut program, Duration::from_secs(5)).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn health_command_works_over_http_and_https() {
    let (issued, nobody) = (Issued::new(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let plain = Listening::start(options()).await;
    let secured = start(options(), &issued).await;
    // Takes connections and says nothing.
    let silent = nobody.local_addr().unwrap();
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for (address, fails) in [
        (plain.address, None),
        (secured.address, None),
        (silent, Some("gives no answer, by HTTP or HTTPS")),
        (gone, Some("nobody listens on")),
    ] {
        // As the image says it: everywhere on this machine.
        let everywhere = format!("0.0.0.0:{}", address.port());
        let mut health = command(&["health"]);
        health.env("FLOWDECK_LISTEN", everywhere);
        let started = std::time::Instant::now();
        let output = tokio::task::spawn_blocking(move || health.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), fails.is_none(), "{address}: {said}");
        assert!(said.contains(fails.unwrap_or_default()), "{said}");
        assert!(started.elapsed() < LONG);
    }
}
