//! The pages as the server sends them, from a made-up fleet: status, what must be on them, and the
//! whole HTML as snapshots. `FLOWDECK_PAGES_OUT=<folder>` also writes them there, to look at.

mod fixture;

use app::{Site, Theme, shell};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use flowdeck_model::Ports;
use leptos::prelude::provide_context;

struct Page {
    status: StatusCode,
    html: String,
}

fn site() -> Site {
    Site {
        scripts: true,
        base: "/kafkaflow",
        pkg: Some("/pkg/0".into()),
        build: "test".into(),
        nonce: "N0NCE".into(),
        theme: Theme::Auto,
        warnings: vec![],
    }
}

async fn render(path: &str, ports: Option<Ports>, site: Site) -> Page {
    // Sets leptos' executor, once for the process.
    let _ = leptos_axum::generate_route_list(|| ());
    let context = move || {
        if let Some(ports) = &ports {
            provide_context(ports.clone());
        }
    };
    let handler = leptos_axum::render_app_async_with_context(context, move || shell(site.clone()));
    let request = Request::builder().uri(format!("/kafkaflow{path}")).body(Body::empty()).unwrap();
    let response = handler(request).await;
    let status = response.status();
    let html = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    Page { status, html: String::from_utf8(html.to_vec()).unwrap() }
}

async fn page(path: &str) -> Page {
    render(path, Some(fixture::ports(false)), site()).await
}

/// For the eye: the page with its style, to be opened from a file.
fn keep(name: &str, html: &str) {
    let Ok(folder) = std::env::var("FLOWDECK_PAGES_OUT") else { return };
    let html = html.replace("/kafkaflow/pkg/0/", "").replace("<script type=\"module\"", "<script type=\"text/plain\"");
    std::fs::write(format!("{folder}/{name}.html"), &html).unwrap();
    let dark = html.replacen("<html ", "<html data-theme=\"dark\" ", 1);
    std::fs::write(format!("{folder}/{name}-dark.html"), dark).unwrap();
}

#[tokio::test]
async fn every_page_renders() {
    for (name, path, status) in [
        ("fleet", "", 200),
        ("fleet-none", "?search=nothing", 200),
        ("fleet-paused", "?verdict=paused&sort=-lag", 200),
        ("fleet-invalid", "?limit=0", 400),
        ("group", "/c/prod-eu/groups/prod-audio-processor", 200),
        ("group-pause", "/c/prod-eu/groups/prod-audio-processor?form=pause&consumer=audio", 200),
        ("group-behind", "/c/prod-eu/groups/prod.sales.customers", 200),
        ("group-gone", "/c/prod-eu/groups/convex-bus", 200),
        ("group-observe", "/c/staging/groups/~bGVnYWN5L2V4cG9ydGVyICJ4Ig", 200),
        ("group-404", "/c/prod-eu/groups/nobody", 404),
        ("group-404-raw", "/c/prod-eu/groups/a%2Fb", 404),
        ("topics", "/c/prod-eu/topics", 200),
        ("topic", "/c/prod-eu/topics/audio-events", 200),
        ("topic-open", "/c/prod-eu/topics/audio-events?partition=3&from=offset:86000&open=3:86001", 200),
        ("topic-404", "/c/prod-eu/topics/~YS9i", 404),
        ("cluster-404", "/c/nowhere/topics", 404),
        ("command", "/c/prod-eu/commands/00000000-0000-4000-8000-000000000002", 200),
        ("command-sent", "/c/prod-eu/commands/00000000-0000-4000-8000-000000000003", 200),
        ("command-404", "/c/prod-eu/commands/00000000-0000-4000-8000-0000000000ff", 404),
        ("not-found", "/nowhere", 404),
    ] {
        let page = page(path).await;
        keep(name, &page.html);
        assert_eq!(page.status.as_u16(), status, "{name}");
        assert!(page.html.contains("<title>") && page.html.contains("</html>"), "{name}");
    }
    let empty = render("", Some(fixture::ports(true)), site()).await;
    keep("fleet-empty", &empty.html);
    assert!(empty.html.contains("No consumer groups yet"));
}

#[tokio::test]
async fn without_an_actor_nothing_is_shown() {
    for path in ["", "/c/prod-eu/groups/convex-bus", "/c/prod-eu/topics", "/c/prod-eu/topics/audio-events"] {
        let page = render(path, None, site()).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(!page.html.contains("convex.order-placed"), "{path}");
    }
}

/// The CSP lets nothing else run or style.
#[tokio::test]
async fn every_script_carries_the_nonce_and_nothing_is_styled_inline() {
    for path in ["", "/c/prod-eu/groups/prod-audio-processor?form=pause", "/c/prod-eu/topics/audio-events?open=3:86001"] {
        let html = page(path).await.html;
        let scripts = html.matches("<script").count();
        assert!(scripts >= 2, "{path}: {scripts}");
        assert_eq!(scripts, html.matches("nonce=\"N0NCE\"").count() - 1, "{path}: one more is on modulepreload");
        assert!(!html.contains(" style=") && !html.contains("<style"), "{path}");
        assert!(!html.contains("onclick") && !html.contains("javascript:"), "{path}");
    }
}

#[tokio::test]
async fn payloads_are_text_not_markup() {
    let html = page("/c/prod-eu/topics/audio-events?open=3:86009").await.html;
    assert!(html.contains("&lt;script&gt;"));
    let visible = html.split("<script nonce").next().unwrap();
    assert!(!visible.contains("\"<script>\""));
}

#[tokio::test]
async fn without_assets_the_page_still_stands() {
    let page = render("", Some(fixture::ports(false)), Site { pkg: None, ..site() }).await;
    assert!(page.html.contains("convex-bus") && page.html.contains("not live"));
    assert!(!page.html.contains("flowdeck.js"));
}

#[tokio::test]
async fn links_carry_the_base_path() {
    for path in ["", "/c/prod-eu/groups/prod-audio-processor", "/c/prod-eu/topics/audio-events"] {
        let html = page(path).await.html;
        for link in html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(link.is_empty() || link.starts_with('#') || link.starts_with("/kafkaflow"), "{path}: {link}");
        }
    }
}
