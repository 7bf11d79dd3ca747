//! Labels of groups: who owns them, and what to do when they fail. By pattern of the group's name.

use std::collections::BTreeMap;

use flowdeck_model::Pattern;
use flowdeck_model::view::GroupLabels;
use serde::Deserialize;
use url::Url;

/// Of all tables whose pattern matches; of a name that several have, the first counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Table")]
pub struct Labels {
    pub groups: Pattern,
    pub labels: GroupLabels,
}

#[derive(Deserialize)]
struct Table {
    groups: Pattern,
    runbook: Option<String>,
    #[serde(flatten)]
    values: BTreeMap<String, String>,
}

const NAME_MAX: usize = 40;
const VALUE_MAX: usize = 200;

impl TryFrom<Table> for Labels {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        for (name, value) in &table.values {
            check(name, value)?;
        }
        if let Some(link) = &table.runbook {
            // A link on a page: nothing that would run there.
            let is_web = Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !is_web {
                return Err(format!("`runbook` {link:?} is no http or https URL"));
            }
        }
        Ok(Self {
            groups: table.groups,
            labels: GroupLabels { values: table.values, runbook: table.runbook },
        })
    }
}

fn check(name: &str, value: &str) -> Result<(), String> {
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_MAX
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !is_name {
        return Err(format!(
            "`{name}` is no label: it has 1 to {NAME_MAX} of a-z, 0-9 and _, a letter first"
        ));
    }
    if value.is_empty() || value.len() > VALUE_MAX || value.contains([',', '\n']) {
        return Err(format!("label `{name}`: its value has 1 to {VALUE_MAX} bytes, without commas"));
    }
    Ok(())
}

impl Labels {
    /// As it is written in the file, for `--check`.
    pub(super) fn in_force(all: &[Self]) -> String {
        let tables = all.iter().map(|one| {
            let labels = one.labels.values.iter().map(|(name, value)| format!(", {name} = {value:?}"));
            let runbook = one.labels.runbook.iter().map(|link| format!(", runbook = {link:?}"));
            let more: String = labels.chain(runbook).collect();
            format!("{{ groups = {:?}{more} }}", one.groups.as_str())
        });
        format!("[{}]", tables.collect::<Vec<_>>().join(", "))
    }
}

/// As the settings of a cluster have them.
pub(crate) fn pairs_of_labels(all: &[Labels]) -> Vec<(Pattern, GroupLabels)> {
    all.iter().map(|one| (one.groups.clone(), one.labels.clone())).collect()
}
