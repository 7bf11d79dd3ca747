//! Numbers: short for the eye, exact for whoever asks (a title on hover; a tap shows the same).

use leptos::prelude::*;

use crate::format::number;

/// `12.4 k`; where that is rounded, the exact number is its title.
pub(crate) fn count(value: u64) -> impl IntoView {
    let (short, exact) = (number::compact(value), number::exact(value));
    let exact = (short != exact).then_some(exact);
    view! { <span class=exact.is_some().then_some("n") title=exact>{short}</span> }
}

/// A lag that may be unknown in whole or in part: `4,102`, `≥ 4,102 + 2 unknown`, `–`.
pub(crate) fn lag(known: Option<u64>, at_least: Option<u64>, unknown_partitions: u64) -> impl IntoView {
    let value = at_least.or(known);
    let bound = (value > known).then_some("≥ ");
    let unknown = (unknown_partitions > 0).then(|| {
        let words = number::count(unknown_partitions, "partition", "partitions");
        view! { <span class="sub" title=[&words, " without a known lag"].concat()>{["+ ", &number::exact(unknown_partitions), " unknown"].concat()}</span> }
    });
    view! { {bound} {value.map(count)} {value.is_none().then(|| view! { <span class="faint" title="not known">"–"</span> })} {unknown} }
}
