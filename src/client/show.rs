//! Tables for people. What others wrote is shown so that it cannot deceive a terminal.

use comfy_table::{CellAlignment, Table, presets};
use flowdeck_model::shown;
use flowdeck_model::view::{
    AuditEntry, AuditView, BulkPreview, BulkView, CanaryView, CommandView, FleetView, GroupView,
    InstanceOutcome, OffsetsPreview, PreviewView,
};

fn table(heads: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(heads.to_vec());
    for at in right {
        if let Some(column) = table.column_mut(*at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn number<T: Into<u64>>(number: Option<T>) -> String {
    number.map_or_else(|| "unknown".to_owned(), |number| shown::exact(number.into()))
}

fn offset(offset: Option<i64>) -> String {
    offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string())
}

pub(super) fn groups(fleet: &FleetView) -> String {
    let mut table = table(&["CLUSTER", "GROUP", "VERDICT", "LAG", "MEMBERS", "NOTE"], &[3, 4]);
    for row in &fleet.groups {
        table.add_row([
            row.cluster.to_string(),
            row.group.shown().to_string(),
            row.verdict.label().to_owned(),
            number(row.lag),
            number(row.members),
            row.why.as_deref().map(shown::text).unwrap_or_default(),
        ]);
    }
    let mut text = format!("{table}\n");
    let shown = fleet.groups.len() as u64;
    if u64::from(fleet.total) > shown {
        text += &format!("{} of {} groups\n", shown::exact(shown), shown::exact(fleet.total.into()));
    }
    if fleet.partial {
        text += "Not every cluster answers: groups may be missing.\n";
    }
    text
}

pub(super) fn lag(group: &GroupView) -> String {
    let heads = ["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "OWNER"];
    let mut table = table(&heads, &[1, 2, 3, 4]);
    for row in &group.partitions {
        let unknown = || row.unknown.map_or("unknown", |why| why.label()).to_owned();
        table.add_row([
            row.topic.to_string(),
            row.partition.to_string(),
            offset(row.committed),
            offset(row.end),
            row.lag.map_or_else(unknown, shown::exact),
            row.owner.as_deref().map(shown::name).unwrap_or_default(),
        ]);
    }
    let row = &group.row;
    let why = row.why.as_deref().map(|why| format!(": {}", shown::text(why))).unwrap_or_default();
    let members = number(row.members);
    format!("{table}\n{}{why}. Lag {}, members {members}.\n", row.verdict.label(), number(row.lag))
}

pub(super) fn audit(audit: &AuditView) -> String {
    let mut table = table(&["AT", "ID", "WHAT", "STATE", "BY", "REASON"], &[]);
    for entry in &audit.entries {
        match entry {
            AuditEntry::Operation(one) => table.add_row([
                one.requested_at.to_string(),
                one.id.to_string(),
                shown::text(&one.title),
                one.state.label().to_owned(),
                shown::name(&one.actor.name),
                shown::text(&one.reason),
            ]),
            AuditEntry::Redrive(one)
            | AuditEntry::Bulk(one)
            | AuditEntry::Produced(one)
            | AuditEntry::Retention(one) => table.add_row([
                one.at.to_string(),
                one.id.to_string(),
                shown::text(&one.title),
                one.event.clone(),
                shown::name(&one.actor.name),
                shown::text(&one.reason),
            ]),
            AuditEntry::Look(one) => table.add_row([
                one.at.to_string(),
                String::new(),
                one.look.label().to_owned(),
                String::new(),
                shown::name(&one.actor.name),
                shown::text(&format!("{} {}", one.topic.as_deref().unwrap_or_default(), one.range())),
            ]),
            AuditEntry::LogIn(one) => table.add_row([
                one.at.to_string(),
                String::new(),
                "Log-in".to_owned(),
                one.outcome.label().to_owned(),
                shown::name(&one.actor.name),
                one.detail.as_deref().map(shown::text).unwrap_or_default(),
            ]),
        };
    }
    let mut text = format!("{table}\n");
    for note in &audit.notes {
        text += &format!("{}\n", shown::text(note));
    }
    if let Some(before) = audit.older {
        text += &format!("There is more: --before {before}\n");
    }
    text
}

pub(super) fn bulk(view: &BulkView) -> String {
    let mut table = table(&["GROUP", "STATE", "OPERATION", "NOTE"], &[]);
    for one in &view.groups {
        let note = one.note.as_deref().map(shown::text).unwrap_or_default();
        let label = one.state.label().to_owned();
        table.add_row([one.group.shown(), label, one.command.to_string(), note]);
    }
    let count = view.groups.len() + view.hidden as usize;
    let counts = &view.counts;
    format!(
        "{}: {}; {} confirmed, {} in force before, {} failed, {} under way, {} not begun\n{table}\n",
        view.action.title(count),
        view.state.label(),
        counts.confirmed,
        counts.in_force,
        counts.failed(),
        counts.sent,
        counts.waiting
    ) + &notes(&view.notes)
}

pub(super) fn canary(view: &CanaryView) -> String {
    let mut steps = table(&["STEP", "STATE", "OPERATION", "NOTE"], &[]);
    let all = [("part", Some(&view.first)), ("rest", view.rest.as_ref()), ("back", view.back.as_ref())];
    for (name, step) in all {
        let Some(step) = step else { continue };
        let note = shown::text(&step.notes.join(" "));
        steps.add_row([name.to_owned(), step.state.label().to_owned(), step.id.to_string(), note]);
    }
    let mut part = table(&["TOPIC", "PARTITION", "COMMITTED", "LAG", "PAUSED"], &[1, 2, 3]);
    for row in &view.partitions {
        let (topic, paused) = (row.topic.to_string(), if row.paused { "yes" } else { "no" });
        let committed = offset(row.committed);
        part.add_row([topic, row.partition.to_string(), committed, number(row.lag), paused.to_owned()]);
    }
    let words: Vec<&str> = view.orders.iter().map(|order| order.word()).collect();
    let next = match words.is_empty() {
        true => String::new(),
        false => format!("flowdeck canary {} {}\n", words.join("|"), view.first.id),
    };
    let of = &view.first.target;
    format!("Canary resume of {of}: {}\n{steps}\n\n{part}\n{next}", view.state.label())
}

pub(super) fn bulk_preview(preview: &BulkPreview) -> String {
    let mut table = table(&["GROUP", "PLAN", "NOTES"], &[]);
    for plan in &preview.groups {
        let what = match &plan.refused {
            Some(why) => ["cannot be done: ", &shown::text(why)].concat(),
            None => shown::text(&plan.plan),
        };
        table.add_row([plan.group.shown(), what, shown::text(&plan.notes.join(" "))]);
    }
    format!(
        "{}; {} with nothing to do, {} that cannot be done; {} offsets replayed, {} skipped\n{table}\n",
        preview.action.title(preview.ready as usize),
        preview.nothing_to_do,
        preview.refused,
        preview.replayed,
        preview.skipped
    ) + &notes(&preview.notes)
}

pub(super) fn operations(commands: &[CommandView]) -> String {
    let mut table = table(&["AT", "ID", "OPERATION", "STATE", "BY", "REASON"], &[]);
    for one in commands {
        table.add_row([
            one.requested_at.to_string(),
            one.id.to_string(),
            one.action.title(&one.target),
            one.state.label().to_owned(),
            shown::name(&one.actor.name),
            shown::text(&one.reason),
        ]);
    }
    format!("{table}\n")
}

pub(super) fn operation(command: &CommandView) -> String {
    let mut text = format!("{}: {}\n", command.action.title(&command.target), command.state.label());
    text += &instances(&command.instances);
    text += &notes(&command.notes);
    text
}

pub(super) fn preview(preview: &PreviewView) -> String {
    let mut text = String::new();
    if let Some(id) = preview.existing {
        return format!("In force already, by {id}: nothing would be written.\n");
    }
    for message in &preview.messages {
        let topics: Vec<&str> = message.topics.iter().map(|topic| topic.as_str()).collect();
        let of = if topics.is_empty() { String::new() } else { format!(" of {}", topics.join(", ")) };
        let name = shown::name(&message.name);
        text += &format!("would send {} for {name}{of} to {}\n", message.message, message.topic);
    }
    if !preview.holds.is_empty() {
        text += &format!("would change {} on the topic of holds\n", preview.holds.len());
    }
    text += &instances(&preview.instances);
    text += &notes(&preview.notes);
    text
}

pub(super) fn offsets(preview: &OffsetsPreview) -> String {
    let heads = ["TOPIC", "PARTITION", "FROM", "TO", "REPLAYED", "SKIPPED", "NOTE"];
    let mut table = table(&heads, &[1, 2, 3, 4, 5]);
    for row in &preview.partitions {
        table.add_row([
            row.topic.to_string(),
            row.partition.to_string(),
            offset(row.from),
            offset(row.to),
            shown::exact(row.replayed),
            shown::exact(row.skipped),
            row.note.as_deref().map(shown::text).unwrap_or_default(),
        ]);
    }
    let mut text = format!("{table}\n");
    if preview.more > 0 {
        text += &format!("and {} more partitions\n", shown::exact(preview.more.into()));
    }
    let (changed, replayed) = (shown::exact(preview.changed.into()), shown::exact(preview.replayed));
    text += &format!("{changed} changed, {replayed} replayed, {} skipped\n", preview.skipped);
    if let Some(why) = &preview.refused {
        text += &format!("cannot be done now: {}\n", shown::text(why));
    }
    text += &notes(&preview.notes);
    text + &preview.command + "\n"
}

fn instances(all: &[InstanceOutcome]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut table = table(&["INSTANCE", "CONSUMER", "STATE", "DETAIL"], &[]);
    for one in all {
        table.add_row([
            one.instance.shown().to_string(),
            one.consumer.as_ref().map(|name| name.shown().to_string()).unwrap_or_default(),
            one.state.label().to_owned(),
            one.detail.as_deref().map(shown::text).unwrap_or_default(),
        ]);
    }
    format!("{table}\n")
}

fn notes(notes: &[String]) -> String {
    notes.iter().map(|note| format!("- {}\n", shown::text(note))).collect()
}
