//! Space for who is heard. Where there is none, who is trusted less makes place: a flood of claims pushes out no
//! instance that Kafka bears out, whichever came first.

use std::cmp::Reverse;

use flowdeck_model::{ConsumerName, GroupId, Timestamp};

use super::{Dropped, Entry, Group, Place, Registry, Trust};

/// Where there is no space.
#[derive(Clone, Copy)]
enum Within {
    Consumer,
    Group,
    All,
}

impl Registry {
    /// For one more instance.
    pub(super) fn make_space(&mut self, place: &Place, trust: Trust, at: Timestamp) -> Result<(), Dropped> {
        while let Some((why, within)) = self.full(place) {
            let lesser = self.lesser(within, place, trust, at);
            self.forget(&lesser.ok_or(why)?);
        }
        Ok(())
    }

    /// For so many more partitions.
    pub(super) fn make_space_for_partitions(&mut self, more: usize, trust: Trust) -> Result<(), Dropped> {
        while self.partitions + more > self.limits.partitions {
            let most = |entry: &Entry| (entry.trust, Reverse(entry.weight()));
            let lesser = self.least(trust, |entry| entry.weight() > 0, most);
            self.forget(&lesser.ok_or(Dropped::TooManyPartitions)?);
        }
        Ok(())
    }

    fn full(&self, place: &Place) -> Option<(Dropped, Within)> {
        let limits = &self.limits;
        let group = self.groups.get(&place.group);
        let consumer = group.and_then(|group| group.consumers.get(&place.consumer));
        let consumers = group.map_or(0, |group| group.consumers.len());
        let is_new = consumer.is_none();
        [
            (
                consumer.is_some_and(|all| all.len() >= limits.instances_per_consumer),
                Dropped::TooManyInstancesOfOneConsumer,
                Within::Consumer,
            ),
            (
                group.is_some_and(|group| group.instances >= limits.instances_per_group),
                Dropped::TooManyInstancesOfOneGroup,
                Within::Group,
            ),
            (
                is_new && consumers >= limits.consumers_per_group,
                Dropped::TooManyConsumersOfOneGroup,
                Within::Group,
            ),
            (is_new && self.consumers >= limits.consumers, Dropped::TooManyConsumers, Within::All),
            (self.instances >= limits.instances, Dropped::TooManyInstances, Within::All),
        ]
        .into_iter()
        .find_map(|(full, why, within)| full.then_some((why, within)))
    }

    /// One that is trusted less, or that was trusted and is silent: the lowest, and of those the one that was heard first.
    fn lesser(&self, within: Within, place: &Place, trust: Trust, at: Timestamp) -> Option<Place> {
        if matches!(within, Within::All) {
            return self.least(trust, |_| true, |entry| (entry.trust, entry.last_heard));
        }
        let trust_of = |entry: &Entry| if entry.is_silent(at) { Trust::UnknownGroup } else { entry.trust };
        let (id, group) = self.groups.get_key_value(&place.group)?;
        let only = matches!(within, Within::Consumer).then_some(&place.consumer);
        let of_group =
            entries(id, group).filter(|(_, consumer, ..)| only.is_none_or(|only| only == *consumer));
        first(of_group.filter(|(.., entry)| trust_of(entry) < trust), |entry| {
            (trust_of(entry), entry.last_heard)
        })
    }

    fn least<K: Ord>(
        &self,
        trust: Trust,
        counts: impl Fn(&Entry) -> bool,
        order: impl Fn(&Entry) -> K,
    ) -> Option<Place> {
        // A flood asks this for each record.
        if self.trust[..trust as usize].iter().all(|count| *count == 0) {
            return None;
        }
        let all = self.groups.iter().flat_map(|(id, group)| entries(id, group));
        first(all.filter(|(.., entry)| entry.trust < trust && counts(entry)), order)
    }
}

type Found<'a> = (&'a GroupId, &'a ConsumerName, &'a super::InstanceKey, &'a Entry);

fn entries<'a>(id: &'a GroupId, group: &'a Group) -> impl Iterator<Item = Found<'a>> {
    group.consumers.iter().flat_map(move |(consumer, entries)| {
        entries.iter().map(move |(instance, entry)| (id, consumer, instance, entry))
    })
}

fn first<'a, K: Ord>(all: impl Iterator<Item = Found<'a>>, order: impl Fn(&Entry) -> K) -> Option<Place> {
    let (group, consumer, instance, _) = all.min_by_key(|(.., entry)| order(entry))?;
    Some(Place { group: group.clone(), consumer: consumer.clone(), instance: instance.clone() })
}
