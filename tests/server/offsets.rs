//! Offsets of a group by API and by the command line.

use flowdeck_model::Partition;
use flowdeck_model::offsets::{OffsetMoves, OffsetsQuery};
use flowdeck_model::view::{OffsetPlan, OffsetsPreview, OffsetsWay};
use http::StatusCode;
use serde_json::json;

use crate::client::run;
use crate::support::{Listening, form, options, post, site};

const PREVIEW: &str = "/kafkaflow/api/v1/clusters/demo/offsets/preview";
const COMMANDS: &str = "/kafkaflow/api/v1/clusters/demo/commands";
const MOVES: &str = "orders 0*20*5 1*10*12";

/// What the ports of these tests say of any group.
pub(crate) fn preview(query: &OffsetsQuery) -> OffsetsPreview {
    let moves: OffsetMoves = MOVES.parse().unwrap();
    let plans = moves.iter().map(|one| OffsetPlan {
        topic: one.topic.clone(),
        partition: Partition::clone(&one.partition),
        from: one.from,
        to: one.to,
        start: Some(5),
        end: Some(40),
        replayed: one.replayed(),
        skipped: one.skipped(),
        first: None,
        last: None,
        note: Some("<b>a note</b>".to_owned()),
    });
    OffsetsPreview {
        group: query.group.clone(),
        to: query.to.to_string(),
        way: OffsetsWay::Empty,
        refused: None,
        partitions: plans.collect(),
        more: 0,
        changed: 2,
        replayed: moves.replayed(),
        skipped: moves.skipped(),
        moves: Some(moves),
        deleted: 0,
        confirm: false,
        catch_up: None,
        command: "kafka-consumer-groups.sh".to_owned(),
        notes: vec!["read this".to_owned()],
    }
}

#[tokio::test]
async fn a_preview_gives_the_moves_that_the_operation_takes() {
    let site = site();
    let ask = json!({ "group": "payments", "to": "earliest", "topics": ["orders"] });
    let answer = site.ask(post(PREVIEW, "application/json", ask.to_string())).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((&answer.json()["moves"], &answer.json()["skipped"]), (&MOVES.into(), &2.into()));
    let mut operation = json!({ "action": "setOffsets", "target": { "group": "payments" }, "reason": "INC-1",
        "to": "earliest", "offsets": MOVES });
    let refused = site.ask(post(COMMANDS, "application/json", operation.to_string())).await;
    assert_eq!((refused.status, &refused.json()["field"]), (StatusCode::BAD_REQUEST, &"skips".into()));
    operation["skips"] = 2.into();
    let accepted = site.ask(post(COMMANDS, "application/json", operation.to_string())).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    let submitted = site.memory.submitted();
    assert_eq!(submitted[0].offsets.as_ref().unwrap().moves.to_string(), MOVES);
}

#[tokio::test]
async fn a_conflict_brings_a_new_preview() {
    let site = site();
    let operation = json!({ "action": "setOffsets", "target": { "group": "error-conflict" }, "reason": "INC-1",
        "to": "earliest", "offsets": MOVES, "skips": 2 });
    let answer = site.ask(post(COMMANDS, "application/json", operation.to_string())).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(answer.json()["preview"]["moves"], MOVES);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_set_from_a_shell() {
    let server = Listening::start(options()).await;
    let url = server.url("");
    let reset = [
        "reset",
        "payments",
        "--cluster",
        "demo",
        "--reason",
        "INC-1",
        "--to",
        "-5",
        "--topic",
        "orders:0,1",
    ];
    let (code, shown, _) = run(&url, &[&reset[..], &["--dry-run"]].concat()).await;
    assert_eq!(code, 0);
    assert!(
        shown.contains("2 changed, 15 replayed, 2 skipped") && shown.contains("kafka-consumer-groups.sh"),
        "{shown}"
    );
    assert!(server.memory.submitted().is_empty());
    let (code, _, said) = run(&url, &reset).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("2 records are skipped"), "{said}");
    assert_eq!(run(&url, &[&reset[..], &["--skips", "2"]].concat()).await.0, 0);
    let submitted = server.memory.submitted();
    assert_eq!(submitted[0].offsets.as_ref().unwrap().to, "-5");
    // None is chosen by itself.
    let none = ["reset", "payments", "--cluster", "demo", "--reason", "x", "--to", "latest"];
    let (code, _, said) = run(&url, &none).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("name at least one topic"), "{said}");
}

/// The new preview is of the same partitions, whatever their topics have beside these.
#[tokio::test]
async fn a_refused_bulk_operation_is_previewed_again_as_it_was() {
    let site = site();
    let own = [
        ("action", "setOffsets"),
        ("id", "7b8f4f6e-6f4c-4a56-9f0b-0d9c1f2f3a4b"),
        ("stopAfter", "7"),
        ("reason", "INC-1"),
        ("group", "error-conflict"),
        ("target", "earliest"),
        ("offsets", "orders 0*7*0"),
    ];
    for (scope, topics, all) in [
        (None, "orders:0", false),
        (Some(("topics", "orders:0,2 payments")), "orders:0,2 payments", false),
        (Some(("allTopics", "true")), "", true),
    ] {
        let fields: Vec<_> = own.into_iter().chain(scope).collect();
        let answer = site.ask(form("/kafkaflow/c/demo/bulks", &fields)).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
        let input = |name: &str, kind: &str| {
            let tags = answer.body.split("<input").map(|rest| rest.split('>').next().unwrap_or_default());
            let named = [" name=\"", name, "\""].concat();
            tags.filter(|tag| tag.contains(&named) && tag.contains(kind))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let typed = input("topics", "\"text\"");
        assert_eq!(typed.len(), 1, "{scope:?}: {}", answer.body);
        let value = [" value=\"", topics, "\""].concat();
        assert!(topics.is_empty() || typed[0].contains(&value), "{typed:?}");
        assert_eq!(input("topics", "\"hidden\"").is_empty(), topics.is_empty(), "{scope:?}");
        assert_eq!(input("allTopics", "\"checkbox\"")[0].contains("checked"), all, "{scope:?}");
        let stop_after = input("stopAfter", "\"number\"");
        assert!(stop_after.len() == 1 && stop_after[0].contains("value=\"7\""), "{stop_after:?}");
    }
}
