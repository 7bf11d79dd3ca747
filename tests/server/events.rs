//! `/kafkaflow/events`: a client that applies what it gets has the view that the server has.

use std::net::SocketAddr;
use std::time::Duration;

use flowdeck_model::live::{Delta, apply};
use flowdeck_model::view::{CommandView, FleetView, GroupView, TailView};
use flowdeck_model::{Timestamp, url};
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::support::{Listening, form, get, options, site, site_with};

const LONG: Duration = Duration::from_secs(10);

struct Event {
    kind: String,
    id: String,
    data: String,
}

impl Event {
    fn view<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.data).unwrap()
    }
}

struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(site: &Listening, query: &str) -> Self {
        Self::open_at(site, &format!("/events?{query}")).await
    }

    async fn open_at(site: &Listening, path: &str) -> Self {
        let request = reqwest::Client::new().get(site.url(path));
        let response = request.header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(!response.headers().contains_key("content-encoding"));
        Self { response, text: String::new() }
    }

    /// `None`: the stream ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    lines.collect::<Vec<_>>().join("\n")
                };
                let event = Event { kind: field("event"), id: field("id"), data: field("data") };
                self.text = rest.to_owned();
                return Some(event);
            }
            let chunk =
                tokio::time::timeout(LONG, self.response.chunk()).await.expect("an event").unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next one that is no beat.
    async fn change(&mut self) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.kind != "beat" {
                return event;
            }
        }
    }
}

/// `now` differs with each reading.
fn still(view: FleetView) -> FleetView {
    FleetView { now: Timestamp::from_millis(0), ..view }
}

