//! The form that sends a command: what it will do, what it cannot, and for whom, before the button. A plain form: the server answers with the command's page.

use std::time::Duration;

use flowdeck_model::command::REASON_MAX;
use flowdeck_model::pause_end::FOR_SECONDS_MAX;
use flowdeck_model::view::{GroupView, Mode};
use flowdeck_model::{ActionKind, CommandId, ConsumerName, Target};
use leptos::prelude::*;

use super::ask::{Ask, Reach, reach};
use super::listing::Listing;
use super::{choice, preview};
use crate::components::clock::use_clock;
use crate::components::icons::{Icon, icon};
use crate::components::{cluster, notice};
use crate::format::number;
use crate::links;
use crate::typed::{OWN_END, OWN_LENGTH, Typed, form_id, typed};
use crate::{api, browser};

pub(in crate::pages) fn observe_words(label: &str, cluster: &str) -> String {
    [
        "Flowdeck only observes ", label, ", so it writes nothing to it. To pause and resume from here, set mode = \"control\" under [clusters.",
        cluster, "] in flowdeck.toml and restart.",
    ]
    .concat()
}

/// "Pause audio of payments on PROD-EU, 8 instances"
pub(super) fn button_words(
    title: String,
    consumer: Option<ConsumerName>,
    header: RwSignal<GroupView>,
) -> impl Fn() -> String + Send + Sync + Clone {
    move || {
        header.with(|view| {
            let n = number::count(reach(view, consumer.as_ref()).instances() as u64, "instance", "instances");
            [&title, " on ", &view.cluster_info.label, ", ", &n].concat()
        })
    }
}

pub(in crate::pages) const OPTIONAL_REASON: &str = "Reason (optional)";

/// What every command form carries. The id is made with the form, so that sending it twice is one
/// command; `autocomplete=off` keeps browsers from restoring an old one.
pub(in crate::pages) fn hidden_target(id: CommandId, kind: ActionKind, target: &Target) -> AnyView {
    let consumer = target
        .consumer
        .as_ref()
        .map(|name| view! { <input type="hidden" name="consumer" value=name.to_string()/> });
    let topics = target
        .topics
        .iter()
        .map(|name| view! { <input type="hidden" name="topic" value=name.to_string()/> })
        .collect_view();
    let partitions = target
        .partitions
        .iter()
        .map(|number| view! { <input type="hidden" name="partition" value=number.to_string()/> })
        .collect_view();
    view! {
        <input type="hidden" name="id" value=id.to_string() autocomplete="off"/>
        <input type="hidden" name="action" value=kind.word()/>
        <input type="hidden" name="group" value=target.group.to_string()/>
        {consumer}{topics}{partitions}
    }
    .into_any()
}

pub(super) fn form(ask: Ask, header: RwSignal<GroupView>, listing: &Listing) -> AnyView {
    let (info, target, close) = header.with_untracked(|view| {
        let group = links::group(&view.row.cluster, &view.row.group);
        (view.cluster_info.clone(), ask.target(view), links::with_query(&group, &listing.to_query()))
    });
    let title = ask.title(&target);
    let body = if info.mode == Mode::Observe {
        view! { <p>{observe_words(&info.label, info.name.as_str())}</p> }.into_any()
    } else {
        let choice = choice::form(&ask, header, listing);
        let fields = ask.is_chosen().then(|| fields(&ask, target, header));
        view! { {choice}{fields} }.into_any()
    };
    Effect::new(move |_| {
        browser::enter("#form", &["#form form:not([hidden]) [data-first]", "#form-title"]);
    });
    view! {
        <section class="panel ask" id="form" aria-labelledby="form-title">
            <header>
                <h2 id="form-title" tabindex="-1">{title}</h2>
                {cluster::pill(info.label, info.colour)}
                <a class="btn small push" href=close data-noscroll="" data-close="">"Close"</a>
            </header>
            <div class="ask-body">{body}</div>
        </section>
    }
    .into_any()
}

