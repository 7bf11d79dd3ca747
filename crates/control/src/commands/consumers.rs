//! Whose consumers a hold may cover: all that were heard since it began, also those that are silent now. Where its
//! exceptions cover each of them, it has ended. Pure.

use std::collections::{BTreeMap, BTreeSet};

use flowdeck_model::scope::Place;
use flowdeck_model::{ConsumerName, Hold, Scope, TopicName};

use flowdeck_observe::holds::cover::may_hold;
use flowdeck_observe::sampling::sample::GroupData;
use flowdeck_observe::telemetry::matching::instance_of;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};

/// Consumers and topics that are remembered of one group; with more, nothing is certain.
const NAMES_MAX: usize = 250;

#[derive(Debug, Default)]
pub(crate) struct Consumers {
    by_name: BTreeMap<ConsumerName, Topics>,
    names: usize,
    /// Some were not taken in.
    incomplete: bool,
}

/// Of a consumer.
#[derive(Debug, Default)]
struct Topics {
    named: BTreeSet<TopicName>,
    /// It subscribes to a pattern: what it reads is not told.
    pattern: bool,
}

impl Consumers {
    pub(crate) fn hear(&mut self, telemetry: &GroupTelemetry) {
        self.incomplete |= telemetry.unkept > 0;
        for (consumer, instance) in telemetry.instances() {
            if self.incomplete {
                // Nothing is certain any more.
                self.by_name.clear();
                return;
            }
            self.hear_one(consumer, instance);
        }
    }

    fn hear_one(&mut self, consumer: &ConsumerName, instance: &InstanceTelemetry) {
        self.incomplete |= instance.left_out;
        if !self.by_name.contains_key(consumer) {
            if self.names >= NAMES_MAX {
                self.incomplete = true;
                return;
            }
            self.names += 1;
            self.by_name.insert(consumer.clone(), Topics::default());
        }
        let Some(topics) = self.by_name.get_mut(consumer) else { return };
        topics.pattern |= instance.pattern.is_some();
        for stream in &instance.topics {
            if topics.named.contains(&stream.topic) {
                continue;
            }
            if self.names >= NAMES_MAX {
                self.incomplete = true;
                return;
            }
            self.names += 1;
            topics.named.insert(stream.topic.clone());
        }
    }

    /// Whether the hold's exceptions cover all that these consumers read of its scope. Not where nobody reads it.
    fn are_excepted(&self, hold: &Hold) -> bool {
        let parts: Option<Vec<Scope>> = self
            .by_name
            .iter()
            .map(|(name, topics)| topics.within(name, hold))
            .collect::<Option<Vec<_>>>()
            .map(|all| all.into_iter().flatten().collect());
        let is_excepted = |part: &Scope| hold.except.iter().any(|except| except.covers(part));
        !self.incomplete && parts.is_some_and(|parts| !parts.is_empty() && parts.iter().all(is_excepted))
    }
}

impl Topics {
    /// The parts of the hold's scope that the consumer reads: the whole where one exception covers it, else by
    /// topic. `None`: they are not known.
    fn within(&self, name: &ConsumerName, hold: &Hold) -> Option<Vec<Scope>> {
        let own = Scope { consumer: Some(name.clone()), ..Scope::group(hold.scope.group.clone()) };
        let Some(own) = hold.scope.intersect(&own) else { return Some(vec![]) };
        if hold.except.iter().any(|except| except.covers(&own)) {
            return Some(vec![own]);
        }
        if self.pattern || self.named.is_empty() {
            return None;
        }
        let of_topic =
            |topic: &TopicName| own.intersect(&Scope { topic: Some(topic.clone()), ..own.clone() });
        let by_topic = self.named.iter().filter_map(|topic| match &own.topic {
            Some(only) if only != topic => None,
            _ => of_topic(topic),
        });
        Some(by_topic.collect())
    }
}

