//! The verdict as a sentence, with the evidence that the page has for it.

use flowdeck_model::view::{GroupView, PartitionRow};
use flowdeck_model::{GroupType, Verdict, shown};
use leptos::prelude::*;

use crate::components::icons::icon;
use crate::components::verdict::{Tone, tone};
use crate::format::number::{self, exact};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    tone: Tone,
    /// "Behind."
    strong: String,
    /// The sentence after it.
    text: String,
    /// More evidence, less loud.
    more: Vec<String>,
}

pub(super) fn find(view: &GroupView) -> Finding {
    let row = &view.row;
    let lag = row.lag.unwrap_or_default();
    let records = number::count(lag, "record", "records");
    let (strong, text) = match row.verdict {
        Verdict::NoMembers if lag == 0 => {
            ("Nobody reads.", "The group has no members, and nothing waits for it.".to_owned())
        }
        Verdict::NoMembers => {
            ("Nobody reads.", ["The group has no members while ", &records, wait(lag)].concat())
        }
        Verdict::Behind => ("Behind.", [&records, wait(lag)].concat()),
        Verdict::Paused => paused(view),
        Verdict::PauseUnconfirmed => ("Pause unconfirmed.", why(view)),
        Verdict::PauseNotObeyed => ("Pause not obeyed.", why(view)),
        Verdict::Unknown => ("Unknown.", unknown(view)),
        Verdict::Ok if lag == 0 => ("OK.", "Nothing waits: all that was written is read.".to_owned()),
        Verdict::Ok => ("OK.", [&records, wait(lag)].concat()),
    };
    let mut more = Vec::new();
    if matches!(row.verdict, Verdict::Paused | Verdict::PauseUnconfirmed | Verdict::PauseNotObeyed) && lag > 0
    {
        more.push([&records, wait(lag)].concat());
    }
    more.extend(spread(&view.partitions, lag));
    more.extend(unread(view));
    if row.verdict != Verdict::Unknown && row.unknown_partitions > 0 {
        let n = number::count(row.unknown_partitions.into(), "partition has", "partitions have");
        more.push([&n, " no known lag; the table says why."].concat());
    }
    Finding { tone: tone(row.verdict, row.lag), strong: strong.to_owned(), text, more }
}

fn wait(lag: u64) -> &'static str {
    if lag == 1 { " waits." } else { " wait." }
}

fn paused(view: &GroupView) -> (&'static str, String) {
    let row = &view.row;
    let by = |text: String| match (&row.holds[..], &row.why) {
        ([], Some(why)) => [&text, ", ", why, "; no hold of Flowdeck stands."].concat(),
        ([], None) => text + "; no hold of Flowdeck stands.",
        ([one], _) => {
            [&text, ", held by ", &shown::name(&one.owner), ": “", &shown::name(&one.reason), "”."].concat()
        }
        (many, _) => [&text, " by ", &many.len().to_string(), " holds."].concat(),
    };
    if (1..row.partition_count).contains(&row.held_partitions) {
        let stand = [
            &exact(row.held_partitions.into()),
            " of ",
            &exact(row.partition_count.into()),
            " partitions stand",
        ]
        .concat();
        return ("Paused in part.", by(stand));
    }
    ("Paused.", by("The group is meant to stand still".to_owned()))
}

fn why(view: &GroupView) -> String {
    view.row.why.as_ref().map(|why| [why.as_str(), "."].concat()).unwrap_or_default()
}

fn unknown(view: &GroupView) -> String {
    if view.row.kind == GroupType::Other {
        return "This is no consumer group (a share, Connect or Streams group), so it has no lag here."
            .to_owned();
    }
    match &view.row.why {
        Some(why) => [why.as_str(), "."].concat(),
        None => "What was read does not tell how the group stands.".to_owned(),
    }
}

/// Where most of the lag lies, if it lies somewhere.
fn spread(partitions: &[PartitionRow], lag: u64) -> Option<String> {
    if partitions.len() < 2 || lag == 0 {
        return None;
    }
    let worst = partitions.iter().max_by_key(|row| row.lag)?;
    let most = worst.lag?;
    if u128::from(most) * 2 <= u128::from(lag) {
        return None;
    }
    let owner =
        worst.owner.as_ref().map(|owner| [", read by ", &shown::name(owner)].concat()).unwrap_or_default();
    Some(
        [
            "Most of it, ",
            &exact(most),
            ", is in ",
            worst.topic.as_str(),
            ", partition ",
            &worst.partition.to_string(),
            &owner,
            ".",
        ]
        .concat(),
    )
}

/// Partitions with lag that no member owns, in a group that has members.
fn unread(view: &GroupView) -> Option<String> {
    if view.row.members.unwrap_or_default() == 0 {
        return None;
    }
    let unread =
        view.partitions.iter().filter(|row| row.owner.is_none() && row.lag.unwrap_or_default() > 0).count();
    (unread > 0).then(|| {
        let n = number::count(unread as u64, "partition with lag has", "partitions with lag have");
        [&n, " no owner."].concat()
    })
}

pub(super) fn shown(finding: &Finding) -> AnyView {
    let more = finding.more.join(" ");
    let class = finding.tone.class();
    view! {
        <section class=["panel finding ", class].concat() aria-label="Verdict" role="status">
            <span class=["verdict ", class].concat()>{icon(finding.tone.icon())}</span>
            <div>
                <p><strong>{finding.strong.clone()}</strong> " " {finding.text.clone()}</p>
                {(!more.is_empty()).then(|| view! { <p class="muted">{more.clone()}</p> })}
            </div>
        </section>
    }
    .into_any()
}
