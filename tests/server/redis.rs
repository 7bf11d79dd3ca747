//! Sessions in Redis: two replicas that share one store, and a store that goes away and comes back.
//! The store here speaks as much of Redis' protocol as sessions need; with
//! `FLOWDECK_TEST_REDIS=redis://HOST:PORT` the first test asks a real one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck::auth::{Auth, AuthRequest, CookieScope, Ended, KeepAlive};
use flowdeck_control::Audit;
use flowdeck_model::Via;
use http::StatusCode;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::people::{PASSWORD, log_in, settings_with, try_log_in, with};
use crate::support::{Site, form, get, options, site_with};
use crate::tls::Issued;

type Records = Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>;

/// Dropped: it is gone, its connections too; what it held stays with `records`.
struct Redis {
    address: SocketAddr,
    stop: CancellationToken,
    /// Its port stays its own while it cannot be reached: a test beside this one could get it else.
    reached: watch::Sender<bool>,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Redis {
    async fn start(records: &Records) -> Self {
        Self::with(records, None).await
    }

    /// One that speaks TLS, if `tls` says so.
    async fn with(records: &Records, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop, records) =
            (listener.local_addr().unwrap(), CancellationToken::new(), records.clone());
        let (until, reached) = (stop.clone(), watch::Sender::new(true));
        let seen = reached.subscribe();
        tokio::spawn(until.clone().run_until_cancelled_owned(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (records, tls, mut seen) = (records.clone(), tls.clone(), seen.clone());
                let served = async move {
                    match tls {
                        None => serve(stream, records).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, records).await;
                            }
                        }
                    }
                };
                tokio::spawn(until.clone().run_until_cancelled_owned(async move {
                    tokio::select! {
                        biased;
                        _ = seen.wait_for(|reached| !reached) => {}
                        () = served => {}
                    }
                }));
            }
        }));
        Self { address, stop, reached }
    }

    /// Every connection ends, and each new one at once.
    fn go_away(&self) {
        self.reached.send_replace(false);
    }

    fn come_back(&self) {
        self.reached.send_replace(true);
    }
}

trait Wire: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Wire for T {}

