//! Raising a topic's retention for a while, so that records that are not read yet are not deleted: `retention.ms` and
//! `retention.bytes`, which are put back at the end.

pub mod form;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::command::{REASON_MAX, reason_fits, reason_is_given};
use crate::error::PortError;
use crate::ids::CommandId;
use crate::names::{GroupId, TopicName};
use crate::pause_end::PauseEnd;
use crate::time::Timestamp;

/// `retention.ms` and `retention.bytes`: nothing is deleted by it.
pub const UNLIMITED: i64 = -1;
/// The longest time after a pause.
pub const MARGIN_SECONDS_MAX: u32 = 7 * 24 * 3600;
pub const MARGIN_SECONDS_DEFAULT: u32 = 3600;
/// Where neither the request nor a pause has an end.
const LENGTH_DEFAULT: Duration = Duration::from_secs(24 * 3600);
const MINUTE: u64 = 60_000;

/// One of the two, as a topic has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetentionValue {
    pub value: i64,
    /// Set on the topic itself; else it is the brokers'.
    pub own: bool,
}

/// Both, as a topic has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopicRetention {
    /// `retention.ms`; -1: no limit.
    pub ms: RetentionValue,
    /// `retention.bytes` of each partition; -1: no limit.
    pub bytes: RetentionValue,
}

/// What a preview is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RetentionQuery {
    /// At most so long. Without it and `until`: until the pauses of `group` end and the margin is over; else a day.
    pub for_seconds: Option<u32>,
    /// At most until then.
    pub until: Option<Timestamp>,
    /// The values are put back earlier once the pauses of this group on the topic are over, and the margin too.
    pub group: Option<GroupId>,
    /// After the last of these pauses: to read what waits. An hour, where absent.
    pub margin_seconds: Option<u32>,
    /// `retention.bytes` of each partition; -1 is no limit. Absent: by the estimated growth.
    pub bytes: Option<i64>,
}

impl RetentionQuery {
    pub fn check(&self) -> Result<(), PortError> {
        if let Some(end) = PauseEnd::of_fields(self.for_seconds, self.until)? {
            end.check()?;
        }
        check_margin(self.margin())?;
        match self.bytes {
            Some(bytes) if bytes < UNLIMITED || bytes == 0 => {
                Err(PortError::invalid("bytes", "a number of bytes, or -1 for no limit"))
            }
            _ => Ok(()),
        }
    }

    pub fn margin(&self) -> u32 {
        self.margin_seconds.unwrap_or(MARGIN_SECONDS_DEFAULT)
    }

    /// The latest end, of a request at `now`. `paused_until`: when the last pause of the group on the topic ends by itself.
    pub fn end(&self, now: Timestamp, paused_until: Option<Timestamp>) -> Result<Timestamp, PortError> {
        let given = PauseEnd::of_fields(self.for_seconds, self.until)?;
        let end = given.unwrap_or_else(|| {
            let margin = Duration::from_secs(self.margin().into());
            PauseEnd::At(paused_until.map_or_else(|| now.plus(LENGTH_DEFAULT), |until| until.plus(margin)))
        });
        end.check_from(now)?;
        Ok(end.time(now))
    }
}

fn check_margin(seconds: u32) -> Result<(), PortError> {
    match seconds > MARGIN_SECONDS_MAX {
        true => Err(PortError::invalid("marginSeconds", format!("at most {MARGIN_SECONDS_MAX} (7 days)"))),
        false => Ok(()),
    }
}

/// A record that is there now is not deleted before `until` by this `retention.ms`.
pub fn raised_ms(now_ms: i64, now: Timestamp, until: Timestamp) -> i64 {
    if now_ms == UNLIMITED {
        return UNLIMITED;
    }
    let more = i64::try_from(until.since(now).as_millis()).unwrap_or(i64::MAX);
    let minute = i64::try_from(MINUTE).unwrap_or(1);
    now_ms.saturating_add(more).saturating_add(minute - 1) / minute * minute
}

