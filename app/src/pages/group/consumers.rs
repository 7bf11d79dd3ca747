//! Consumers and their instances, by their telemetry.

use flowdeck_model::view::{
    ConsumerView, GroupView, InstanceHolds, InstanceKind, InstanceView, Mode, TopicPartitions,
};
use flowdeck_model::{ActionKind, Scope, TopicName, Verdict};
use leptos::prelude::*;

use super::ask::Ask;
use super::listing::Listing;
use crate::components::clock::ago;
use crate::components::command::kind_words;
use crate::components::icons::{Icon, icon};
use crate::components::name;
use crate::format::{number, partitions};
use crate::links;

pub(super) fn panel(view: &GroupView, listing: &Listing) -> AnyView {
    if view.consumers.is_empty() {
        return view! {
            <section class="panel" aria-labelledby="consumers">
                <header><h2 id="consumers">"Instances"</h2></header>
                <div class="empty">
                    <p class="muted">"No telemetry received from this group: its lag is read, but no instance would receive a pause."</p>
                </div>
            </section>
        }
        .into_any();
    }
    let mut quota = LineQuota { unknown: 100, doubtful: 5 };
    let mut panels = Vec::new();
    let (mut instances, mut consumers) = (0, 0);
    for consumer in &view.consumers {
        let shown: Vec<&InstanceView> = consumer.instances.iter().filter(|one| quota.takes(one)).collect();
        instances += consumer.instances.len() - shown.len();
        if shown.is_empty() {
            consumers += 1;
        } else {
            panels.push(one(view, consumer, &shown, listing));
        }
    }
    let more = (instances > 0).then(|| more(instances, consumers));
    (panels, more).into_any()
}

/// Lines of instances that Kafka does not confirm: anybody who may write to the admin topic can claim to be
/// hundreds.
struct LineQuota {
    /// Of which Kafka's list of members tells nothing.
    unknown: usize,
    doubtful: usize,
}

impl LineQuota {
    fn takes(&mut self, instance: &InstanceView) -> bool {
        let left = match instance.confirmed {
            Some(true) => return true,
            None => &mut self.unknown,
            Some(false) => &mut self.doubtful,
        };
        let takes = *left > 0;
        *left = left.saturating_sub(1);
        takes
    }
}

/// Instances that are not listed.
fn more(instances: usize, consumers: usize) -> impl IntoView {
    let of = (consumers > 0)
        .then(|| [" of ", &number::count(consumers as u64, "more consumer", "more consumers")].concat());
    let count = number::count(instances as u64, "more instance", "more instances");
    let words = [
        count.as_str(),
        of.as_deref().unwrap_or_default(),
        if instances == 1 { " is" } else { " are" },
        " not listed: Kafka's list of members does not confirm their telemetry. The API lists them all.",
    ];
    view! {
        <section class="panel" aria-label="Instances not listed">
            <div class="empty"><p class="muted">{words.concat()}</p></div>
        </section>
    }
}

fn one(view: &GroupView, consumer: &ConsumerView, shown: &[&InstanceView], listing: &Listing) -> AnyView {
    let control = view.cluster_info.mode == Mode::Control;
    let group = links::group(&view.row.cluster, &view.row.group);
    let ask = |kind, topic: Option<&TopicName>| Ask::new(kind, Some(consumer.name.clone()), topic.cloned());
    let link = |action, topic| {
        [&links::with_query(&group, &listing.beside(&ask(action, topic).to_query())), "#form"].concat()
    };
    let several = consumer.topics.len() > 1;
    let states: Vec<Running> = consumer.topics.iter().map(|topic| running(view, consumer, topic)).collect();
    let topics = consumer
        .topics
        .iter()
        .zip(&states)
        .map(|(topic, state)| {
            let button = |action: ActionKind| {
                let label = ask(action, Some(topic)).title(&ask(action, Some(topic)).target(view));
                view! { <a class="btn small" href=link(action, Some(topic)) title=label.clone() aria-label=label>{icon(shape(action))}</a> }
            };
            let buttons = (control && several).then(|| state.actions().iter().map(|action| button(*action)).collect_view());
            view! { <li><a href=links::topic(&view.row.cluster, topic, &Default::default())>{name::cut(topic.to_string())}</a> {buttons}</li> }
        })
        .collect_view();
    let button = |action: &ActionKind| {
        view! { <a class="btn small" href=link(*action, None)>{icon(shape(*action))} {[action.label(), "…"].concat()}</a> }
    };
    // A resume frees what is locked up, also where nothing is held.
    let locked = view.row.verdicts.iter().any(|one| one.verdict == Verdict::LockedUp);
    let state = if locked { Running::InPart } else { all(&states) };
    let buttons = control.then(|| state.actions().iter().map(button).collect_view());
    let more = control.then(|| {
        let run = if view.row.members == Some(0) { ActionKind::Start } else { ActionKind::Stop };
        let kinds = [ActionKind::Restart, ActionKind::ChangeWorkers, ActionKind::Reset, ActionKind::Rewind, run];
        let links = kinds.map(|kind| {
            let label = ask(kind, None).title(&ask(kind, None).target(view));
            view! { <a class="btn small" href=link(kind, None) title=label>{[kind.label(), "…"].concat()}</a> }
        });
        view! { <div class="more-actions">{links}</div> }
    });
    let agents = shown.iter().any(|one| one.kind == InstanceKind::Agent).then(|| {
        let href = links::agents(&view.row.cluster, &view.row.group);
        view! { <a class="btn small" href=href rel="external">"Agents"</a> }
    });
    let instances = shown.iter().map(|one| instance(one, control)).collect_view();
    let active = consumer.instances.iter().filter(|instance| !instance.lost).count();
    let doubtful = consumer.instances.iter().filter(|one| !one.lost && one.confirmed == Some(false)).count();
    let doubtful = (doubtful > 0).then(|| [", ", &number::exact(doubtful as u64), " not confirmed"].concat());
    view! {
        <section class="panel" aria-label=["Consumer ", &consumer.name.shown()].concat()>
            <header>
                <h2>{name::cut(consumer.name.shown())} " " <span class="count">{number::count(active as u64, "instance", "instances")} {doubtful}</span></h2>
                <span class="actions push">{agents} {buttons}</span>
            </header>
            <ul class="topics">{topics}</ul>
            <ol class="steps">{instances}</ol>
            {more}
        </section>
    }
    .into_any()
}

