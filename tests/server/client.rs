//! The command line that asks a running server: what it prints, and how it ends.

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use flowdeck::Server;
use flowdeck_model::PauseEnd;
use http::{Method, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::program::command;
use crate::support::{Listening, options, site};

pub(crate) async fn run(url: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = command(arguments);
    command.env("FLOWDECK_URL", url);
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let Output { status, stdout, stderr } = ran;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_json_of_what_is_there() {
    let server = Listening::start(options()).await;
    let url = server.url("");
    let (code, table, _) = run(&url, &["groups", "--search", "payments"]).await;
    assert_eq!(code, 0);
    let lines: Vec<&str> = table.lines().map(str::trim).collect();
    assert!(lines[0].starts_with("CLUSTER") && lines[0].contains("VERDICT"), "{table}");
    assert!(lines.iter().any(|line| line.starts_with("prod") && line.contains("1,000")), "{table}");

    let (code, json, _) = run(&url, &["groups", "--cluster", "demo", "--json"]).await;
    let fleet: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &fleet["groups"][0]["cluster"]), (0, &"demo".into()));

    let (code, lag, _) = run(&url, &["lag", "payments", "--cluster", "demo"]).await;
    assert_eq!(code, 0);
    assert!(lag.contains("orders") && lag.contains("Lag 7"), "{lag}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_lines_of_json() {
    let server = Listening::start(options()).await;
    let url = server.url("");
    let (code, lines, said) = run(&url, &["peek", "orders", "--cluster", "demo", "--partition", "3"]).await;
    assert_eq!(code, 0, "{said}");
    let records: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&records[0]["partition"], &records[0]["offset"]), (&3.into(), &41.into()));
    let (code, _, said) = run(&url, &["peek", "nothing", "--cluster", "demo"]).await;
    assert!(code == 4 && said.contains("nothing"), "{code}: {said}");
    let (code, _, said) = run(&url, &["peek", "orders", "--cluster", "demo", "--limit", "0"]).await;
    assert!(code == 2 && said.contains("limit"), "{code}: {said}");
    // As they come: the first lines, then whoever reads them leaves.
    let mut follow = command(&["peek", "orders", "--cluster", "demo", "--follow"]);
    let mut process = follow.env("FLOWDECK_URL", &url).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let out = process.stdout.take().unwrap();
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).map(|_| line)
    });
    let line = tokio::time::timeout(flowdeck_testkit::DEADLINE, line).await;
    process.kill().unwrap();
    process.wait().unwrap();
    let record: serde_json::Value = serde_json::from_str(&line.unwrap().unwrap().unwrap()).unwrap();
    assert_eq!(record["offset"], 41);
}

