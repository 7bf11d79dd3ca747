//! One step of a raised retention, by the elected writer. Each begins with what Kafka has now, so that it can be begun again
//! after a failure whose outcome is not known, and by another leader.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cause, Cluster, Deadline, Leadership};
use flowdeck_model::retention::{RetentionKey, RetentionRequest, RetentionState, TopicRetention};
use flowdeck_observe::{ClusterSettings, clock};
use flowdeck_protocol::wire::{RetentionEvent, RetentionRecord, RetentionStatus};

use super::book::{Raised, Step};
use super::config::{self, Configured, Found};
use crate::audit::{Entry, TopicSink};

/// Kafka has so long for each answer.
const CALL: Duration = Duration::from_secs(5);
/// The brokers know a new configuration a moment after the controller took it.
const READ_AGAIN: u32 = 20;
const APART: Duration = Duration::from_millis(100);

pub(super) struct Work {
    pub(super) cluster: Cluster,
    pub(super) settings: Arc<ClusterSettings>,
    pub(super) sink: Arc<TopicSink>,
    pub(super) leadership: Leadership,
    pub(super) raised: Arc<Raised>,
    /// Of the same topic, and not over.
    pub(super) before_it: Vec<RetentionStatus>,
}

/// What was written to the audit, where; and whether the step is done, or is to be tried again.
pub(super) struct Stepped {
    pub(super) told: Vec<(RetentionRecord, i64)>,
    pub(super) is_done: bool,
}

/// A step is to be tried again.
struct Again;

impl Work {
    pub(super) async fn carry_out(self, step: Step) -> Stepped {
        let mut told = Vec::new();
        let done = match step {
            Step::Raise => self.raise(&mut told).await,
            Step::PutBack => match self.status().before {
                Some(before) => self.put_back(before, &mut told).await,
                None => {
                    let notes = vec!["What was before is not known.".to_owned()];
                    self.ends(RetentionState::Failed, notes, &mut told).await
                }
            },
            Step::Tell(status) => self.tell(*status, &mut told).await,
        };
        Stepped { told, is_done: done.is_ok() }
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(CALL)
    }

    fn status(&self) -> &RetentionStatus {
        &self.raised.status
    }

    fn request(&self) -> &RetentionRequest {
        &self.raised.status.request
    }

    /// Once it is in the audit.
    async fn tell(
        &self,
        status: RetentionStatus,
        told: &mut Vec<(RetentionRecord, i64)>,
    ) -> Result<(), Again> {
        if !self.leadership.is_held() {
            return Err(Again);
        }
        let event = RetentionEvent::State(Box::new(status));
        let actor = self.raised.actor.clone();
        let record = RetentionRecord { id: self.raised.id, at: clock::now(), actor, event };
        let deadline = Deadline::after(self.settings.timing.write_deadline);
        let offset = self.sink.write(Entry::Retention(&record), deadline).await.map_err(|_| Again)?;
        told.push((record, offset));
        Ok(())
    }

    /// In this state, with why.
    async fn ends(
        &self,
        state: RetentionState,
        notes: Vec<String>,
        told: &mut Vec<(RetentionRecord, i64)>,
    ) -> Result<(), Again> {
        self.tell(RetentionStatus { state, notes, ..self.status().clone() }, told).await
    }

    /// It is tried again, and the page says why.
    async fn fails(&self, what: &str, cause: &Cause, told: &mut Vec<(RetentionRecord, i64)>) -> Again {
        let notes = vec![format!("{what}: {cause}. It is tried again.")];
        if self.status().notes != notes && self.status().state != RetentionState::Requested {
            let _ = self.tell(RetentionStatus { notes, ..self.status().clone() }, told).await;
        }
        Again
    }

