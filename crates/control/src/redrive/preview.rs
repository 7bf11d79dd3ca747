//! What a re-drive would do: the same reading and the same rules as when it is carried out, within bounds, and nothing is
//! written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::Cluster;
use flowdeck_model::actor::Pattern;
use flowdeck_model::redrive::{NotCopied, RedriveProgress};
use flowdeck_model::view::{RedrivePreview, RedriveTargetPreview};
use flowdeck_model::{CommandId, GroupId, RedriveRequest, TopicName};
use flowdeck_observe::ClusterSettings;
use flowdeck_observe::dead_letters::LetterReading;
use flowdeck_observe::sampling::sample::Sample;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::copy;
use super::ledger::{self, Ledger};
use super::letters::Letters;
use super::run;
use super::targets::Targets;

const TIME: Duration = Duration::from_secs(5);
const RECORDS_MAX: u64 = 50_000;
const AT_ONCE: usize = 1_000;

pub(super) struct Look {
    pub(super) cluster: Cluster,
    pub(super) settings: Arc<ClusterSettings>,
    pub(super) sample: Arc<Sample>,
    pub(super) allowed: Vec<Pattern>,
    pub(super) stop: CancellationToken,
}

#[derive(Default)]
struct Seen {
    copies: u64,
    groups: Vec<GroupId>,
    needs_consent: bool,
}

impl Look {
    /// `may_view`: of the reader, who learns no other group's name.
    pub(super) async fn preview(
        self,
        request: RedriveRequest,
        may_view: impl Fn(&GroupId) -> bool,
    ) -> Result<RedrivePreview, String> {
        let until = Instant::now() + TIME;
        let mut targets = Targets::new(
            self.cluster.clone(),
            Arc::clone(&self.settings),
            Arc::clone(&self.sample),
            self.allowed.clone(),
            request.topic.clone(),
        )
        .await?;
        let ledger = match targets.metadata().topic(&self.settings.ledger_topic) {
            Some(_) => {
                let topic = ledger::topic_of(&self.cluster, &request.topic).await?;
                Ledger::read(&self.cluster, &self.settings, &topic, None, &self.stop).await?
            }
            None => Ledger::default(),
        };
        let starts = run::starts(&self.cluster, &request).await?;
        let (cluster, topic) = (self.cluster.clone(), request.topic.clone());
        let mut letters = Letters::new(cluster, topic, &request.records, &starts, self.stop.clone());
        let reading = LetterReading::new(&self.settings, &request.topic);
        let mut progress = RedriveProgress::default();
        let mut seen: BTreeMap<TopicName, Seen> = BTreeMap::new();
        let (mut copies, mut read) = (0, 0);
        while !letters.is_over() && Instant::now() < until && read < RECORDS_MAX {
            let batch = letters.next(AT_ONCE).await?;
            read += batch.records.len() as u64;
            progress.add(NotCopied::Deleted, batch.deleted);
            for record in &batch.records {
                if !copy::is_asked_for(record, &request, &reading) {
                    continue;
                }
                if ledger.has(copy::place(record)) {
                    progress.add(NotCopied::Redriven, 1);
                    continue;
                }
                let made = copy::copy(record, &request, CommandId::from_uuid(uuid::Uuid::nil()));
                let checked = match made {
                    // Consent is asked for here, not taken for given.
                    Ok(mut made) => targets.check(&mut made, true).await.map(|target| (made, target)),
                    Err(why) => Err(why),
                };
                match checked {
                    Ok((made, target)) => {
                        let one = seen.entry(made.record.topic.clone()).or_default();
                        one.copies += 1;
                        one.needs_consent |= target.has_others(made.failed.as_ref());
                        one.groups = target.readers;
                        copies += 1;
                    }
                    Err(why) => progress.add(why, 1),
                }
            }
        }
        progress.percent = if letters.is_over() { 100 } else { letters.percent() };
        let complete = letters.is_over();
        Ok(RedrivePreview {
            notes: notes(&seen, complete),
            request,
            copies,
            progress,
            complete,
            targets: seen.into_iter().map(|(topic, seen)| target(topic, seen, &may_view)).collect(),
        })
    }
}

fn target(topic: TopicName, seen: Seen, may_view: &impl Fn(&GroupId) -> bool) -> RedriveTargetPreview {
    let all = seen.groups.len();
    let groups: Vec<GroupId> = seen.groups.into_iter().filter(may_view).collect();
    RedriveTargetPreview {
        topic,
        copies: seen.copies,
        other_groups: u32::try_from(all - groups.len()).unwrap_or(u32::MAX),
        groups,
        needs_consent: seen.needs_consent,
    }
}

fn notes(seen: &BTreeMap<TopicName, Seen>, complete: bool) -> Vec<String> {
    let unread = seen.iter().filter(|(_, one)| one.groups.is_empty());
    let mut notes: Vec<String> = unread
        .map(|(topic, _)| format!("no consumer group reads {topic}: nobody would get the copies"))
        .collect();
    if !complete {
        notes.push("not all dead letters were looked at in time: these are numbers of a part".to_owned());
    }
    notes
}
