//! The two entries of a topic's configuration: read, compared, changed. Pure, but for the two calls.

use std::collections::BTreeMap;

use flowdeck_kafka::{Cause, Cluster, ConfigEntry, Deadline};
use flowdeck_model::TopicName;
use flowdeck_model::retention::{RetentionKey, RetentionRequest, RetentionValue, TopicRetention};
use flowdeck_model::shown;

/// As the topic has them now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configured {
    pub(super) retention: TopicRetention,
    /// Why it keeps no longer what is kept longer by these.
    pub(super) refused: Option<&'static str>,
    pub(super) notes: Vec<String>,
}

pub(super) async fn read(
    cluster: &Cluster,
    topic: &TopicName,
    deadline: Deadline,
) -> Result<Configured, Cause> {
    let config = cluster.topic_config(topic, deadline).await.map_err(|error| error.cause)?;
    configured(&config)
}

fn configured(config: &BTreeMap<String, ConfigEntry>) -> Result<Configured, Cause> {
    let text = |name: &str| config.get(name).and_then(|entry| entry.value.as_deref());
    let value = |key: RetentionKey| {
        let unknown = || Cause::Unsupported(format!("the brokers do not tell {}", key.name()));
        let entry = config.get(key.name()).ok_or_else(unknown)?;
        let value = entry.value.as_deref().and_then(|text| text.parse().ok()).ok_or_else(unknown)?;
        Ok(RetentionValue { value, own: entry.own })
    };
    let deletes = text("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
    let mut notes = Vec::new();
    if text("remote.storage.enable") == Some("true") {
        notes.push(
            "The topic has remote storage: local.retention.ms and local.retention.bytes stay as they are."
                .to_owned(),
        );
    }
    if deletes && text("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
        notes.push("The topic is compacted, too: compaction goes on.".to_owned());
    }
    Ok(Configured {
        retention: TopicRetention { ms: value(RetentionKey::Ms)?, bytes: value(RetentionKey::Bytes)? },
        refused: (!deletes)
            .then_some("its cleanup.policy is compact: retention deletes nothing, and compaction goes on"),
        notes,
    })
}

/// What a step finds of an entry that is put back at the end of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// As the request sets it.
    Set,
    AsBefore,
    Other(RetentionValue),
}

pub(super) fn find(
    request: &RetentionRequest,
    before: &TopicRetention,
    now: &TopicRetention,
) -> Vec<(RetentionKey, Found)> {
    let of = |(key, before, to): (RetentionKey, RetentionValue, i64)| {
        let now = key.of(now);
        let found = match now {
            RetentionValue { value, own: true } if value == to => Found::Set,
            now if now == before => Found::AsBefore,
            // The brokers' value may have become another one meanwhile.
            RetentionValue { own: false, .. } if !before.own => Found::AsBefore,
            now => Found::Other(now),
        };
        (key, found)
    };
    request.put_back(before).map(of).collect()
}

/// Sets what the request sets, of these entries.
pub(super) async fn raise(
    cluster: &Cluster,
    request: &RetentionRequest,
    keys: &[RetentionKey],
    deadline: Deadline,
) -> Result<(), Cause> {
    let values: Vec<(RetentionKey, Option<String>)> = request
        .changes()
        .filter(|(key, _, _)| keys.contains(key))
        .map(|(key, _, to)| (key, Some(to.to_string())))
        .collect();
    alter(cluster, &request.topic, &values, deadline).await
}

/// Puts back what was before, of these entries: one that was the brokers' is taken off the topic.
pub(super) async fn put_back(
    cluster: &Cluster,
    topic: &TopicName,
    before: &TopicRetention,
    keys: &[RetentionKey],
    deadline: Deadline,
) -> Result<(), Cause> {
    let value = |key: &RetentionKey| {
        let RetentionValue { value, own } = key.of(before);
        (*key, own.then(|| value.to_string()))
    };
    let values: Vec<_> = keys.iter().map(value).collect();
    alter(cluster, topic, &values, deadline).await
}

