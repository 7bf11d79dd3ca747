//! From when on a rebalance that does not end is a verdict: for all groups, and for those whose name matches.

use std::time::Duration;

use flowdeck_model::Pattern;
use flowdeck_model::verdict::RebalanceLimits;
use serde::Deserialize;
use serde::de::Error as _;

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Table")]
pub struct Rebalancing {
    pub limits: RebalanceLimits,
    /// The first whose pattern matches decides.
    pub groups: Vec<(Pattern, RebalanceLimits)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    warning: Option<Span>,
    critical: Option<Span>,
    #[serde(default)]
    groups: Vec<OfGroups>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfGroups {
    pattern: Pattern,
    warning: Span,
    critical: Span,
}

/// `"15s"`, from one second to one day.
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match humantime::parse_duration(&text) {
            Ok(time) if (Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&time) => {
                Ok(Self(time))
            }
            _ => Err(D::Error::custom(format!("{text:?} is no time from 1s to 1day, such as \"15s\""))),
        }
    }
}

impl TryFrom<Table> for Rebalancing {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let usual = RebalanceLimits::default();
        let warning = table.warning.map_or(usual.warning, |span| span.0);
        let critical = table.critical.map_or(usual.critical.max(warning), |span| span.0);
        let groups =
            table.groups.into_iter().map(|of| Ok((of.pattern, limits(of.warning.0, of.critical.0)?)));
        Ok(Self { limits: limits(warning, critical)?, groups: groups.collect::<Result<_, String>>()? })
    }
}

fn limits(warning: Duration, critical: Duration) -> Result<RebalanceLimits, String> {
    if critical < warning {
        let time = humantime::format_duration;
        return Err(format!("`critical` ({}) comes before `warning` ({})", time(critical), time(warning)));
    }
    Ok(RebalanceLimits { warning, critical })
}
