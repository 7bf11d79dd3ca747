//! The newest commands of the group, each with its outcome.

use flowdeck_model::view::{CommandView, GroupView};
use leptos::prelude::*;

use crate::components::clock::ago;
use crate::components::command;
use crate::links;

pub(super) fn panel(view: &GroupView) -> AnyView {
    if view.commands.is_empty() {
        return ().into_any();
    }
    let all = links::audit_of(&view.cluster_info.name, &view.row.group);
    let rows = view.commands.iter().map(line).collect_view();
    view! {
        <section class="panel" aria-labelledby="commands">
            <header><h2 id="commands">"Commands"</h2></header>
            <ol class="steps commands">{rows}</ol>
            <p class="more-actions"><a class="link" href=all rel="external">"All commands of this group"</a></p>
        </section>
    }
    .into_any()
}

fn line(it: &CommandView) -> impl IntoView + use<> {
    let what = it.action.title(&it.target);
    let done = it.instances.iter().filter(|instance| instance.state.is_done()).count();
    let of = (!it.instances.is_empty())
        .then(|| [" · ", &done.to_string(), " of ", &it.instances.len().to_string(), " instances"].concat());
    let reason =
        (!it.reason.is_empty()).then(|| [" · “", &flowdeck_model::shown::name(&it.reason), "”"].concat());
    view! {
        <li>
            <span></span>
            <span class="body">
                <a class="link" href=links::command(&it.cluster_info.name, it.id)>{what}</a>
                <small>"by " {flowdeck_model::shown::name(&it.actor.name)} {reason}</small>
                <small>{command::state(it.state)} {of}</small>
            </span>
            <span class="faint num">{ago(it.requested_at)}</span>
        </li>
    }
}
