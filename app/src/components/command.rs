//! A command's state as a mark and a word (success is green on evidence only), and what kind of
//! instance it speaks to.

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{CommandState, InstanceState};
use leptos::prelude::*;

use super::icons::{Icon, icon};

pub(crate) fn state_class(state: CommandState) -> &'static str {
    match state {
        CommandState::Confirmed => "tag good",
        CommandState::PartiallyConfirmed | CommandState::Requested | CommandState::Sent => "tag warn",
        CommandState::TimedOut | CommandState::Refused => "tag bad",
        CommandState::Restored => "tag hold",
    }
}

pub(crate) fn state(state: CommandState) -> impl IntoView {
    view! { <span class=state_class(state)>{state.label()}</span> }
}

pub(crate) fn instance_icon(state: InstanceState) -> impl IntoView {
    let (class, shape) = match state {
        InstanceState::Waiting => ("mark wait", Icon::Wait),
        InstanceState::Refused | InstanceState::NoResponse => ("mark bad", Icon::Bad),
        InstanceState::NotControllable => ("mark", Icon::None),
        _ => ("mark done", Icon::Done),
    };
    view! { <span class=class>{icon(shape)}</span> }
}

pub(crate) fn kind_words(kind: InstanceKind) -> &'static str {
    match kind {
        InstanceKind::Agent => "agent",
        InstanceKind::KafkaFlow => "KafkaFlow",
        InstanceKind::Member => "plain member",
        InstanceKind::Commits => "commits",
    }
}
