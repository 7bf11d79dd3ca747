//! The verdict as a sentence, with the evidence that the page has for it.

use flowdeck_model::view::{GroupRow, GroupView, PartitionRow};
use flowdeck_model::{GroupType, Level, Timestamp, Unknown, Verdict, shown};
use leptos::prelude::*;

use crate::components::clock::at_time;
use crate::components::icons::icon;
use crate::components::verdict::{self, Tone, tone};
use crate::format::number::{self, exact};
use crate::links;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    tone: Tone,
    /// "Behind"
    strong: String,
    since: Option<Timestamp>,
    /// The sentence after it.
    text: String,
    /// More evidence, less loud.
    more: Vec<String>,
    /// The page of the record that a group waits at which is stalled, or which its application paused.
    stuck: Option<String>,
}

pub(super) fn find(view: &GroupView) -> Finding {
    let row = &view.row;
    let lag = lag(row);
    let strong = match (row.kind, row.verdict) {
        (GroupType::Flowdeck, _) => "Flowdeck's own",
        _ => verdict::label(row),
    };
    let text = match row.verdict {
        _ if row.kind == GroupType::Flowdeck => {
            "It elects the replica that writes on this cluster.".to_owned()
        }
        Verdict::LosingData => deleted(view),
        Verdict::Inactive => "No active members. Caught up.".to_owned(),
        Verdict::NoActiveMembers | Verdict::Ok => lag.clone(),
        Verdict::Paused => paused(view),
        Verdict::Unknown if !row.kind.has_lag() => {
            "This is no consumer group (a share, Connect or Streams group), so it has no lag here.".to_owned()
        }
        _ => row.why.as_deref().map(|why| sentence(row.verdict, why)).unwrap_or_default(),
    };
    let since = row.verdicts.first().map(|first| first.since);
    let since = since.filter(|_| row.level > Level::Ok && row.kind != GroupType::Flowdeck);
    let mut more: Vec<String> = row.verdicts.iter().skip(1).map(|one| other(view, one)).collect();
    if matches!(row.verdict, Verdict::PauseUnconfirmed | Verdict::PauseNotObeyed) {
        more.push(requested(view));
    }
    let said = matches!(
        row.verdict,
        Verdict::LosingData | Verdict::NoActiveMembers | Verdict::Ok | Verdict::Inactive | Verdict::Unknown
    );
    if !said {
        more.push(lag);
    }
    more.extend(spread(view));
    more.extend(unread(view));
    if row.verdict != Verdict::Unknown && row.unknown_partitions > 0 {
        let n = number::count(row.unknown_partitions.into(), "partition has", "partitions have");
        more.push([&n, " no known lag; the table says why."].concat());
    }
    let waits = matches!(row.verdict, Verdict::Stalled | Verdict::PausedByApplication);
    let stuck = waits.then(|| links::longest_wait(&row.cluster, &row.group));
    Finding { tone: tone(row.verdict, row.level), strong: strong.to_owned(), since, text, more, stuck }
}

/// A verdict that applies beside the headline.
fn other(view: &GroupView, one: &flowdeck_model::verdict::Finding) -> String {
    let text = match one.verdict {
        Verdict::Paused => paused(view),
        Verdict::NoActiveMembers => return "No active members.".to_owned(),
        _ => one.evidence.as_deref().map(|why| sentence(one.verdict, why)).unwrap_or_default(),
    };
    [one.verdict.label(), ": ", &text].concat()
}

/// What the rules say is one sentence without its end. Some begin with the name of an instance or a topic.
fn sentence(verdict: Verdict, why: &str) -> String {
    use Verdict::{HotPartition, LockedUp, PauseNotObeyed, PauseUnconfirmed, Rewound};
    if matches!(verdict, LockedUp | PauseNotObeyed | PauseUnconfirmed | Rewound | HotPartition) {
        return [why, "."].concat();
    }
    [&capital(why), "."].concat()
}