async fn fleet(site: &Listening) -> FleetView {
    reqwest::get(site.url("/api/v1/groups")).await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn snapshot_and_deltas_lead_to_server_state() {
    let site = Listening::start(options()).await;
    let mut stream = Stream::open(&site, "view=fleet").await;
    let first = stream.change().await;
    assert_eq!((first.kind.as_str(), first.id.as_str()), ("snapshot", "00000001-1"));
    let mut view: FleetView = first.view();
    for (group, lag) in
        [("payments", Some(8)), ("payments", Some(500)), ("new-group", Some(1)), ("orders", None)]
    {
        match lag {
            Some(lag) => site.memory.set_lag(group, lag),
            None => site.memory.remove(group),
        }
        let event = stream.change().await;
        assert_eq!(event.kind, "delta");
        let delta: Delta<FleetView> = event.view();
        assert_eq!(
            (event.id.clone(), delta.upsert.len()),
            (delta.version.to_string(), usize::from(lag.is_some()))
        );
        view = apply(&view, &delta).expect("the delta is for the view that the client has");
        assert_eq!(still(view.clone()), still(fleet(&site).await));
    }
}

#[tokio::test]
async fn current_client_gets_no_snapshot() {
    let site = Listening::start(options()).await;
    let mut stream = Stream::open(&site, "view=group&cluster=demo&group=payments&have=00000001-1").await;
    assert_eq!(stream.next().await.unwrap().kind, "beat");
    site.memory.set_lag("payments", 9);
    let event = stream.change().await;
    let delta: Delta<GroupView> = event.view();
    assert_eq!((delta.base.to_string().as_str(), delta.upsert.len()), ("00000001-1", 2));
    // From another replica, or too old: the whole.
    for have in ["00000002-1", "00000001-0", "nonsense"] {
        let mut stream = Stream::open(&site, &format!("view=fleet&have={have}")).await;
        assert_eq!(stream.change().await.kind, "snapshot", "{have}");
    }
}

#[tokio::test]
async fn unchanged_views_are_not_sent_and_changes_coalesce() {
    let site = Listening::start(options()).await;
    let mut stream = Stream::open(&site, "view=group&cluster=demo&group=payments").await;
    let view: GroupView = stream.change().await.view();
    for _ in 0..20 {
        site.memory.publish();
    }
    for lag in 10..60 {
        site.memory.set_lag("orders", lag);
        site.memory.set_lag("payments", lag);
    }
    let delta: Delta<GroupView> = stream.change().await.view();
    // The last state may come with the first event or, where it was read before, with the second.
    let mut view = apply(&view, &delta).unwrap();
    if view.row.lag != Some(59) {
        view = apply(&view, &stream.change().await.view()).unwrap();
    }
    assert_eq!(view.row.lag, Some(59));
}

#[tokio::test]
async fn names_are_encoded_as_in_paths() {
    let site = Listening::start(options()).await;
    for group in crate::memory::HOSTILE {
        let query = format!("view=group&cluster=demo&group={}", url::encode(group));
        let view: GroupView = Stream::open(&site, &query).await.change().await.view();
        assert_eq!(view.row.group.as_str(), group);
    }
}

#[tokio::test]
async fn a_command_is_always_whole() {
    let site = Listening::start(options()).await;
    let id = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
    let body = format!(r#"{{"id":"{id}","action":"pause","target":{{"group":"g"}},"reason":"x"}}"#);
    let client = reqwest::Client::new();
    let request =
        client.post(site.url("/api/v1/clusters/demo/commands")).header("content-type", "application/json");
    assert_eq!(request.body(body).send().await.unwrap().status(), 202);
    let mut stream = Stream::open(&site, &format!("view=command&cluster=demo&id={id}")).await;
    let event = stream.change().await;
    assert_eq!(event.kind, "snapshot");
    assert_eq!(event.view::<CommandView>().id.to_string(), id);
}

#[tokio::test]
async fn what_cannot_be_watched() {
    let site = site();
    for (query, status) in [
        ("", StatusCode::BAD_REQUEST),
        ("view=colour", StatusCode::BAD_REQUEST),
        ("view=fleet&limit=0", StatusCode::BAD_REQUEST),
        ("view=group&cluster=demo", StatusCode::BAD_REQUEST),
        ("view=group&cluster=demo&group=missing", StatusCode::NOT_FOUND),
        ("view=group&cluster=demo&group=a%2Fb", StatusCode::NOT_FOUND),
        ("view=command&cluster=demo&id=7", StatusCode::NOT_FOUND),
    ] {
        let answer = site.get(&format!("/kafkaflow/events?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn stream_of_deleted_group_ends_with_bye() {
    let site = Listening::start(options()).await;
    let mut stream = Stream::open(&site, "view=group&cluster=demo&group=payments").await;
    stream.change().await;
    site.memory.remove("payments");
    let bye = stream.change().await;
    assert_eq!((bye.kind.as_str(), bye.data.as_str()), ("bye", r#"{"reason":"gone"}"#));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn stream_limits_free_up_when_streams_close() {
    let mut bounded = options();
    bounded.limits.streams_per_client = 1;
    let site = Listening::start(bounded).await;
    let mut first = Stream::open(&site, "view=fleet").await;
    first.change().await;
    let mut second = Stream::open(&site, "view=fleet").await;
    let bye = second.next().await.unwrap();
    assert_eq!((bye.kind.as_str(), bye.data.as_str()), ("bye", r#"{"reason":"tooMany"}"#));
    assert!(second.next().await.is_none());
    // A program that is no EventSource sees a status.
    let refused = reqwest::get(site.url("/events?view=fleet")).await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"2".parse().unwrap()));
    drop(first);
    tokio::time::timeout(LONG, async {
        while reqwest::get(site.url("/events?view=fleet")).await.unwrap().status() != 200 {}
    })
    .await
    .expect("the slot of a closed stream");
}

#[tokio::test]
async fn shutdown_with_open_streams_takes_seconds() {
    let mut site = Listening::start(options()).await;
    let mut stream = Stream::open(&site, "view=fleet").await;
    stream.change().await;
    // A client that reads nothing, and one that never sends its head.
    let _deaf = Stream::open(&site, "view=fleet").await;
    let _mute = tokio::net::TcpStream::connect(site.address).await.unwrap();
    site.shutdown.cancel();
    let bye = stream.change().await;
    assert_eq!(bye.data, r#"{"reason":"shutdown"}"#);
    tokio::time::timeout(Duration::from_secs(5), &mut site.ended).await.expect("an end").unwrap();
    let address: SocketAddr = site.address;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

/// The server computes nothing for it and keeps nothing for it: its slot is free again.
#[tokio::test]
async fn client_that_reads_nothing_is_disconnected() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut bounded = options();
    bounded.limits.stall_seconds = 1;
    bounded.limits.streams_per_client = 1;
    let site = Listening::start(bounded).await;
    // Long names fill the buffers between us within some events.
    for number in 0..1_000 {
        site.memory.set_lag(&format!("{number}-{}", "x".repeat(4_000)), 1);
    }
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut deaf = socket.connect(site.address).await.unwrap();
    let head = "GET /kafkaflow/events?view=fleet&limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    deaf.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    deaf.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    tokio::time::timeout(LONG, async {
        while reqwest::get(site.url("/events?view=fleet&limit=1")).await.unwrap().status() != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the slot of a client that reads nothing");
}

#[tokio::test]
async fn open_streams_are_in_the_metrics() {
    let site = Listening::start(options()).await;
    let mut stream = Stream::open(&site, "view=fleet").await;
    stream.change().await;
    let metrics =
        reqwest::get(format!("http://{}/metrics", site.address)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("flowdeck_streams_open 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_stream_is_no_form() {
    let answer = site_with(options()).ask(form("/kafkaflow/events", &[])).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(site().ask(get("/kafkaflow/events/")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn topic_is_followed_with_what_was_left_out() {
    let site = Listening::start(options()).await;
    let mut stream =
        Stream::open_at(&site, "/api/v1/clusters/demo/topics/orders/messages/tail?limit=10").await;
    let first = stream.change().await;
    assert_eq!((first.kind.as_str(), first.id.as_str()), ("records", "offsets:42"));
    let view: TailView = first.view();
    assert_eq!((view.records.len(), view.left_out), (1, 0));
    let second: TailView = stream.change().await.view();
    assert_eq!((second.records.len(), second.left_out), (0, 1));
    for (path, status) in [
        ("/api/v1/clusters/demo/topics/orders/messages/tail?limit=0", 400),
        ("/api/v1/clusters/demo/topics/nothing/messages/tail", 404),
    ] {
        let answer = reqwest::get(site.url(path)).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
}
