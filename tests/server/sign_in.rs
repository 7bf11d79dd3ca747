//! Signing in and out, from outside: with raw requests, and with streams on a real listener.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use flowdeck::auth::{Auth, CookieScope};
use flowdeck_model::{ActorKind, Timestamp};
use http::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tracing_subscriber::fmt::MakeWriter;

use crate::people::{PASSWORD, People, cookie_of, log_in, settings, try_log_in, with};
use crate::support::{Listening, form, get, options, post, site_with};

async fn people() -> People {
    People::new(settings(&[("ana", "admin"), ("vera", "viewer")], &[])).await
}

#[tokio::test]
async fn deep_link_survives_log_in() {
    let people = people().await;
    let site = site_with(people.options());
    let deep = "/kafkaflow/c/demo/groups/payments?topic=orders&x=a%20b";
    let refused = site.get(deep).await;
    assert_eq!(refused.status, StatusCode::SEE_OTHER);
    let to_form = refused.header("location").to_owned();
    assert!(to_form.starts_with("/kafkaflow/login?next="), "{to_form}");

    let page = site.get(&to_form).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("<form method=\"post\" action=\"/kafkaflow/login\""), "{}", page.body);
    let hidden = "name=\"next\" value=\"/kafkaflow/c/demo/groups/payments?topic=orders&amp;x=a%20b\"";
    assert!(page.body.contains(hidden), "{}", page.body);
    assert!(!page.body.contains(">payments<"), "nobody sees no group");

    let done =
        site.ask(form("/kafkaflow/login", &[("next", deep), ("name", "ana"), ("password", PASSWORD)])).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, deep));
    let set = done.header("set-cookie");
    assert!(set.ends_with("; Path=/kafkaflow; HttpOnly; SameSite=Lax"), "{set}");
    let page = site.ask(with(get(deep), "cookie", &cookie_of(&done))).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Signed in as ana") && page.body.contains("action=\"/kafkaflow/logout\""));
    let actor = site.memory.last_actor().view;
    assert_eq!((actor.name.as_str(), actor.kind), ("ana", ActorKind::User));
    // Who is signed in is not asked again.
    let form_again = site.ask(with(get(&to_form), "cookie", &cookie_of(&done))).await;
    assert_eq!((form_again.status, form_again.header("location")), (StatusCode::SEE_OTHER, deep));
}

#[tokio::test]
async fn a_log_in_leads_nowhere_else() {
    let people = people().await;
    let site = site_with(people.options());
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/kafkaflow/../evil",
        "/other",
        "/kafkaflow/login",
    ] {
        let fields = [("next", next), ("name", "ana"), ("password", PASSWORD)];
        let done = site.ask(form("/kafkaflow/login", &fields)).await;
        assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/kafkaflow"), "{next}");
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        let page = site.get(&format!("/kafkaflow/login?{query}")).await;
        assert!(page.body.contains("name=\"next\" value=\"/kafkaflow\""), "{next}");
    }
}

