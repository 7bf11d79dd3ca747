//! Members: the sessions that Kafka knows, each with the instance that owns the same partitions.

use flowdeck_model::view::{GroupView, MemberView};
use leptos::prelude::*;

use crate::components::name;
use crate::format::partitions;

pub(super) fn panel(view: &GroupView) -> AnyView {
    if view.group_members.is_empty() {
        return ().into_any();
    }
    let rows = view.group_members.iter().map(line).collect_view();
    view! {
        <section class="panel" aria-labelledby="members">
            <header><h2 id="members">"Members " <span class="count">{view.group_members.len().to_string()}</span></h2></header>
            <div class="scroll">
                <table class="cards fixed">
                    <caption class="unseen">"Sessions with Kafka and the instances behind them"</caption>
                    <thead><tr>
                        <th scope="col">"Client"</th>
                        <th scope="col" class="w-host">"Host"</th>
                        <th scope="col">"Instance"</th>
                        <th scope="col">"Partitions"</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn line(member: &MemberView) -> impl IntoView + use<> {
    let instance = match &member.instance {
        Some(instance) => name::cut(instance.shown()),
        None => view! { <span class="tag" title="No instance with telemetry owns the same partitions">"unmatched"</span> }.into_any(),
    };
    let fixed = member.static_id.as_ref().map(
        |id| view! { <span class="sub">{["static id ", &flowdeck_model::shown::name(id)].concat()}</span> },
    );
    view! {
        <tr>
            <td data-c="group" title=flowdeck_model::shown::name(&member.member_id)>
                <div class="cell"><span class="name">{name::cut(flowdeck_model::shown::name(&member.client_id))}</span>{fixed}</div>
            </td>
            <td class="mono wrap" data-l="host">{flowdeck_model::shown::name(&member.host)}</td>
            <td data-l="instance">{instance}</td>
            <td class="wrap muted">{partitions::by_topic(&member.partitions)}</td>
        </tr>
    }
}
