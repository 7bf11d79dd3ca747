//! One re-drive, carried out by the elected writer. Each copy is written together with its entry in the ledger, in one
//! transaction of a producer whose `transactional.id` is its own: a leader that comes later fences this one, reads the
//! ledger, and goes on with what is not in it. After any failure whose outcome is not known the same is done here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{
    Cluster, Deadline, Leadership, NewRecord, OffsetSpec, Producer, ProducerKind, SendError,
};
use flowdeck_model::Partition;
use flowdeck_model::redrive::{NotCopied, RedriveOrder, RedriveProgress, RedriveState};
use flowdeck_observe::dead_letters::LetterReading;
use flowdeck_observe::sampling::sample::Sample;
use flowdeck_observe::{ClusterSettings, clock};
use flowdeck_protocol::wire::{
    LedgerEntry, LedgerKey, LedgerTopic, RedriveEvent, RedriveRecord, ledger_begun, ledger_record,
};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::book::Redrive;
use super::copy::{self, Copy};
use super::ledger::{self, Ledger};
use super::letters::Letters;
use super::targets::Targets;
use crate::audit::{Entry, TopicSink, system};
use crate::own_topics;
use crate::writer::new_record;

/// Copies of one transaction, and its time.
const AT_ONCE: usize = 500;
const WRITE: Duration = Duration::from_secs(20);
/// How far it came is written so often.
const TELL: Duration = Duration::from_secs(2);
/// What fails is tried again after a while, for so long.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MOST: Duration = Duration::from_secs(15);
const GIVE_UP: Duration = Duration::from_secs(600);
/// Leadership and orders are looked at so often while nothing is to be done.
const NAP: Duration = Duration::from_millis(200);

pub(super) struct Run {
    pub(super) cluster: Cluster,
    pub(super) settings: Arc<ClusterSettings>,
    pub(super) samples: watch::Receiver<Arc<Sample>>,
    pub(super) sink: Arc<TopicSink>,
    pub(super) leadership: Leadership,
    pub(super) order: watch::Receiver<RedriveOrder>,
    pub(super) redrive: Arc<Redrive>,
    pub(super) stop: CancellationToken,
}

/// Why a pass through the dead letters ended.
enum Pass {
    Completed,
    Stopped,
    /// Another replica leads, or this one ends: who leads goes on.
    Lost,
    /// It may go on after a while.
    Again(String),
    /// It cannot go on.
    Failed(String),
}

struct Working {
    producer: Producer,
    ledger: Ledger,
    topic: LedgerTopic,
    targets: Targets,
    progress: RedriveProgress,
    told: Instant,
    /// Copies since `since`, for the rate.
    sent: u64,
    since: Instant,
}

impl Run {
    /// Returns whether it is over; else another replica goes on with it, or this one once it leads again.
    pub(super) async fn run(mut self) -> bool {
        let began = Instant::now();
        let mut good_until = began;
        let mut wait = RETRY_FIRST;
        let mut progress = self.redrive.progress.clone();
        loop {
            let before = progress.copied;
            let pass = self.pass(&mut progress).await;
            if progress.copied > before {
                (good_until, wait) = (Instant::now(), RETRY_FIRST);
            }
            let (state, notes) = match pass {
                Pass::Lost => return false,
                Pass::Completed => (RedriveState::Completed, vec![]),
                Pass::Stopped => (RedriveState::Stopped, vec![]),
                Pass::Failed(why) => (RedriveState::Failed, vec![why]),
                Pass::Again(why) if good_until.elapsed() > GIVE_UP => {
                    let note = format!("given up after {} minutes: {why}", GIVE_UP.as_secs() / 60);
                    (RedriveState::Failed, vec![note])
                }
                Pass::Again(why) => {
                    let notes = vec![format!("it is tried again: {why}")];
                    self.tell(RedriveState::Running, &progress, notes).await;
                    if !self.sleep(wait).await {
                        return false;
                    }
                    wait = (wait * 2).min(RETRY_MOST);
                    continue;
                }
            };
            // It is over once the audit says so.
            while !self.tell(state, &progress, notes.clone()).await {
                if !self.sleep(wait).await {
                    return false;
                }
            }
            return true;
        }
    }

