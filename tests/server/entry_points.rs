//! The table of permissions: every entry point × every caller, on the admin service's own ports. No Kafka
//! is needed: permissions are checked before anything is asked of it, and what is allowed then fails in
//! another way. An entry point without a row fails the test, and so does a row without an entry point.
//!
//! `docs/permissions.md` holds the same table; `UPDATE_DOCS=1 cargo test` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::Router;
use axum::body::{Body, to_bytes};
use flowdeck::config::{ClusterConfig, Config};
use flowdeck::{Options, entry_points, kafka, service};
use http::{Method, Request, StatusCode};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::people::{People, log_in, settings};
use crate::support::{get, options};

/// What an entry point needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// No actor: it shows nothing of Kafka.
    Open,
    /// An actor; shows what that actor may view, which may be nothing.
    Actor,
    /// `view` on the group, or on some group of the cluster where it belongs to none.
    View,
    /// `view` on all groups of all clusters.
    ViewAll,
    /// `read payloads` for a group that reads the topic, or for all groups.
    Payloads,
    /// `control` on the group.
    Control,
    /// `control` and `offsets` on the group.
    Offsets,
    /// `redrive` on the topic.
    Redrive,
    /// `produce` on the topic.
    Produce,
    /// `retention` on the topic.
    Retention,
}

/// How an entry point refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// 303 to the log-in form and back; 403 as a page.
    Page,
    /// 401 and 403 as problem documents.
    Api,
    /// 401; 403 as an error of the function.
    Function,
    /// As the API, before the stream begins.
    Stream,
}

struct Row {
    kind: Kind,
    method: Method,
    /// As the router lists it.
    path: &'static str,
    /// What is asked; several where one path serves several ports.
    ask: &'static str,
    body: &'static str,
    need: Need,
}

const JSON: &str = r#"{"action":"pause","target":{"group":"payments"},"reason":"x"}"#;
const REDRIVE: &str = r#"{"topic":"orders.dlq","records":{"matching":{}},"reason":"x"}"#;
const BULK: &str = r#"{"action":"pause","groups":[{"group":"payments"}],"reason":"x"}"#;
const BULK_QUERY: &str = r#"{"action":"pause","groups":["payments"]}"#;
const RECORD: &str = r#"{"value":{"text":"x"},"reason":"x"}"#;
const CANARY: &str = r#"{"target":{"group":"payments","topics":["orders"],"partitions":[0]},"reason":"x"}"#;
const RETENTION: &str = r#"{"seen":{"ms":{"value":1,"own":false},"bytes":{"value":-1,"own":false}},"ms":2,"bytes":-1,"until":"2099-01-01T00:00:00Z","reason":"x"}"#;
const RETENTION_FORM: &str = concat!(
    "id=7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b&reason=x&request=",
    "%7B%22topic%22%3A%22orders%22%2C%22seen%22%3A%7B%22ms%22%3A%7B%22value%22%3A1%2C%22own%22%3Afalse%7D%2C",
    "%22bytes%22%3A%7B%22value%22%3A-1%2C%22own%22%3Afalse%7D%7D%2C%22ms%22%3A2%2C%22bytes%22%3A-1%2C",
    "%22until%22%3A%222099-01-01T00%3A00%3A00Z%22%7D"
);
const FORM: &str = "id=7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b&action=pause&group=payments&reason=x";
const OFFSETS: &str = r#"{"group":"payments","to":"earliest","topics":["orders"]}"#;
const ID: &str = "7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b";

