//! One bounded scan of a search, and how the next one goes on.

use flowdeck_kafka::{Filter, PartitionRead, ReadEnd, ReadOutcome};
use flowdeck_model::view::SearchView;
use flowdeck_model::{MessagesQuery, PortError};
use std::sync::{Arc, Mutex, PoisonError};

use crate::find::{Matcher, Unjudged};
use crate::payload::Reading;

pub(super) fn is_search(query: &MessagesQuery) -> bool {
    !query.find.is_none() || query.find.until.is_some()
}

/// The filter, and what it could not judge.
pub(super) fn filter(
    query: &MessagesQuery,
    reading: &Reading,
) -> Result<(Filter, Arc<Mutex<Unjudged>>), PortError> {
    let matcher = Matcher::new(&query.find, reading.clone())?;
    let unjudged = matcher.unjudged();
    Ok((Arc::new(move |record| matcher.is_match(record)), unjudged))
}

/// Said of a scan in which an expression could not be evaluated: such records are not found.
pub(super) fn note(unjudged: &Mutex<Unjudged>) -> Option<String> {
    let unjudged = unjudged.lock().unwrap_or_else(PoisonError::into_inner);
    let count = unjudged.records;
    let records = if count == 1 { "1 record".to_owned() } else { format!("{count} records") };
    (count > 0)
        .then(|| format!("the expression could not be evaluated for {records}; first {}", unjudged.why))
}

/// `next`: the query of what lies before or after, in the direction of the search.
pub(super) fn view(outcome: &ReadOutcome, query: &MessagesQuery, next: &Option<String>) -> SearchView {
    let scanned = query.seen.saturating_add(outcome.scanned);
    let is_over = outcome.end == ReadEnd::Complete;
    let next = next.as_ref().filter(|_| !is_over);
    let next = next.and_then(|next| {
        let next = MessagesQuery::parse(next, true).ok()?;
        Some(MessagesQuery { seen: scanned, ..next }.to_query())
    });
    let percent = if is_over { 100 } else { percent(&outcome.partitions, query.from.is_backwards()) };
    SearchView { scanned, bytes: outcome.bytes, percent, next }
}

/// How much of the logs lies behind the search.
fn percent(partitions: &[PartitionRead], backwards: bool) -> u32 {
    let (mut all, mut done) = (0i128, 0i128);
    for part in partitions.iter().filter(|part| part.error.is_none()) {
        all += i128::from(part.end - part.start);
        done += i128::from(if backwards { part.end - part.from } else { part.next - part.start });
    }
    u32::try_from(done.max(0) * 100 / all.max(1)).unwrap_or(100).min(100)
}

#[cfg(test)]
mod tests {
    use flowdeck_model::Partition;

    use super::*;

    fn outcome(end: ReadEnd) -> ReadOutcome {
        let part = |number, from, next| PartitionRead {
            partition: Partition::new(number).unwrap(),
            start: 100,
            end: 200,
            from,
            next,
            none_shown: false,
            error: None,
        };
        let partitions = vec![part(0, 100, 150), part(1, 100, 200)];
        ReadOutcome { records: vec![], scanned: 150, bytes: 9, end, older: false, newer: true, partitions }
    }

    #[test]
    fn scan_goes_on_and_counts() {
        let query = MessagesQuery::parse("from=earliest&text=a&seen=50", true).unwrap();
        let next = Some("from=offsets%3A150.200&text=a&seen=50".to_owned());
        let shown = view(&outcome(ReadEnd::TimedOut), &query, &next);
        assert_eq!((shown.scanned, shown.percent), (200, 75));
        assert_eq!(shown.next.as_deref(), Some("from=offsets%3A150.200&text=a&seen=200"));
        let over = view(&outcome(ReadEnd::Complete), &query, &next);
        assert_eq!((over.percent, over.next), (100, None));
    }
}
