//! Partitions of groups, under Flowdeck's own name. A partition whose lag is not known has no series: a made-up 0
//! would hide it.

use std::fmt;

use super::label;
use super::series::Series;
use crate::work::Figures;

pub(super) fn write(figures: &dyn Figures, series: &mut Series<'_, '_>) -> fmt::Result {
    let help = "Records between the committed offset and the log's end";
    series.family("flowdeck_lag_records", help, |family| {
        let mut group = Name::default();
        figures.partitions(&mut |one| {
            let Some(lag) = one.lag else { return };
            let partition = one.partition.to_string();
            family.put(
                &[
                    ("cluster", one.cluster.as_str()),
                    ("group", group.of(one.group.as_str())),
                    ("topic", one.topic.as_str()),
                    ("partition", &partition),
                ],
                lag,
            );
        });
    })
}

/// The value of a label that many series after each other share.
#[derive(Default)]
pub(super) struct Name {
    name: Option<String>,
    value: String,
}

impl Name {
    pub(super) fn of(&mut self, name: &str) -> &str {
        if self.name.as_deref() != Some(name) {
            self.name = Some(name.to_owned());
            self.value = label::value(name);
        }
        &self.value
    }
}