/// Bytes that would move the cursor or write over a line come from whoever names a group.
#[tokio::test(flavor = "multi_thread")]
async fn names_cannot_deceive_the_terminal() {
    let server = Listening::start(options()).await;
    server.memory.set_lag("\u{1b}[2Jcleared\u{202e}", 1);
    let (_, table, _) = run(&server.url(""), &["groups", "--search", "cleared"]).await;
    assert!(table.contains("cleared") && !table.contains(['\u{1b}', '\u{202e}']), "{table:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_shown_before_and_given() {
    let server = Listening::start(options()).await;
    let url = server.url("");
    let pause =
        ["pause", "payments", "--cluster", "demo", "--reason", "INC-1", "--topic", "orders", "--for", "15m"];
    let (code, preview, _) = run(&url, &[&pause[..], &["--dry-run"]].concat()).await;
    assert_eq!((code, preview.as_str()), (0, "- nothing is written here\n"));
    assert!(server.memory.submitted().is_empty());

    let (code, said, _) = run(&url, &pause).await;
    assert_eq!(code, 0);
    let submitted = server.memory.submitted();
    let [one] = submitted.as_slice() else { panic!("{submitted:?}") };
    assert_eq!((one.ends, one.reason.as_str()), (Some(PauseEnd::After(900)), "INC-1"));
    assert_eq!(one.target.to_string(), "topic orders in payments");
    assert!(said.starts_with(&one.id.to_string()), "{said}");

    let until =
        ["pause", "payments", "--cluster", "demo", "--reason", "INC-1", "--until", "2026-11-30T16:00+02:00"];
    assert_eq!(run(&url, &until).await.0, 0);
    let end = "2026-11-30T14:00:00Z".parse().unwrap();
    assert_eq!(server.memory.submitted().last().and_then(|one| one.ends), Some(PauseEnd::At(end)));
    assert_eq!(run(&url, &[&until[..], &["--for", "15m"]].concat()).await.0, 2);

    let parts = [
        "pause",
        "payments",
        "--cluster",
        "demo",
        "--reason",
        "x",
        "--topic",
        "orders",
        "--partitions",
        "0,2",
    ];
    assert_eq!(run(&url, &parts).await.0, 0);
    let target = server.memory.submitted().last().map(|one| one.target.to_string());
    assert_eq!(target.as_deref(), Some("topic orders, partitions 0, 2 in payments"));

    let workers = ["workers", "payments", "orders-consumer", "5", "--cluster", "demo", "--reason", "more"];
    assert_eq!(run(&url, &workers).await.0, 0);
    let title = server.memory.submitted().last().map(|one| one.action.title(&one.target)).unwrap();
    assert_eq!(title, "Change workers of consumer orders-consumer in payments to 5");
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_say_how_it_ended() {
    let server = Listening::start(options()).await;
    let url = server.url("");
    let pause = |group: &'static str| ["pause", group, "--cluster", "demo", "--reason", "x"];
    for (arguments, want) in [
        (&["lag", "payments"][..], 2),
        (&["pause", "payments", "--cluster", "demo"], 2),
        (&["reset", "payments", "c", "--to", "yesterday"], 2),
        (&["lag", "no-such-group", "--cluster", "demo"], 4),
        (&pause("error-unprocessable"), 4),
        (&pause("error-unavailable"), 5),
        (&["canary", "start", "payments", "--cluster", "demo", "--topic", "orders", "--partitions", "0"], 4),
        (&["canary", "rest", "7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b", "--cluster", "demo"], 4),
        (&["canary", "back", "payments"], 2),
    ] {
        let (code, _, said) = run(&url, arguments).await;
        assert_eq!(code, want, "{arguments:?}: {said}");
        assert!(!said.is_empty());
    }
    // Once nothing more is awaited.
    for (group, want, label) in [
        ("ends-confirmed", 0, "confirmed"),
        ("ends-partiallyConfirmed", 3, "partially confirmed"),
        ("ends-timedOut", 4, "timed out"),
        ("ends-refused", 4, "refused"),
    ] {
        let (code, said, _) = run(&url, &[&pause(group)[..], &["--wait"]].concat()).await;
        assert_eq!(code, want, "{group}: {said}");
        assert!(said.contains(label), "{group}: {said}");
        let id = server.memory.submitted().last().unwrap().id.to_string();
        assert_eq!(run(&url, &["operations", &id, "--cluster", "demo"]).await.0, want, "{group}");
    }
    let (code, _, said) = run("http://127.0.0.1:1/kafkaflow", &["groups"]).await;
    assert_eq!(code, 5, "{said}");
    let (code, script, _) = run(&url, &["completions", "bash"]).await;
    assert!(code == 0 && script.contains("flowdeck"));
}

/// What a proxy answers in place of a server that starts again: once, to what has this method and is below `path`.
fn fails_once(router: Router, method: Method, path: &'static str, after: bool) -> Router {
    let failed = Arc::new(AtomicBool::new(false));
    router.layer(from_fn(move |request: Request, next: Next| {
        let is_asked = request.method() == method && request.uri().path().contains(path);
        let fails = is_asked && !failed.swap(is_asked, Ordering::Relaxed);
        async move {
            if !fails {
                return next.run(request).await;
            }
            if after {
                next.run(request).await;
            }
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }))
}

async fn listen(router: Router) -> (String, CancellationToken) {
    let shutdown = CancellationToken::new();
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}/kafkaflow", server.address());
    tokio::spawn(server.run(router, options().limits, shutdown.clone()));
    (url, shutdown)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_fails_does_not_end_the_waiting() {
    let router = fails_once(site().router, Method::GET, "/commands/", false);
    let (url, shutdown) = listen(router).await;
    let pause = ["pause", "ends-confirmed", "--cluster", "demo", "--reason", "x", "--wait"];
    let (code, said, problem) = run(&url, &pause).await;
    shutdown.cancel();
    assert_eq!(code, 0, "{problem}");
    assert!(said.contains("confirmed"), "{said}");
}

/// The answer is lost, and the operation is not: its id is said, and under it the same is no second operation.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fails_names_the_operation() {
    let site = site();
    let (url, shutdown) = listen(fails_once(site.router.clone(), Method::POST, "/commands", true)).await;
    let pause = ["pause", "payments", "--cluster", "demo", "--reason", "x"];
    let (code, _, problem) = run(&url, &pause).await;
    let id = site.memory.submitted()[0].id.to_string();
    assert_eq!(code, 5, "{problem}");
    assert!(problem.contains(&format!("`flowdeck operations {id}`")), "{problem}");
    let (code, said, problem) = run(&url, &[&pause[..], &["--id", &id]].concat()).await;
    shutdown.cancel();
    assert_eq!(code, 0, "{problem}");
    assert!(said.starts_with(&id), "{said}");
    assert_eq!(site.memory.submitted().len(), 1);
}