    async fn raise(&self, told: &mut Vec<(RetentionRecord, i64)>) -> Result<(), Again> {
        let request = self.request();
        let now = match self.read().await {
            Ok(now) => now,
            Err(cause) if is_transient(&cause) => {
                return Err(self.fails("The configuration could not be read", &cause, told).await);
            }
            Err(cause) => return self.ends(RetentionState::Failed, vec![cause.to_string()], told).await,
        };
        let before = match self.status().before {
            Some(before) => before,
            None => {
                if let Some(why) = self.refuses(&now) {
                    return self.ends(RetentionState::Failed, vec![why], told).await;
                }
                // Before the first effect.
                let before = inherited(&self.before_it, &now.retention);
                let state = RetentionState::Raising;
                let raising = RetentionStatus { state, before: Some(before), ..self.status().clone() };
                self.tell(raising, told).await?;
                before
            }
        };
        let present = now.retention;
        let unset = keys(config::find(request, &before, &present), |found| found != Found::Set);
        // Begun before, and somebody changed it since.
        if unset.iter().any(|key| key.of(&request.seen) != key.of(&present)) {
            return self.put_back(before, told).await;
        }
        if !self.leadership.is_held() {
            return Err(Again);
        }
        let raised = config::raise(&self.cluster, request, &unset, self.deadline()).await;
        let read = self.read_until(|now| {
            config::find(request, &before, now).iter().all(|(_, found)| *found == Found::Set)
        });
        let status = RetentionStatus { before: Some(before), ..self.status().clone() };
        let tells = |state, notes| RetentionStatus { state, notes, ..status.clone() };
        match (raised, read.await) {
            (_, Ok((_, true))) => self.tell(tells(RetentionState::Raised, vec![]), told).await,
            (Err(cause), Ok((now, false))) if !is_transient(&cause) && now == present => {
                self.tell(tells(RetentionState::Failed, vec![cause.to_string()]), told).await
            }
            (Err(cause), _) | (_, Err(cause)) => {
                let notes = vec![format!("The values could not be raised: {cause}. It is tried again.")];
                if self.status().notes != notes {
                    self.tell(tells(RetentionState::Raising, notes), told).await?;
                }
                Err(Again)
            }
            (Ok(()), Ok((_, false))) => Err(Again),
        }
    }

    /// Where the topic is not as the preview showed it.
    fn refuses(&self, now: &Configured) -> Option<String> {
        if let Some(why) = now.refused {
            return Some(format!("Nothing was changed: {why}"));
        }
        let seen = &self.request().seen;
        let changed = RetentionKey::BOTH.into_iter().find(|key| key.of(seen) != key.of(&now.retention))?;
        let words = config::words(changed, changed.of(&now.retention).value);
        Some(format!("Nothing was changed: it is not as it was in the preview any more, {words} now."))
    }

    async fn put_back(
        &self,
        before: TopicRetention,
        told: &mut Vec<(RetentionRecord, i64)>,
    ) -> Result<(), Again> {
        let request = self.request();
        let present = match self.read().await {
            Ok(now) => now.retention,
            Err(Cause::UnknownTopic) => {
                let notes = vec!["The topic is gone.".to_owned()];
                return self.ends(RetentionState::Changed, notes, told).await;
            }
            Err(cause) => {
                return Err(self.fails("The values could not be put back", &cause, told).await);
            }
        };
        let found = config::find(request, &before, &present);
        let ours = keys(found.clone(), |found| found == Found::Set);
        if !self.leadership.is_held() {
            return Err(Again);
        }
        let done = config::put_back(&self.cluster, &request.topic, &before, &ours, self.deadline()).await;
        let is_back = |now: &TopicRetention| {
            let now = config::find(request, &before, now);
            now.iter().all(|(key, found)| !ours.contains(key) || *found != Found::Set)
        };
        match (done, self.read_until(is_back).await) {
            (_, Ok((_, true))) => {}
            (Err(cause), _) | (_, Err(cause)) => {
                return Err(self.fails("The values could not be put back", &cause, told).await);
            }
            (Ok(()), Ok((_, false))) => return Err(Again),
        }
        let left: Vec<String> = found
            .into_iter()
            .filter_map(|(key, found)| match found {
                Found::Other(now) => Some(format!(
                    "It was changed meanwhile and left as it is: {}; before, {}.",
                    config::words(key, now.value),
                    config::words(key, key.of(&before).value)
                )),
                Found::Set | Found::AsBefore => None,
            })
            .collect();
        let state = if left.is_empty() { RetentionState::PutBack } else { RetentionState::Changed };
        self.ends(state, left, told).await
    }

    async fn read(&self) -> Result<Configured, Cause> {
        config::read(&self.cluster, &self.request().topic, self.deadline()).await
    }