/// Whether nothing that was heard or is assigned since the hold began is held by it any more. `consumers`: all that
/// were heard since.
pub(crate) fn has_ended(
    hold: &Hold,
    consumers: &Consumers,
    telemetry: Option<&GroupTelemetry>,
    group: Option<&GroupData>,
) -> bool {
    if hold.except.is_empty() || !consumers.are_excepted(hold) {
        return false;
    }
    // Kafka's list of members shows who reads without telemetry.
    let Some((group, members)) = group.and_then(|group| Some((group, group.members.as_deref()?))) else {
        return false;
    };
    members.iter().all(|member| {
        let consumer = telemetry.and_then(|telemetry| instance_of(telemetry, member));
        member.assignment.iter().all(|(topic, partition)| {
            let place = Place {
                group: &group.id,
                consumer: consumer.map(|(name, _)| name),
                topic,
                partition: *partition,
                instance: consumer.map(|(_, instance)| &instance.instance),
            };
            !may_hold(hold, place)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tests::{group, hold, instance, parts, topic};
    use flowdeck_kafka::Member;
    use std::sync::Arc;

    fn scope(consumer: Option<&str>, name: Option<&str>) -> Scope {
        hold(9, consumer, name).scope
    }

    fn member(name: &str, owns: &[(&str, i32)]) -> Member {
        let assignment = owns.iter().map(|(name, one)| (Arc::new(topic(name)), parts(&[*one])[0]));
        Member {
            member_id: name.into(),
            client_id: name.into(),
            host: "/10.0.0.7".into(),
            group_instance_id: None,
            assignment: assignment.collect(),
            target_assignment: None,
        }
    }

    #[test]
    fn a_hold_ends_where_its_exceptions_cover_every_consumer() {
        // Consumers heard since it began; audio reads topics a and b, video topic c.
        let audio = || ("audio", vec![instance("host-1", false, 9, &[("a", &[0], &[]), ("b", &[0], &[])])]);
        let video = || ("video", vec![instance("host-2", false, 9, &[("c", &[0], &[])])]);
        let silent = || ("silent", vec![instance("host-3", false, -500, &[("a", &[], &[])])]);
        let pattern = || {
            let mut one = instance("host-4", false, 9, &[]);
            one.pattern = Some("^t.*".into());
            ("pattern", vec![one])
        };
        let own = || vec![member("x", &[("a", 0), ("b", 0)])];
        let mut other = own();
        other.push(member("plain", &[("z", 0)]));
        type Case<'a> = (Scope, Vec<Scope>, Vec<(&'a str, Vec<InstanceTelemetry>)>, Vec<Member>, bool);
        let all = || scope(None, None);
        let cases: [Case<'_>; 12] = [
            (all(), vec![], vec![audio()], own(), false),
            (all(), vec![scope(Some("audio"), None)], vec![audio()], own(), true),
            // Topic by topic.
            (all(), vec![scope(Some("audio"), Some("a"))], vec![audio()], own(), false),
            (
                all(),
                vec![scope(Some("audio"), Some("a")), scope(Some("audio"), Some("b"))],
                vec![audio()],
                own(),
                true,
            ),
            (scope(Some("audio"), None), vec![scope(Some("audio"), Some("a"))], vec![audio()], own(), false),
            (
                scope(None, Some("a")),
                vec![scope(Some("audio"), Some("a"))],
                vec![audio(), video()],
                own(),
                true,
            ),
            // Another consumer, also one that is silent by now.
            (all(), vec![scope(Some("audio"), None)], vec![audio(), video()], own(), false),
            (all(), vec![scope(Some("audio"), None)], vec![audio(), silent()], own(), false),
            (
                all(),
                vec![scope(Some("audio"), None), scope(Some("silent"), None)],
                vec![audio(), silent()],
                own(),
                true,
            ),
            // What a pattern matches is not known; and a member without telemetry is held.
            (all(), vec![scope(Some("pattern"), Some("a"))], vec![pattern()], vec![], false),
            (all(), vec![scope(Some("audio"), None)], vec![audio()], other, false),
            // Nobody was heard.
            (all(), vec![scope(Some("audio"), None)], vec![], vec![], false),
        ];
        for (of, except, heard, members, want) in cases {
            let words = format!("{of:?} except {except:?}");
            let hold = Hold { scope: of, except, ..hold(1, None, None) };
            let telemetry = group(heard);
            let mut consumers = Consumers::default();
            consumers.hear(&telemetry);
            let data = GroupData { members: Some(members.into()), ..GroupData::test("g") };
            assert_eq!(has_ended(&hold, &consumers, Some(&telemetry), Some(&data)), want, "{words}");
            // Members that are not known may be anybody.
            assert!(!has_ended(&hold, &consumers, Some(&telemetry), Some(&GroupData::test("g"))), "{words}");
        }
    }

    #[test]
    fn more_than_is_kept_is_not_certain() {
        let hold = Hold { except: vec![scope(Some("audio"), None)], ..hold(1, None, None) };
        let mut telemetry = group(vec![("audio", vec![instance("host-1", false, 9, &[("a", &[0], &[])])])]);
        telemetry.unkept = 1;
        let mut consumers = Consumers::default();
        consumers.hear(&telemetry);
        let data = GroupData { members: Some(vec![].into()), ..GroupData::test("g") };
        assert!(!has_ended(&hold, &consumers, Some(&telemetry), Some(&data)));
    }
}
