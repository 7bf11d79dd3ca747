//! The service inside another program, under a path.

use std::sync::Arc;

use axum::Router;
use axum::routing::get as route;
use flowdeck::Options;
use http::StatusCode;

use crate::memory::Memory;
use crate::support::{ask, get, post};

fn host() -> Router {
    let options = Options::new("/ops/kafka".parse().unwrap());
    let flowdeck = flowdeck::service(Arc::new(Memory::new()), options);
    Router::new().route("/", route(|| async { "the host's own page" })).nest_service("/ops/kafka", flowdeck)
}

#[tokio::test]
async fn nested_service_works_under_the_hosts_path() {
    let host = host();
    assert_eq!(ask(&host, get("/")).await.body, "the host's own page");
    for path in ["", "/c/demo/groups/payments", "/api/v1/groups", "/fn/group?cluster=demo&group=payments"] {
        let answer = ask(&host, get(&format!("/ops/kafka{path}"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    }
    let page = ask(&host, get("/ops/kafka")).await;
    assert!(page.body.contains("href=\"/ops/kafka/c/demo/groups/payments"), "links carry the host's path");
    assert_eq!(ask(&host, get("/ops/kafka/")).await.header("location"), "/ops/kafka");
    let body = r#"{"action":"pause","target":{"group":"g"},"reason":"x"}"#;
    let accepted =
        ask(&host, post("/ops/kafka/api/v1/clusters/demo/commands", "application/json", body)).await;
    assert!(accepted.header("location").starts_with("/ops/kafka/api/v1/clusters/demo/commands/"));
}

/// `nest` of a `Router` strips the path in another way than `nest_service`.
#[tokio::test]
async fn nested_as_a_router() {
    let options = Options::new("/ops".parse().unwrap());
    let host = Router::new().nest("/ops", flowdeck::service(Arc::new(Memory::new()), options));
    for path in ["/ops", "/ops/c/demo/groups/payments", "/ops/api/v1/groups"] {
        assert_eq!(ask(&host, get(path)).await.status, StatusCode::OK, "{path}");
    }
}
