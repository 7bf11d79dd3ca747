//! A verdict is a shape, a word and, only where it asks for a person, a colour.

use flowdeck_model::view::GroupRow;
use flowdeck_model::{Level, Verdict};
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

/// A colour says how much is asked of a person; a pause has its own.
pub(crate) fn tone(verdict: Verdict, level: Level) -> Tone {
    match level {
        Level::Critical => Tone::Bad,
        Level::Warning => Tone::Warn,
        Level::Info if verdict == Verdict::Paused => Tone::Hold,
        Level::Info => Tone::None,
        Level::Ok => Tone::Ok,
    }
}

/// "Paused in part" where a hold covers some partitions only.
pub(crate) fn label(row: &GroupRow) -> &'static str {
    if row.verdict == Verdict::Paused && (1..row.partition_count).contains(&row.paused_partitions) {
        return "Paused in part";
    }
    row.verdict.label()
}

pub(crate) fn of_group(row: &GroupRow) -> impl IntoView + use<> {
    labelled(tone(row.verdict, row.level), label(row))
}

pub(crate) fn labelled(tone: Tone, words: &'static str) -> impl IntoView {
    view! { <span class=["verdict ", tone.class()].concat()>{icon(tone.icon())} <span>{words}</span></span> }
}