fn shape(action: ActionKind) -> Icon {
    if action == ActionKind::Pause { Icon::Hold } else { Icon::Resume }
}

/// Whether a consumer's topic runs, as far as holds and telemetry tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    Yes,
    InPart,
    Paused,
}

impl Running {
    /// What can be done to it.
    fn actions(self) -> &'static [ActionKind] {
        match self {
            Self::Yes => &[ActionKind::Pause],
            Self::InPart => &[ActionKind::Resume, ActionKind::Pause],
            Self::Paused => &[ActionKind::Resume],
        }
    }
}

fn all(states: &[Running]) -> Running {
    match states.first() {
        Some(first) if states.iter().all(|state| state == first) => *first,
        Some(_) => Running::InPart,
        None => Running::Yes,
    }
}

fn running(view: &GroupView, consumer: &ConsumerView, topic: &TopicName) -> Running {
    let of_it = |scope: &Scope| {
        scope.consumer.as_ref().is_none_or(|name| *name == consumer.name)
            && scope.topic.as_ref().is_none_or(|name| name == topic)
    };
    let whole = |scope: &Scope| of_it(scope) && scope.partition.is_none() && scope.instance.is_none();
    let mut state = Running::Yes;
    for hold in view.row.holds.iter().filter(|hold| of_it(&hold.scope)) {
        if hold.except.iter().any(whole) {
            continue;
        }
        if whole(&hold.scope) && !hold.except.iter().any(of_it) {
            return Running::Paused;
        }
        state = Running::InPart;
    }
    let active = || consumer.instances.iter().filter(|instance| !instance.lost);
    let lists =
        |all: &[TopicPartitions]| all.iter().any(|it| it.topic == *topic && !it.partitions.is_empty());
    // A pause by the application itself, or one that another controller sent to an instance.
    match (active().any(|one| lists(&one.paused)), active().any(|one| lists(&one.running))) {
        (true, false) => Running::Paused,
        (true, true) => Running::InPart,
        (false, _) => state,
    }
}

fn instance(instance: &InstanceView, control: bool) -> impl IntoView + use<> {
    let (running, paused) = (partitions::count(&instance.running), partitions::count(&instance.paused));
    let (class, shape) = match () {
        () if instance.lost => ("mark bad", Icon::None),
        () if instance.confirmed == Some(false) => ("mark wait", Icon::Warn),
        () if paused > 0 => ("verdict hold", Icon::Hold),
        () => ("mark", Icon::Ok),
    };
    let mut words = vec![kind_words(instance.kind).to_owned()];
    words.extend(instance.workers.map(|n| number::count(n.into(), "worker", "workers")));
    let doubtful = (instance.confirmed == Some(false) && !instance.lost)
        .then_some("Not confirmed: Kafka lists no member that owns these partitions.");
    let runs = (running > 0).then(|| ["running ", &partitions::by_topic(&instance.running)].concat());
    let pauses = (paused > 0).then(|| ["paused ", &partitions::by_topic(&instance.paused)].concat());
    // A note may say that its lists were cut.
    let idle = running + paused == 0 && instance.confirmed.is_none() && instance.note.is_none();
    let idle = idle.then_some("no assigned partitions");
    let ambiguous = instance.ambiguous.then_some("Ambiguous: two processes send telemetry under this name.");
    let unreached =
        instance.holds.filter(|_| !instance.lost).and_then(|holds| may_miss_pauses(holds, control));
    let warnings = [doubtful, ambiguous, unreached]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .chain(instance.note.clone());
    let warnings = warnings.map(|words| view! { <small class="warned">{words}</small> }).collect_view();
    let lost = instance.lost.then_some("no longer reporting · ");
    view! {
        <li>
            <span class=class>{icon(shape)}</span>
            <span class="body">
                {instance.instance.shown()}
                <small>{lost}{words.join(" · ")}</small>
                {runs.map(|words| view! { <small>{words}</small> })}
                {pauses.map(|words| view! { <small class="paused">{words}</small> })}
                {idle.map(|words| view! { <small>{words}</small> })}
                {warnings}
            </span>
            <span class="faint num" title="Last telemetry">{ago(instance.last_heard)}</span>
        </li>
    }
}

/// Why a pause may not reach an instance. In observe mode a topic of holds is not expected.
fn may_miss_pauses(holds: InstanceHolds, control: bool) -> Option<&'static str> {
    match holds {
        InstanceHolds::Known => None,
        InstanceHolds::Unknown => Some("Cannot read the holds: it may process records despite a pause."),
        InstanceHolds::Reading => Some("Has not read the holds yet: it may process records despite a pause."),
        InstanceHolds::Absent => control
            .then_some("Finds no topic of holds and obeys admin commands only: a pause may not reach it."),
    }
}
