//! Hosts, origins, headers, bounds.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, Request, StatusCode};

use crate::support::{Listening, form, get, options, site, site_with};

fn with(mut request: Request<Body>, headers: &[(&str, &str)]) -> Request<Body> {
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn unknown_host_is_refused() {
    let site = site();
    for path in [
        "/kafkaflow",
        "/kafkaflow/api/v1/groups",
        "/kafkaflow/events?view=fleet",
        "/metrics",
        "/health",
        "/x",
    ] {
        let answer = site.ask(with(get(path), &[("host", "evil.example")])).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("evil.example"));
    }
    let mut none = get("/kafkaflow");
    none.headers_mut().remove("host");
    assert_eq!(site.ask(none).await.status, StatusCode::BAD_REQUEST);
    let two = with(get("/kafkaflow"), &[]);
    let mut two = two;
    two.headers_mut().append("host", "evil.example".parse().unwrap());
    assert_eq!(site.ask(two).await.status, StatusCode::BAD_REQUEST);
    // Of a browser it gets words, not JSON.
    let page = with(get("/kafkaflow"), &[("host", "evil.example"), ("accept", "text/html,*/*")]);
    assert_eq!(site.ask(page).await.header("content-type"), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn cross_site_post_is_refused() {
    let site = site();
    let fields = [
        ("id", "6fa459ea-ee8a-4ca4-894e-db77e160355e"),
        ("action", "pause"),
        ("group", "payments"),
        ("reason", "forged"),
    ];
    let send = |headers: &[(&str, &str)]| with(form("/kafkaflow/c/demo/commands", &fields), headers);
    for forged in [
        &[("origin", "http://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
        &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:9999")],
    ] {
        let answer = site.ask(send(forged)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{forged:?}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("another site"));
    }
    assert_eq!(site.memory.submitted().len(), 0);
    for path in ["/kafkaflow/theme", "/kafkaflow/fn/fleet", "/kafkaflow/api/v1/clusters/demo/commands"] {
        let answer = site.ask(with(form(path, &[]), &[("origin", "http://evil.example")])).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    let own = [("origin", "http://localhost:8077"), ("sec-fetch-site", "same-origin")];
    assert_eq!(site.ask(send(&own)).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn cross_site_embedding_is_refused() {
    let site = site();
    let cross = |mode: &'static str| [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", mode)];
    assert_eq!(site.ask(with(get("/kafkaflow"), &cross("navigate"))).await.status, StatusCode::OK);
    for path in ["/kafkaflow/events?view=fleet", "/kafkaflow/api/v1/groups"] {
        assert_eq!(site.ask(with(get(path), &cross("cors"))).await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn security_headers_are_on_every_response() {
    let site = site();
    for path in
        ["/kafkaflow", "/kafkaflow/api/v1/groups", "/kafkaflow/api/v1/nope", "/health/live", "/nowhere"]
    {
        let answer = site.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!answer.header("x-flowdeck-build").is_empty(), "{path}");
        assert_eq!(answer.header("strict-transport-security"), "");
    }
    let public = Some("https://ops.example".parse().unwrap());
    let secure = site_with(flowdeck::Options { public_url: public, ..options() }).get("/kafkaflow").await;
    assert_eq!(secure.header("strict-transport-security"), "max-age=31536000");
}

#[tokio::test]
async fn client_address_comes_from_trusted_proxies_only() {
    for (trusted, want) in [(vec![], "127.0.0.1"), (vec!["127.0.0.0/8".parse().unwrap()], "203.0.113.9")] {
        let site = Listening::start(flowdeck::Options { trusted_proxies: trusted, ..options() }).await;
        let client = reqwest::Client::new();
        let request = client.get(site.url("/api/v1/groups")).header("x-forwarded-for", "203.0.113.9");
        assert_eq!(request.send().await.unwrap().status(), 200);
        assert_eq!(site.memory.last_actor().view.address.as_deref(), Some(want));
    }
}

/// Until the server closes the connection.
async fn closed(stream: &mut tokio::net::TcpStream) -> Vec<u8> {
    use tokio::io::AsyncReadExt as _;
    let mut said = vec![];
    let read = stream.read_to_end(&mut said);
    // A reset is an end, too.
    let _ =
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("the server ends the connection");
    said
}

#[tokio::test]
async fn slow_head_is_disconnected() {
    use tokio::io::AsyncWriteExt as _;
    let mut quick = options();
    quick.limits.head_seconds = 1;
    let site = Listening::start(quick).await;
    let mut slow = tokio::net::TcpStream::connect(site.address).await.unwrap();
    slow.write_all(b"GET /kafkaflow HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.unwrap();
    let said = String::from_utf8(closed(&mut slow).await).unwrap();
    assert!(!said.contains("200 OK"), "{said}");
}

#[tokio::test]
async fn slow_body_times_out() {
    use tokio::io::AsyncWriteExt as _;
    let mut quick = options();
    quick.limits.request_seconds = 1;
    let site = Listening::start(quick).await;
    let mut slow = tokio::net::TcpStream::connect(site.address).await.unwrap();
    let head = "POST /kafkaflow/theme HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 100\r\n\r\nx";
    slow.write_all(head.as_bytes()).await.unwrap();
    let said = String::from_utf8(closed(&mut slow).await).unwrap();
    assert!(said.starts_with("HTTP/1.1 504"), "{said}");
}

#[tokio::test]
async fn oversized_head_is_refused() {
    let site = Listening::start(options()).await;
    let client = reqwest::Client::new();
    let long = client.get(site.url("/api/v1/groups")).header("x-long", "x".repeat(100_000)).send().await;
    assert!(long.is_err() || long.unwrap().status().is_client_error());
    assert_eq!(client.get(site.url("/api/v1/groups")).send().await.unwrap().status(), 200);
}