/// Exactly what is to be done, as a preview showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetentionRequest {
    pub topic: TopicName,
    /// As it was: refused where it is otherwise by then.
    pub seen: TopicRetention,
    /// `retention.ms` to set; -1: no limit.
    pub ms: i64,
    /// `retention.bytes` of each partition to set; -1: no limit.
    pub bytes: i64,
    /// The values are put back then at the latest.
    pub until: Timestamp,
    /// And earlier, once this group's pauses on the topic are over, and the margin too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    #[serde(default)]
    pub margin_seconds: u32,
    #[serde(default)]
    pub reason: String,
}

impl RetentionRequest {
    /// The rules that need nothing but the request; names the field that breaks one.
    pub fn check(&self) -> Result<(), PortError> {
        reason_is_given(&self.reason)?;
        self.check_but_reason()
    }

    pub fn check_but_reason(&self) -> Result<(), PortError> {
        reason_fits(&self.reason, REASON_MAX)?;
        check_margin(self.margin_seconds)?;
        for (field, from, to) in
            [("ms", self.seen.ms.value, self.ms), ("bytes", self.seen.bytes.value, self.bytes)]
        {
            if !is_as_long(from, to) {
                let problem = match from {
                    UNLIMITED => "there is no limit now (-1), and none is set here".to_owned(),
                    _ => format!("{to} is less than the present {from}"),
                };
                return Err(PortError::invalid(field, problem));
            }
        }
        match (self.ms, self.bytes) == (self.seen.ms.value, self.seen.bytes.value) {
            true => Err(PortError::invalid("ms", "nothing would change")),
            false => Ok(()),
        }
    }

    /// The entries that it changes: name, value before, value to set.
    pub fn changes(&self) -> impl Iterator<Item = (RetentionKey, RetentionValue, i64)> {
        self.put_back(&self.seen)
    }

    /// The entries whose values are put back at the end: name, value before, value that is set. Those that it changes, and
    /// those that an earlier request had changed: of these, `before` is what it took over, and so another than it saw.
    pub fn put_back(
        &self,
        before: &TopicRetention,
    ) -> impl Iterator<Item = (RetentionKey, RetentionValue, i64)> {
        let all = RetentionKey::BOTH.map(|key| (key, key.of(before), key.of(&self.seen)));
        let set = (self.ms, self.bytes);
        all.into_iter().filter_map(move |(key, before, seen)| {
            let to = match key {
                RetentionKey::Ms => set.0,
                RetentionKey::Bytes => set.1,
            };
            (seen.value != to || before != seen).then_some((key, before, to))
        })
    }

    pub fn margin(&self) -> Duration {
        Duration::from_secs(self.margin_seconds.into())
    }
}

fn is_as_long(from: i64, to: i64) -> bool {
    to == UNLIMITED || (from != UNLIMITED && to >= from)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionKey {
    Ms,
    Bytes,
}

impl RetentionKey {
    pub const BOTH: [Self; 2] = [Self::Ms, Self::Bytes];

    /// Kafka's name of the entry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ms => "retention.ms",
            Self::Bytes => "retention.bytes",
        }
    }

    pub fn of(self, retention: &TopicRetention) -> RetentionValue {
        match self {
            Self::Ms => retention.ms,
            Self::Bytes => retention.bytes,
        }
    }
}

/// A request under the id that its caller gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitRetention {
    pub id: CommandId,
    pub request: RetentionRequest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum RetentionState {
    /// In the audit; nothing is changed yet.
    Requested,
    /// What was before is in the audit; Kafka has confirmed nothing yet.
    Raising,
    /// Read back from Kafka.
    Raised,
    /// The values are as they were before.
    PutBack,
    /// Somebody changed a value meanwhile, which was left as it is; the notes say which.
    Changed,
    /// A later request for the topic puts the values back.
    Replaced,
    /// Nothing was changed, and the notes say why.
    Failed,
}

impl RetentionState {
    pub fn label(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Raising => "raising",
            Self::Raised => "raised",
            Self::PutBack => "put back",
            Self::Changed => "changed by others",
            Self::Replaced => "replaced",
            Self::Failed => "failed",
        }
    }

    pub fn is_over(self) -> bool {
        matches!(self, Self::PutBack | Self::Changed | Self::Replaced | Self::Failed)
    }
}

