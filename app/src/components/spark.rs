//! The course of a lag as a small line, in a table. Its numbers are beside it and in the chart, so it is not spoken.

use leptos::prelude::*;

const HEIGHT: u64 = 20;
/// A lag below it is small, whatever its course.
const SMALL: u64 = 100;

pub(crate) fn spark(trend: &[Option<u64>]) -> AnyView {
    let Some(most) = trend.iter().flatten().max().copied() else { return ().into_any() };
    let class = if most < SMALL { "spark calm" } else { "spark" };
    let width = (trend.len().max(2) - 1).to_string();
    view! {
        <svg class=class viewBox=["0 -1 ", &width, " 22"].concat() preserveAspectRatio="none" aria-hidden="true">
            <path d=path(trend, most) vector-effect="non-scaling-stroke"></path>
        </svg>
    }
    .into_any()
}

/// One step to the right for each number; where one is not known the line breaks.
fn path(trend: &[Option<u64>], most: u64) -> String {
    let mut out = String::new();
    let mut joined = false;
    for (x, lag) in trend.iter().enumerate() {
        let Some(lag) = lag else {
            joined = false;
            continue;
        };
        let up = u128::from(*lag) * u128::from(HEIGHT) / u128::from(most.max(SMALL));
        let y = HEIGHT.saturating_sub(u64::try_from(up).unwrap_or(HEIGHT));
        out.push(if joined { 'L' } else { 'M' });
        out.push_str(&x.to_string());
        out.push(' ');
        out.push_str(&y.to_string());
        // A number alone is a dot.
        if !joined && trend.get(x + 1).is_none_or(Option::is_none) {
            out.push_str("h0");
        }
        joined = true;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_where_nothing_is_known() {
        let all = [Some(0), Some(500), None, Some(1_000), None, Some(250), Some(u64::MAX / 2)];
        assert_eq!(path(&all[..4], 1_000), "M0 20L1 10M3 0h0");
        assert_eq!(path(&all, u64::MAX / 2), "M0 20L1 20M3 20h0M5 20L6 0");
        assert_eq!(path(&[Some(5)], 5), "M0 19h0");
        assert_eq!(path(&[], 0), "");
    }
}
