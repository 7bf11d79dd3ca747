//! Pages: rendered whole, under the base, with their policy. What they show is the app's own tests.

use flowdeck::Options;
use flowdeck_model::{GroupId, url};
use http::StatusCode;

use crate::memory::{HOSTILE, cluster};
use crate::support::{form, get, site, site_with};

#[tokio::test]
async fn pages_are_html_under_the_base() {
    let site = site();
    for path in
        ["/kafkaflow", "/kafkaflow?search=pay", "/kafkaflow/c/demo/topics", "/kafkaflow/c/demo/topics/orders"]
    {
        let page = site.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.body.starts_with("<!DOCTYPE html>") && page.body.contains("</html>"), "{path}");
    }
}

/// What leptos asks for once a page is done, the title, is read on another thread than the rest now and then.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_pages_are_complete() {
    let site = std::sync::Arc::new(site());
    let mut pages = tokio::task::JoinSet::new();
    for n in 0..200 {
        let site = std::sync::Arc::clone(&site);
        let path = if n % 2 == 0 { "/kafkaflow" } else { "/kafkaflow/c/demo/groups/payments" };
        pages.spawn(async move { site.get(path).await });
    }
    while let Some(page) = pages.join_next().await {
        let page = page.unwrap();
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(page.body.contains(" · Flowdeck</title>"), "{}", page.body);
    }
}

#[tokio::test]
async fn one_url_for_the_fleet() {
    let site = site();
    for (path, to) in
        [("/", "/kafkaflow"), ("/kafkaflow/", "/kafkaflow"), ("/kafkaflow/?a=b", "/kafkaflow?a=b")]
    {
        let answer = site.get(path).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::PERMANENT_REDIRECT, to));
    }
    let bare = site_with(Options::new("".parse().unwrap()));
    assert_eq!(bare.get("/").await.status, StatusCode::OK);
    assert_eq!(bare.get("/c/demo/groups/payments").await.status, StatusCode::OK);
    assert_eq!(bare.get("/api/v1/groups").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_name_has_its_page() {
    let site = site();
    for name in HOSTILE {
        let path = url::group_path(&cluster("demo"), &GroupId::from(name));
        let page = site.get(&format!("/kafkaflow{path}")).await;
        assert_eq!(page.status, StatusCode::OK, "{name:?}");
        if let Some(at) = page.body.find("'<b>") {
            panic!("a name is text, never markup: {:?}", page.body.get(at.saturating_sub(200)..at + 40));
        }
    }
}

#[tokio::test]
async fn missing_page_is_404_and_names_it() {
    let site = site();
    for (path, word) in [
        ("/c/demo/groups/missing-group", "missing-group"),
        ("/c/demo/groups/a%2Fb", ""),
        ("/c/nowhere/groups/payments", "nowhere"),
        ("/c/demo/topics/missing-topic", "missing-topic"),
        ("/c/demo/topics/~YS9i", "a/b"),
        ("/c/demo/commands/6fa459ea-ee8a-4ca4-894e-db77e160355e", "6fa459ea"),
        ("/no/such/page", ""),
    ] {
        let page = site.get(&format!("/kafkaflow{path}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.body.contains(word), "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    }
    assert_eq!(site.memory.topics_asked(), ["missing-topic"]);
}

#[tokio::test]
async fn csp_nonce_is_unique_per_response() {
    let site = site();
    let (first, second) = (site.get("/kafkaflow").await, site.get("/kafkaflow").await);
    let nonce = |policy: &str| {
        let (_, rest) = policy.split_once("'nonce-").unwrap();
        rest.split_once('\'').unwrap().0.to_owned()
    };
    let policy = first.header("content-security-policy");
    assert_ne!(nonce(policy), nonce(second.header("content-security-policy")));
    for part in [
        "default-src 'none'",
        "'wasm-unsafe-eval'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part}");
    }
    assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
    assert!(!first.body.contains(" style=\""), "the policy forbids inline style");
    for script in first.body.split("<script").skip(1) {
        let tag = script.split_once('>').unwrap().0;
        assert!(tag.contains(&format!("nonce=\"{}\"", nonce(policy))), "{tag}");
    }
}

#[tokio::test]
async fn server_functions_answer_under_the_base() {
    let site = site();
    let answer = site.get("/kafkaflow/fn/group?cluster=demo&group=payments").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.json()["group"], "payments");
    assert_ne!(site.get("/fn/group?cluster=demo&group=payments").await.status, StatusCode::OK);
    assert_eq!(site.get("/kafkaflow/fn/nothing").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn server_function_errors_have_their_status() {
    let site = site();
    for (ask, status) in [
        ("group?cluster=demo&group=nobody", 404),
        ("topic?cluster=demo&topic=..", 404),
        ("command?cluster=demo&id=none", 404),
        ("fleet?query=limit%3Dmany", 400),
        ("group?cluster=demo", 400),
    ] {
        let answer = site.get(&format!("/kafkaflow/fn/{ask}")).await;
        assert_eq!(answer.status.as_u16(), status, "{ask}: {}", answer.body);
        let error: app::PageError = serde_json::from_str(&answer.body).expect(ask);
        assert_eq!(error.status(), status, "{ask}");
    }
}

#[tokio::test]
async fn theme_is_kept_and_redirect_stays_local() {
    let site = site();
    for (back, to) in [
        ("/", "/kafkaflow"),
        ("/?search=a", "/kafkaflow?search=a"),
        ("/c/demo/groups/payments", "/kafkaflow/c/demo/groups/payments"),
        ("//evil.example", "/kafkaflow"),
        ("/\\evil.example", "/kafkaflow"),
        ("https://evil.example", "/kafkaflow"),
        ("", "/kafkaflow"),
    ] {
        let answer = site.ask(form("/kafkaflow/theme", &[("theme", "dark"), ("back", back)])).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, to), "{back}");
        let cookie = answer.header("set-cookie");
        assert!(cookie.starts_with("flowdeck_theme=dark; Path=/kafkaflow; "), "{cookie}");
    }
    let mut request = get("/kafkaflow");
    request.headers_mut().insert("cookie", "a=b; flowdeck_theme=dark".parse().unwrap());
    assert!(site.ask(request).await.body.contains("data-theme=\"dark\""));
}

#[tokio::test]
async fn pages_are_compressed_on_request() {
    let site = site();
    let mut request = get("/kafkaflow");
    request.headers_mut().insert("accept-encoding", "gzip, br".parse().unwrap());
    assert_eq!(site.ask(request).await.header("content-encoding"), "br");
    assert_eq!(site.get("/kafkaflow").await.header("content-encoding"), "");
}
