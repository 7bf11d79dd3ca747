//! What was said last time and what applies now: since when each verdict applies, and which of them are kept for a
//! while though they ceased to, so that a trend on the edge does not flicker.

use super::rules::Raw;
use super::{Evidence, Finding, Level, Rules, Verdict};

/// Goes by a trend, which takes some readings to turn.
fn is_trend(verdict: Verdict) -> bool {
    use Verdict::{CatchingUp, FallingBehind, HotPartition, SlowInstance};
    matches!(verdict, FallingBehind | HotPartition | SlowInstance | CatchingUp)
}

/// The headline first; never empty.
pub(super) fn settle(
    found: Vec<Raw>,
    before: &[Finding],
    evidence: &Evidence,
    rules: &Rules,
) -> Vec<Finding> {
    let now = evidence.now;
    let was = |verdict| before.iter().find(|one| one.verdict == verdict);
    let mut all: Vec<Finding> = found
        .into_iter()
        .map(|raw| Finding {
            verdict: raw.verdict,
            level: raw.level,
            since: raw.since.or(was(raw.verdict).map(|before| before.since)).unwrap_or(now),
            evidence: raw.why,
            last: Some(now),
        })
        .collect();
    let speaks_of_now = evidence.stale.is_none() && evidence.free.at_least.is_some_and(|lag| lag > 0);
    let lapsed = before.iter().filter(|one| {
        let recent = one.last.is_some_and(|last| now.since(last) <= rules.clear_after);
        speaks_of_now && is_trend(one.verdict) && recent && all.iter().all(|now| now.verdict != one.verdict)
    });
    let kept: Vec<Finding> = lapsed.cloned().collect();
    all.extend(kept);
    if all.is_empty() {
        let since = was(Verdict::Ok).map_or(now, |before| before.since);
        all.push(Finding { verdict: Verdict::Ok, level: Level::Ok, since, evidence: None, last: Some(now) });
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.verdict));
    all
}
