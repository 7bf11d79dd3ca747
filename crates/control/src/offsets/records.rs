//! The first and the last record that are replayed or skipped, with their times: of a few partitions, in a short time.

use std::time::Duration;

use flowdeck_kafka::{Cluster, Deadline, ReadRequest, ReadStart};
use flowdeck_model::view::{OffsetPlan, RecordAt};
use tokio_util::sync::CancellationToken;

/// Of the largest changes; two reads each.
const PARTITIONS: usize = 6;
const TIME: Duration = Duration::from_millis(1_500);

/// What does not come in time is left out.
pub(super) async fn add(cluster: &Cluster, plans: &mut [OffsetPlan]) {
    let deadline = Deadline::after(TIME);
    let mut wanted: Vec<usize> =
        (0..plans.len()).filter(|at| plans[*at].replayed + plans[*at].skipped > 0).collect();
    wanted.sort_by_key(|at| std::cmp::Reverse(plans[*at].replayed + plans[*at].skipped));
    wanted.truncate(PARTITIONS);
    let reads = wanted.iter().map(|at| {
        let plan = &plans[*at];
        let (from, to) = (plan.from.unwrap_or(0), plan.to.unwrap_or(0));
        let (low, high) = (from.min(to), from.max(to));
        async move {
            tokio::join!(
                one(cluster, plan, ReadStart::Offset(low), low..high, deadline),
                one(cluster, plan, ReadStart::Before(vec![(plan.partition, high)]), low..high, deadline)
            )
        }
    });
    let found = futures::future::join_all(reads).await;
    for (at, (first, last)) in wanted.into_iter().zip(found) {
        (plans[at].first, plans[at].last) = (first, last);
    }
}

async fn one(
    cluster: &Cluster,
    plan: &OffsetPlan,
    start: ReadStart,
    within: std::ops::Range<i64>,
    deadline: Deadline,
) -> Option<RecordAt> {
    let request = ReadRequest::first(&plan.topic, plan.partition, start, deadline);
    let read = cluster.read(request, CancellationToken::new()).await.ok()?;
    let record = read.records.first().filter(|record| within.contains(&record.offset))?;
    Some(RecordAt { offset: record.offset, time: record.timestamp.and_then(|time| time.at()) })
}