async fn serve(stream: impl Wire, records: Records) {
    let mut stream = BufReader::new(stream);
    while let Some(words) = command(&mut stream).await {
        let answer = answer(&words, &records);
        if stream.get_mut().write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`
async fn command(stream: &mut BufReader<impl Wire>) -> Option<Vec<Vec<u8>>> {
    let mut words = vec![];
    for _ in 0..number(stream, '*').await? {
        let mut word = vec![0; number(stream, '$').await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(word);
    }
    Some(words)
}

async fn number(stream: &mut BufReader<impl Wire>, kind: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(kind)?.parse().ok()
}

fn answer(words: &[Vec<u8>], records: &Records) -> Vec<u8> {
    let mut records = records.lock().unwrap();
    let has = |option: &[u8]| words[3..].iter().any(|word| word.eq_ignore_ascii_case(option));
    let bulk = |text: &[u8]| [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
    match words[0].to_ascii_uppercase().as_slice() {
        b"SET" => {
            assert!(has(b"EXAT"), "every record has its time");
            let there = records.contains_key(&words[1]);
            if (has(b"NX") && there) || (has(b"XX") && !there) {
                return b"$-1\r\n".to_vec();
            }
            records.insert(words[1].clone(), words[2].clone());
            b"+OK\r\n".to_vec()
        }
        b"GET" => records.get(&words[1]).map_or_else(|| b"$-1\r\n".to_vec(), |value| bulk(value)),
        b"DEL" => format!(":{}\r\n", usize::from(records.remove(&words[1]).is_some())).into_bytes(),
        b"PING" => b"+PONG\r\n".to_vec(),
        b"INFO" => bulk(b"redis_version:7.0.0\r\n"),
        _ => b"+OK\r\n".to_vec(),
    }
}

async fn replica(url: &str) -> (Site, CancellationToken) {
    replica_with(&format!("[session]\nredis = {url:?}\n")).await
}

async fn replica_with(redis: &str) -> (Site, CancellationToken) {
    let stop = CancellationToken::new();
    let settings = settings_with(&[("ana", "admin"), ("vera", "viewer")], &[], redis);
    let auth = Auth::open(settings, CookieScope::new("/kafkaflow", false), stop.clone(), Audit::log_alone())
        .await
        .unwrap();
    (site_with(flowdeck::Options { authenticator: Arc::new(auth), ..options() }), stop)
}

async fn status(site: &Site, cookie: &str) -> StatusCode {
    site.ask(with(get("/kafkaflow/api/v1/groups"), "cookie", cookie)).await.status
}

#[tokio::test]
async fn two_replicas_share_sessions() {
    let records = Records::default();
    let own = Redis::start(&records).await;
    let url = std::env::var("FLOWDECK_TEST_REDIS").unwrap_or_else(|_| format!("redis://{}/0", own.address));
    let ((one, _), (two, _)) = (replica(&url).await, replica(&url).await);
    let ana = [log_in(&one.router, "ana").await, log_in(&two.router, "ana").await];
    let vera = log_in(&one.router, "vera").await;
    for site in [&one, &two] {
        for cookie in ana.iter().chain([&vera]) {
            assert_eq!(status(site, cookie).await, StatusCode::OK);
        }
    }
    two.ask(with(form("/kafkaflow/logout", &[]), "cookie", &vera)).await;
    assert_eq!(status(&one, &vera).await, StatusCode::UNAUTHORIZED);
    one.ask(with(form("/kafkaflow/logout-everywhere", &[]), "cookie", &ana[0])).await;
    for (site, cookie) in [(&one, &ana[0]), (&one, &ana[1]), (&two, &ana[0]), (&two, &ana[1])] {
        assert_eq!(status(site, cookie).await, StatusCode::UNAUTHORIZED);
    }
    let again = log_in(&two.router, "ana").await;
    assert_eq!(status(&one, &again).await, StatusCode::OK);
    for record in records.lock().unwrap().values() {
        let text = String::from_utf8_lossy(record);
        assert!(!text.contains("argon2") && !text.contains(PASSWORD), "{text}");
    }
}

#[tokio::test]
async fn redis_outage_refuses_log_ins_until_it_ends() {
    let records = Records::default();
    let redis = Redis::start(&records).await;
    let (site, _) = replica(&format!("redis://{}/0", redis.address)).await;
    let ana = log_in(&site.router, "ana").await;
    assert_eq!(status(&site, &ana).await, StatusCode::OK);

    redis.go_away();
    let refused = tokio::time::timeout(Duration::from_secs(4), status(&site, &ana)).await;
    assert_eq!(refused.expect("there is a deadline"), StatusCode::SERVICE_UNAVAILABLE);
    let page = site.ask(with(get("/kafkaflow"), "cookie", &ana)).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "not to the log-in: nobody could come in there");
    assert_eq!(try_log_in(&site.router, "ana", PASSWORD).await.status, StatusCode::SERVICE_UNAVAILABLE);

    redis.come_back();
    let back = async {
        while status(&site, &ana).await != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("the session is there again");
}

/// The file says that the user is removed; no answer of the store is needed for it.
#[tokio::test]
async fn removed_user_loses_stream_during_redis_outage() {
    let redis = Redis::start(&Records::default()).await;
    let table = format!("[session]\nredis = \"redis://{}/0\"\n", redis.address);
    let users = [("ana", "admin"), ("vera", "viewer")];
    let cookies = CookieScope::new("/kafkaflow", false);
    let auth =
        Auth::open(settings_with(&users, &[], &table), cookies, CancellationToken::new(), Audit::log_alone())
            .await;
    let auth = auth.unwrap();
    let site = site_with(flowdeck::Options { authenticator: Arc::new(auth.clone()), ..options() });
    let stream = async |name| {
        let cookie = log_in(&site.router, name).await;
        let headers = [(http::header::COOKIE, cookie.parse().unwrap())].into_iter().collect();
        let (via, extensions) = (Via::Page, http::Extensions::new());
        let request = AuthRequest {
            headers: &headers,
            extensions: &extensions,
            via,
            address: None,
            keep_alive: KeepAlive::No,
        };
        auth.authenticate(request).await.unwrap().ticket
    };
    let (ana, vera) = (stream("ana").await, stream("vera").await);
    redis.go_away();
    assert!(auth.reload(settings_with(&users[1..], &[], &table)));
    assert_eq!(auth.still_valid(&ana).await, Err(Ended::AccountChanged));
    assert_eq!(auth.still_valid(&vera).await, Err(Ended::Unavailable));
    redis.come_back();
    let back = async {
        while auth.still_valid(&vera).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("the session is valid again");
}

#[tokio::test]
async fn redis_certificate_is_verified() {
    let (issued, unknown) = (Issued::new(), Issued::new());
    let records = Records::default();
    let redis = Redis::with(&records, Some(issued.acceptor())).await;
    let session = |ca: &Issued| {
        let (address, ca) = (redis.address, &ca.files.certificate);
        format!("[session]\nredis = \"rediss://localhost:{}/0\"\nredis_ca = {ca:?}\n", address.port())
    };
    let (one, _) = replica_with(&session(&issued)).await;
    let (two, _) = replica_with(&session(&issued)).await;
    let ana = log_in(&one.router, "ana").await;
    assert_eq!(status(&two, &ana).await, StatusCode::OK);
    assert!(!records.lock().unwrap().is_empty());
    let (deceived, _) = replica_with(&session(&unknown)).await;
    assert_eq!(try_log_in(&deceived.router, "ana", PASSWORD).await.status, StatusCode::SERVICE_UNAVAILABLE);
}