    fn is_leading(&self) -> bool {
        self.leadership.is_held() && !self.stop.is_cancelled()
    }

    /// False: it does not lead any more.
    async fn sleep(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
        self.is_leading()
    }

    /// Whether it is in the audit.
    async fn tell(&self, state: RedriveState, progress: &RedriveProgress, notes: Vec<String>) -> bool {
        let record = RedriveRecord {
            id: self.redrive.id,
            at: clock::now(),
            actor: system(),
            event: RedriveEvent::Progress { state, progress: progress.clone(), notes },
        };
        let deadline = Deadline::after(self.settings.timing.write_deadline);
        self.is_leading() && self.sink.write(Entry::Redrive(&record), deadline).await.is_ok()
    }

    /// Through all dead letters, from the beginning: what the ledger has is passed over.
    async fn pass(&mut self, progress: &mut RedriveProgress) -> Pass {
        if !self.is_leading() {
            return Pass::Lost;
        }
        // Before the first effect.
        if !self.tell(RedriveState::Running, progress, vec![]).await {
            return Pass::Again(format!("{} could not be written", self.settings.audit_topic));
        }
        let mut working = match self.begin().await {
            Ok(working) => working,
            Err(pass) => return pass,
        };
        let mut letters = match self.letters().await {
            Ok(letters) => letters,
            Err(why) => return Pass::Again(why),
        };
        let reading = LetterReading::new(&self.settings, &self.redrive.request.topic);
        let pass = loop {
            if let Some(pass) = self.wait_for_order(&mut working).await {
                break pass;
            }
            if letters.is_over() {
                working.progress.percent = 100;
                break Pass::Completed;
            }
            let batch = match letters.next(AT_ONCE).await {
                Ok(batch) => batch,
                Err(_) if !self.is_leading() => break Pass::Lost,
                Err(why) => break Pass::Again(why),
            };
            working.progress.add(NotCopied::Deleted, batch.deleted);
            let mut copies = vec![];
            for record in &batch.records {
                if !copy::is_asked_for(record, &self.redrive.request, &reading) {
                    continue;
                }
                match self.judge(record, &mut working).await {
                    Some(Ok(copy)) => copies.push(copy),
                    Some(Err(why)) => working.progress.add(why, 1),
                    None => working.progress.copied += 1,
                }
            }
            if let Err(pass) = self.write(copies, &mut working).await {
                break pass;
            }
            working.progress.percent = letters.percent();
        };
        *progress = working.progress;
        pass
    }

    /// `None`: this re-drive copied it already.
    async fn judge(
        &self,
        record: &flowdeck_kafka::Record,
        working: &mut Working,
    ) -> Option<Result<Copy, NotCopied>> {
        let (request, place) = (&self.redrive.request, copy::place(record));
        if working.ledger.ours.contains(place) {
            return None;
        }
        if working.ledger.others.contains(place) {
            return Some(Err(NotCopied::Redriven));
        }
        let mut copy = match copy::copy(record, request, self.redrive.id) {
            Ok(copy) => copy,
            Err(why) => return Some(Err(why)),
        };
        let checked = working.targets.check(&mut copy, request.other_groups).await;
        Some(checked.map(|_| copy))
    }