fn fields(ask: &Ask, target: Target, header: RwSignal<GroupView>) -> AnyView {
    let info = header.with_untracked(|view| view.cluster_info.clone());
    let body = header.with_untracked(|view| ask.to_body(view));
    let name = flowdeck_model::url::encode(info.name.as_str());
    let preview =
        Resource::new(move || (name.clone(), body.clone()), |(cluster, body)| api::preview(cluster, body));
    if ask.kind.is_for_consumer() {
        // Not sent before it was seen.
        let (ask, target) = (ask.clone(), target);
        let shown = move || {
            let (ask, target, info) = (ask.clone(), target.clone(), info.clone());
            Suspend::new(async move {
                let preview = preview.await;
                let sends = preview
                    .as_ref()
                    .is_ok_and(|preview| preview.refused.is_none() && preview.existing.is_none());
                let send = sends.then(|| send(&ask, &target, header, || true));
                view! { {preview::shown(&preview, &info)}{send} }
            })
        };
        return view! { <Suspense fallback=notice::loading>{shown}</Suspense> }.into_any();
    }
    let consumer = ask.consumer.clone();
    let reached = Memo::new(move |_| header.with(|view| reach(view, consumer.as_ref())));
    let kind = ask.kind;
    let shown = move || {
        let info = info.clone();
        Suspend::new(async move { preview::shown(&preview.await, &info) })
    };
    view! {
        <ul class="effects">{move || effects(kind, reached.get()).into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}</ul>
        <Suspense fallback=notice::loading>{shown}</Suspense>
        {send(ask, &target, header, move || {
            let reach = reached.get();
            reach.instances() > 0 || kind == ActionKind::Pause && reach.uncontrollable == 0
        })}
    }
    .into_any()
}

/// The form that sends it.
fn send(
    ask: &Ask,
    target: &Target,
    header: RwSignal<GroupView>,
    sends: impl Fn() -> bool + Send + Sync + 'static,
) -> AnyView {
    let kind = ask.kind;
    let pause = kind == ActionKind::Pause;
    let required = kind.needs_reason();
    let cluster = header.with_untracked(|view| view.cluster_info.name.clone());
    let label = button_words(ask.title(target), ask.consumer.clone(), header);
    let typed = typed();
    let hidden = hidden_target(form_id(), kind, target);
    let data = [("workers", &ask.workers), ("to", &ask.to)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| view! { <input type="hidden" name=name value=value.clone()/> })
        .collect_view();
    let shape = match kind {
        ActionKind::Pause => Some(Icon::Hold),
        ActionKind::Resume => Some(Icon::Resume),
        _ => None,
    };
    let class = if matches!(kind, ActionKind::Pause | ActionKind::Stop) { "btn hold" } else { "btn primary" };
    view! {
        // Hidden, not gone: what was typed stays while instances come and go.
        <form id="send" method="post" action=links::commands(&cluster) hidden=move || !sends()>
            {hidden}{data}
            <label class="field">
                <span>{if required { "Reason" } else { OPTIONAL_REASON }}</span>
                <input name="reason" data-first="" data-key="search" required=required maxlength=REASON_MAX.to_string() autocomplete="off"
                    value=typed.reason.clone() placeholder=if required { "INC-2291, poison record: the next person on call reads this" } else { "" }/>
            </label>
            {pause.then(|| durations(&typed))}
            <button type="submit" class=class>
                {shape.map(icon)} <span>{label}</span>
            </button>
        </form>
    }
    .into_any()
}