fn rows() -> Vec<Row> {
    use Kind::*;
    use Need::*;
    let row = |kind, method, path, ask, body, need| Row { kind, method, path, ask, body, need };
    let read = |kind, path, ask, need| row(kind, Method::GET, path, ask, "", need);
    let send = |kind, path, ask, body, need| row(kind, Method::POST, path, ask, body, need);
    vec![
        read(Api, "/health", "/health", Open),
        read(Api, "/health/live", "/health/live", Open),
        read(Api, "/health/ready", "/health/ready", Open),
        read(Api, "/metrics", "/metrics", ViewAll),
        read(Page, "/", "/", Open),
        // The API.
        read(Api, "/kafkaflow/api", "/kafkaflow/api", Open),
        read(Api, "/kafkaflow/api/{*rest}", "/kafkaflow/api/v2/groups", Open),
        read(Api, "/kafkaflow/api/v1/openapi.json", "/kafkaflow/api/v1/openapi.json", Open),
        read(Api, "/kafkaflow/api/v1/groups", "/kafkaflow/api/v1/groups", Actor),
        read(Api, "/kafkaflow/api/v1/groups/download", "/kafkaflow/api/v1/groups/download?format=csv", Actor),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/groups/{group}",
            "/kafkaflow/api/v1/clusters/demo/groups/payments",
            View,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/groups/{group}/agents",
            "/kafkaflow/api/v1/clusters/demo/groups/payments/agents",
            View,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/groups/{group}/history",
            "/kafkaflow/api/v1/clusters/demo/groups/payments/history",
            View,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/commands",
            "/kafkaflow/api/v1/clusters/demo/commands",
            JSON,
            Control,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/commands/preview",
            "/kafkaflow/api/v1/clusters/demo/commands/preview",
            JSON,
            Control,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/offsets/preview",
            "/kafkaflow/api/v1/clusters/demo/offsets/preview",
            OFFSETS,
            Offsets,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/commands/{id}",
            "/kafkaflow/api/v1/clusters/demo/commands/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/brokers",
            "/kafkaflow/api/v1/clusters/demo/brokers",
            View,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/audit",
            "/kafkaflow/api/v1/clusters/demo/audit",
            View,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/audit/download",
            "/kafkaflow/api/v1/clusters/demo/audit/download?format=csv",
            View,
        ),
        read(Page, "/kafkaflow/c/{cluster}/audit", "/kafkaflow/c/demo/audit", View),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/topics",
            "/kafkaflow/api/v1/clusters/demo/topics",
            View,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/topics/{topic}",
            "/kafkaflow/api/v1/clusters/demo/topics/orders",
            View,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/topics/{topic}/messages",
            "/kafkaflow/api/v1/clusters/demo/topics/orders/messages",
            Payloads,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/topics/{topic}/messages/download",
            "/kafkaflow/api/v1/clusters/demo/topics/orders/messages/download?format=csv",
            Payloads,
        ),
        read(
            Stream,
            "/kafkaflow/api/v1/clusters/{cluster}/topics/{topic}/messages/tail",
            "/kafkaflow/api/v1/clusters/demo/topics/orders/messages/tail",
            Payloads,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/groups/{group}/pause",
            "/kafkaflow/c/demo/groups/payments/pause?topic=orders",
            View,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/groups/{group}/stuck",
            "/kafkaflow/c/demo/groups/payments/stuck?topic=orders&partition=0",
            View,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/topics/{topic}/records",
            "/kafkaflow/api/v1/clusters/demo/topics/orders/records",
            RECORD,
            Produce,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/topics/{topic}/records/preview",
            "/kafkaflow/api/v1/clusters/demo/topics/orders/records/preview",
            RECORD,
            Produce,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/topics/{topic}/records/{partition}/{offset}",
            "/kafkaflow/api/v1/clusters/demo/topics/orders/records/0/7",
            Payloads,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/produced/{id}",
            "/kafkaflow/api/v1/clusters/demo/produced/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/topics/{topic}/produce",
            "/kafkaflow/c/demo/topics/orders/produce",
            Produce,
        ),
        send(
            Page,
            "/kafkaflow/c/{cluster}/topics/{topic}/produce",
            "/kafkaflow/c/demo/topics/orders/produce",
            "id=7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b&send=true&value=x&valueAs=text&keyAs=none&reason=x",
            Produce,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/produced/{id}",
            "/kafkaflow/c/demo/produced/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/canaries",
            "/kafkaflow/api/v1/clusters/demo/canaries",
            CANARY,
            Control,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/canaries/preview",
            "/kafkaflow/api/v1/clusters/demo/canaries/preview",
            CANARY,
            Control,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/canaries/{id}",
            "/kafkaflow/api/v1/clusters/demo/canaries/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/canaries/{id}/order",
            "/kafkaflow/api/v1/clusters/demo/canaries/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b/order",
            "{\"order\":\"rest\"}",
            View,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/canaries/{id}/order/preview",
            "/kafkaflow/api/v1/clusters/demo/canaries/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b/order/preview",
            "{\"order\":\"back\"}",
            View,
        ),
        read(Page, "/kafkaflow/c/{cluster}/canaries", "/kafkaflow/c/demo/canaries", Actor),
        send(
            Page,
            "/kafkaflow/c/{cluster}/canaries",
            "/kafkaflow/c/demo/canaries",
            "id=7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b&action=resume&group=payments&topic=orders&partition=0&reason=x",
            Control,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/canaries/{id}",
            "/kafkaflow/c/demo/canaries/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        send(
            Page,
            "/kafkaflow/c/{cluster}/canaries/{id}",
            "/kafkaflow/c/demo/canaries/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            "order=rest",
            View,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/topics/{topic}/retention",
            "/kafkaflow/api/v1/clusters/demo/topics/orders/retention",
            RETENTION,
            Retention,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/topics/{topic}/retention/preview",
            "/kafkaflow/api/v1/clusters/demo/topics/orders/retention/preview",
            "{}",
            Retention,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/retentions",
            "/kafkaflow/api/v1/clusters/demo/retentions",
            View,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/retentions/{id}",
            "/kafkaflow/api/v1/clusters/demo/retentions/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/retentions/{id}/end",
            "/kafkaflow/api/v1/clusters/demo/retentions/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b/end",
            "",
            View,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/groups/{group}/retention",
            "/kafkaflow/c/demo/groups/payments/retention",
            View,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/topics/{topic}/retention",
            "/kafkaflow/c/demo/topics/orders/retention",
            Retention,
        ),
        send(
            Page,
            "/kafkaflow/c/{cluster}/topics/{topic}/retention",
            "/kafkaflow/c/demo/topics/orders/retention",
            RETENTION_FORM,
            Retention,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/retentions/{id}",
            "/kafkaflow/c/demo/retentions/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        send(
            Page,
            "/kafkaflow/c/{cluster}/retentions/{id}",
            "/kafkaflow/c/demo/retentions/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            "",
            View,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/topics/{topic}/live",
            "/kafkaflow/c/demo/topics/orders/live",
            Payloads,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/dead-letters",
            "/kafkaflow/api/v1/clusters/demo/dead-letters",
            View,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/dead-letters/{topic}",
            "/kafkaflow/api/v1/clusters/demo/dead-letters/orders.dlq",
            Payloads,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/dead-letters/{topic}/{partition}/{offset}",
            "/kafkaflow/api/v1/clusters/demo/dead-letters/orders.dlq/0/7",
            Payloads,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/redrives",
            "/kafkaflow/api/v1/clusters/demo/redrives",
            REDRIVE,
            Redrive,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/redrives/preview",
            "/kafkaflow/api/v1/clusters/demo/redrives/preview",
            REDRIVE,
            Redrive,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/redrives/{id}",
            "/kafkaflow/api/v1/clusters/demo/redrives/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/redrives/{id}/order",
            "/kafkaflow/api/v1/clusters/demo/redrives/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b/order",
            "{\"order\":\"stop\"}",
            View,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/bulks",
            "/kafkaflow/api/v1/clusters/demo/bulks",
            BULK,
            Control,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/bulks/preview",
            "/kafkaflow/api/v1/clusters/demo/bulks/preview",
            BULK_QUERY,
            Control,
        ),
        read(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/bulks/{id}",
            "/kafkaflow/api/v1/clusters/demo/bulks/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        send(
            Api,
            "/kafkaflow/api/v1/clusters/{cluster}/bulks/{id}/stop",
            "/kafkaflow/api/v1/clusters/demo/bulks/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b/stop",
            "{}",
            View,
        ),
        // KafkaFlow's own contracts, on the default cluster.
        read(Api, "/kafkaflow/groups", "/kafkaflow/groups", View),
        read(Api, "/kafkaflow/groups/{group}/consumers", "/kafkaflow/groups/payments/consumers", View),
        read(
            Api,
            "/kafkaflow/groups/{group}/consumers/{consumer}",
            "/kafkaflow/groups/payments/consumers/c",
            View,
        ),
        read(Api, "/kafkaflow/telemetry", "/kafkaflow/telemetry", View),
        read(Api, "/kafkaflow/consumers/telemetry", "/kafkaflow/consumers/telemetry", View),
        send(Api, "/kafkaflow/groups/{group}/pause", "/kafkaflow/groups/payments/pause", "", Control),
        send(Api, "/kafkaflow/groups/{group}/resume", "/kafkaflow/groups/payments/resume", "", Control),
        send(
            Api,
            "/kafkaflow/groups/{group}/consumers/{consumer}/pause",
            "/kafkaflow/groups/payments/consumers/c/pause",
            "",
            Control,
        ),
        send(
            Api,
            "/kafkaflow/groups/{group}/consumers/{consumer}/resume",
            "/kafkaflow/groups/payments/consumers/c/resume",
            "",
            Control,
        ),
        send(
            Api,
            "/kafkaflow/groups/{group}/consumers/{consumer}/start",
            "/kafkaflow/groups/payments/consumers/c/start",
            "",
            Control,
        ),
        send(
            Api,
            "/kafkaflow/groups/{group}/consumers/{consumer}/stop",
            "/kafkaflow/groups/payments/consumers/c/stop",
            "",
            Control,
        ),
        send(
            Api,
            "/kafkaflow/groups/{group}/consumers/{consumer}/restart",
            "/kafkaflow/groups/payments/consumers/c/restart",
            "",
            Control,
        ),
        send(
            Api,
            "/kafkaflow/groups/{group}/consumers/{consumer}/change-worker-count",
            "/kafkaflow/groups/payments/consumers/c/change-worker-count",
            "{\"workersCount\":2}",
            Control,
        ),
        send(
            Api,
            "/kafkaflow/groups/{group}/consumers/{consumer}/reset-offsets",
            "/kafkaflow/groups/payments/consumers/c/reset-offsets",
            "{\"confirm\":true}",
            Offsets,
        ),
        send(
            Api,
            "/kafkaflow/groups/{group}/consumers/{consumer}/rewind-offsets-to-date",
            "/kafkaflow/groups/payments/consumers/c/rewind-offsets-to-date",
            "{\"date\":\"2026-11-29\"}",
            Offsets,
        ),
        row(
            Api,
            Method::PUT,
            "/kafkaflow/consumers/{consumer}/topics/{topic}/pause",
            "/kafkaflow/consumers/c/topics/t/pause",
            "",
            Control,
        ),
        row(
            Api,
            Method::PUT,
            "/kafkaflow/consumers/{consumer}/topics/{topic}/resume",
            "/kafkaflow/consumers/c/topics/t/resume",
            "",
            Control,
        ),
        row(
            Api,
            Method::PUT,
            "/kafkaflow/consumers/{consumer}/topics/{topic}/reset",
            "/kafkaflow/consumers/c/topics/t/reset",
            "",
            Offsets,
        ),
        row(
            Api,
            Method::PUT,
            "/kafkaflow/consumers/{consumer}/topics/{topic}/rewind/{date}",
            "/kafkaflow/consumers/c/topics/t/rewind/2026-11-29",
            "",
            Offsets,
        ),
        row(
            Api,
            Method::PUT,
            "/kafkaflow/consumers/{consumer}/start",
            "/kafkaflow/consumers/c/start",
            "",
            Control,
        ),
        row(
            Api,
            Method::PUT,
            "/kafkaflow/consumers/{consumer}/stop",
            "/kafkaflow/consumers/c/stop",
            "",
            Control,
        ),
        row(
            Api,
            Method::PUT,
            "/kafkaflow/consumers/{consumer}/restart",
            "/kafkaflow/consumers/c/restart",
            "",
            Control,
        ),
        row(
            Api,
            Method::PUT,
            "/kafkaflow/consumers/{consumer}/changeWorkers/{workers}",
            "/kafkaflow/consumers/c/changeWorkers/2",
            "",
            Control,
        ),
        // What pages use.
        read(Function, "/kafkaflow/fn/{*name}", "/kafkaflow/fn/none-of-ours", Actor),
        read(Function, "/kafkaflow/fn/fleet", "/kafkaflow/fn/fleet?query=", Actor),
        read(Function, "/kafkaflow/fn/group", "/kafkaflow/fn/group?cluster=demo&group=payments", View),
        read(
            Function,
            "/kafkaflow/fn/history",
            "/kafkaflow/fn/history?cluster=demo&group=payments&query=&utc_offset=0",
            View,
        ),
        read(Function, "/kafkaflow/fn/topics", "/kafkaflow/fn/topics?cluster=demo", View),
        read(Function, "/kafkaflow/fn/topic", "/kafkaflow/fn/topic?cluster=demo&topic=orders", View),
        read(
            Function,
            "/kafkaflow/fn/messages",
            "/kafkaflow/fn/messages?cluster=demo&topic=orders&query=",
            Payloads,
        ),
        read(
            Function,
            "/kafkaflow/fn/command",
            "/kafkaflow/fn/command?cluster=demo&id=7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        read(
            Function,
            "/kafkaflow/fn/preview",
            "/kafkaflow/fn/preview?cluster=demo&body=action%3Dpause%26group%3Dpayments",
            Control,
        ),
        read(Stream, "/kafkaflow/events", "/kafkaflow/events?view=fleet", Actor),
        read(Stream, "/kafkaflow/events", "/kafkaflow/events?view=group&cluster=demo&group=payments", View),
        read(
            Stream,
            "/kafkaflow/events",
            "/kafkaflow/events?view=command&cluster=demo&id=7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        read(Page, "/kafkaflow/pkg/{*file}", "/kafkaflow/pkg/0/none.js", Open),
        // Forms.
        send(Page, "/kafkaflow/theme", "/kafkaflow/theme", "theme=dark", Open),
        read(Page, "/kafkaflow/login", "/kafkaflow/login", Open),
        send(Page, "/kafkaflow/login", "/kafkaflow/login", "name=nobody&password=wrong", Open),
        send(Page, "/kafkaflow/logout", "/kafkaflow/logout", "", Open),
        send(Page, "/kafkaflow/logout-everywhere", "/kafkaflow/logout-everywhere", "", Open),
        read(
            Page,
            "/kafkaflow/c/{cluster}/groups/{group}/offsets",
            "/kafkaflow/c/demo/groups/payments/offsets?to=earliest&topic=orders",
            Offsets,
        ),
        send(
            Page,
            "/kafkaflow/c/{cluster}/groups/{group}/offsets",
            "/kafkaflow/c/demo/groups/payments/offsets",
            "to=earliest&topic=orders",
            Offsets,
        ),
        read(Page, "/kafkaflow/c/{cluster}/commands", "/kafkaflow/c/demo/commands", Actor),
        send(Page, "/kafkaflow/c/{cluster}/commands", "/kafkaflow/c/demo/commands", FORM, Control),
        read(Page, "/kafkaflow/c/{cluster}/redrives", "/kafkaflow/c/demo/redrives", Actor),
        send(
            Page,
            "/kafkaflow/c/{cluster}/redrives",
            "/kafkaflow/c/demo/redrives",
            "topic=orders.dlq&reason=x",
            Redrive,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/redrives/{id}",
            "/kafkaflow/c/demo/redrives/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        send(
            Page,
            "/kafkaflow/c/{cluster}/redrives/{id}",
            "/kafkaflow/c/demo/redrives/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            "order=stop",
            View,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/dead-letters/{topic}/redrive",
            "/kafkaflow/c/demo/dead-letters/orders.dlq/redrive",
            Payloads,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/bulk",
            "/kafkaflow/c/demo/bulk?group=payments&action=pause",
            Control,
        ),
        send(
            Page,
            "/kafkaflow/c/{cluster}/bulk",
            "/kafkaflow/c/demo/bulk",
            "group=payments&action=pause",
            Control,
        ),
        read(Page, "/kafkaflow/c/{cluster}/bulks", "/kafkaflow/c/demo/bulks", Actor),
        send(
            Page,
            "/kafkaflow/c/{cluster}/bulks",
            "/kafkaflow/c/demo/bulks",
            "id=7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b&action=pause&group=payments&reason=x",
            Control,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/bulks/{id}",
            "/kafkaflow/c/demo/bulks/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
        send(
            Page,
            "/kafkaflow/c/{cluster}/bulks/{id}",
            "/kafkaflow/c/demo/bulks/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            "",
            View,
        ),
        // Pages.
        read(Page, "/kafkaflow", "/kafkaflow", Actor),
        read(Page, "/kafkaflow/", "/kafkaflow/", Open),
        read(Page, "/kafkaflow/{*page}", "/kafkaflow/no/such/page", Actor),
        read(Page, "/kafkaflow/c/{cluster}/dead-letters", "/kafkaflow/c/demo/dead-letters", View),
        read(
            Page,
            "/kafkaflow/c/{cluster}/dead-letters/{topic}",
            "/kafkaflow/c/demo/dead-letters/orders.dlq",
            Payloads,
        ),
        read(
            Page,
            "/kafkaflow/c/{cluster}/dead-letters/{topic}/{partition}/{offset}",
            "/kafkaflow/c/demo/dead-letters/orders.dlq/0/7",
            Payloads,
        ),
        read(Page, "/kafkaflow/c/{cluster}/groups/{group}", "/kafkaflow/c/demo/groups/payments", View),
        read(
            Page,
            "/kafkaflow/c/{cluster}/groups/{group}/agents",
            "/kafkaflow/c/demo/groups/payments/agents",
            View,
        ),
        read(Page, "/kafkaflow/all-groups", "/kafkaflow/all-groups?columns=lag", Actor),
        read(Page, "/kafkaflow/c/{cluster}/brokers", "/kafkaflow/c/demo/brokers", View),
        read(Page, "/kafkaflow/c/{cluster}/topics", "/kafkaflow/c/demo/topics", View),
        read(Page, "/kafkaflow/c/{cluster}/topics/{topic}", "/kafkaflow/c/demo/topics/orders", View),
        read(
            Page,
            "/kafkaflow/c/{cluster}/commands/{id}",
            "/kafkaflow/c/demo/commands/7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b",
            View,
        ),
    ]
}