    /// The ledger is there and is read, nobody else copies, and it may be written.
    async fn begin(&mut self) -> Result<Working, Pass> {
        let again = |error: flowdeck_kafka::Error| Pass::Again(error.with_cause());
        let request = &self.redrive.request;
        let deadline = || Deadline::after(WRITE);
        let sample = Arc::clone(&self.samples.borrow());
        let targets = Targets::new(
            self.cluster.clone(),
            Arc::clone(&self.settings),
            sample,
            self.redrive.allowed.clone(),
            request.topic.clone(),
        );
        let targets = targets.await.map_err(Pass::Again)?;
        if targets.metadata().topic(&request.topic).is_none() {
            return Err(Pass::Failed(format!("topic {} does not exist any more", request.topic)));
        }
        if targets.metadata().topic(&self.settings.ledger_topic).is_none() {
            let wanted = own_topics::ledger(&self.settings, targets.metadata().brokers.len());
            let created = self.cluster.create_topics(&[wanted], deadline()).await;
            if let Some((topic, Err(cause))) = created.into_iter().next() {
                return Err(Pass::Failed(format!("topic {topic} could not be created: {cause}")));
            }
            self.until_known().await.map_err(again)?;
        }
        let producer = self.producer().await?;
        let begun = ledger_begun(self.redrive.id, clock::now());
        let begun = new_record(&self.settings.ledger_topic, None, begun);
        producer.transaction(vec![begun], deadline()).await.map_err(|error| self.trouble(error))?;
        let topic = ledger::topic_of(&self.cluster, &request.topic).await.map_err(Pass::Again)?;
        let id = Some(self.redrive.id);
        let ledger = Ledger::read(&self.cluster, &self.settings, &topic, id, &self.stop).await;
        let ledger = ledger.map_err(Pass::Again)?;
        let progress = RedriveProgress::default();
        let now = Instant::now();
        Ok(Working { producer, ledger, topic, targets, progress, told: now, sent: 0, since: now })
    }

    /// Nobody else copies any more.
    async fn producer(&self) -> Result<Producer, Pass> {
        let id = super::transactional_id(&self.settings);
        let made = self.cluster.producer(ProducerKind::Copies { id });
        let producer = made.map_err(|error| Pass::Again(error.with_cause()))?;
        if !self.is_leading() {
            return Err(Pass::Lost);
        }
        producer.init(Deadline::after(WRITE)).await.map_err(|error| self.trouble(error))?;
        Ok(producer)
    }

    /// A topic that was just created is told of a moment later.
    async fn until_known(&self) -> Result<(), flowdeck_kafka::Error> {
        let until = Instant::now() + WRITE;
        loop {
            let metadata = self.cluster.metadata(Deadline::after(WRITE)).await?;
            let there = metadata.topic(&self.settings.ledger_topic);
            let is_led = there.is_some_and(|topic| topic.partitions.iter().all(|one| one.leader.is_some()));
            if is_led || Instant::now() > until || !self.sleep(NAP).await {
                return Ok(());
            }
        }
    }

    async fn letters(&self) -> Result<Letters, String> {
        let request = &self.redrive.request;
        let starts = starts(&self.cluster, request).await?;
        let (cluster, topic) = (self.cluster.clone(), request.topic.clone());
        Ok(Letters::new(cluster, topic, &request.records, &starts, self.stop.clone()))
    }

    /// Waits while it is paused. `Some`: it ends.
    async fn wait_for_order(&mut self, working: &mut Working) -> Option<Pass> {
        loop {
            if !self.is_leading() {
                return Some(Pass::Lost);
            }
            let order = *self.order.borrow_and_update();
            let state = match order {
                RedriveOrder::Stop => return Some(Pass::Stopped),
                RedriveOrder::Run => RedriveState::Running,
                RedriveOrder::Pause => RedriveState::Paused,
            };
            if working.told.elapsed() >= TELL || state == RedriveState::Paused {
                self.tell(state, &working.progress, vec![]).await;
                working.told = Instant::now();
            }
            if state == RedriveState::Running {
                return None;
            }
            while *self.order.borrow() == RedriveOrder::Pause && self.sleep(NAP).await {}
            // The rate is not made up for.
            (working.sent, working.since) = (0, Instant::now());
        }
    }

    /// In transactions of as many as the rate allows at a time.
    async fn write(&mut self, copies: Vec<Copy>, working: &mut Working) -> Result<(), Pass> {
        let rate = self.redrive.request.rate;
        let most = usize::try_from(rate / 4).unwrap_or(AT_ONCE).clamp(1, AT_ONCE);
        for part in copies.chunks(most) {
            if let Some(pass) = self.wait_for_order(working).await {
                return Err(pass);
            }
            self.write_part(part, working).await?;
            working.sent += part.len() as u64;
            let due = working.since + Duration::from_secs_f64(working.sent as f64 / f64::from(rate));
            while Instant::now() < due && *self.order.borrow() == RedriveOrder::Run {
                if !self.sleep(due.saturating_duration_since(Instant::now()).min(NAP)).await {
                    return Err(Pass::Lost);
                }
            }
        }
        Ok(())
    }

