//! The pages as the server sends them, from a made-up fleet: status, what must and must not be on
//! them. `FLOWDECK_PAGES_OUT=<folder>` writes them there, to look at.

mod bulks;
mod canary;
mod dead_letters;
mod fixture;
mod produce;
mod retention;

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
    let request = Request::builder().uri(format!("/kafkaflow{path}")).body(Body::empty()).unwrap();
    let path = request.uri().path().to_owned();
    let handler = leptos_axum::render_app_async_with_context(context, move || shell(site.clone(), &path));
    let response = handler(request).await;
    let status = response.status();
    let html = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    // Markers between children, for hydration only.
    Page { status, html: String::from_utf8(html.to_vec()).unwrap().replace("<!>", "") }
}

async fn page(path: &str) -> Page {
    render(path, Some(fixture::ports(false)), site()).await
}

/// For the eye: the page with its style, to be opened from a file.
fn keep(name: &str, html: &str) {
    let Ok(folder) = std::env::var("FLOWDECK_PAGES_OUT") else { return };
    let html = html
        .replace("/kafkaflow/pkg/0/", "")
        .replace("<script type=\"module\"", "<script type=\"text/plain\"");
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
        ("group-hour", "/c/prod-eu/groups/prod-audio-processor?range=1h&table=1", 200),
        (
            "group-time",
            "/c/prod-eu/groups/prod-audio-processor?from=2026-11-21T14:00:00Z&to=2026-11-21T14:05:00Z",
            200,
        ),
        ("group-pause", "/c/prod-eu/groups/prod-audio-processor?form=pause&consumer=audio", 200),
        ("group-restart", "/c/prod-eu/groups/prod-audio-processor?form=restart&consumer=audio", 200),
        (
            "group-rewind",
            "/c/prod-eu/groups/prod-audio-processor?form=rewind&consumer=audio&to=2026-11-21T14:00",
            200,
        ),
        ("group-behind", "/c/prod-eu/groups/prod.sales.customers", 200),
        ("group-gone", "/c/prod-eu/groups/convex-bus", 200),
        ("group-observe", "/c/staging/groups/~bGVnYWN5L2V4cG9ydGVyICJ4Ig", 200),
        ("group-404", "/c/prod-eu/groups/nobody", 404),
        ("group-404-raw", "/c/prod-eu/groups/a%2Fb", 404),
        ("topics", "/c/prod-eu/topics", 200),
        ("audit", "/c/prod-eu/audit", 200),
        ("audit-none", "/c/prod-eu/audit?group=nobody", 200),
        ("audit-invalid", "/c/prod-eu/audit?limit=0", 400),
        ("audit-404", "/c/nowhere/audit", 404),
        ("topic", "/c/prod-eu/topics/audio-events", 200),
        ("topic-open", "/c/prod-eu/topics/audio-events?partition=3&from=offset:86000&open=3:86001", 200),
        ("topic-404", "/c/prod-eu/topics/~YS9i", 404),
        ("cluster-404", "/c/nowhere/topics", 404),
        ("command", "/c/prod-eu/commands/00000000-0000-4000-8000-000000000002", 200),
        ("command-sent", "/c/prod-eu/commands/00000000-0000-4000-8000-000000000003", 200),
        ("command-404", "/c/prod-eu/commands/00000000-0000-4000-8000-0000000000ff", 404),
        ("dead-letters", "/c/prod-eu/dead-letters", 200),
        ("dead-letters-of", "/c/prod-eu/dead-letters/dev-orders.dlq", 200),
        ("dead-letter", "/c/prod-eu/dead-letters/dev-orders.dlq/0/7", 200),
        ("redrive-form", "/c/prod-eu/dead-letters/dev-orders.dlq/redrive?original=orders", 200),
        ("redrive", "/c/prod-eu/redrives/6fa459ea-ee8a-4ca4-894e-db77e160355e", 200),
        ("bulk-choose", "/c/prod-eu/bulk?group=payments&group=billing", 200),
        ("bulk-preview", "/c/prod-eu/bulk?group=payments&action=pause&minutes=10", 200),
        ("bulk-offsets", "/c/prod-eu/bulk?group=payments&action=setOffsets&to=latest&allTopics=true", 200),
        ("bulk-undo", "/c/prod-eu/bulk?undo=6fa459ea-ee8a-4ca4-894e-db77e160355e", 200),
        ("bulk", "/c/prod-eu/bulks/6fa459ea-ee8a-4ca4-894e-db77e160355e", 200),
        ("groups-select", "/all-groups?cluster=prod-eu", 200),
        ("partitions", "/c/prod-eu/groups/prod-audio-processor/pause?topic=audio-events&partition=1", 200),
        ("offsets", "/c/prod-eu/groups/prod-audio-processor/offsets", 200),
        ("brokers", "/c/prod-eu/brokers", 200),
        ("canary", "/c/prod-eu/canaries/00000000-0000-4000-8000-000000000002?order=back", 200),
        ("retention", "/c/prod-eu/topics/audio-events/retention", 200),
        ("not-found", "/nowhere", 404),
    ] {
        let page = page(path).await;
        keep(name, &page.html);
        assert_eq!(page.status.as_u16(), status, "{name}");
        assert!(page.html.contains("<title>") && page.html.contains("</html>"), "{name}");
        assert_eq!(repeated_ids(&page.html), Vec::<&str>::new(), "{name}");
    }
    let empty = render("", Some(fixture::ports(true)), site()).await;
    keep("fleet-empty", &empty.html);
    assert!(empty.html.contains("No consumer groups yet"));
}