/// Roles by what each may do, on cluster `demo`, group `payments`, topic `orders`. The first is nobody.
const CALLERS: [(&str, &[Need]); 6] = {
    use Need::*;
    [
        ("nobody", &[Open]),
        ("viewer", &[Open, Actor, View, ViewAll]),
        ("operator", &[Open, Actor, View, ViewAll, Payloads, Control]),
        ("admin", &[Open, Actor, View, ViewAll, Payloads, Control, Offsets, Redrive, Produce, Retention]),
        // Of the configuration: `control` on groups `payments*` of `demo`; all on cluster `other`.
        ("payments", &[Open, Actor, View, Control]),
        ("elsewhere", &[Open, Actor]),
    ]
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// To the log-in form.
    Form,
    Unauthorized,
    Forbidden,
}

fn expected(row: &Row, role: &str, may: &[Need]) -> Outcome {
    match (may.contains(&row.need), role, row.kind) {
        (true, _, _) => Outcome::Passed,
        (false, "nobody", Kind::Page) => Outcome::Form,
        (false, "nobody", _) => Outcome::Unauthorized,
        (false, _, _) => Outcome::Forbidden,
    }
}

async fn call(router: &Router, row: &Row, credential: Option<(&'static str, &str)>) -> (Outcome, String) {
    let kind = if row.kind == Kind::Api { "application/json" } else { "application/x-www-form-urlencoded" };
    let mut request = Request::builder()
        .method(row.method.clone())
        .uri(row.ask)
        .header("host", "localhost:8077")
        .header("content-type", kind)
        .header("accept", if row.kind == Kind::Page { "text/html" } else { "application/json" });
    if let Some((name, value)) = credential {
        request = request.header(name, value);
    }
    let response = router.clone().oneshot(request.body(Body::from(row.body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let header =
        |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
    if header("content-type").starts_with("text/event-stream") {
        return (Outcome::Passed, String::new());
    }
    let to_form =
        parts.status == StatusCode::SEE_OTHER && header("location").starts_with("/kafkaflow/login?next=");
    let location = header("location").to_owned();
    let body = to_bytes(body, 16 * 1024 * 1024).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    let said = format!("{} {location} {}", parts.status, body.chars().take(300).collect::<String>());
    let refused_by_right = body.contains("this needs the permission to")
        || body.contains("This needs the permission to")
        || body.contains("\"error\":\"forbidden\"")
        || body.contains("{\"forbidden\":");
    // Back to the fleet needs no `next`. Log-out leads there too, and is no refusal.
    let home = row.need != Need::Open && location == "/kafkaflow/login";
    let outcome = match parts.status {
        StatusCode::SEE_OTHER if to_form || home => Outcome::Form,
        // The log-in form's own "wrong password" is an answer, no refusal.
        StatusCode::UNAUTHORIZED if row.path != "/kafkaflow/login" => Outcome::Unauthorized,
        StatusCode::FORBIDDEN if refused_by_right => Outcome::Forbidden,
        _ if row.kind == Kind::Function && refused_by_right => Outcome::Forbidden,
        _ => Outcome::Passed,
    };
    (outcome, said)
}

/// The real ports, on brokers that do not exist.
async fn router(people: &People) -> (Router, tokio_util::sync::DropGuard) {
    let stop = CancellationToken::new();
    let mut demo = ClusterConfig::new("demo".parse().unwrap());
    demo.bootstrap = "127.0.0.1:1".to_owned();
    let config = Config { clusters: vec![demo], ..Config::default() };
    let admin = kafka::start(&config, stop.clone());
    let options = Options { default_cluster: Some("demo".parse().unwrap()), ..people.options() };
    (service(admin.bind(), options), stop.drop_guard())
}

#[tokio::test]
async fn permission_table_holds_for_every_role() {
    let mut tokens = vec![];
    let mut hashes = vec![];
    for (role, _) in &CALLERS[1..] {
        let (token, hash) = flowdeck::auth::new_token();
        tokens.push(format!("Bearer {token}"));
        hashes.push((hash, *role));
    }
    let users: Vec<(&str, &str)> = CALLERS[1..].iter().map(|(role, _)| (*role, *role)).collect();
    let hashes: Vec<(&str, &str)> = hashes.iter().map(|(hash, role)| (hash.as_str(), *role)).collect();
    let people = People::new(settings(&users, &hashes)).await;
    let (router, _stop) = router(&people).await;
    let mut wrong = String::new();
    for (n, (role, may)) in CALLERS.iter().enumerate() {
        let mut cookie = None;
        for row in rows() {
            if n > 0 && cookie.is_none() {
                cookie = Some(log_in(&router, role).await);
            }
            let by_cookie = cookie.as_deref().map(|cookie| ("cookie", cookie));
            let by_token = (n > 0).then(|| ("authorization", tokens[n - 1].as_str()));
            for (how, credential) in [("session", by_cookie), ("token", by_token)] {
                let (got, said) = call(&router, &row, credential).await;
                let want = expected(&row, role, may);
                if got != want {
                    writeln!(
                        wrong,
                        "{role} by {how}: {} {}: {got:?}, not {want:?}: {said}",
                        row.method, row.ask
                    )
                    .unwrap();
                }
            }
            if row.path.contains("/logout") {
                cookie = None;
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Numbers that differ from answer to answer: ids, nonces, times.
fn without_numbers(text: &str) -> String {
    let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
    let words = text.split_inclusive(|c: char| !hex(c));
    let same = words.map(|word| if word.trim_end_matches(|c| !hex(c)).len() >= 8 { "#" } else { word });
    same.collect()
}

/// An actor that may not view a cluster does not learn whether it exists: `demo` does, `mist` does not.
#[tokio::test]
async fn forbidden_and_missing_answer_alike() {
    let people = People::new(settings(&[("elsewhere", "elsewhere"), ("payments", "payments")], &[])).await;
    let (router, _stop) = router(&people).await;
    let cookies = [log_in(&router, "elsewhere").await, log_in(&router, "payments").await];
    let mut asked = 0;
    let more = [
        "/kafkaflow?cluster=demo",
        "/kafkaflow/api/v1/groups?cluster=demo",
        "/kafkaflow/events?view=fleet&cluster=demo",
    ];
    let reads = more.map(|ask| (Kind::Api, Method::GET, ask.to_owned(), String::new()));
    let all = rows().into_iter().map(|row| (row.kind, row.method, row.ask.to_owned(), row.body.to_owned()));
    for (entry, method, ask, body) in all.chain(reads).filter(|(_, _, ask, _)| ask.contains("demo")) {
        let mut answers = vec![];
        for cluster in ["demo", "mist"] {
            let kind =
                if entry == Kind::Api { "application/json" } else { "application/x-www-form-urlencoded" };
            let request = Request::builder().method(method.clone()).uri(ask.replace("demo", cluster));
            let request = request.header("host", "localhost:8077").header("content-type", kind);
            let request = request.header("cookie", &cookies[0]).body(Body::from(body.clone())).unwrap();
            let answer = crate::support::ask(&router, request).await;
            answers.push((answer.status, without_numbers(&answer.body.replace(cluster, "C"))));
        }
        assert_eq!(answers[0], answers[1], "{method} {ask}");
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
    // On a cluster of which the user may view a part: a command's id tells nothing, of whichever group it is.
    let path = format!("/kafkaflow/api/v1/clusters/demo/commands/{ID}");
    let request = crate::people::with(get(&path), "cookie", &cookies[1]);
    assert_eq!(crate::support::ask(&router, request).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn table_lists_every_entry_point() {
    let people = People::new(settings(&[("admin", "admin")], &[])).await;
    let (router, _stop) = router(&people).await;
    let base = options().base;
    let mut there = BTreeSet::new();
    for path in entry_points(&base) {
        let concrete = path.replace("{cluster}", "demo").replace("{group}", "g").replace("{topic}", "t");
        let concrete = concrete.replace("{id}", ID).replace("{*", "").replace('}', "");
        let mut probe = get(&concrete);
        *probe.method_mut() = Method::TRACE;
        let answer = crate::support::ask(&router, probe).await;
        let allow = answer.header("allow").to_owned();
        // Paths that answer every method, and those that leptos lists, have no `Allow`.
        let methods: Vec<&str> =
            if allow.is_empty() { vec!["GET"] } else { allow.split(',').map(str::trim).collect() };
        for method in methods.into_iter().filter(|method| *method != "HEAD") {
            there.insert((method.to_owned(), path.clone()));
        }
    }
    let rows: BTreeSet<(String, String)> =
        rows().iter().map(|row| (row.method.to_string(), row.path.to_owned())).collect();
    let without_row: Vec<_> = there.difference(&rows).collect();
    let without_entry: Vec<_> = rows.difference(&there).collect();
    assert!(
        without_row.is_empty() && without_entry.is_empty(),
        "entry points without a row in the table of permissions: {without_row:#?}\nrows without an entry point: {without_entry:#?}"
    );
}

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/permissions.md");
const BEGIN: &str = "<!-- made by tests/server/entry_points.rs -->\n";

#[test]
fn documentation_is_current() {
    let mut table = String::from("| entry point | method | path | needs |");
    for (role, _) in CALLERS {
        write!(table, " {role} |").unwrap();
    }
    table += "\n|---|---|---|---|";
    table += &"---|".repeat(CALLERS.len());
    table.push('\n');
    for row in rows() {
        let kind = match row.kind {
            Kind::Page => "page",
            Kind::Api => "API",
            Kind::Function => "server function",
            Kind::Stream => "stream",
        };
        let need = match row.need {
            Need::Open => "–",
            Need::Actor => "an actor",
            Need::View => "view",
            Need::ViewAll => "view, everywhere",
            Need::Payloads => "read payloads",
            Need::Control => "control",
            Need::Offsets => "control, offsets",
            Need::Redrive => "redrive",
            Need::Produce => "produce",
            Need::Retention => "retention",
        };
        let path = if row.path == "/kafkaflow/events" {
            row.ask.split("&cluster").next().unwrap()
        } else {
            row.path
        };
        write!(table, "| {kind} | {} | `{path}` | {need} |", row.method).unwrap();
        for (role, may) in CALLERS {
            let cell = match expected(&row, role, may) {
                Outcome::Passed => "yes",
                Outcome::Form => "log-in",
                Outcome::Unauthorized => "401",
                Outcome::Forbidden => "403",
            };
            write!(table, " {cell} |").unwrap();
        }
        table.push('\n');
    }
    let text = std::fs::read_to_string(DOCS).unwrap();
    let (head, there) = text.split_once(BEGIN).expect("the mark before the table");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(DOCS, format!("{head}{BEGIN}{table}")).unwrap();
        return;
    }
    assert_eq!(there, table, "docs/permissions.md is not current: UPDATE_DOCS=1 writes it");
}
