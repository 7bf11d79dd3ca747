//! The names of other exporters, behind `metrics.names_of`, so that dashboards and alerts that were made for them go on.
//! Every series has the label `cluster` more. What Flowdeck does not know is left out, and not made up: both exporters
//! give a lag of 0, or of -1, where there is none.

mod kafka_exporter;
mod kminion;

use std::collections::BTreeMap;
use std::fmt;

use super::partitions::Name;
use super::series::Series;
use crate::config::Exporter;
use crate::work::Figures;

/// Sums by group and topic, and by topic.
pub(super) fn write_sums(of: Exporter, figures: &dyn Figures, series: &mut Series<'_, '_>) -> fmt::Result {
    match of {
        Exporter::Kminion => kminion::sums(figures, series),
        Exporter::KafkaExporter => kafka_exporter::sums(figures, series),
    }
}

/// Each partition: many more.
pub(super) fn write_partitions(
    of: Exporter,
    figures: &dyn Figures,
    series: &mut Series<'_, '_>,
) -> fmt::Result {
    match of {
        Exporter::Kminion => kminion::partitions(figures, series),
        Exporter::KafkaExporter => kafka_exporter::partitions(figures, series),
    }
}

/// What exporters call the same things.
struct Words {
    group: &'static str,
    topic: &'static str,
    partition: &'static str,
}

type Named = (&'static str, &'static str);

impl Words {
    fn members(
        &self,
        figures: &dyn Figures,
        series: &mut Series<'_, '_>,
        (name, help): Named,
    ) -> fmt::Result {
        series.family(name, help, |family| {
            let mut group = Name::default();
            figures.groups(&mut |one| {
                let Some(members) = one.members else { return };
                let labels = [("cluster", one.cluster.as_str()), (self.group, group.of(one.group.as_str()))];
                family.put(&labels, members);
            });
        })
    }

    /// Of each group and topic the sum of what is known of its partitions.
    fn group_topic_sum(
        &self,
        figures: &dyn Figures,
        series: &mut Series<'_, '_>,
        (name, help): Named,
        value: fn(&crate::work::PartitionFigures<'_>) -> Option<u64>,
    ) -> fmt::Result {
        let mut sums: BTreeMap<(String, String, String), u64> = BTreeMap::new();
        let mut group = Name::default();
        figures.partitions(&mut |one| {
            let Some(value) = value(one) else { return };
            let key =
                (one.cluster.to_string(), group.of(one.group.as_str()).to_owned(), one.topic.to_string());
            let sum = sums.entry(key).or_default();
            *sum = sum.saturating_add(value);
        });
        series.family(name, help, |family| {
            for ((cluster, group, topic), sum) in &sums {
                family.put(&[("cluster", cluster), (self.group, group), (self.topic, topic)], *sum);
            }
        })
    }

    fn group_partition(
        &self,
        figures: &dyn Figures,
        series: &mut Series<'_, '_>,
        (name, help): Named,
        value: fn(&crate::work::PartitionFigures<'_>) -> Option<u64>,
    ) -> fmt::Result {
        series.family(name, help, |family| {
            let mut group = Name::default();
            figures.partitions(&mut |one| {
                let Some(value) = value(one) else { return };
                let partition = one.partition.to_string();
                let labels = [
                    ("cluster", one.cluster.as_str()),
                    (self.group, group.of(one.group.as_str())),
                    (self.topic, one.topic.as_str()),
                    (self.partition, &partition),
                ];
                family.put(&labels, value);
            });
        })
    }

    /// Of each topic, where every partition has a value.
    fn topic_sum(
        &self,
        figures: &dyn Figures,
        series: &mut Series<'_, '_>,
        (name, help): Named,
        value: fn(&crate::work::TopicFigures<'_>) -> Option<u64>,
    ) -> fmt::Result {
        let mut sums: BTreeMap<(String, String), Option<u64>> = BTreeMap::new();
        figures.topics(&mut |one| {
            let sum = sums.entry((one.cluster.to_string(), one.topic.to_string())).or_insert(Some(0));
            *sum = sum.zip(value(one)).map(|(sum, more)| sum.saturating_add(more));
        });
        series.family(name, help, |family| {
            for ((cluster, topic), sum) in &sums {
                let Some(sum) = sum else { continue };
                family.put(&[("cluster", cluster), (self.topic, topic)], *sum);
            }
        })
    }

    fn topic_partition(
        &self,
        figures: &dyn Figures,
        series: &mut Series<'_, '_>,
        (name, help): Named,
        value: fn(&crate::work::TopicFigures<'_>) -> Option<u64>,
    ) -> fmt::Result {
        series.family(name, help, |family| {
            figures.topics(&mut |one| {
                let Some(value) = value(one) else { return };
                let partition = one.partition.to_string();
                let labels = [
                    ("cluster", one.cluster.as_str()),
                    (self.topic, one.topic.as_str()),
                    (self.partition, &partition),
                ];
                family.put(&labels, value);
            });
        })
    }
}

fn offset(offset: Option<i64>) -> Option<u64> {
    u64::try_from(offset?).ok()
}
