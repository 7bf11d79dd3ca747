//! Requests that no browser and no honest program sends: raw bytes to a listener, and what leads elsewhere.

use std::time::Duration;

use flowdeck::Options;
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Listening, form, get, options, site, site_with};

/// What the server says to these bytes until it closes the connection, which ours are made to end.
async fn say(site: &Listening, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    // It may refuse before it has read all.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut said = vec![];
    let read = stream.read_to_end(&mut said);
    let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("the connection ends");
    String::from_utf8_lossy(&said).into_owned()
}

fn status(said: &str) -> Option<u16> {
    said.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// No words of what is inside: no paths of sources, no backtrace.
fn tells_nothing(said: &str) {
    for inside in [".rs:", "panicked", "backtrace", "src/", "/root", "/home"] {
        assert!(!said.contains(inside), "{inside}: {said}");
    }
}

async fn alive(site: &Listening) {
    assert_eq!(reqwest::get(site.url("/api/v1/groups")).await.unwrap().status(), 200);
}

fn raw(line: &str, headers: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

#[tokio::test]
async fn assets_refuse_path_traversal() {
    let site = Listening::start(options()).await;
    for path in [
        "/kafkaflow/pkg/../../../../etc/passwd",
        "/kafkaflow/pkg/..%2f..%2f..%2fetc%2fpasswd",
        "/kafkaflow/pkg/%2e%2e/%2e%2e/etc/passwd",
        "/kafkaflow/pkg/..\\..\\etc\\passwd",
        "/kafkaflow/pkg//etc/passwd",
        "/kafkaflow/pkg/%00",
        "/kafkaflow/pkg/a%00.css",
        "/kafkaflow/../Cargo.toml",
        "/kafkaflow/%2e%2e/Cargo.toml",
        "/kafkaflow/site.json",
        "/kafkaflow/favicon.ico/../../Cargo.toml",
        "//etc/passwd",
        "/kafkaflow/%ff%fe",
    ] {
        let said = say(&site, &raw(&format!("GET {path}"), "")).await;
        assert!(matches!(status(&said), Some(400 | 404)), "{path}: {said}");
        assert!(!said.contains("root:") && !said.contains("[package]"), "{path}");
        tells_nothing(&said);
    }
    alive(&site).await;
}

#[tokio::test]
async fn one_message_is_one_request() {
    let site = Listening::start(options()).await;
    let smuggled = "GET /kafkaflow/api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for headers in [
        // Two lengths, a length and chunks, chunks that are no chunks, a folded and a broken header.
        format!("Content-Length: 0\r\nContent-Length: {}\r\n", smuggled.len()),
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n".to_owned(),
        "Content-Length: +5\r\n".to_owned(),
        "Content-Length: -1\r\n".to_owned(),
        "X: a\r\n Content-Length: 5\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n".to_owned(),
        "X\0: a\r\n".to_owned(),
    ] {
        let head = format!("POST /kafkaflow/theme HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let said = say(&site, &[head.as_bytes(), b"0\r\n\r\n", smuggled.as_bytes()].concat()).await;
        assert!(!said.contains("\"openapi\""), "{headers:?}: {said}");
        tells_nothing(&said);
    }
    alive(&site).await;
}

#[tokio::test]
async fn garbage_is_refused() {
    let site = Listening::start(options()).await;
    let long = "a".repeat(100_000);
    let many: String = (0..200).map(|n| format!("X-{n}: a\r\n")).collect();
    for (bytes, good) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &[400][..]),
        (b"\0\0\0\0\r\n\r\n".to_vec(), &[400]),
        (b"GET\r\n\r\n".to_vec(), &[400]),
        (b"GET /kafkaflow HTTP/9.9\r\nHost: localhost\r\n\r\n".to_vec(), &[400, 505]),
        (b"GET /kafkaflow HTTP/1.1\r\n\r\n".to_vec(), &[400]),
        (raw("GET /kafkaflow", "Host: evil.example\r\n"), &[400]),
        (raw("GET http://evil.example/kafkaflow", ""), &[421]),
        (raw("CONNECT evil.example:443", ""), &[400, 404, 405, 421]),
        (raw(&format!("GET /kafkaflow/{long}"), ""), &[414, 431]),
        (raw("GET /kafkaflow", &many), &[431]),
        (raw("TRACE /kafkaflow", "Cookie: a=b\r\n"), &[405]),
        (raw("OPTIONS /kafkaflow/api/v1/groups", "Origin: http://evil.example\r\n"), &[405]),
        (raw("PROPFIND /kafkaflow", ""), &[405]),
        (raw("DELETE /kafkaflow/api/v1/clusters/demo/groups/payments", ""), &[405]),
    ] {
        let said = say(&site, &bytes).await;
        let what = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        // A connection that is cut without a word is an answer, too.
        let fits = said.is_empty() || status(&said).is_some_and(|status| good.contains(&status));
        assert!(fits, "{what:?}: {said}");
        assert!(!said.to_lowercase().contains("access-control-allow"), "{what:?}");
        tells_nothing(&said);
    }
    alive(&site).await;
}

