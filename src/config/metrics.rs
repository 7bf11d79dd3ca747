//! What `/metrics` gives beside Flowdeck's own names, and how many series at most.

use serde::Deserialize;

/// Another exporter whose names are given, too, so that its dashboards and alerts go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exporter {
    Kminion,
    KafkaExporter,
}

impl Exporter {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Kminion => "kminion",
            Self::KafkaExporter => "kafka_exporter",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Table")]
pub struct Metrics {
    pub names_of: Vec<Exporter>,
    /// Of groups, partitions and topics together; what is beyond is counted.
    pub series: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { names_of: vec![], series: 300_000 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    names_of: Vec<Exporter>,
    series: Option<usize>,
}

const SERIES_MAX: usize = 10_000_000;

impl TryFrom<Table> for Metrics {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let usual = Self::default();
        let series = table.series.unwrap_or(usual.series);
        if series > SERIES_MAX {
            return Err(format!("`series` is {series}: it is a whole number from 0 to {SERIES_MAX}"));
        }
        Ok(Self { names_of: table.names_of, series })
    }
}

impl Metrics {
    /// As it is written in the file, for `--check`.
    pub(super) fn in_force(&self) -> String {
        let names: Vec<&str> = self.names_of.iter().map(|one| one.key()).collect();
        format!("{{ names_of = {names:?}, series = {} }}", self.series)
    }
}
