//! From when on what is a verdict: for all groups, and for those whose name matches; and groups that are not counted.

use std::fmt::Write as _;
use std::time::Duration;

use flowdeck_model::Pattern;
use flowdeck_observe::{Mute, Thresholds};
use serde::Deserialize;

use super::rebalancing::Span;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Table")]
pub struct Verdicts {
    pub of_all: Thresholds,
    /// The first whose pattern matches decides.
    pub groups: Vec<(Pattern, Thresholds)>,
    pub ignore: Vec<Pattern>,
    pub mutes: Vec<Mute>,
    /// Whether a read at the committed offset shows that a record waits.
    pub verify_stalls: bool,
}

impl Default for Verdicts {
    fn default() -> Self {
        let ignore = vec![Pattern::new("console-consumer-*")];
        Self { of_all: Thresholds::default(), groups: vec![], ignore, mutes: vec![], verify_stalls: true }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    behind: Option<Span>,
    falling_behind: Option<Span>,
    stalled: Option<Span>,
    rewound: Option<Span>,
    hot_share: Option<u8>,
    rebalances: Option<u32>,
    paused: Option<Span>,
    clear_after: Option<Span>,
    #[serde(default)]
    groups: Vec<OfGroups>,
    ignore: Option<Vec<Pattern>>,
    #[serde(default)]
    mute: Vec<MuteTable>,
    verify_stalls: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfGroups {
    pattern: Pattern,
    behind: Option<Span>,
    allowed_lag: Option<u64>,
    falling_behind: Option<Span>,
    stalled: Option<Span>,
    rewound: Option<Span>,
    hot_share: Option<u8>,
    rebalances: Option<u32>,
    paused: Option<Span>,
    clear_after: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MuteTable {
    pattern: Pattern,
    until: String,
    reason: String,
}

impl TryFrom<MuteTable> for Mute {
    type Error = String;

    fn try_from(table: MuteTable) -> Result<Self, String> {
        let MuteTable { pattern, until, reason } = table;
        let until = until
            .parse()
            .map_err(|_| format!("`until` is {until:?}: it is a time such as 2026-12-01T08:00:00Z"))?;
        match reason.trim() {
            "" => Err("`reason` is empty: it says why these groups are not counted".to_owned()),
            reason => Ok(Self { pattern, until, reason: reason.to_owned() }),
        }
    }
}

impl TryFrom<Table> for Verdicts {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let usual = Self::default();
        let of_all = Thresholds {
            behind: time(table.behind),
            allowed_lag: None,
            falling_behind: time(table.falling_behind),
            stalled: time(table.stalled),
            rewound: time(table.rewound),
            hot_share: share(table.hot_share)?,
            rebalances: table.rebalances,
            paused: time(table.paused),
            clear_after: time(table.clear_after),
        };
        let groups = table.groups.into_iter().map(|of| {
            let set = Thresholds {
                behind: time(of.behind),
                allowed_lag: of.allowed_lag,
                falling_behind: time(of.falling_behind),
                stalled: time(of.stalled),
                rewound: time(of.rewound),
                hot_share: share(of.hot_share)?,
                rebalances: of.rebalances,
                paused: time(of.paused),
                clear_after: time(of.clear_after),
            };
            Ok((of.pattern, set))
        });
        Ok(Self {
            of_all,
            groups: groups.collect::<Result<_, String>>()?,
            ignore: table.ignore.unwrap_or(usual.ignore),
            mutes: table.mute.into_iter().map(Mute::try_from).collect::<Result<_, String>>()?,
            verify_stalls: table.verify_stalls.unwrap_or(usual.verify_stalls),
        })
    }
}

fn time(span: Option<Span>) -> Option<Duration> {
    span.map(|span| span.0)
}

fn share(percent: Option<u8>) -> Result<Option<u8>, String> {
    match percent {
        Some(percent) if !(51..=100).contains(&percent) => {
            Err(format!("`hot_share` is {percent}: it is a whole number of percent from 51 to 100"))
        }
        percent => Ok(percent),
    }
}

impl Verdicts {
    /// As it is written in the file, for `--check`.
    pub(super) fn in_force(&self) -> String {
        let groups: Vec<String> = self
            .groups
            .iter()
            .map(|(pattern, of)| format!("{{ pattern = {:?}{} }}", pattern.as_str(), fields(of, ", ")))
            .collect();
        let ignore: Vec<String> =
            self.ignore.iter().map(|pattern| format!("{:?}", pattern.as_str())).collect();
        let (ignore, groups) = (ignore.join(", "), groups.join(", "));
        let mutes: Vec<String> = self.mutes.iter().map(mute).collect();
        let mutes = if mutes.is_empty() { String::new() } else { format!(", mute = [{}]", mutes.join(", ")) };
        let all = fields(&self.of_all, ", ");
        format!(
            "{{ ignore = [{ignore}]{mutes}, verify_stalls = {}{all}, groups = [{groups}] }}",
            self.verify_stalls
        )
    }
}

fn mute(one: &Mute) -> String {
    format!(
        "{{ pattern = {:?}, until = \"{}\", reason = {:?} }}",
        one.pattern.as_str(),
        one.until,
        one.reason
    )
}

/// Those that are set.
fn fields(of: &Thresholds, before: &str) -> String {
    let times = [
        ("behind", of.behind),
        ("falling_behind", of.falling_behind),
        ("stalled", of.stalled),
        ("rewound", of.rewound),
        ("paused", of.paused),
        ("clear_after", of.clear_after),
    ];
    let mut out = String::new();
    // A string takes whatever is written to it.
    for (name, time) in times {
        if let Some(time) = time {
            let _ = write!(out, "{before}{name} = \"{}\"", humantime::format_duration(time));
        }
    }
    if let Some(lag) = of.allowed_lag {
        let _ = write!(out, "{before}allowed_lag = {lag}");
    }
    if let Some(share) = of.hot_share {
        let _ = write!(out, "{before}hot_share = {share}");
    }
    if let Some(rebalances) = of.rebalances {
        let _ = write!(out, "{before}rebalances = {rebalances}");
    }
    out
}