#[tokio::test]
async fn out_of_range_values_name_the_field() {
    let site = site();
    for (query, field) in [
        ("limit=-1", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=1e3", "limit"),
        ("offset=18446744073709551616", "offset"),
        ("sort=%00", "sort"),
        ("sort=lag;drop", "sort"),
        ("verdict=..%2f..", "verdict"),
        ("cluster=..%2f..", "cluster"),
    ] {
        let answer = site.get(&format!("/kafkaflow/api/v1/groups?{query}")).await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{query}: {}", answer.body);
        assert!(answer.body.contains(field), "{query}: {}", answer.body);
        tells_nothing(&answer.body);
    }
    let messages = "/kafkaflow/api/v1/clusters/demo/topics/orders/messages";
    for (query, field) in [
        ("partition=-1", "partition"),
        ("partition=2147483648", "partition"),
        ("from=offset:-1", "from"),
        ("from=offset:9223372036854775808", "from"),
        ("from=2001-02-30", "from"),
        ("from=before:1..2", "from"),
        ("from=86001", "from"),
        ("order=up", "order"),
        ("isolation=serializable", "isolation"),
        ("limit=0", "limit"),
        ("full=maybe", "full"),
    ] {
        let answer = site.get(&format!("{messages}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.body);
        assert_eq!(answer.json()["field"], field, "{query}");
    }
    // Pages are for people: what does not parse is left out or said, and never a stack trace.
    for query in ["limit=-1", "sort=%ff", "offset=99999999999", "verdict=%3Cscript%3E", "search=%00%e2%80%ae"]
    {
        let page = site.get(&format!("/kafkaflow?{query}")).await;
        assert!(page.status == StatusCode::OK || page.status == StatusCode::BAD_REQUEST, "{query}");
        tells_nothing(&page.body);
    }
}

#[tokio::test]
async fn server_function_never_redirects_to_referer() {
    let site = site();
    for path in
        ["/fn/group?cluster=demo&group=nobody", "/fn/group?cluster=demo&group=payments", "/fn/nothing"]
    {
        let mut request = get(&format!("/kafkaflow{path}"));
        request.headers_mut().insert("accept", "text/html,*/*".parse().unwrap());
        request.headers_mut().insert("referer", "http://evil.example/".parse().unwrap());
        let answer = site.ask(request).await;
        assert!(!answer.status.is_redirection(), "{path}: {}", answer.status);
        assert_eq!(answer.header("location"), "", "{path}");
        assert!(!answer.header("content-type").contains("html"), "{path}");
    }
}

#[tokio::test]
async fn server_functions_take_no_other_method_or_encoding() {
    let site = site();
    for name in ["fleet", "group", "topics", "topic", "messages", "command", "../fn/fleet", "fleet/x", ""] {
        let fields = [("cluster", "demo"), ("group", "payments"), ("query", "")];
        let posted = site.ask(form(&format!("/kafkaflow/fn/{name}"), &fields)).await;
        assert!(posted.status.is_client_error(), "{name}: {} {}", posted.status, posted.body);
        tells_nothing(&posted.body);
    }
    assert_eq!(site.memory.submitted().len(), 0);
}

#[tokio::test]
async fn theme_redirect_stays_local_without_base() {
    let site = site_with(Options::new("".parse().unwrap()));
    for back in [
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        "https://evil.example",
        "/\r\nx: y",
    ] {
        let answer = site.ask(form("/theme", &[("theme", "dark"), ("back", back)])).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"), "{back:?}");
    }
}
