//! A verdict is a shape, a word and, only where it asks for a person, a colour.

use flowdeck_model::Verdict;
use flowdeck_model::view::GroupRow;
use leptos::prelude::*;

use super::icons::{Icon, icon};

/// The classes of the style sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Bad,
    Warn,
    Hold,
    Ok,
    None,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Hold => "hold",
            Self::Ok => "ok",
            Self::None => "none",
        }
    }

    pub(crate) fn icon(self) -> Icon {
        match self {
            Self::Bad => Icon::Bad,
            Self::Warn => Icon::Warn,
            Self::Hold => Icon::Hold,
            Self::Ok => Icon::Ok,
            Self::None => Icon::None,
        }
    }
}

/// A group that nobody reads and that has nothing to read asks for nobody.
pub(crate) fn tone(verdict: Verdict, lag: Option<u64>) -> Tone {
    match verdict {
        Verdict::NoMembers if lag == Some(0) => Tone::Ok,
        Verdict::NoMembers | Verdict::PauseNotObeyed => Tone::Bad,
        Verdict::Behind | Verdict::PauseUnconfirmed => Tone::Warn,
        Verdict::Paused => Tone::Hold,
        Verdict::Unknown => Tone::None,
        Verdict::Ok => Tone::Ok,
    }
}

/// "Paused in part" where a hold covers some partitions only.
pub(crate) fn words(row: &GroupRow) -> &'static str {
    if row.verdict == Verdict::Paused && (1..row.partition_count).contains(&row.held_partitions) {
        return "Paused in part";
    }
    row.verdict.words()
}

pub(crate) fn of_group(row: &GroupRow) -> impl IntoView + use<> {
    labelled(tone(row.verdict, row.lag), words(row))
}

pub(crate) fn labelled(tone: Tone, words: &'static str) -> impl IntoView {
    view! { <span class=["verdict ", tone.class()].concat()>{icon(tone.icon())} <span>{words}</span></span> }
}
