//! The order of the fleet: by the asked columns, then by cluster and group, so that it is total.

use std::cmp::Ordering;

use flowdeck_model::query::{Sort, SortKey};
use flowdeck_model::{ClusterName, GroupId, Timestamp};

/// What of a row the order looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranked<'a> {
    pub(super) severity: u8,
    pub(super) lag: Option<u64>,
    /// In milliseconds.
    pub(super) time_lag: Option<u64>,
    pub(super) members: Option<u32>,
    pub(super) as_of: Option<Timestamp>,
    pub(super) cluster: &'a ClusterName,
    pub(super) group: &'a GroupId,
}

pub(super) fn compare(a: &Ranked<'_>, b: &Ranked<'_>, sort: &[Sort]) -> Ordering {
    for column in sort {
        let order = match column.key {
            SortKey::Severity => directed(a.severity.cmp(&b.severity), column.descending),
            SortKey::Lag => known_first(a.lag, b.lag, column.descending),
            SortKey::TimeLag => known_first(a.time_lag, b.time_lag, column.descending),
            SortKey::Members => known_first(a.members, b.members, column.descending),
            SortKey::AsOf => known_first(a.as_of, b.as_of, column.descending),
            SortKey::Cluster => directed(a.cluster.cmp(b.cluster), column.descending),
            SortKey::Group => directed(a.group.cmp(b.group), column.descending),
        };
        if order.is_ne() {
            return order;
        }
    }
    a.cluster.cmp(b.cluster).then_with(|| a.group.cmp(b.group))
}

fn directed(order: Ordering, descending: bool) -> Ordering {
    if descending { order.reverse() } else { order }
}

/// What is not known comes last, whichever way.
fn known_first<T: Ord>(a: Option<T>, b: Option<T>, descending: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => directed(a.cmp(&b), descending),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::FleetQuery;

    #[test]
    fn the_unknown_comes_last_and_ties_go_by_name() {
        let cluster = "demo".parse().unwrap();
        let groups: Vec<GroupId> = ["a", "b", "c", "d"].map(GroupId::from).to_vec();
        let row = |at: usize, severity, lag| Ranked {
            severity,
            lag,
            time_lag: None,
            members: None,
            as_of: None,
            cluster: &cluster,
            group: &groups[at],
        };
        let rows = [row(0, 1, None), row(1, 1, Some(5)), row(2, 4, Some(1)), row(3, 1, Some(5))];
        for (sort, want) in
            [("", "cbda"), ("sort=lag", "cbda"), ("sort=-lag", "bdca"), ("sort=-group", "dcba")]
        {
            let sort = FleetQuery::parse(sort, true).unwrap().sort;
            let mut sorted = rows.to_vec();
            sorted.sort_by(|a, b| compare(a, b, &sort));
            let names: String = sorted.iter().map(|row| row.group.as_str()).collect();
            assert_eq!(names, want, "{sort:?}");
        }
    }
}
