//! External commands that were not taken over, and why: counted, and said for a while. Pure.

use std::time::Duration;

use flowdeck_model::Timestamp;
use flowdeck_model::shown::exact;

use flowdeck_observe::holds::quota::HoldQuota;
use flowdeck_observe::recent_counts::RecentCounts;

/// It is spoken of for so long.
const WARN_FOR: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    UnknownGroup,
    BeyondQuota,
    TooMany,
    CannotWrite,
    TooOld,
}

impl Why {
    /// In the metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::UnknownGroup => "external_command_for_unknown_group",
            Self::BeyondQuota => "external_command_beyond_quota",
            Self::TooMany => "external_command_queue_full",
            Self::CannotWrite => "external_command_write_timeout",
            Self::TooOld => "external_command_too_old",
        }
    }

    fn words(self) -> String {
        match self {
            Self::UnknownGroup => "for a group that neither Kafka lists nor telemetry has shown".to_owned(),
            Self::BeyondQuota => {
                format!("that would make more holds than they may ({})", HoldQuota::external_bounds())
            }
            Self::TooMany => "that came faster than they can be written".to_owned(),
            Self::CannotWrite => "that waited for a minute, in which nothing could be written".to_owned(),
            Self::TooOld => "whose time is more than two minutes before they were read".to_owned(),
        }
    }
}

/// How many of each reason.
#[derive(Debug)]
pub(crate) struct RejectedCommands(RecentCounts<Why>);

impl Default for RejectedCommands {
    fn default() -> Self {
        Self(RecentCounts::new(WARN_FOR))
    }
}

impl RejectedCommands {
    /// Says whether it begins.
    pub(crate) fn note(&mut self, why: Why, now: Timestamp) -> bool {
        self.0.add(why, now)
    }

    pub(crate) fn warnings(&self, now: Timestamp) -> impl Iterator<Item = String> {
        self.0.lately(now).map(|(why, count)| {
            let commands = if count == 1 { "command" } else { "commands" };
            format!("not taken over from the admin topic: {} {commands} {}", exact(count), why.words())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_over_is_counted_and_said_for_a_while() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let mut untaken = RejectedCommands::default();
        let said = |untaken: &RejectedCommands, now| untaken.warnings(at(now)).collect::<Vec<_>>();
        assert!(said(&untaken, 0).is_empty());
        assert!(untaken.note(Why::UnknownGroup, at(0)));
        assert!(!untaken.note(Why::UnknownGroup, at(1)), "one warning for all of them");
        assert!(untaken.note(Why::BeyondQuota, at(30)));
        let warnings = said(&untaken, 60);
        assert!(
            warnings[0]
                .ends_with(": 2 commands for a group that neither Kafka lists nor telemetry has shown")
        );
        assert!(
            warnings[1].ends_with("than they may (250 of a group, 5,000 and 8 MB in all)"),
            "{warnings:?}"
        );
        assert_eq!(said(&untaken, 62).len(), 1);
        assert!(untaken.note(Why::UnknownGroup, at(62)), "it begins again");
        assert!(said(&untaken, 62)[0].contains(": 1 command for"));
    }
}
