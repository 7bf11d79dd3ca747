//! The server's side of a preview: the command's form is read, and what it would do is put into words.

use flowdeck_model::action::{ActionFields, Workers, WorkersError};
use flowdeck_model::view::{
    HoldChangeKind, HoldPreview, InstanceKind, MessagePreview, OffsetChange, OffsetTarget, PreviewView,
};
use flowdeck_model::{
    ActionKind, CommandId, GroupId, HoldBy, Partition, PortError, Scope, Submit, Target, Timestamp, shown,
};

use super::reads::{cluster_name, ports};
use super::{PageError, PreviewText};
use crate::components::hold::scope_words;
use crate::format::number;

const RETENTION: &str = "Retention continues: records that are not read in time are deleted unread. Under Partitions…, on the \
    group's page, it can be raised meanwhile.";
/// Of each list; how many more there are is said.
const LINES: usize = 10;
const OFFSETS: usize = 200;

pub(super) async fn read(cluster: &str, body: &str) -> Result<PreviewText, PageError> {
    let (cluster, submit) = (cluster_name(cluster)?, parse(body)?);
    match ports()?.control.preview(&cluster, submit).await {
        Ok(view) => Ok(words(view)),
        Err(error @ (PortError::Conflict { .. } | PortError::Unprocessable { .. })) => {
            Ok(PreviewText { refused: Some(error.into()), ..PreviewText::default() })
        }
        Err(error) => Err(error.into()),
    }
}

/// The reason comes last, so it is not there yet.
fn parse(body: &str) -> Result<Submit, PortError> {
    let (mut action, mut workers, mut to, mut by) = (None, None, None, None);
    let mut target = Target::group(GroupId::from(""));
    for (name, value) in form_urlencoded::parse(body.as_bytes()) {
        match &*name {
            "group" => target.group = GroupId::from(value.into_owned()),
            _ if value.is_empty() => {}
            "action" => action = ActionKind::from_word(&value),
            "consumer" => target.consumer = Some(value.into_owned().into()),
            "topic" => {
                let topic = value.parse();
                target.topics.push(topic.map_err(|_| PortError::invalid("topic", "no name of a topic"))?);
            }
            "partition" => {
                let number = value.parse().ok().and_then(Partition::new);
                let problem = "a number of a partition";
                target.partitions.push(number.ok_or_else(|| PortError::invalid("partition", problem))?);
            }
            "workers" => {
                let count = value.trim().parse::<u32>().ok().and_then(|count| Workers::try_from(count).ok());
                workers = Some(count.ok_or_else(|| PortError::invalid("workers", WorkersError.to_string()))?);
            }
            "by" => by = HoldBy::from_word(&value),
            "to" => {
                let time = Timestamp::parse_given(value.trim());
                let problem = "a time in UTC, such as 2026-11-21T14:00";
                to = Some(time.ok_or_else(|| PortError::invalid("to", problem))?);
            }
            _ => {}
        }
    }
    let action = action.ok_or_else(|| PortError::invalid("action", "it is missing or not known"))?;
    Ok(Submit {
        id: CommandId::random(),
        action: ActionFields { action, workers, to }.try_into()?,
        target,
        reason: "preview".to_owned(),
        ends: None,
        offsets: None,
        by,
    })
}

impl From<PreviewView> for PreviewText {
    fn from(view: PreviewView) -> Self {
        words(view)
    }
}

fn words(view: PreviewView) -> PreviewText {
    let mut lines = vec![reached(&view)];
    lines.extend(limited(view.messages.iter().map(message)));
    lines.extend(limited(view.holds.iter().map(hold)));
    lines.extend(view.notes);
    if view.undo == Some(ActionKind::Resume) {
        lines.push(RETENTION.to_owned());
    }
    lines.extend(view.undo.map(|undo| ["Taken back by: ", undo.label(), "."].concat()));
    let mut offsets: Vec<[String; 3]> = view.offsets.iter().take(OFFSETS).map(offset).collect();
    let more = view.offsets.len().saturating_sub(OFFSETS);
    if more > 0 {
        offsets.push([["… and ", &more.to_string(), " more"].concat(), String::new(), String::new()]);
    }
    let has_choice = view.holds.iter().all(|hold| hold.scope.is_whole())
        && view.instances.iter().any(|one| one.kind == InstanceKind::KafkaFlow);
    let by = view.by.filter(|_| has_choice);
    PreviewText { refused: None, existing: view.existing, by, lines, offsets }
}

fn limited(lines: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES);
    let more = (more > 0).then(|| ["… and ", &more.to_string(), " more of these."].concat());
    lines.take(LINES).chain(more).collect()
}

/// "Reaches 3 instances: 1 agent, 2 of KafkaFlow; 1 member is not controllable."
fn reached(view: &PreviewView) -> String {
    let count = |kind| view.instances.iter().filter(|one| one.kind == kind).count() as u64;
    let (agents, flows) = (count(InstanceKind::Agent), count(InstanceKind::KafkaFlow));
    let mut out = ["Reaches ", &number::count(agents + flows, "instance", "instances")].concat();
    let kinds = [
        (agents, number::count(agents, "agent", "agents")),
        (flows, [&flows.to_string(), " of KafkaFlow"].concat()),
    ];
    let kinds: Vec<String> = kinds.into_iter().filter(|(n, _)| *n > 0).map(|(_, words)| words).collect();
    if !kinds.is_empty() {
        out = [&out, ": ", &kinds.join(", ")].concat();
    }
    match count(InstanceKind::Member) {
        0 => [&out, "."].concat(),
        n => [&out, "; ", &number::count(n, "member is", "members are"), " not controllable."].concat(),
    }
}

