//! A record as the dead letter of a group that does not get past it: its bytes, with the headers that agents write.

use flowdeck_model::produce::{Bytes, ProduceHeader, ProduceRequest, ProduceSource};
use flowdeck_model::view::{AgentView, HandlerFailure};
use flowdeck_model::{GroupId, Timestamp};
use flowdeck_protocol::wire::dead_letters::DeadLetter;

/// Where no agent tells why.
const BY_HAND: &str = "given up by an operator; no agent reported an error of it";

/// `agents`: what the group's agents report, as far as whoever asks may see it.
pub(super) fn of(
    draft: ProduceRequest,
    source: &ProduceSource,
    timestamp: Option<Timestamp>,
    group: &GroupId,
    agents: &[AgentView],
    now: Timestamp,
) -> ProduceRequest {
    let failures: Vec<&HandlerFailure> = agents
        .iter()
        .flat_map(|agent| &agent.report.errors)
        .filter(|one| {
            (&one.topic, one.partition, one.offset) == (&source.topic, source.partition, source.offset)
        })
        .collect();
    let last = failures.iter().max_by_key(|one| one.at);
    let letter = DeadLetter {
        topic: &source.topic,
        partition: source.partition,
        offset: source.offset,
        timestamp,
        group: group.as_str(),
        error: last.map_or(BY_HAND, |one| one.error.as_str()),
        attempts: failures.iter().map(|one| one.attempt).max().unwrap_or_default(),
        failed_at: last.map_or(now, |one| one.at),
    };
    let added = letter.headers().into_iter().map(|(name, value)| ProduceHeader {
        name: name.to_owned(),
        value: Some(Bytes::of(value.as_bytes())),
    });
    ProduceRequest { headers: draft.headers.into_iter().chain(added).collect(), ..draft }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_is_the_record_with_the_headers_of_agents() {
        let source: ProduceSource = "orders 2@7".parse().unwrap();
        let own = ProduceHeader { name: "trace".to_owned(), value: None };
        let draft = ProduceRequest {
            topic: source.topic.clone(),
            partition: None,
            key: Some(Bytes::Text("k".to_owned())),
            value: None,
            headers: vec![own.clone()],
            source: Some(source.clone()),
            reason: String::new(),
        };
        let (time, now) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        let letter = of(draft.clone(), &source, Some(time), &"billing".into(), &[], now);
        assert_eq!((&letter.key, &letter.value, &letter.headers[0]), (&draft.key, &None, &own));
        let added = letter.headers[1..].iter().map(|one| (one.name.as_str(), one.value.clone()));
        let text = |text: &str| Some(Bytes::Text(text.to_owned()));
        assert_eq!(
            added.collect::<Vec<_>>(),
            [
                ("Flowdeck-Original-Topic", text("orders")),
                ("Flowdeck-Original-Partition", text("2")),
                ("Flowdeck-Original-Offset", text("7")),
                ("Flowdeck-Original-Timestamp", text("5")),
                ("Flowdeck-Original-Group", text("billing")),
                ("Flowdeck-Error", text(BY_HAND)),
                ("Flowdeck-Attempts", text("0")),
                ("Flowdeck-Failed-At", text("9")),
            ]
        );
    }
}
