//! Reading the audit backwards, without following it: what is older than what is remembered.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cluster, Deadline, Filter, Isolation, ReadEnd, ReadRequest, ReadStart, Record};
use flowdeck_model::{CommandId, Partition};
use flowdeck_protocol::Headers;
use flowdeck_protocol::wire::{self, AuditRecord, Operation};
use tokio_util::sync::CancellationToken;

use crate::core::ClusterHandle;

/// One look takes so long at most.
pub(crate) const LOOK: Duration = Duration::from_millis(2_500);
/// Records that are kept of one look, in bytes.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// What of the audit was found, newest first.
pub(crate) struct Found {
    pub(crate) records: Vec<(i64, AuditRecord)>,
    pub(crate) scanned: u64,
    /// All from here on was looked at; `None` where that is all there is.
    pub(crate) from: Option<i64>,
}

/// The record as the audit means it; `None`: it is none, or of a version that is not known.
pub(crate) fn parse(record: &Record) -> Option<AuditRecord> {
    let headers: Headers<'_> = record.headers_with_values().collect();
    let read = wire::read_audit(&headers, record.key.as_deref(), record.value.as_deref()).ok()?;
    match &read {
        AuditRecord::Operation(_)
        | AuditRecord::LogIn(_)
        | AuditRecord::Produce(_)
        | AuditRecord::Look(_)
        | AuditRecord::Retention(_) => Some(read),
        // How far it came in between is on its own page.
        AuditRecord::Redrive(redrive) => redrive.event.is_milestone().then_some(read),
        AuditRecord::Bulk(bulk) => bulk.event.is_milestone().then_some(read),
        AuditRecord::NewerVersion | AuditRecord::UnknownType => None,
    }
}

/// Of the records before `before`, the newest `limit` that the filter lets through, or some more.
pub(crate) async fn backwards(
    kafka: &Cluster,
    handle: &ClusterHandle,
    before: Option<i64>,
    limit: usize,
    filter: Filter,
    deadline: Deadline,
    cancel: CancellationToken,
) -> Result<Found, String> {
    let first = Partition::FIRST;
    let request = ReadRequest {
        topic: handle.settings.audit_topic.clone(),
        partitions: Some(vec![first]),
        start: before.map_or(ReadStart::Newest, |before| ReadStart::Before(vec![(first, before)])),
        limit_records: limit,
        limit_bytes: BYTES_MAX,
        max_value_bytes: wire::LONGEST,
        isolation: Isolation::ReadUncommitted,
        transactions: false,
        neighbours: false,
        deadline,
    };
    let rate = Arc::clone(&handle.search_rate);
    let read = kafka.scan(request, None, filter, rate, cancel).await.map_err(|error| error.with_cause())?;
    let part = read.partitions.first();
    if let Some(cause) = part.and_then(|part| part.error.as_ref()) {
        return Err(cause.to_string());
    }
    let from = part.filter(|part| read.end != ReadEnd::Complete && part.from > part.start);
    let mut records: Vec<(i64, AuditRecord)> =
        read.records.iter().filter_map(|record| Some((record.offset, parse(record)?))).collect();
    records.sort_by_key(|(offset, _)| std::cmp::Reverse(*offset));
    Ok(Found { records, scanned: read.scanned, from: from.map(|part| part.from) })
}

/// The newest state of an operation that is not remembered any more. `None`: no record of the audit is of it.
pub async fn find_operation(
    handle: &ClusterHandle,
    id: CommandId,
    cancel: CancellationToken,
) -> Result<Option<Box<Operation>>, String> {
    let Some(kafka) = &handle.cluster else { return Ok(None) };
    let Ok(_permit) = Arc::clone(&handle.peeks).try_acquire_owned() else {
        return Err("too many others read this cluster: try again in a moment".to_owned());
    };
    let key = id.to_string().into_bytes();
    let is_of_it: Filter = Arc::new(move |record| record.key.as_deref() == Some(&key));
    let (mut before, until) = (None, Deadline::after(LOOK));
    loop {
        let found = backwards(kafka, handle, before, 1, Arc::clone(&is_of_it), until, cancel.clone()).await?;
        let operation = found.records.into_iter().find_map(|(_, record)| match record {
            AuditRecord::Operation(operation) => Some(operation),
            _ => None,
        });
        match (operation, found.from) {
            (Some(operation), _) => return Ok(Some(operation)),
            (None, None) => return Ok(None),
            (None, Some(from)) if until.passed() => {
                return Err(format!(
                    "the audit was searched down to offset {from}, and there was no more time"
                ));
            }
            (None, from) => before = from,
        }
    }
}