fn message(one: &MessagePreview) -> String {
    let topics: Vec<&str> = one.topics.iter().map(flowdeck_model::TopicName::as_str).collect();
    let topics = if topics.is_empty() { String::new() } else { [", topics ", &topics.join(", ")].concat() };
    let argument = one.argument.as_ref().map(|it| [", ", it].concat()).unwrap_or_default();
    let name = shown::name(&one.name);
    let place = [one.topic.as_str(), ", partition ", &one.partition.to_string()].concat();
    ["Sends ", &one.message, " (", &name, &topics, &argument, ") to ", &place, "."].concat()
}

fn hold(one: &HoldPreview) -> String {
    let scope = scope_words(&one.scope);
    let all = |scopes: &[Scope]| scopes.iter().map(scope_words).collect::<Vec<_>>().join("; ");
    match one.change {
        HoldChangeKind::Release => ["Releases ", &pause(one), "."].concat(),
        HoldChangeKind::Set if !one.taken_out.is_empty() => {
            ["Takes ", &all(&one.taken_out), " out of ", &pause(one), "."].concat()
        }
        HoldChangeKind::Set if one.except.is_empty() => ["Writes a hold on ", &scope, "."].concat(),
        HoldChangeKind::Set => ["Writes a hold on ", &scope, ", except: ", &all(&one.except), "."].concat(),
    }
}

/// "ana's pause of the whole group (“double charges”)"
fn pause(one: &HoldPreview) -> String {
    let (owner, reason) = (shown::name(&one.owner), shown::name(&one.reason));
    [&owner, "'s pause of ", &scope_words(&one.scope), " (“", &reason, "”)"].concat()
}

fn offset(one: &OffsetChange) -> [String; 3] {
    let place = [one.topic.as_str(), " partition ", &one.partition.to_string()].concat();
    let from = one.from.map_or_else(|| "–".to_owned(), number::offset);
    let to = match (one.from, one.to) {
        (Some(from), OffsetTarget::Offset(to)) if from > to => {
            let again = number::count((from - to) as u64, "record", "records");
            [&number::offset(to), " (up to ", &again, " again)"].concat()
        }
        (Some(from), OffsetTarget::Offset(to)) if from < to => {
            let skipped = number::count((to - from) as u64, "record", "records");
            [&number::offset(to), " (up to ", &skipped, " skipped)"].concat()
        }
        (_, OffsetTarget::Offset(to)) => number::offset(to),
        (_, left) => left.label().to_owned(),
    };
    [place, from, to]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_preview_is_read() {
        let submit =
            parse("action=rewind&group=a%2Fb&consumer=c&topic=t&to=2026-11-21T14%3A00&workers=").unwrap();
        let to = "2026-11-21T14:00:00Z".parse().unwrap();
        assert_eq!(submit.action, flowdeck_model::Action::Rewind { to });
        assert_eq!(submit.target.to_string(), "topic t in a/b (consumer c)");
        for (body, want) in [
            ("group=g", "action"),
            ("action=explode&group=g", "action"),
            ("action=rewind&group=g&to=soon", "to"),
            ("action=changeWorkers&group=g&workers=0", "workers"),
            ("action=restart&group=g&workers=5", "workers"),
        ] {
            let Err(PortError::Invalid { field, .. }) = parse(body) else { panic!("{body}") };
            assert_eq!(field, want, "{body}");
        }
    }

    #[test]
    fn whose_pause_ends_and_why_it_was_given_is_said() {
        let topic = || Scope { topic: Some("orders".parse().unwrap()), ..Scope::group("payments".into()) };
        let change = |change, except, taken_out| {
            hold(&HoldPreview {
                id: CommandId::random().into(),
                scope: Scope::group("payments".into()),
                change,
                owner: "ana\u{202e}".into(),
                reason: "double\ncharges".into(),
                except,
                taken_out,
            })
        };
        let whose = "ana‹U+202E›'s pause of the whole group (“double‹U+000A›charges”).";
        assert_eq!(change(HoldChangeKind::Release, vec![], vec![]), format!("Releases {whose}"));
        assert_eq!(
            change(HoldChangeKind::Set, vec![topic()], vec![topic()]),
            format!("Takes topic orders out of {whose}")
        );
        // What is written anew is the person's own.
        let own = change(HoldChangeKind::Set, vec![], vec![]);
        assert_eq!(own, "Writes a hold on the whole group.");
    }

    #[test]
    fn what_is_left_as_it_is_is_said() {
        let change = |from, to| {
            let (topic, partition) = ("t".parse().unwrap(), flowdeck_model::Partition::new(0).unwrap());
            offset(&OffsetChange { topic, partition, from, to })[2].clone()
        };
        assert_eq!(change(Some(30), OffsetTarget::Offset(10)), "10 (up to 20 records again)");
        assert_eq!(change(Some(3), OffsetTarget::Offset(10)), "10 (up to 7 records skipped)");
        assert!(change(Some(3), OffsetTarget::NoRecord).contains("no record at or after"));
        assert!(change(None, OffsetTarget::Unassigned).contains("not assigned"));
    }
}
