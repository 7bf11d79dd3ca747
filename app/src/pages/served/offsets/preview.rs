//! What would happen, partition by partition, and the form that does exactly that.

use flowdeck_model::offsets::OffsetMoves;
use flowdeck_model::view::{CatchUp, ClusterView, OffsetPlan, OffsetsPreview, OffsetsWay, RecordAt};
use flowdeck_model::{ActionKind, HoldBy};
use leptos::prelude::*;

use crate::components::notice;
use crate::format::{number, time};
use crate::links;
use crate::typed;

pub(super) fn section(cluster: &ClusterView, view: &OffsetsPreview) -> AnyView {
    let rows = view.partitions.iter().map(row).collect_view();
    let more =
        (view.more > 0).then(|| ["and ", &number::exact(view.more.into()), " more partitions"].concat());
    let run = match (&view.refused, &view.moves) {
        (Some(why), _) => notice::warning(["It cannot be done now: ", why].concat()),
        (None, None) => ().into_any(),
        (None, Some(moves)) => confirm(cluster, view, moves),
    };
    view! {
        <section class="panel offsets-panel" aria-labelledby="preview">
            <h2 id="preview">"Preview: " {target(&view.to)}</h2>
            <p>{summary(view)} " " {view.catch_up.map(catch_up)}</p>
            {view.notes.iter().map(|note| view! { <p class="muted">{note.clone()}</p> }).collect_view()}
            <div class="scroll">
                <table class="offsets plan">
                    <thead><tr>
                        <th scope="col">"Partition"</th><th scope="col" class="num">"Committed"</th>
                        <th scope="col" class="num">"Set to"</th><th scope="col" class="num">"Records"</th>
                        <th scope="col">"First and last of them"</th><th scope="col">"Notes"</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {more.map(|words| view! { <p class="muted">{words}</p> })}
            {run}
            {command(&view.command)}
        </section>
    }
    .into_any()
}

fn target(to: &str) -> String {
    match to {
        "none" => "commits deleted".to_owned(),
        "file" => "to the given offsets".to_owned(),
        _ => match (to.strip_prefix("group:"), to.strip_prefix("undo:")) {
            (Some(group), _) => ["as group ", &flowdeck_model::shown::name(group)].concat(),
            (_, Some(id)) => ["undo of operation ", id].concat(),
            _ => ["to ", to].concat(),
        },
    }
}

fn summary(view: &OffsetsPreview) -> String {
    let changed = number::count(view.changed.into(), "partition changes", "partitions change");
    let mut words = vec![changed];
    if view.replayed > 0 {
        words.push(["up to ", &number::count(view.replayed, "record", "records"), " handled again"].concat());
    }
    if view.skipped > 0 {
        words.push(["up to ", &number::count(view.skipped, "record", "records"), " skipped"].concat());
    }
    if view.deleted > 0 {
        let of = number::count(view.deleted.into(), "partition", "partitions");
        words.push(["retention deleted unread records of ", &of].concat());
    }
    [&words.join(", "), "."].concat()
}

fn catch_up(of: CatchUp) -> String {
    let lag = number::count(of.lag, "record", "records");
    let rates = [
        "at the fastest of the last 24 h (",
        &number::rate(of.out_per_second),
        "/s, while ",
        &number::rate(of.in_per_second),
        "/s come in)",
    ]
    .concat();
    match of.seconds {
        Some(seconds) => {
            let brief = time::brief(std::time::Duration::from_secs(seconds));
            [&lag, " then wait: some ", &brief, " to catch up, ", &rates, "."].concat()
        }
        None => [&lag, " then wait: it would not catch up ", &rates, "."].concat(),
    }
}

