//! Changes of verdicts, from one snapshot of a cluster to the next, for whoever subscribes.

use std::cmp::Ordering;

use flowdeck_model::{ClusterName, GroupId, Level, Timestamp, Verdict};

use crate::snapshot::ClusterSnapshot;

/// Changes that may wait for a subscriber; one that is slower is told how many it missed.
pub(crate) const WAITING: usize = 1_024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictChange {
    pub cluster: ClusterName,
    pub group: GroupId,
    /// `None`: the group was not there.
    pub from: Option<Verdict>,
    /// `None`: it is there no more.
    pub to: Option<Verdict>,
    pub level: Option<Level>,
    pub why: Option<String>,
    pub at: Timestamp,
}

/// Before its first refresh nothing is known of a cluster, so that what is known then is no change.
pub(crate) fn between(before: &ClusterSnapshot, after: &ClusterSnapshot) -> Vec<VerdictChange> {
    if before.view.as_of.is_none() {
        return Vec::new();
    }
    let mut changes = Vec::new();
    let (mut old, mut new) = (before.groups().peekable(), after.groups().peekable());
    // Both are sorted by the group's name.
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.id.cmp(&new.id),
        };
        let was = if order.is_le() { old.next() } else { None };
        let is = if order.is_ge() { new.next() } else { None };
        let (from, to) = (was.map(|(_, judged)| judged.verdict), is.map(|(_, judged)| judged.verdict));
        if let Some((group, _)) = is.or(was).filter(|_| from != to) {
            changes.push(VerdictChange {
                cluster: after.settings.name.clone(),
                group: group.id.clone(),
                from,
                to,
                level: is.map(|(_, judged)| judged.level),
                why: is.and_then(|(_, judged)| judged.why.clone()),
                at: after.made_at,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use flowdeck_kafka::ClusterConfig;
    use flowdeck_model::verdict::LagSum;

    use crate::sampling::sample::{GroupData, Sample};
    use crate::settings::ClusterSettings;
    use crate::snapshot::{Parts, Publisher};

    fn snapshot(groups: &[(&str, u64)]) -> ClusterSnapshot {
        let settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        let now = Timestamp::from_millis(0);
        let group = |(name, lag): &(&str, u64)| {
            let sum = LagSum { lag: Some(*lag), at_least: Some(*lag), ..LagSum::default() };
            Arc::new(GroupData { sum, as_of: Some(now), ..GroupData::test(name) })
        };
        let sample =
            Sample { as_of: Some(now), groups: groups.iter().map(group).collect(), ..Sample::default() };
        ClusterSnapshot::compose(Arc::new(settings), Arc::new(sample), Parts::default(), now)
    }

    #[tokio::test]
    async fn a_subscriber_is_told_what_changed() {
        let before = snapshot(&[("a", 0), ("b", 0), ("gone", 0)]);
        let publisher = Publisher::new(vec![Arc::new(before)]);
        let mut changes = publisher.verdict_changes();
        publisher.publish(0, snapshot(&[("a", 0), ("b", 5_000), ("new", 0)]));
        publisher.publish(0, snapshot(&[("a", 0), ("b", 5_000), ("new", 0)]));
        let mut told = Vec::new();
        while let Ok(change) = changes.try_recv() {
            told.push((change.group.to_string(), change.from, change.to));
        }
        let ok = Some(Verdict::Ok);
        let want = [("b", ok, Some(Verdict::Behind)), ("gone", ok, None), ("new", None, ok)];
        assert_eq!(told, want.map(|(group, from, to)| (group.to_owned(), from, to)));
    }
}