    async fn write_part(&self, part: &[Copy], working: &mut Working) -> Result<(), Pass> {
        match self.transaction(part, working).await {
            Ok(()) => {
                working.progress.copied += part.len() as u64;
                return Ok(());
            }
            Err(error) if refused(&error).is_none() => return Err(self.trouble(error)),
            // One of them is not taken: each for itself.
            Err(error) => self.after_refusal(&error, working).await?,
        }
        for copy in part {
            match self.transaction(std::slice::from_ref(copy), working).await {
                Ok(()) => working.progress.copied += 1,
                Err(error) => match refused(&error) {
                    Some(why) => {
                        working.progress.add(why, 1);
                        if why != NotCopied::TooLarge {
                            working.targets.refuse(&copy.record.topic, why);
                        }
                        self.after_refusal(&error, working).await?;
                    }
                    None => return Err(self.trouble(error)),
                },
            }
        }
        Ok(())
    }

    /// What a broker found too large is missing in the producer's sequence.
    async fn after_refusal(&self, error: &SendError, working: &mut Working) -> Result<(), Pass> {
        if *error == SendError::TooLarge {
            working.producer = self.producer().await?;
        }
        Ok(())
    }

    /// Copies and their entries: all of them or none.
    async fn transaction(&self, part: &[Copy], working: &Working) -> Result<(), SendError> {
        let at = clock::now();
        let mut records: Vec<NewRecord> = Vec::with_capacity(part.len() * 2);
        for copy in part {
            let key = LedgerKey {
                topic: working.topic.clone(),
                partition: copy.place.partition,
                offset: copy.place.offset,
            };
            let entry = LedgerEntry { key, redrive: self.redrive.id, to: copy.record.topic.clone(), at };
            records.push(copy.record.clone());
            records.push(new_record(&self.settings.ledger_topic, None, ledger_record(&entry)));
        }
        if !self.is_leading() {
            return Err(SendError::Fenced);
        }
        working.producer.transaction(records, Deadline::after(WRITE)).await.map(drop)
    }

    fn trouble(&self, error: SendError) -> Pass {
        if error == SendError::Fenced || !self.is_leading() {
            // An elected leader that was fenced goes on after whoever fenced it.
            return if self.is_leading() { Pass::Again(error.to_string()) } else { Pass::Lost };
        }
        let words = match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        match error {
            SendError::NotPermitted(_) | SendError::UnknownTopic(_) => Pass::Failed(words),
            _ => Pass::Again(words),
        }
    }
}

/// What is wrong with one record or its target, and not with the cluster.
fn refused(error: &SendError) -> Option<NotCopied> {
    match error {
        SendError::TooLarge => Some(NotCopied::TooLarge),
        SendError::UnknownTopic(_) => Some(NotCopied::TargetMissing),
        SendError::NotPermitted(_) => Some(NotCopied::TargetNotWritable),
        _ => None,
    }
}

/// Where each partition's log begins.
pub(super) async fn starts(
    cluster: &Cluster,
    request: &flowdeck_model::RedriveRequest,
) -> Result<BTreeMap<Partition, i64>, String> {
    offsets(cluster, &request.topic, OffsetSpec::Earliest).await
}

pub(super) async fn offsets(
    cluster: &Cluster,
    topic: &flowdeck_model::TopicName,
    spec: OffsetSpec,
) -> Result<BTreeMap<Partition, i64>, String> {
    let deadline = Deadline::after(Duration::from_secs(5));
    let metadata = cluster.metadata(deadline).await.map_err(|error| error.with_cause())?;
    let Some(found) = metadata.topic(topic) else { return Err(format!("topic {topic} does not exist")) };
    let asked: Vec<_> = found.partitions.iter().map(|one| (Arc::clone(&found.name), one.partition)).collect();
    let answers = cluster.offsets(&asked, spec, deadline).await;
    let pairs = asked.into_iter().zip(answers).map(|((_, partition), answer)| match answer {
        Ok(offset) => Ok((partition, offset)),
        Err(cause) => Err(format!("{topic} partition {partition}: {cause}")),
    });
    pairs.collect()
}