/// The lag as far as it is known, and no more than that.
fn lag(row: &GroupRow) -> String {
    let lag = row.lag_at_least.or(row.lag);
    let records = number::count(lag.unwrap_or_default(), "record", "records");
    match (lag, row.unknown_partitions) {
        (Some(0), 0) => "Caught up.".to_owned(),
        (Some(_), 0) => ["Lag ", &records, "."].concat(),
        (Some(1..), _) => ["Lag at least ", &records, "."].concat(),
        _ => "Lag unknown.".to_owned(),
    }
}

/// "Lag at least 30 records; 60 + 30 unread records were deleted": of each partition, where they are few.
fn deleted(view: &GroupView) -> String {
    const SAID: usize = 4;
    let row = &view.row;
    let each: Vec<u64> =
        view.partitions.iter().map(PartitionRow::deleted_unread).filter(|n| *n > 0).collect();
    let sum = if (2..=SAID).contains(&each.len()) {
        each.into_iter().map(exact).collect::<Vec<_>>().join(" + ")
    } else {
        exact(row.deleted_unread)
    };
    let records = if row.deleted_unread == 1 { " unread record was" } else { " unread records were" };
    let others = view.partitions.iter().any(|row| !matches!(row.unknown, None | Some(Unknown::OutOfRange)));
    let lag = match row.lag_at_least {
        Some(0) if !others => "No other lag".to_owned(),
        _ => lag(row),
    };
    [lag.trim_end_matches('.'), "; ", &sum, records, " deleted, by retention or by DeleteRecords."].concat()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| std::iter::once(first.to_ascii_uppercase()).chain(chars).collect())
        .unwrap_or_default()
}

/// "2 of 6 partitions"; `None` where the whole group is covered by holds, or nothing of it.
fn part(row: &GroupRow) -> Option<String> {
    let all = row.partition_count;
    (1..all)
        .contains(&row.paused_partitions)
        .then(|| [&exact(row.paused_partitions.into()), " of ", &exact(all.into()), " partitions"].concat())
}

fn paused(view: &GroupView) -> String {
    let row = &view.row;
    let what = match part(row) {
        Some(part) => part + " are paused",
        None => "The whole group is paused".to_owned(),
    };
    let by = match &row.holds[..] {
        [] => ".".to_owned(),
        [one] => [" by ", &shown::name(&one.owner), ": “", &shown::name(&one.reason), "”."].concat(),
        many => [" by ", &many.len().to_string(), " holds."].concat(),
    };
    what + &by
}

/// What should be paused and is not.
fn requested(view: &GroupView) -> String {
    let what = part(&view.row).unwrap_or_else(|| "The whole group".to_owned());
    let by = match &view.row.holds[..] {
        [one] => ["hold by ", &shown::name(&one.owner), ": “", &shown::name(&one.reason), "”"].concat(),
        many => number::count(many.len() as u64, "hold", "holds"),
    };
    [&what, " should be paused (", &by, ")."].concat()
}

/// Where most of the lag is, if it is known in whole.
fn spread(view: &GroupView) -> Option<String> {
    let lag = view.row.lag.filter(|lag| *lag > 0 && view.row.unknown_partitions == 0)?;
    let worst = view.partitions.iter().max_by_key(|row| row.lag).filter(|_| view.partitions.len() > 1)?;
    let most = worst.lag?;
    if u128::from(most) * 2 <= u128::from(lag) {
        return None;
    }
    let owner =
        worst.owner.as_ref().map(|owner| [", owned by ", &shown::name(owner)].concat()).unwrap_or_default();
    let part = match () {
        () if lag == 1 => "It is in ".to_owned(),
        () if most == lag => "All of it is in ".to_owned(),
        () => ["Most of it, ", &exact(most), ", is in "].concat(),
    };
    let place = [worst.topic.as_str(), ", partition ", &worst.partition.to_string(), &owner, "."].concat();
    Some(part + &place)
}