    /// As it is now, and whether it is as wanted.
    async fn read_until(
        &self,
        is_so: impl Fn(&TopicRetention) -> bool,
    ) -> Result<(TopicRetention, bool), Cause> {
        let mut now = self.read().await?.retention;
        for _ in 0..READ_AGAIN {
            if is_so(&now) {
                return Ok((now, true));
            }
            tokio::time::sleep(APART).await;
            now = self.read().await?.retention;
        }
        Ok((now, is_so(&now)))
    }
}

/// What was before, entry by entry: where an earlier request set the present value, what was before that one.
fn inherited(before_it: &[RetentionStatus], now: &TopicRetention) -> TopicRetention {
    let of = |key: RetentionKey| {
        let set_by = |other: &RetentionStatus| {
            let before = other.before?;
            let found = config::find(&other.request, &before, now);
            found.contains(&(key, Found::Set)).then_some(key.of(&before))
        };
        before_it.iter().rev().find_map(set_by).unwrap_or(key.of(now))
    };
    TopicRetention { ms: of(RetentionKey::Ms), bytes: of(RetentionKey::Bytes) }
}

fn keys(found: Vec<(RetentionKey, Found)>, is_of: impl Fn(Found) -> bool) -> Vec<RetentionKey> {
    found.into_iter().filter(|(_, found)| is_of(*found)).map(|(key, _)| key).collect()
}

/// Kafka refuses the others each time.
fn is_transient(cause: &Cause) -> bool {
    match cause {
        Cause::Kafka { name, .. } => {
            !["INVALID_CONFIG", "INVALID_REQUEST", "POLICY_VIOLATION"].contains(&name.as_str())
        }
        cause => cause.may_pass(),
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_model::Timestamp;
    use flowdeck_model::retention::{RetentionPause, RetentionValue, UNLIMITED};

    use super::*;

    fn both(ms: (i64, bool), bytes: (i64, bool)) -> TopicRetention {
        let value = |(value, own)| RetentionValue { value, own };
        TopicRetention { ms: value(ms), bytes: value(bytes) }
    }

    /// Raised from `seen`, where `before` is what it puts back.
    fn raised(seen: TopicRetention, before: TopicRetention, (ms, bytes): (i64, i64)) -> RetentionStatus {
        RetentionStatus {
            request: RetentionRequest {
                topic: "orders".parse().unwrap(),
                seen,
                ms,
                bytes,
                until: Timestamp::from_millis(10_000_000),
                group: None,
                margin_seconds: 0,
                reason: "INC-1".to_owned(),
            },
            requested_at: Timestamp::from_millis(0),
            state: RetentionState::Raised,
            before: Some(before),
            pause: RetentionPause::NotSeen,
            ended_by: None,
            notes: vec![],
        }
    }

    const FIRST: (i64, bool) = (60_000, true);
    const LATER: (i64, bool) = (120_000, true);
    const NO_LIMIT: (i64, bool) = (UNLIMITED, true);

    #[test]
    fn what_an_earlier_request_alone_changed_is_taken_over_down_the_chain() {
        let start = both((1_000, false), (5_000, true));
        let first = raised(start, start, (FIRST.0, UNLIMITED));
        let now = both(FIRST, NO_LIMIT);
        assert_eq!(inherited(std::slice::from_ref(&first), &now), start);
        // The second one leaves the bytes as they are, and so does the third.
        let second = raised(now, start, (LATER.0, UNLIMITED));
        let now = both(LATER, NO_LIMIT);
        assert_eq!(inherited(&[first, second.clone()], &now), start);
        assert_eq!(inherited(std::slice::from_ref(&second), &now), start, "the first one is over");
        let set = keys(config::find(&second.request, &start, &now), |found| found == Found::Set);
        assert_eq!(set, RetentionKey::BOTH, "all that has to be put back");
    }

    #[test]
    fn one_entry_that_others_changed_is_not_taken_over_and_the_other_is() {
        let start = both((1_000, false), (5_000, true));
        let first = raised(start, start, (FIRST.0, UNLIMITED));
        let changed = both((90_000, true), NO_LIMIT);
        assert_eq!(inherited(std::slice::from_ref(&first), &changed), both((90_000, true), (5_000, true)));
        let changed = both(FIRST, (7_000, true));
        assert_eq!(inherited(std::slice::from_ref(&first), &changed), both((1_000, false), (7_000, true)));
        assert_eq!(inherited(&[first], &start), start, "nothing is raised any more");
        assert_eq!(inherited(&[], &changed), changed);
    }
}
