//! Files of a built site.

use std::path::Path;

use flowdeck::Assets;
use http::StatusCode;

use crate::support::{get, options, site_with};

fn build(root: &Path) -> Assets {
    for (path, text) in [
        ("site.json", r#"{"pkg":"pkg/abc","build":"abc"}"#),
        ("pkg/abc/flowdeck.js", "plain"),
        ("pkg/abc/flowdeck.js.br", "squeezed"),
        ("pkg/abc/flowdeck_bg.wasm", "wasm"),
        ("pkg/older/flowdeck.js", "older"),
        ("favicon.svg", "<svg/>"),
    ] {
        std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), text).unwrap();
    }
    Assets::find(Some(root.to_owned())).unwrap()
}

#[tokio::test]
async fn hashed_files_are_immutable_and_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let site = site_with(flowdeck::Options { assets: build(folder.path()), ..options() });
    let plain = site.get("/kafkaflow/pkg/abc/flowdeck.js").await;
    assert_eq!((plain.status, plain.body.as_str()), (StatusCode::OK, "plain"));
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(plain.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(plain.header("vary"), "accept-encoding");
    for (accepts, body) in
        [("br", "squeezed"), ("gzip;q=1, br;q=0.5", "squeezed"), ("br;q=0", "plain"), ("gzip", "plain")]
    {
        let mut request = get("/kafkaflow/pkg/abc/flowdeck.js");
        request.headers_mut().insert("accept-encoding", accepts.parse().unwrap());
        let answer = site.ask(request).await;
        // Small files are not worth the compression layer's work.
        assert_eq!(answer.body, body, "{accepts}");
    }
    let wasm = site.get("/kafkaflow/pkg/abc/flowdeck_bg.wasm").await;
    assert_eq!(wasm.header("content-type"), "application/wasm");
}

#[tokio::test]
async fn other_files() {
    let folder = tempfile::tempdir().unwrap();
    let site = site_with(flowdeck::Options { assets: build(folder.path()), ..options() });
    let icon = site.get("/kafkaflow/favicon.svg").await;
    assert_eq!((icon.status, icon.header("content-type")), (StatusCode::OK, "image/svg+xml"));
    let mut again = get("/kafkaflow/favicon.svg");
    again.headers_mut().insert("if-none-match", icon.headers["etag"].clone());
    assert_eq!(site.ask(again).await.status, StatusCode::NOT_MODIFIED);
    for path in ["/pkg/older/flowdeck.js", "/pkg/abc/../../site.json", "/site.json", "/pkg/abc/%2e%2e/x"] {
        assert_eq!(site.get(&format!("/kafkaflow{path}")).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let page = site.get("/kafkaflow").await;
    assert!(page.body.contains("/kafkaflow/pkg/abc/flowdeck.js"));
    assert_eq!(page.header("x-flowdeck-build"), "abc");
}

#[tokio::test]
async fn pages_are_plain_without_a_site() {
    let page = crate::support::site().get("/kafkaflow").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.body.contains("/pkg/"));
    assert!(page.header("x-flowdeck-build").ends_with("-plain"));
}

#[test]
fn folder_without_site_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Assets::find(Some(folder.path().join("nowhere"))).err().unwrap();
    assert!(missing.to_string().contains("nowhere"));
    std::fs::write(folder.path().join("site.json"), "{}").unwrap();
    assert!(Assets::find(Some(folder.path().to_owned())).err().unwrap().to_string().contains("site.json"));
}
