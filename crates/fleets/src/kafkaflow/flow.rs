//! What KafkaFlow believes of its partitions: its own assignment and its own list of paused ones,
//! by the rules of its Consumer and ConsumerFlowManager. librdkafka knows better: it keeps an
//! application's pause on a partition that the same client keeps or gets back.

use std::collections::BTreeSet;

use flowdeck_protocol::kafkaflow::ConsumerStatus;

use super::Protocol;

/// (topic, partition)
pub(super) type Place = (String, i32);

#[derive(Debug)]
pub(super) struct Flow {
    protocol: Protocol,
    assignment: BTreeSet<Place>,
    paused: BTreeSet<Place>,
}

impl Flow {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self { protocol, assignment: BTreeSet::new(), paused: BTreeSet::new() }
    }

    pub(super) fn assign(&mut self, places: BTreeSet<Place>) {
        if self.protocol == Protocol::ClassicEager {
            self.assignment = places;
            return;
        }
        if places.is_empty() {
            return;
        }
        // Sharp edge: what was paused stays paused in librdkafka, and is forgotten here.
        self.paused.clear();
        self.assignment.extend(places);
    }

    pub(super) fn revoke(&mut self, places: &BTreeSet<Place>) {
        // The same sharp edge, under both protocols.
        self.paused.clear();
        match self.protocol {
            Protocol::ClassicEager => self.assignment.clear(),
            Protocol::ClassicCooperative => self.assignment.retain(|place| !places.contains(place)),
        }
    }

    pub(super) fn stop(&mut self) {
        self.paused.clear();
        self.assignment.clear();
    }

    pub(super) fn has_assignment(&self) -> bool {
        !self.assignment.is_empty()
    }

    pub(super) fn assignment(&self) -> BTreeSet<Place> {
        self.assignment.clone()
    }

    /// The assigned partitions of these topics; no topics means all.
    pub(super) fn filter(&self, topics: &[&str]) -> BTreeSet<Place> {
        let wanted = |place: &&Place| topics.is_empty() || topics.contains(&place.0.as_str());
        self.assignment.iter().filter(wanted).cloned().collect()
    }

    /// What the client must be told to pause.
    pub(super) fn pause(&mut self, places: BTreeSet<Place>) -> BTreeSet<Place> {
        let new: BTreeSet<Place> = places.difference(&self.paused).cloned().collect();
        self.paused.extend(new.iter().cloned());
        new
    }

    /// What the client must be told to resume: all of it, in the list or not.
    pub(super) fn resume(&mut self, places: BTreeSet<Place>) -> BTreeSet<Place> {
        self.paused.retain(|place| !places.contains(place));
        if self.status() == ConsumerStatus::Paused {
            return BTreeSet::new();
        }
        places
    }

    pub(super) fn status(&self) -> ConsumerStatus {
        match (self.assignment.len(), self.paused.len()) {
            (0, _) => ConsumerStatus::Stopped,
            (_, 0) => ConsumerStatus::Running,
            (all, paused) if all == paused => ConsumerStatus::Paused,
            _ => ConsumerStatus::PartiallyRunning,
        }
    }

    pub(super) fn running_of(&self, topic: &str) -> Vec<i32> {
        numbers(self.assignment.difference(&self.paused), topic)
    }

    pub(super) fn paused_of(&self, topic: &str) -> Vec<i32> {
        numbers(self.paused.iter(), topic)
    }
}

fn numbers<'a>(places: impl Iterator<Item = &'a Place>, topic: &str) -> Vec<i32> {
    places.filter(|place| place.0 == topic).map(|place| place.1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(list: &[(&str, i32)]) -> BTreeSet<Place> {
        list.iter().map(|(topic, partition)| (topic.to_string(), *partition)).collect()
    }

    fn flow(protocol: Protocol) -> Flow {
        let mut flow = Flow::new(protocol);
        flow.assign(places(&[("a", 0), ("a", 1), ("b", 0)]));
        flow
    }

    #[test]
    fn status_is_of_the_whole_consumer() {
        let mut flow = flow(Protocol::ClassicEager);
        assert_eq!(flow.status(), ConsumerStatus::Running);
        assert_eq!(flow.pause(flow.filter(&["a"])).len(), 2);
        assert_eq!(flow.status(), ConsumerStatus::PartiallyRunning);
        assert_eq!((flow.running_of("a"), flow.paused_of("a")), (vec![], vec![0, 1]));
        assert_eq!(flow.pause(flow.filter(&[])), places(&[("b", 0)]), "what is paused is not paused again");
        assert_eq!(flow.status(), ConsumerStatus::Paused);
        flow.stop();
        assert_eq!(flow.status(), ConsumerStatus::Stopped);
    }

    #[test]
    fn a_rebalance_forgets_what_is_paused() {
        for protocol in [Protocol::ClassicEager, Protocol::ClassicCooperative] {
            let mut flow = flow(protocol);
            flow.pause(flow.filter(&[]));
            flow.revoke(&places(&[("b", 0)]));
            flow.assign(places(&[("a", 0), ("a", 1)]));
            assert_eq!(flow.assignment(), places(&[("a", 0), ("a", 1)]), "{protocol:?}");
            assert_eq!(flow.status(), ConsumerStatus::Running, "{protocol:?}");
            // The client still has them paused: a resume must reach it.
            assert_eq!(flow.resume(flow.filter(&[])).len(), 2, "{protocol:?}");
        }
        let mut flow = flow(Protocol::ClassicCooperative);
        flow.pause(flow.filter(&[]));
        flow.assign(places(&[]));
        assert_eq!(flow.status(), ConsumerStatus::Paused, "an empty assign is no assign");
    }
}