async fn alter(
    cluster: &Cluster,
    topic: &TopicName,
    values: &[(RetentionKey, Option<String>)],
    deadline: Deadline,
) -> Result<(), Cause> {
    if values.is_empty() {
        return Ok(());
    }
    let changes: Vec<_> = values.iter().map(|(key, value)| (key.name(), value.as_deref())).collect();
    cluster.alter_topic_config(topic, &changes, deadline).await
}

pub(super) fn words(key: RetentionKey, value: i64) -> String {
    match (key, u64::try_from(value)) {
        (_, Err(_)) => format!("{} has no limit (-1)", key.name()),
        (RetentionKey::Ms, Ok(millis)) => {
            let span = shown::span(std::time::Duration::from_millis(millis));
            format!("{} is {value} ({span})", key.name())
        }
        (RetentionKey::Bytes, Ok(_)) => format!("{} is {value}", key.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(ms: (i64, bool), bytes: (i64, bool)) -> TopicRetention {
        let value = |(value, own)| RetentionValue { value, own };
        TopicRetention { ms: value(ms), bytes: value(bytes) }
    }

    #[test]
    fn what_others_changed_is_told_from_what_is_ours() {
        let before = both((1_000, false), (5, true));
        let request = RetentionRequest {
            topic: "orders".parse().unwrap(),
            seen: before,
            ms: 60_000,
            bytes: 9,
            until: flowdeck_model::Timestamp::from_millis(0),
            group: None,
            margin_seconds: 0,
            reason: String::new(),
        };
        let found = |now: TopicRetention| {
            let all = find(&request, &before, &now);
            (all[0].1, all[1].1)
        };
        assert_eq!(found(both((60_000, true), (9, true))), (Found::Set, Found::Set));
        assert_eq!(found(before), (Found::AsBefore, Found::AsBefore));
        assert_eq!(
            found(both((2_000, false), (9, true))),
            (Found::AsBefore, Found::Set),
            "the brokers' moved"
        );
        let other = |value, own| Found::Other(RetentionValue { value, own });
        assert_eq!(found(both((7_000, true), (5, false))), (other(7_000, true), other(5, false)));
        assert_eq!(found(both((60_000, false), (9, false))).1, other(9, false));

        // An earlier one had set the bytes, which this one leaves as they are.
        let seen = both((1_000, false), (9, true));
        let later = RetentionRequest { seen, ..request };
        assert_eq!(find(&later, &seen, &seen), [(RetentionKey::Ms, Found::AsBefore)]);
        let all = find(&later, &before, &seen);
        assert_eq!(all, [(RetentionKey::Ms, Found::AsBefore), (RetentionKey::Bytes, Found::Set)]);
    }

    #[test]
    fn a_topic_that_is_only_compacted_keeps_nothing_longer() {
        let entry = |value: &str| ConfigEntry {
            value: Some(value.to_owned()),
            default: true,
            own: false,
            sensitive: false,
        };
        let config = |policy: &str, ms: &str| {
            let all = [("cleanup.policy", policy), ("retention.ms", ms), ("retention.bytes", "-1")];
            all.into_iter().map(|(name, value)| (name.to_owned(), entry(value))).collect()
        };
        let read = configured(&config("delete", "60000")).unwrap();
        assert_eq!((read.retention, read.refused), (both((60_000, false), (-1, false)), None));
        assert!(configured(&config("compact", "60000")).unwrap().refused.is_some());
        assert_eq!(configured(&config("compact,delete", "60000")).unwrap().notes.len(), 1);
        assert!(configured(&config("delete", "soon")).is_err());
        assert_eq!(words(RetentionKey::Ms, 60_000), "retention.ms is 60000 (1 min)");
        assert_eq!(words(RetentionKey::Bytes, -1), "retention.bytes has no limit (-1)");
    }
}