/// Links and labels lead to the first element of an id.
fn repeated_ids(html: &str) -> Vec<&str> {
    let mut seen = std::collections::HashSet::new();
    let ids = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next());
    ids.filter(|id| !seen.insert(*id)).collect()
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
    for path in [
        "",
        "/c/prod-eu/groups/prod-audio-processor?form=pause",
        "/c/prod-eu/topics/audio-events?open=3:86001",
    ] {
        let html = page(path).await.html;
        let scripts = html.matches("<script").count();
        assert!(scripts >= 2, "{path}: {scripts}");
        assert_eq!(
            scripts,
            html.matches("nonce=\"N0NCE\"").count() - 1,
            "{path}: one more is on modulepreload"
        );
        assert!(!html.contains(" style=") && !html.contains("<style"), "{path}");
        assert!(!html.contains("onclick") && !html.contains("javascript:"), "{path}");
    }
}

#[tokio::test]
async fn a_page_that_only_the_server_renders_is_not_taken_over() {
    for path in ["/login", "/c/prod-eu/audit"] {
        let html = page(path).await.html;
        // leptos' own two lines with empty lists are always there.
        assert!(!html.contains("type=\"module\"") && !html.contains(".wasm"), "{html}");
    }
}

#[tokio::test]
async fn a_look_at_records_is_a_row_of_the_audit() {
    let html = page("/c/prod-eu/audit").await.html;
    for words in [
        "Records searched",
        "/c/prod-eu/topics/audio-events",
        "from earliest, partition 3, by text, JSON path",
        "2 records shown, 70000 looked at, 1 look before it is in the log alone",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
}

#[tokio::test]
async fn what_agents_report_is_on_a_page_of_the_servers() {
    let path = "/c/prod-eu/groups/prod-audio-processor";
    let Page { status, html } = page(&format!("{path}/agents")).await;
    keep("agents", &html);
    assert_eq!(status, StatusCode::OK);
    for words in [
        "p50 850 µs · p95 12 ms · p99 230 ms · max 12 min 34 s (1,204 calls in 60 s)",
        "Circuit breaker open for 20 s: no record is handled, next try at 14:10:10 UTC.",
        "2026-11-21 13:57:26.000 UTC",
        "the newest 2 of 37 that are kept",
        "the handler panicked: index out of bounds",
        "&lt;b&gt;=not markup",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(page(path).await.html.contains(&format!("href=\"/kafkaflow{path}/agents\" rel=\"external\"")));
    let none = page("/c/prod-eu/groups/convex-bus/agents").await;
    assert!(none.html.contains("No agent reports"));
    assert_eq!(page("/c/prod-eu/groups/none/agents").await.status, StatusCode::NOT_FOUND);
    assert_eq!(page("/c/prod-eu/groups/~%25/agents").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn payloads_are_text_not_markup() {
    let html = page("/c/prod-eu/topics/audio-events?open=3:86009").await.html;
    assert!(html.contains("&lt;script&gt;"));
    let visible = html.split("<script nonce").next().unwrap();
    assert!(!visible.contains("\"<script>\""));
}

#[tokio::test]
async fn a_record_says_what_is_cut_and_what_is_no_date() {
    let html = page("/c/prod-eu/topics/audio-events?open=3:86003").await.html;
    assert!(html.contains("1 of 5,000 headers shown"));
    assert!(html.matches("1795270137123000").count() >= 2 && html.contains("not a date"), "list and record");
}

#[tokio::test]
async fn a_list_of_messages_leads_to_its_pages_and_names_what_it_leaves_out() {
    let html = page("/c/prod-eu/topics/audio-events").await.html;
    assert!(html.contains("?from=before%3A3.4.5.86000\" class=\"btn small\">Older</a>"));
    assert!(!html.contains(">Newer</a>"));
    let text = "The newest records of 2 partitions are not in this list";
    assert!(html.contains(text) && html.contains("audio-events?partition=7\" class=\"link\">7</a>"));
    // The list that is shown is read anew by the link that led to it.
    assert!(html.contains("rel=\"external\" aria-current=\"true\" class=\"chip\">Latest</a>"));
    let html = page("/c/prod-eu/topics/audio-events?from=86001").await.html;
    assert!(html.contains("choose the partition") && html.contains("value=\"86001\""));
}

#[tokio::test]
async fn search_says_what_was_scanned_and_goes_on() {
    let html = page("/c/prod-eu/topics/audio-events?text=audio&path=%24.trackId").await.html;
    assert!(html.contains("Scanned 120,000 records, 43 % of the partitions."));
    assert!(html.contains("text=audio&amp;seen=120000\"") && html.contains(">Continue</a>"));
    assert!(html.contains("value=\"$.trackId\"") && html.contains("<details open"));
    assert!(html.contains("messages/download?format=csv&amp;text=audio"));
    let html = page("/c/prod-eu/topics/audio-events?text=absent").await.html;
    assert!(html.contains("Nothing was found in what was scanned until now."));
    assert!(html.contains(">Stop</button>") && html.contains(">Continue</a>"));
    let html = page("/c/prod-eu/topics/audio-events?open=3:86008").await.html;
    assert!(!html.contains("Scanned") && html.contains("before it") && html.contains("committed 86,000"));
    assert!(html.contains("<option value=\"schema:track\">schema:track</option>"));
    // A value folds, and its text is whole.
    assert!(html.contains("<summary>{"));
}

#[tokio::test]
async fn records_that_read_committed_consumers_do_not_get_are_marked() {
    let html = page("/c/prod-eu/topics/audio-events?isolation=read_uncommitted&open=3:86002").await.html;
    assert_eq!(html.matches(">aborted</span>").count(), 2, "in the list and in the record");
    assert_eq!(html.matches(">open transaction</span>").count(), 1);
    assert!(html.contains("<option value=\"read_committed\">read_committed</option>"));
}

#[tokio::test]
async fn without_assets_the_page_is_complete() {
    let page = render("", Some(fixture::ports(false)), Site { pkg: None, ..site() }).await;
    assert!(page.html.contains("convex-bus") && page.html.contains("not live"));
    assert!(!page.html.contains("flowdeck.js"));
}

#[tokio::test]
async fn links_carry_the_base_path() {
    for path in ["", "/c/prod-eu/groups/prod-audio-processor", "/c/prod-eu/topics/audio-events"] {
        let html = page(path).await.html;
        for link in html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(
                link.is_empty() || link.starts_with('#') || link.starts_with("/kafkaflow"),
                "{path}: {link}"
            );
        }
    }
}

/// A form asks for its preview while its page is made.
#[tokio::test]
async fn a_page_is_made_once_for_each_request() {
    let made = std::sync::Arc::new(fixture::Made { empty: false, previews: Default::default() });
    let ports = fixture::ports_of(std::sync::Arc::clone(&made));
    let page = render("/c/prod-eu/groups/prod-audio-processor?form=pause", Some(ports), site()).await;
    assert!(page.html.contains("TheMessage") || page.html.contains("kafkaflow.admin"), "{}", page.html);
    assert_eq!(made.previews.load(std::sync::atomic::Ordering::Relaxed), 1);
}

/// In observe mode there is nothing to send, and the page says why and how that is changed.
#[tokio::test]
async fn an_observed_cluster_has_no_command_form() {
    let html = page("/c/staging/groups/~bGVnYWN5L2V4cG9ydGVyICJ4Ig?form=pause").await.html;
    assert!(!html.contains("/commands\""));
    assert!(html.contains("Flowdeck only observes Staging") && html.contains("mode = \"control\""));
}

#[tokio::test]
async fn the_button_names_what_where_and_how_many() {
    let html = page("/c/prod-eu/groups/prod-audio-processor?form=pause&consumer=audio&topic=audio-retries")
        .await
        .html;
    assert!(html.contains(
        "Pause topic audio-retries in prod-audio-processor (consumer audio) on PROD-EU, 3 instances"
    ));
    for field in [
        r#"name="group" value="prod-audio-processor""#,
        r#"name="consumer" value="audio""#,
        r#"name="topic" value="audio-retries""#,
    ] {
        assert!(html.contains(field), "{field}");
    }
    // The active pause has its own form, with an id of its own.
    assert!(html.contains(r#"name="action" value="resume""#));
    let ids: Vec<&str> = html.split(r#"name="id" value=""#).skip(1).map(|rest| &rest[..36]).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
}

/// A resume ends all pauses of what it names: one button beside one of them would end the others unseen.
#[tokio::test]
async fn a_pause_that_overlaps_another_is_resumed_by_the_form_with_its_preview() {
    let group = "/c/prod-eu/groups/prod-deletion-processor";
    let html = page(group).await.html;
    // Where there is another one, the server answers it with the form.
    assert!(html.contains("/commands?alone\""), "{html}");
    let words = [
        "Takes topic track-deletions out of ana",
        "pause of the whole group (“&lt;b&gt;double charges”).",
        "Releases bob",
        "pause of topic track-deletions, partition 1 (“",
    ];
    let form = page(&format!("{group}?form=resume&topic=track-deletions")).await.html;
    assert!(form.contains("whoever gave it") && !form.contains("Other holds"), "{form}");
    assert!(form.contains(r#"name="action" value="resume""#), "the form itself sends it");
    let parts = page(&format!("{group}/pause?action=resume&topic=track-deletions&partition=1")).await.html;
    for (page, html) in [("form", form), ("parts", parts)] {
        for words in words {
            assert!(html.contains(words), "{page}: {words}\n{html}");
        }
        assert!(!html.contains("<b>double"), "{page}");
    }
}

#[tokio::test]
async fn a_command_of_one_consumer_is_previewed_before_it_can_be_sent() {
    let group = "/c/prod-eu/groups/prod-audio-processor";
    let html = page(group).await.html;
    for kind in ["restart", "changeWorkers", "reset", "rewind", "stop"] {
        assert!(html.contains(&format!("form={kind}&amp;consumer=audio#form")), "{kind}");
    }
    let restart = page(&format!("{group}?form=restart&consumer=audio")).await.html;
    assert!(restart.contains("Sends TheMessage (audio) to kafkaflow.admin, partition 0."));
    assert!(restart.contains("A note &lt;b&gt;of the kind&lt;/b&gt;."));
    assert!(restart.contains(r#"name="action" value="restart""#) && restart.contains("required"));
    assert!(restart.contains("Restart consumer audio in prod-audio-processor on PROD-EU, 3 instances"));

    let choice = page(&format!("{group}?form=rewind&consumer=audio")).await.html;
    assert!(choice.contains("in the zone of the consumer's hosts, Europe/Berlin"));
    assert!(!choice.contains(r#"name="action" value="rewind""#), "nothing to send yet");
    let rewind = page(&format!("{group}?form=rewind&consumer=audio&to=2026-11-21T14:00")).await.html;
    assert!(rewind.contains(r#"name="to" value="2026-11-21T14:00""#));
    assert!(rewind.contains("20 (up to 20 records again)"));
    assert!(rewind.contains("left as it is: no record at or after that time"));

    let start = page(&format!("{group}?form=start&consumer=audio")).await.html;
    assert!(start.contains("It would be refused") && start.contains("estart it instead"));
    assert!(!start.contains(r#"name="action" value="start""#));
    // None without its consumer.
    assert!(!page(&format!("{group}?form=restart")).await.html.contains("id=\"form\""));
}

#[tokio::test]
async fn a_name_of_any_shape_is_linked_and_shown() {
    let html = page("").await.html;
    assert!(html.contains(r#"href="/kafkaflow/c/staging/groups/~bGVnYWN5L2V4cG9ydGVyICJ4Ig""#));
    assert!(html.contains("legacy/exporter \"x\"") || html.contains("legacy/exporter &quot;x&quot;"));
}

/// What is not known is a dash and a reason, never a zero.
#[tokio::test]
async fn the_unknown_is_said() {
    let html = page("/c/staging/groups/~bGVnYWN5L2V4cG9ydGVyICJ4Ig").await.html;
    assert!(html.contains("never committed"));
    assert!(html.contains("not permitted to read"));
    let fleet = page("").await.html;
    assert!(fleet.contains("no broker answered within 5 s") && fleet.contains(">incomplete</small>"));
}

/// A search counts what it found, and says so.
#[tokio::test]
async fn figures_of_a_search_are_not_called_the_whole_fleet() {
    let (all, found) = (page("").await.html, page("?search=convex").await.html);
    assert!(all.contains("The whole fleet") && !all.contains("Groups that match"));
    assert!(found.contains("Groups that match the search") && !found.contains("The whole fleet"));
}

#[tokio::test]
async fn an_overdue_pause_is_not_said_to_resume() {
    let command = "/c/prod-eu/commands/00000000-0000-4000-8000-00000000000";
    let (active, over) =
        (page(&[command, "2"].concat()).await.html, page(&[command, "4"].concat()).await.html);
    assert!(active.contains("Resumes at ") && !active.contains("Was to resume at"));
    assert!(over.contains("Was to resume at ") && !over.contains("Resumes at"));
}

/// Waiting is not success.
#[tokio::test]
async fn a_command_without_evidence_is_not_done() {
    let html = page("/c/prod-eu/commands/00000000-0000-4000-8000-000000000003").await.html;
    assert!(html.contains("Waiting.") && !html.contains("Paused."));
    assert!(html.contains("Sent again"), "how often, and when last");
}

/// Nor is what was asked for, where nothing was set: then there is nothing to take back.
#[tokio::test]
async fn offsets_that_were_not_set_are_not_moved() {
    let command = "/c/prod-eu/commands/00000000-0000-4000-8000-00000000000";
    for (n, moved, undo) in [("5", false, false), ("6", false, false), ("7", true, true)] {
        let html = page(&[command, n].concat()).await.html;
        assert!(html.contains("Committed before"), "{n}");
        assert_eq!(html.contains("Moved to"), moved, "{n}");
        assert_eq!(html.contains("Asked for"), !moved, "{n}");
        assert_eq!(html.contains("?to=undo:"), undo, "{n}");
    }
    let left = page(&[command, "6"].concat()).await.html;
    assert!(left.contains("left as it is: not set"));
}

/// Records flow under a pause: that is the headline, and not the pause.
#[tokio::test]
async fn a_pause_that_is_not_obeyed_is_the_headline() {
    let html = page("/c/prod-eu/groups/prod-invoices").await.html;
    let finding = &html[html.find("panel finding bad").expect("red")..];
    let finding = &finding[..finding.find("</section>").unwrap()];
    for words in ["Pause not obeyed.", "vm-2 runs 3 partitions for 12 s", "sent again 4 times", "hold by ana"]
    {
        assert!(finding.contains(words), "{words}: {finding}");
    }
    let fleet = page("/").await.html;
    assert!(fleet.contains("pause not obeyed") && !fleet.contains("pause unconfirmed"));
}

/// An instance that does not know the holds may process records despite a pause.
#[tokio::test]
async fn an_instance_without_the_holds_is_marked() {
    let html = page("/c/prod-eu/groups/prod-audio-processor").await.html;
    let of = |name: &str| {
        let rest = &html[html.find(&format!("class=\"body\">{name}")).expect(name)..];
        rest[..rest.find("</li>").unwrap()].to_owned()
    };
    assert!(of("web-7").contains("Cannot read the holds") && of("web-7").contains("joined 14 s after"));
    assert!(of("web-3").contains("Has not read the holds yet"));
    assert!(!of("web-2").contains("the holds"));
}

/// A hold on one topic of a consumer: that topic is resumed, the other one paused, the consumer both.
/// Nothing of it runs in the browser, and names are no markup.
#[tokio::test]
async fn brokers_with_what_is_wrong_and_missing() {
    let Page { status, html } = page("/c/prod-eu/brokers").await;
    keep("brokers", &html);
    assert_eq!(status, StatusCode::OK);
    for words in [
        "1 broker down",
        "1 partition without a leader",
        "824 partitions under-replicated",
        "not listed: down",
        "&lt;b&gt;eu-1b&lt;/b&gt;",
        "Missing ACL: Describe on the cluster",
        "tab=partitions",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("import init") && !html.contains("<b>eu-1b"), "{html}");
    assert_eq!(page("/c/nowhere/brokers").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn groups_as_a_table_with_chosen_columns() {
    let html = page("/all-groups?search=a&columns=lag,labels,drain&label=team:x").await.html;
    keep("groups", &html);
    for words in [
        "team: &lt;i&gt;payments",
        "href=\"https://wiki.example/runbook\" rel=\"external noopener noreferrer\"",
        "/kafkaflow/api/v1/groups/download?format=csv&amp;search=a&amp;label=team%3Ax&amp;columns=lag%2Cdrain%2Clabels",
        "value=\"team:x\"",
        "Time to drain",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    // Columns that were not chosen are not there, and nothing runs in the browser.
    assert!(
        !html.contains("data-c=\"members\"")
            && !html.contains("import init")
            && !html.contains("<i>payments")
    );
    let refused = page("/all-groups?columns=colour").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    keep("groups-usual", &page("/all-groups").await.html);
}

#[tokio::test]
async fn topics_and_their_groups_have_lag_and_rates() {
    let html = page("/c/prod-eu/topics").await.html;
    keep("topics", &html);
    assert!(html.contains("/kafkaflow/c/prod-eu/brokers"), "a link to the brokers");
    assert!(html.contains("prod-audio-processor"), "the group with most lag");
    let html = page("/c/prod-eu/topics/audio-events?tab=groups").await.html;
    keep("topic-groups", &html);
    for words in ["7.6", "grows by", "an hour", "Time lag"] {
        assert!(html.contains(words), "{words}");
    }
}

#[tokio::test]
async fn a_paused_topic_offers_resume_instead_of_pause() {
    let html = page("/c/prod-eu/groups/prod-audio-processor?show=lag").await.html;
    for offered in [
        "Resume topic audio-retries in prod-audio-processor (consumer audio)",
        "Pause topic audio-events in prod-audio-processor (consumer audio)",
    ] {
        assert!(html.contains(&format!("title=\"{offered}")), "{offered}");
    }
    for not_offered in ["Pause topic audio-retries in prod", "Resume topic audio-events in prod"] {
        assert!(!html.contains(&format!("title=\"{not_offered}")), "{not_offered}");
    }
    // What the table shows stays beside the form.
    let link = "?form=resume&amp;consumer=audio&amp;topic=audio-retries&amp;show=lag#form";
    assert!(html.contains(link) || html.contains(&link.replace("&amp;", "&")), "{link}");
}