#[tokio::test]
async fn form_without_session_leads_back_to_its_page() {
    let people = people().await;
    let site = site_with(people.options());
    let request = form("/kafkaflow/c/demo/commands", &[("group", "payments"), ("action", "pause")]);
    let referer = "http://localhost:8077/kafkaflow/c/demo/groups/payments";
    let answer = site.ask(with(request, "referer", referer)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(
        answer.header("location"),
        "/kafkaflow/login?next=%2Fkafkaflow%2Fc%2Fdemo%2Fgroups%2Fpayments"
    );
    assert!(site.memory.submitted().is_empty());
}

#[tokio::test]
async fn what_does_not_fit_is_said_in_one_way_and_waits_grow() {
    let people = people().await;
    let site = site_with(people.options());
    for (name, password) in [("ana", "wrong"), ("nobody", PASSWORD), ("<script>", "x")] {
        let answer = try_log_in(&site.router, name, password).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
        assert!(answer.body.contains("This name and password do not belong together."));
        assert!(!answer.body.contains("<script>\"") && !answer.body.contains(password) || password == "x");
        assert!(answer.header("set-cookie").is_empty());
    }
    let mut last = try_log_in(&site.router, "ana", "wrong").await;
    for _ in 0..10 {
        if last.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        last = try_log_in(&site.router, "ana", "wrong").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = last.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert!(last.body.contains(&format!("wait {wait} s")), "{}", last.body);
    // No lock-out: after the wait the right password works, and others never waited.
    assert_eq!(try_log_in(&site.router, "vera", PASSWORD).await.status, StatusCode::SEE_OTHER);
    let again = async {
        while try_log_in(&site.router, "ana", PASSWORD).await.status != StatusCode::SEE_OTHER {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again)
        .await
        .expect("the right password works after the wait");
}

#[tokio::test]
async fn cross_site_log_in_is_refused() {
    let people = people().await;
    let site = site_with(people.options());
    let fields = [("name", "ana"), ("password", PASSWORD)];
    for (header, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for path in ["/kafkaflow/login", "/kafkaflow/logout", "/kafkaflow/logout-everywhere"] {
            let answer = site.ask(with(form(path, &fields), header, value)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {header}: {value}");
            assert!(answer.header("set-cookie").is_empty());
        }
    }
}

#[tokio::test]
async fn session_fixation_over_http_is_prevented() {
    let people = people().await;
    let site = site_with(people.options());
    let planted = log_in(&site.router, "vera").await;
    let victim = form("/kafkaflow/login", &[("name", "ana"), ("password", PASSWORD)]);
    let done = site.ask(with(victim, "cookie", &planted)).await;
    assert_ne!(cookie_of(&done), planted);
    let api = |cookie: &str| with(get("/kafkaflow/api/v1/groups"), "cookie", cookie);
    assert_eq!(site.ask(api(&planted)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(site.ask(api(&cookie_of(&done))).await.status, StatusCode::OK);
    // Two cookies of one name: one of them is not ours.
    let both = format!("{planted}; {}", cookie_of(&done));
    assert_eq!(site.ask(api(&both)).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn log_out_and_log_out_everywhere() {
    let people = people().await;
    let site = site_with(people.options());
    let sessions = [
        log_in(&site.router, "ana").await,
        log_in(&site.router, "ana").await,
        log_in(&site.router, "ana").await,
    ];
    let vera = log_in(&site.router, "vera").await;
    let status =
        async |cookie: &str| site.ask(with(get("/kafkaflow/api/v1/groups"), "cookie", cookie)).await.status;
    let out = site.ask(with(form("/kafkaflow/logout", &[]), "cookie", &sessions[0])).await;
    assert_eq!((out.status, out.header("location")), (StatusCode::SEE_OTHER, "/kafkaflow/login"));
    assert!(out.header("set-cookie").starts_with("flowdeck_session=; Max-Age=0; Path=/kafkaflow"));
    assert_eq!(status(&sessions[0]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&sessions[1]).await, StatusCode::OK);
    site.ask(with(form("/kafkaflow/logout-everywhere", &[]), "cookie", &sessions[1])).await;
    for session in &sessions {
        assert_eq!(status(session).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(status(&vera).await, StatusCode::OK);
}

#[tokio::test]
async fn the_api_says_how_to_come_in() {
    let people = people().await;
    let site = site_with(people.options());
    let answer = site.get("/kafkaflow/api/v1/groups").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"Flowdeck\"");
    assert_eq!(answer.json()["type"], "urn:flowdeck:problem:unauthorized");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    // A wrong token is said to a script, which no form helps.
    let page = site.ask(with(get("/kafkaflow"), "authorization", "Bearer wrong")).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(page.body.contains("not known here"), "{}", page.body);
}

/// A browser's EventSource sees no status, and a function's caller wants what it can read.
#[tokio::test]
async fn open_page_learns_of_log_out() {
    let people = people().await;
    let site = site_with(people.options());
    let stream = with(get("/kafkaflow/events?view=fleet"), "accept", "text/event-stream");
    let answer = site.ask(stream).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/event-stream"));
    assert_eq!(answer.body.trim_end(), "event: bye\ndata: {\"reason\":\"expired\"}");
    let answer = site.get("/kafkaflow/fn/fleet?query=").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::UNAUTHORIZED, "\"noActor\""));
    assert_eq!(serde_json::from_str::<app::PageError>(&answer.body).unwrap(), app::PageError::NoActor);
}

#[tokio::test]
async fn https_cookie_is_secure() {
    for (base, want) in [("/kafkaflow", "__Secure-flowdeck_session="), ("", "__Host-flowdeck_session=")] {
        let people = People::at(settings(&[("ana", "admin")], &[]), CookieScope::new(base, true)).await;
        let site = site_with(flowdeck::Options { base: base.parse().unwrap(), ..people.options() });
        let fields = [("name", "ana"), ("password", PASSWORD)];
        let done = site.ask(form(&format!("{base}/login"), &fields)).await;
        let set = done.header("set-cookie");
        assert!(set.starts_with(want) && set.ends_with("; Secure"), "{set}");
        let page =
            site.ask(with(get(if base.is_empty() { "/" } else { base }), "cookie", &cookie_of(&done))).await;
        assert_eq!(page.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn mode_none_has_no_log_in_form() {
    let site = site_with(flowdeck::Options { authenticator: Arc::new(Auth::none()), ..options() });
    let page = site.get("/kafkaflow/login").await;
    assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, "/kafkaflow"));
    for path in ["/kafkaflow/login", "/kafkaflow/logout", "/kafkaflow/logout-everywhere"] {
        assert_eq!(site.ask(form(path, &[])).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(!site.get("/kafkaflow").await.body.contains("Log out"));
}

struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(site: &Listening, header: (&str, &str)) -> Self {
        let request = reqwest::Client::new().get(site.url("/events?view=fleet")).header(header.0, header.1);
        let response = request.header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self { response, text: String::new() }
    }

    /// Until a beat that the server gave after this moment: it goes on.
    async fn beats(mut self) {
        let begun = Timestamp::from_system(SystemTime::now());
        let beats = async {
            loop {
                let mut events = self.text.split_inclusive("\n\n").filter(|event| event.ends_with("\n\n"));
                let late = events.any(|event| {
                    let beat = event.strip_prefix("event: beat\ndata: ").map(serde_json::from_str::<Value>);
                    let now = beat.map(|beat| beat.unwrap()["now"].as_str().unwrap().parse::<Timestamp>());
                    now.is_some_and(|now| now.unwrap() > begun)
                });
                if late {
                    return;
                }
                let chunk = self.response.chunk().await.unwrap().expect("the stream goes on");
                self.text.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        tokio::time::timeout(Duration::from_secs(20), beats).await.expect("a beat");
    }

    /// All that comes until the server ends it.
    async fn into_rest(mut self) -> String {
        while let Some(chunk) = self.response.chunk().await.unwrap() {
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
        self.text
    }
}

/// Streams are checked every 15 s, so all that can end one is tried at once.
#[tokio::test]
async fn ended_session_ends_its_streams() {
    let (token, hash) = flowdeck::auth::new_token();
    let users = [("ana", "admin"), ("vera", "viewer"), ("olaf", "operator")];
    let people = People::new(settings(&users, &[(&hash, "viewer")])).await;
    let listening = Listening::start(people.options()).await;
    let local = site_with(people.options());
    let vera = log_in(&local.router, "vera").await;
    people.pass_minutes(20);
    let ana = log_in(&local.router, "ana").await;
    let olaf = log_in(&local.router, "olaf").await;
    let bearer = format!("Bearer {token}");
    let ends = [
        Stream::open(&listening, ("cookie", &vera)).await,
        Stream::open(&listening, ("cookie", &ana)).await,
        Stream::open(&listening, ("authorization", &bearer)).await,
    ];
    let goes_on = Stream::open(&listening, ("cookie", &olaf)).await;

    // vera's session expires (30 min idle; a stream does not keep it alive), ana logs out everywhere from
    // another browser, the token is revoked.
    people.pass_minutes(10);
    let elsewhere = log_in(&local.router, "ana").await;
    local.ask(with(form("/kafkaflow/logout-everywhere", &[]), "cookie", &elsewhere)).await;
    assert!(people.auth.reload(settings(&users, &[])));

    let all = futures::future::join_all(ends.map(Stream::into_rest));
    let all =
        tokio::time::timeout(Duration::from_secs(25), all).await.expect("each stream ends within a check");
    for text in all {
        assert!(
            text.contains("event: snapshot") && text.trim_end().ends_with("data: {\"reason\":\"expired\"}"),
            "{text}"
        );
    }
    goes_on.beats().await;
    let api =
        async |name, value: &str| local.ask(with(get("/kafkaflow/api/v1/groups"), name, value)).await.status;
    assert_eq!(api("cookie", &vera).await, StatusCode::UNAUTHORIZED);
    assert_eq!(api("cookie", &ana).await, StatusCode::UNAUTHORIZED);
    assert_eq!(api("authorization", &bearer).await, StatusCode::UNAUTHORIZED);
    assert_eq!(api("cookie", &olaf).await, StatusCode::OK);
}

/// A user looks at the newest tabs. Other users, also those with the same address, keep theirs.
#[tokio::test]
async fn newest_stream_of_a_session_replaces_its_oldest_over_http() {
    let people = people().await;
    let mut options = people.options();
    (options.limits.streams_per_session, options.limits.streams_per_client) = (2, 1);
    let listening = Listening::start(options).await;
    let local = site_with(people.options());
    let (ana, vera) = (log_in(&local.router, "ana").await, log_in(&local.router, "vera").await);
    let open = async |cookie: &str| Stream::open(&listening, ("cookie", cookie)).await;
    let [first, theirs, second] = [open(&ana).await, open(&vera).await, open(&ana).await];
    let third = open(&ana).await;
    let text = tokio::time::timeout(Duration::from_secs(10), first.into_rest()).await.expect("its end");
    assert!(text.trim_end().ends_with("event: bye\ndata: {\"reason\":\"replaced\"}"), "{text}");
    futures::future::join_all([theirs, second, third].map(Stream::beats)).await;
    let metrics = reqwest::Client::new().get(format!("http://{}/metrics", listening.address));
    let metrics = metrics.header("cookie", &ana).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("flowdeck_streams_replaced_total 1\n"), "{metrics}");
}

/// What was replaced and is not read is still there: it is counted, and there are not many of it.
#[tokio::test]
async fn unread_streams_are_limited() {
    let people = people().await;
    let mut options = people.options();
    options.limits.streams_per_session = 2;
    let listening = Listening::start(options).await;
    let local = site_with(people.options());
    let ana = log_in(&local.router, "ana").await;
    // Long names fill the buffers between us with the first event.
    for number in 0..1_000 {
        listening.memory.set_lag(&format!("{number}-{}", "x".repeat(4_000)), 1);
    }
    let (mut deaf, mut answers) = (vec![], vec![]);
    for _ in 0..6 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = socket.connect(listening.address).await.unwrap();
        let head = format!(
            "GET /kafkaflow/events?view=fleet&limit=1000 HTTP/1.1\r\nHost: localhost\r\nCookie: {ana}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        answers.push(String::from_utf8_lossy(&first).into_owned());
        deaf.push(stream);
    }
    let metrics = async || {
        let request = reqwest::Client::new().get(format!("http://{}/metrics", listening.address));
        request.header("cookie", &ana).send().await.unwrap().text().await.unwrap()
    };
    let [taken, refused] = ["HTTP/1.1 200", "HTTP/1.1 429"];
    assert_eq!(answers, [taken, taken, taken, taken, refused, refused]);
    assert!(metrics().await.contains("flowdeck_streams_open 4\n"), "all that are there");
    // Once they have left, the next one is let in.
    deaf.clear();
    let come = async {
        while !metrics().await.contains("flowdeck_streams_open 0\n") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), come).await.expect("streams open again");
    Stream::open(&listening, ("cookie", &ana)).await;
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// For the whole program: a subscriber of one thread misses what others met first. All tests write
/// here, so lines are told apart by name, and a secret of any of them would be found.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer(log.clone());
    tracing::subscriber::set_global_default(subscriber.finish()).expect("no other test sets one");
    log
});

#[tokio::test]
async fn audit_has_no_secrets() {
    let log = &*LOG;
    let people = People::new(settings(&[("audited", "admin")], &[])).await;
    let site = site_with(people.options());
    try_log_in(&site.router, "audited\n\u{1b}[2J", "hunter2-hunter2").await;
    let session = log_in(&site.router, "audited").await;
    site.ask(with(get("/kafkaflow/api/v1/groups"), "authorization", "Bearer fdk_a-secret-token")).await;
    site.ask(with(post("/kafkaflow/logout", "text/plain", ""), "cookie", &session)).await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let audit = lines.filter(|line| line["target"] == "audit").map(|line| {
        let field = |name: &str| line["fields"][name].as_str().unwrap_or_default().to_owned();
        (field("event"), field("outcome"), field("actor.name") + &field("actor.claimed"))
    });
    let audit: Vec<_> = audit.filter(|(_, _, name)| name.starts_with("audited")).collect();
    let want = [
        ("logIn", "refused", "audited\\u{a}\\u{1b}[2J"),
        ("logIn", "ok", "audited"),
        ("logOut", "ok", "audited"),
    ];
    assert_eq!(
        audit,
        want.map(|(event, outcome, name)| (event.to_owned(), outcome.to_owned(), name.to_owned()))
    );
    let id = session.split('=').nth(1).unwrap();
    for secret in [PASSWORD, "hunter2", "a-secret-token", id, "argon2"] {
        assert!(!text.contains(secret), "{secret} in the log");
    }
}
