//! How long a group needs for what then lies before it: by the most that it committed in any step of the last day.

use flowdeck_model::rate::Rate;
use flowdeck_model::view::{CatchUp, HistoryView, OffsetPlan};

/// `None`: nothing lies before it, or it was never seen to commit.
pub(super) fn catch_up(plans: &[OffsetPlan], history: Option<&HistoryView>) -> Option<CatchUp> {
    let waits = |plan: &OffsetPlan| Some(u64::try_from(plan.end? - plan.to?).unwrap_or(0));
    let lag = plans.iter().filter_map(waits).fold(0, u64::saturating_add);
    let points = &history?.points;
    let out = points.iter().filter_map(|one| one.out_per_second).max()?;
    if lag == 0 || out == Rate::default() {
        return None;
    }
    let written: Vec<u64> = points.iter().filter_map(|one| Some(one.in_per_second?.thousandths())).collect();
    let mean = written.iter().sum::<u64>() / u64::try_from(written.len()).unwrap_or(1).max(1);
    let left = out.thousandths().saturating_sub(mean);
    let seconds =
        (left > 0).then(|| u64::try_from(u128::from(lag) * 1_000 / u128::from(left)).unwrap_or(u64::MAX));
    Some(CatchUp { lag, out_per_second: out, in_per_second: Rate::of_thousandths(mean), seconds })
}
