//! A record that no handler can read, and the operator's way out of it: past it by its offset where it stops its partition, as
//! in CustomService, and the dead letters of all others.

use flowdeck_testkit::wait_for;
use serde_json::{Value, json};

use super::{COMMANDS, LIMIT, Scene};
use crate::support::new_id;

pub(super) const POISON: &str = "poison-record";
/// The rest of the cluster's API.
const API: &str = "/api/v1/clusters/shop";
/// Which CustomService stops at.
pub(super) const STOPS: &str = "customservice.item.deleted";
/// CustomService's groups that stop there: the one that troubles are about, and another one.
pub(super) const TROUBLED: &str = "audit-service";
const ANALYTICS: &str = "analytics-service";
pub(super) const CONVEX_LETTERS: &str = "convex.dlq";

/// Dead-letter topics, and what is said of a poison record there.
const LETTERS: [(&str, &str, &str); 3] = [
    ("novatune", "dev-track-deletions.dlq", "not the JSON that is expected"),
    ("convex", CONVEX_LETTERS, "there is no market for bet 0"),
    ("momentum", "dev.sales-api.dlq", "no CloudEvent"),
];

/// Where CustomService has stopped.
pub(super) struct Stopped {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl Scene {
    /// The trouble and the way out of it.
    pub(super) async fn poisoned(&self, service: &str) {
        if service == "custom-service" {
            let stopped = self.stopped_by_poison().await;
            self.skip(TROUBLED, &stopped).await;
            // Another of its services reads the topic.
            self.stops(ANALYTICS, &stopped).await;
            self.skip(ANALYTICS, &stopped).await;
        } else {
            self.dead_letter(service).await;
        }
        if service == "convex" {
            self.redrive_bets().await;
        }
        self.goes_on(service).await;
    }

    pub(super) async fn goes_on(&self, service: &str) {
        self.over(service, &["pausedByApplication", "behind", "fallingBehind", "stalled"]).await;
    }

    pub(super) async fn stopped_by_poison(&self) -> Stopped {
        // Where nothing was handled before there is no commit either.
        wait_for("commits of all partitions", LIMIT, async || {
            let rows = self.kafka.judge(TROUBLED);
            let committed = rows.iter().filter(|row| row.topic == STOPS && row.committed.is_some());
            (committed.count() == 3).then_some(())
        })
        .await;
        self.begin("custom-service", POISON).await;
        self.told("custom-service", &["pausedByApplication"]).await;
        self.end("custom-service", POISON).await;
        // All have one key, so the newest of them is the last one of their partition.
        let is_poison = |record: &flowdeck_testkit::Read| record.key.as_deref() == Some(b"poison");
        let poison = self.kafka.read_all(STOPS).into_iter().rfind(is_poison).expect("the record");
        let stopped = Stopped { partition: poison.partition, offset: poison.offset };
        self.stops(TROUBLED, &stopped).await;
        stopped
    }

    /// Where the group stops is where its commit is.
    async fn stops(&self, group: &str, at: &Stopped) {
        let what = format!("{group}: the commit before the record");
        let row = wait_for(&what, LIMIT, async || {
            let rows = self.kafka.judge(group);
            rows.into_iter().find(|row| {
                row.topic == STOPS && row.partition == at.partition && row.committed == Some(at.offset)
            })
        });
        assert!(row.await.lag.is_some_and(|lag| lag > 0));
    }

    /// Past the record.
    pub(super) async fn skip(&self, group: &str, stopped: &Stopped) {
        let ask = json!({ "group": group, "to": "+1", "topics": [format!("{STOPS}:{}", stopped.partition)] });
        let path = format!("{API}/offsets/preview");
        // A rebalance may not be over: then the answer is to ask again, as here.
        let id = wait_for("the skip is taken", LIMIT, async || {
            let preview = self.server.json_by(&path, &ask, "a preview", |view| view["changed"] == 1).await;
            let id = new_id();
            let skip = json!({ "id": id, "action": "setOffsets", "target": { "group": group },
                "reason": "INC-18", "to": preview["to"], "offsets": preview["moves"], "skips": preview["skipped"] });
            let sent = self.server.send(COMMANDS, &skip).await;
            if sent.status == 422 && sent.text.contains("ask again in some seconds") {
                return None;
            }
            assert_eq!(sent.status, 202, "{skip}: {}", sent.text);
            Some(id)
        })
        .await;
        self.server.command("shop", &id, "confirmed", |view| view["state"] == "confirmed").await;
    }

    /// A new one, as the API lists it.
    pub(super) async fn dead_letter(&self, service: &str) -> Value {
        let (_, topic, why) =
            LETTERS.iter().find(|one| one.0 == service).expect("a service with dead letters");
        let known = self.kafka.read_all(topic);
        self.begin(service, POISON).await;
        let is_new = |row: &Value| {
            let is = |one: &flowdeck_testkit::Read| {
                row["partition"] == one.partition && row["offset"] == one.offset
            };
            row["error"].as_str().is_some_and(|error| error.contains(why)) && !known.iter().any(is)
        };
        let find = |view: &Value| {
            view["letters"].as_array().and_then(|all| all.iter().find(|row| is_new(row)).cloned())
        };
        let path = format!("{API}/dead-letters/{topic}");
        let what = format!("{service}: a new dead letter");
        let view = self.server.json_when(&path, &what, |view| find(view).is_some()).await;
        self.end(service, POISON).await;
        find(&view).expect("the dead letter")
    }

    /// Convex's dead letters, once the service is mended, until the copy of the newest bet is handled; what the re-drive says.
    pub(super) async fn redrive_bets(&self) -> Value {
        let id = new_id();
        let body = json!({ "id": id, "topic": CONVEX_LETTERS, "records": { "matching": {} }, "to": "original",
            "reason": "INC-18" });
        wait_for("it is taken", LIMIT, async || {
            (self.server.send(&format!("{API}/redrives"), &body).await.status == 202).then_some(())
        })
        .await;
        let path = format!("{API}/redrives/{id}");
        let done = self.server.json_when(&path, "it is done", |view| view["state"] == "done").await;
        assert!(done["progress"]["copied"].as_u64().is_some_and(|copied| copied > 0), "{done}");
        let again = |record: &flowdeck_testkit::Read| {
            let text = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
            text.contains("\"BetId\":0,")
        };
        let copy = self.kafka.read_all("convex.bet.placed").into_iter().rfind(again).expect("the copy");
        wait_for("the copy is handled", LIMIT, async || {
            let rows = self.kafka.judge("convex-group");
            let of = rows
                .iter()
                .find(|row| row.topic == "convex.bet.placed" && row.partition == copy.partition)?;
            (of.committed? > copy.offset).then_some(())
        })
        .await;
        done
    }
}