/// Partitions with lag that no member owns, in a group that has members.
fn unread(view: &GroupView) -> Option<String> {
    if view.row.members.unwrap_or_default() == 0 {
        return None;
    }
    let unread =
        view.partitions.iter().filter(|row| row.owner.is_none() && row.lag.unwrap_or_default() > 0).count();
    (unread > 0).then(|| {
        let n = number::count(unread as u64, "partition with lag has", "partitions with lag have");
        [&n, " no owner."].concat()
    })
}

pub(super) fn shown(finding: &Finding) -> AnyView {
    let more = finding.more.join(" ");
    let class = finding.tone.class();
    view! {
        <section class=["panel finding ", class].concat() aria-label="Verdict">
            <span class=["verdict ", class].concat()>{icon(finding.tone.icon())}</span>
            <div>
                <p>
                    <strong>{[&finding.strong, "."].concat()}</strong> " " {finding.text.clone()}
                    {finding.since.map(|since| view! { <span class="muted">" Since " {at_time(since)} "."</span> })}
                    {finding.stuck.clone().map(|href| view! { " " <a class="link" href=href rel="external">"The record it waits at"</a> })}
                </p>
                // Always there: its text comes and goes with every update, and what is below must not move.
                <p class="muted more">{more}</p>
            </div>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: &str = r#"{
        "version": "00000001-2", "now": "2026-11-21T14:00:00.000Z",
        "clusterInfo": {"name": "demo", "label": "Demo", "colour": "red", "mode": "control", "asOf": null,
            "error": null, "brokers": 1, "notes": [], "capped": []},
        "cluster": "demo", "group": "g", "type": "classic", "state": "stable", "verdict": "ok", "level": "ok",
        "why": null, "verdicts": [], "ignored": false, "lag": 0, "lagAtLeast": 0, "deletedUnread": 0, "unknownPartitions": 0,
        "timeLag": null, "flow": {"in": {"1m": null, "5m": null, "15m": null}, "out": {"1m": null, "5m": null, "15m": null},
            "drain": null, "lastCommit": null, "watchedSince": null},
        "lagTrend": [], "rebalancingSince": null, "members": 1, "topics": ["t"], "topicCount": 1, "partitionCount": 3,
        "pausedPartitions": 0, "holds": [], "asOf": "2026-11-21T13:59:59.000Z",
        "partitions": [], "consumers": [], "groupMembers": [], "commands": [], "warnings": [], "facts": [],
        "offsetsExpire": null
    }"#;

    /// A group with partitions of these starts, commits and ends.
    fn view(verdict: Verdict, members: u32, partitions: &[(i64, Option<i64>, i64)]) -> GroupView {
        use flowdeck_model::{Lag, Partition, PartitionReading, verdict};
        let mut view: GroupView = serde_json::from_str(VIEW).unwrap();
        let readings: Vec<PartitionReading> = partitions
            .iter()
            .map(|(start, committed, end)| PartitionReading {
                start: Some(*start),
                end: Some(*end),
                committed: *committed,
                refused: None,
            })
            .collect();
        let row = |(n, reading): (usize, &PartitionReading)| PartitionRow {
            topic: "t".parse().unwrap(),
            partition: Partition::new(n as i32).unwrap(),
            start: reading.start,
            committed: reading.committed,
            end: reading.end,
            lag: match reading.lag() {
                Lag::Known(lag) => Some(lag),
                Lag::Unknown(_) => None,
            },
            unknown: match reading.lag() {
                Lag::Known(_) => None,
                Lag::Unknown(why) => Some(why),
            },
            time_lag: None,
            written: Default::default(),
            lag_trend: vec![],
            last_commit: None,
            owner: (members > 0).then(|| "web-1".to_owned()),
            holds: vec![],
            paused: false,
            last_stable: None,
            kept_until: None,
        };
        view.partitions = readings.iter().enumerate().map(row).collect();
        let sum = verdict::sum(&readings);
        view.row.lag = sum.lag;
        view.row.lag_at_least = sum.at_least;
        view.row.deleted_unread = sum.deleted_unread;
        view.row.unknown_partitions = sum.unknown;
        (view.row.verdict, view.row.level, view.row.members) = (verdict, verdict.level(), Some(members));
        view
    }

    fn said(view: &GroupView) -> String {
        let finding = find(view);
        [vec![finding.strong + ".", finding.text], finding.more].concat().join(" ")
    }

    #[test]
    fn what_is_known_of_an_unknown_lag_is_said() {
        // Partition 0 lost 60, of partition 1 30 are lost and 30 wait, partition 2 is caught up.
        let lost = [(100, Some(40), 100), (70, Some(40), 100), (0, Some(100), 100)];
        let lost_words = "Losing data. Lag at least 30 records; 60 + 30 unread records were deleted, by retention or by \
                      DeleteRecords. No active members. 2 partitions have no known lag; the table says why.";
        let beyond = [(0, Some(150), 100), (0, Some(100), 100)];
        let unknown = "No active members. Lag unknown. 1 partition has no known lag; the table says why.";
        let also = |mut view: GroupView, verdict: Verdict| {
            view.row.verdicts = vec![one(view.row.verdict), one(verdict)];
            view
        };
        let beside = also(view(Verdict::LosingData, 0, &lost), Verdict::NoActiveMembers);
        for (view, want) in [
            (beside, lost_words),
            (view(Verdict::LosingData, 1, &lost), &lost_words.replace(" No active members.", "")),
            (
                view(Verdict::LosingData, 1, &[(41, Some(40), 41)]),
                "Losing data. No other lag; 1 unread record was deleted, by retention or by DeleteRecords. \
                 1 partition has no known lag; the table says why.",
            ),
            (view(Verdict::NoActiveMembers, 0, &beyond), unknown),
            (view(Verdict::NoActiveMembers, 0, &[(0, None, 9), (0, Some(9), 9)]), unknown),
            (view(Verdict::Inactive, 0, &[(0, Some(9), 9)]), "Inactive. No active members. Caught up."),
        ] {
            assert_eq!(said(&view), want);
        }
    }

    #[test]
    fn the_lag_of_one_record_and_most_of_it_is_never_all_of_it() {
        for (partitions, want) in [
            (&[(0, Some(9), 9), (0, Some(9), 9)][..], "OK. Caught up."),
            (&[(0, Some(8), 9)], "OK. Lag 1 record."),
            (
                &[(0, Some(8), 9), (0, Some(9), 9)],
                "OK. Lag 1 record. It is in t, partition 0, owned by web-1.",
            ),
            (
                &[(0, Some(7), 9), (0, Some(9), 9)],
                "OK. Lag 2 records. All of it is in t, partition 0, owned by web-1.",
            ),
            (
                &[(0, Some(7), 9), (0, Some(8), 9)],
                "OK. Lag 3 records. Most of it, 2, is in t, partition 0, owned by web-1.",
            ),
            (&[(0, Some(8), 9), (0, Some(8), 9)], "OK. Lag 2 records."),
        ] {
            assert_eq!(said(&view(Verdict::Ok, 1, partitions)), want);
        }
    }

    fn one(verdict: Verdict) -> flowdeck_model::verdict::Finding {
        flowdeck_model::verdict::Finding {
            verdict,
            level: verdict.level(),
            since: Timestamp::from_millis(0),
            evidence: Some("its lag grows".to_owned()),
            last: None,
        }
    }

    #[test]
    fn all_that_applies_is_said_the_headline_first() {
        let mut view = view(Verdict::FallingBehind, 1, &[(0, Some(0), 5_000)]);
        view.row.why = Some("12.5 records/s come, 8.0 are committed".to_owned());
        view.row.verdicts = vec![one(Verdict::FallingBehind), one(Verdict::HotPartition)];
        assert_eq!(
            said(&view),
            "Falling behind. 12.5 records/s come, 8.0 are committed. Hot partition: its lag grows. Lag 5,000 records."
        );
        let finding = find(&view);
        assert_eq!((finding.tone, finding.since), (Tone::Warn, Some(Timestamp::from_millis(0))));
    }
}
