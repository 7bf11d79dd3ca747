//! KafkaFlow instances that are locked up, in words: the headline of their group.

use flowdeck_model::verdict::LockedUp;
pub use flowdeck_model::verdict::lock_up::MustEnd;
use flowdeck_model::{Hold, Timestamp, shown};

use crate::telemetry::InstanceId;

/// One that is locked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    pub id: InstanceId,
    pub since: Timestamp,
    /// Why nothing but the end of its process helps.
    pub must_end: Option<MustEnd>,
}

fn words(why: MustEnd) -> &'static str {
    match why {
        MustEnd::LockedUpAgain => "it locked up again after it was brought back: its process must be ended",
        MustEnd::DidNotComeBack => {
            "it was restarted and did not come back within 30 s: its process must be ended"
        }
        MustEnd::ResumedTooSoon => {
            "somebody else resumed it after its restart and before its pause: its process must be ended"
        }
    }
}

/// The one that only its end frees comes first, then the one that is locked up the longest.
pub(crate) fn judge(all: &[Locked], holds: &[Hold]) -> Option<LockedUp> {
    let since = all.iter().map(|one| one.since).min()?;
    let worst = all.iter().min_by_key(|one| (one.must_end.is_none(), one.since))?;
    let name = worst.id.instance.shown();
    let others = match all.len() {
        1 => String::new(),
        2 => ", and so is 1 other instance".to_owned(),
        n => format!(", and so are {} other instances", shown::exact((n - 1) as u64)),
    };
    let frees = match (worst.must_end, holds.is_empty()) {
        (Some(why), _) => words(why),
        (None, true) => "a resume frees it: its consumer is restarted, paused and resumed",
        (None, false) => "the resume frees it: its consumer is started anew, paused and resumed",
    };
    let what = "was paused as a whole and does not answer its group's rebalance (KafkaFlow defect 681)";
    Some(LockedUp { since, words: format!("{name} {what}{others}; {frees}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(name: &str, since: i64, must_end: Option<MustEnd>) -> Locked {
        let id = InstanceId { consumer: Some("audio".into()), instance: name.into(), incarnation: None };
        Locked { id, since: Timestamp::from_millis(since), must_end }
    }

    #[test]
    fn who_must_be_ended_is_said_first() {
        assert_eq!(judge(&[], &[]), None);
        let one = judge(&[locked("vm-1", 5, None)], &[]).unwrap();
        assert!(
            one.words.starts_with("vm-1 was paused") && one.words.ends_with("paused and resumed"),
            "{one:?}"
        );
        let both =
            judge(&[locked("vm-1", 5, None), locked("vm-2", 9, Some(MustEnd::LockedUpAgain))], &[]).unwrap();
        assert_eq!(both.since.millis(), 5);
        assert!(
            both.words.starts_with("vm-2 ") && both.words.ends_with("its process must be ended"),
            "{both:?}"
        );
        assert!(both.words.contains("and so is 1 other instance"), "{both:?}");
    }
}