/// The pauses of the request's group on its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum RetentionPause {
    /// None was seen since the request.
    #[default]
    NotSeen,
    Paused,
    Over(Timestamp),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: i64, own: bool) -> RetentionValue {
        RetentionValue { value, own }
    }

    fn request() -> RetentionRequest {
        RetentionRequest {
            topic: "orders".parse().unwrap(),
            seen: TopicRetention { ms: value(1_000, false), bytes: value(-1, false) },
            ms: 60_000,
            bytes: -1,
            until: Timestamp::from_millis(50_000),
            group: Some("payments".into()),
            margin_seconds: 3600,
            reason: "INC-1".to_owned(),
        }
    }

    #[test]
    fn retention_is_raised_and_never_lowered() {
        assert_eq!(request().check(), Ok(()));
        let limited = TopicRetention { bytes: value(10, true), ..request().seen };
        for (wrong, field) in [
            (RetentionRequest { reason: " ".to_owned(), ..request() }, "reason"),
            (RetentionRequest { ms: 999, ..request() }, "ms"),
            (RetentionRequest { bytes: 5, ..request() }, "bytes"),
            (RetentionRequest { seen: limited, bytes: 9, ..request() }, "bytes"),
            (RetentionRequest { ms: 1_000, ..request() }, "ms"),
            (RetentionRequest { margin_seconds: MARGIN_SECONDS_MAX + 1, ..request() }, "marginSeconds"),
        ] {
            let refused = wrong.check();
            assert!(
                matches!(&refused, Err(PortError::Invalid { field: found, .. }) if found == field),
                "{field}: {refused:?}"
            );
        }
        let both = RetentionRequest { seen: limited, bytes: -1, ..request() };
        assert_eq!(both.check(), Ok(()));
        let changed: Vec<_> = both.changes().map(|(key, _, to)| (key.name(), to)).collect();
        assert_eq!(changed, [("retention.ms", 60_000), ("retention.bytes", -1)]);
        assert_eq!(request().changes().count(), 1);
    }

    #[test]
    fn what_an_earlier_request_changed_is_put_back_too() {
        let keys = |before| -> Vec<_> { request().put_back(&before).collect() };
        let ms = (RetentionKey::Ms, value(1_000, false), 60_000);
        assert_eq!(keys(request().seen), [ms], "it changes one alone");
        let taken_over = TopicRetention { bytes: value(5_000, true), ..request().seen };
        assert_eq!(keys(taken_over), [ms, (RetentionKey::Bytes, value(5_000, true), -1)]);
        let brokers = TopicRetention { bytes: value(5_000, false), ms: value(500, true) };
        let all: Vec<_> = keys(brokers).into_iter().map(|(key, before, _)| (key, before.value)).collect();
        assert_eq!(all, [(RetentionKey::Ms, 500), (RetentionKey::Bytes, 5_000)]);
    }

    #[test]
    fn what_is_there_now_is_kept_to_the_end() {
        let at = Timestamp::from_millis;
        assert_eq!(raised_ms(UNLIMITED, at(0), at(5)), UNLIMITED);
        assert_eq!(raised_ms(60_000, at(0), at(60_000)), 120_000);
        assert_eq!(raised_ms(60_000, at(0), at(60_001)), 180_000, "rounded up to a minute");
        assert!(raised_ms(i64::MAX, at(0), at(1)) > 0);
    }

    #[test]
    fn end_is_given_or_that_of_the_pause_with_the_margin() {
        let (now, day) = (Timestamp::from_millis(0), 24 * 3600 * 1_000);
        let query = RetentionQuery::default();
        assert_eq!(query.end(now, None), Ok(Timestamp::from_millis(day)));
        let paused = Some(Timestamp::from_millis(1_000));
        assert_eq!(query.end(now, paused), Ok(Timestamp::from_millis(3_601_000)));
        let given = RetentionQuery { for_seconds: Some(60), ..query };
        assert_eq!(given.end(now, paused), Ok(Timestamp::from_millis(60_000)));
        let both = RetentionQuery { until: paused, ..given };
        assert!(both.check().is_err());
        assert!(RetentionQuery { bytes: Some(0), ..RetentionQuery::default() }.check().is_err());
        assert!(RetentionQuery { for_seconds: Some(0), ..RetentionQuery::default() }.check().is_err());
    }
}