/// What the command will do and what it cannot.
fn effects(kind: ActionKind, reach: Reach) -> Vec<String> {
    let mut out = Vec::new();
    if reach.instances() == 0 && kind == ActionKind::Pause && reach.uncontrollable == 0 {
        out.push(
            "No active instance receives commands: the pause is for agents that start later.".to_owned(),
        );
        return out;
    }
    if reach.instances() == 0 {
        out.push("No active instance receives commands, so nothing can be sent. A pause needs the agent or KafkaFlow's admin topic in the service.".to_owned());
        return out;
    }
    if reach.agents > 0 {
        let n = number::count(reach.agents as u64, "agent", "agents");
        out.push(match kind {
            ActionKind::Pause => [&n, ": once acknowledged, no further record is passed to a handler; records in progress are finished."].concat(),
            ActionKind::Resume => [&n, ": processing continues where it stopped, with buffered records first."].concat(),
            _ => return out,
        });
    }
    if reach.kafkaflow > 0 {
        let n = number::count(reach.kafkaflow as u64, "KafkaFlow instance", "KafkaFlow instances");
        out.push(match kind {
            ActionKind::Pause => [&n, ": what was fetched is still processed: up to workers × buffer size records each. KafkaFlow does not report its buffer size."].concat(),
            ActionKind::Resume => [&n, ": confirmed only once a committed offset advances."].concat(),
            _ => return out,
        });
    }
    if reach.uncontrollable > 0 {
        let n = number::count(reach.uncontrollable as u64, "member runs", "members run");
        out.push(
            [
                &n,
                " neither the agent nor KafkaFlow: not controllable, so the command is partially confirmed at best.",
            ]
            .concat(),
        );
    }
    match kind {
        ActionKind::Pause => out.push("Instances that join later are paused too.".to_owned()),
        ActionKind::Resume => out.push(
            "Every pause of what is resumed is released, or loses that part, whoever gave it.".to_owned(),
        ),
        _ => {}
    }
    out
}

const CHOICES: [(&str, &str); 4] =
    [("", "until resumed"), ("900", "15 min"), ("3600", "1 h"), ("14400", "4 h")];

/// "other" and "until" take their value from the field beside them, with scripts and without.
pub(in crate::pages) fn durations(typed: &Typed) -> AnyView {
    let own = [OWN_LENGTH, OWN_END];
    let is_known = own.contains(&&*typed.length) || CHOICES.iter().any(|(value, _)| *value == typed.length);
    let chosen = if is_known { typed.length.clone() } else { String::new() };
    let radio = |value: &'static str, words: &'static str, own| {
        view! { <label><input type="radio" name="forSeconds" value=value checked=value == chosen node_ref=own/> <span>{words}</span></label> }
    };
    // What is typed beside a choice makes it.
    let with_field = |value, words, field: AnyView| {
        let own = NodeRef::<leptos::html::Input>::new();
        let choose = move |_| {
            if let Some(own) = own.get_untracked() {
                own.set_checked(true);
            }
        };
        view! { <span class="custom" on:input=choose>{radio(value, words, own)}{field}</span> }
    };
    let minutes = view! {
        <label>
            <input type="number" name="minutes" min="1" max=(FOR_SECONDS_MAX / 60).to_string() value=typed.minutes.clone() aria-label="Minutes"/>
            <span>"min"</span>
        </label>
    };
    let until = view! {
        <label>
            <input type="datetime-local" name="until" value=until(typed) aria-label="Until, in UTC"/>
            <span>"UTC"</span>
        </label>
    };
    view! {
        <fieldset class="durations">
            <legend>"Duration"</legend>
            {CHOICES.map(|(value, words)| radio(value, words, NodeRef::new()))}
            {with_field(OWN_LENGTH, "other", minutes.into_any())}
            {with_field(OWN_END, "until", until.into_any())}
        </fieldset>
    }
    .into_any()
}

/// As it was typed; else an hour from now, so that the zone cannot be mistaken.
fn until(typed: &Typed) -> String {
    if !typed.until.is_empty() {
        return typed.until.clone();
    }
    let time = untrack(|| use_clock().now()).plus(HOUR).to_string();
    // `2026-11-21T14:08`, always ASCII.
    time[..16].to_owned()
}

const HOUR: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_honest() {
        let said = |kind, reach| effects(kind, reach).join(" ");
        let none = said(ActionKind::Pause, Reach { uncontrollable: 2, ..Reach::default() });
        assert!(none.contains("No active instance receives commands"));
        let several = said(ActionKind::Pause, Reach { agents: 1, kafkaflow: 2, uncontrollable: 1 });
        assert!(
            several.contains("1 agent:")
                && several.contains("workers × buffer")
                && several.contains("not controllable")
        );
        assert!(
            said(ActionKind::Resume, Reach { kafkaflow: 1, ..Reach::default() })
                .contains("committed offset advances")
        );
        let resume = said(ActionKind::Resume, Reach { agents: 1, ..Reach::default() });
        assert!(resume.contains("whoever gave it") && !resume.contains("remain"), "{resume}");
    }
}
