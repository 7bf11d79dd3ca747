//! A command's state as a mark and a word. Success is green on evidence only.

use flowdeck_model::{CommandState, InstanceState};
use leptos::prelude::*;

use super::icons::{Icon, icon};

pub(crate) fn state_class(state: CommandState) -> &'static str {
    match state {
        CommandState::Confirmed => "tag good",
        CommandState::Partly | CommandState::Requested | CommandState::Sent => "tag warn",
        CommandState::TimedOut | CommandState::Refused => "tag bad",
        CommandState::Standing => "tag hold",
    }
}

pub(crate) fn state(state: CommandState) -> impl IntoView {
    view! { <span class=state_class(state)>{state.words()}</span> }
}

pub(crate) fn instance_icon(state: InstanceState) -> impl IntoView {
    let (class, shape) = match state {
        InstanceState::Waiting => ("mark wait", Icon::Wait),
        InstanceState::Refused | InstanceState::Silent => ("mark bad", Icon::Bad),
        InstanceState::NotControllable => ("mark", Icon::None),
        _ => ("mark done", Icon::Done),
    };
    view! { <span class=class>{icon(shape)}</span> }
}