fn row(plan: &OffsetPlan) -> AnyView {
    let offset = |offset: Option<i64>| offset.map_or_else(|| "–".to_owned(), number::offset);
    let place = [plan.topic.as_str(), " ", &plan.partition.to_string()].concat();
    let to = match (plan.from == plan.to, plan.to) {
        (true, _) => "as it is".to_owned(),
        (false, None) => "deleted".to_owned(),
        (false, to) => offset(to),
    };
    let records = match (plan.replayed, plan.skipped) {
        (0, 0) => "0".to_owned(),
        (again, 0) => [&number::exact(again), " again"].concat(),
        (_, skipped) => [&number::exact(skipped), " skipped"].concat(),
    };
    let ends: Vec<String> = [plan.first, plan.last].into_iter().flatten().map(record).collect();
    view! {
        <tr>
            <th scope="row">{place}</th>
            <td class="num" data-l="Committed">{offset(plan.from)}</td>
            <td class="num" data-l="Set to">{to}</td>
            <td class="num" data-l="Records">{records}</td>
            <td data-l="First and last">{ends.join(" – ")}</td>
            <td data-l="Notes">{plan.note.clone()}</td>
        </tr>
    }
    .into_any()
}

fn record(one: RecordAt) -> String {
    let at = one.time.map(|at| [" of ", &time::exact(at)].concat()).unwrap_or_default();
    number::offset(one.offset) + &at
}

fn confirm(cluster: &ClusterView, view: &OffsetsPreview, moves: &OffsetMoves) -> AnyView {
    let hidden =
        |name: &'static str, value: String| view! { <input type="hidden" name=name value=value/> }.into_any();
    let action = links::commands(&cluster.name);
    let skips = (view.skipped > 0).then(|| {
        let label = ["Type the number of records that are skipped: ", &number::exact(view.skipped)].concat();
        field(label, "skips", "numeric")
    });
    let name = view.group.shown();
    let guarded = view.confirm.then(|| field(["Type the group's name: ", &name].concat(), "confirm", "text"));
    let reason = typed::typed().reason;
    let whole = view.to == "none" && view.way == OffsetsWay::Empty;
    let delete = whole.then(|| {
        view! {
            <button class="btn danger" type="submit" name="action" value=ActionKind::DeleteGroup.word()>
                "Delete the group"
            </button>
        }
    });
    let go = match view.to.as_str() {
        "none" => "Delete these commits",
        _ if view.way == OffsetsWay::StopAndStart => "Stop the consumers, set these offsets, start them",
        _ => "Set these offsets",
    };
    view! {
        <form method="post" action=action>
            {hidden("id", typed::form_id().to_string())}
            {hidden("group", view.group.as_str().to_owned())}
            {hidden("to", view.to.clone())}
            {hidden("offsets", moves.to_string())}
            {(view.way == OffsetsWay::StopAndStart).then(|| hidden("by", HoldBy::Stop.word().to_owned()))}
            <label class="field"><span>"Reason"</span>
                <input type="text" name="reason" required maxlength="500" value=reason/>
            </label>
            {skips}
            {guarded}
            <p class="muted">{how(view.way)}</p>
            <p class="actions">
                <button class="btn primary" type="submit" name="action" value=ActionKind::SetOffsets.word()>{go}</button>
                {delete}
            </p>
        </form>
    }
    .into_any()
}

fn field(label: String, name: &'static str, mode: &'static str) -> AnyView {
    view! {
        <label class="field"><span>{label}</span>
            <input type="text" name=name required inputmode=mode autocomplete="off" spellcheck="false"/>
        </label>
    }
    .into_any()
}

fn how(way: OffsetsWay) -> &'static str {
    match way {
        OffsetsWay::Empty => {
            "The group has no active members. It has to stay so, and no commit may move, for some seconds; then each \
             commit is compared with this preview, changed, and read again."
        }
        OffsetsWay::Agents => {
            "Its agents do it, each for the partitions that it owns: pause, finish what is in flight, compare, commit, go on."
        }
        OffsetsWay::StopAndStart => {
            "Its KafkaFlow consumers are stopped first, and started once the offsets are set."
        }
        OffsetsWay::None => "",
    }
}

fn command(line: &str) -> AnyView {
    if line.is_empty() {
        return ().into_any();
    }
    view! {
        <details><summary>"The same with Kafka's own tool"</summary><pre class="command">{line.to_owned()}</pre></details>
    }
    .into_any()
}
