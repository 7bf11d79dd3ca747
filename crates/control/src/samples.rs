//! The elected writer's part of the history: each minute of all groups goes to `flowdeck.samples` a few seconds after
//! it is over. What a leader before did not write is written by the next, as far as that one saw it.

use std::time::Duration;

use flowdeck_kafka::{Cause, Cluster, Deadline, Leadership, Producer, ProducerKind};
use flowdeck_model::{Timestamp, TopicName};
use flowdeck_observe::clock;
use flowdeck_observe::history::{self, History};
use flowdeck_protocol::wire::{Minute, minute_records};
use tokio_util::sync::CancellationToken;

use crate::commands::write_task;
use crate::writer::{WriteError, new_record};

const MINUTE_MILLIS: i64 = 60_000;
/// After the end of a minute: its last readings are in.
const SETTLED: Duration = Duration::from_secs(5);
/// Between two looks at the clock.
const TICK: Duration = Duration::from_secs(1);
/// Older minutes are not written any more.
const CATCH_UP: u32 = 60;
const WRITE: Duration = Duration::from_secs(10);
/// After a failure.
const TRY_AGAIN: Duration = Duration::from_secs(15);

pub(crate) struct MinuteWriter {
    cluster: Cluster,
    topic: TopicName,
    leadership: Leadership,
    history: History,
    producer: Option<Producer>,
    /// The next minute to be written by this process; `None` before it leads.
    next: Option<u32>,
}

/// The last minute whose readings are in.
fn last_over(now: Timestamp) -> u32 {
    let settled = now.millis() - i64::try_from(SETTLED.as_millis()).unwrap_or_default();
    u32::try_from(settled / MINUTE_MILLIS).unwrap_or_default().saturating_sub(1)
}

impl MinuteWriter {
    pub(crate) fn new(cluster: Cluster, topic: TopicName, leadership: Leadership, history: History) -> Self {
        Self { cluster, topic, leadership, history, producer: None, next: None }
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let pause = tokio::select! {
                () = shutdown.cancelled() => return,
                pause = self.turn() => pause,
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn turn(&mut self) -> Duration {
        if !self.leadership.is_held() {
            self.next = None;
            self.producer = None;
            self.history.lock().problems.write = None;
            return TICK;
        }
        let last = last_over(clock::now());
        if self.next.is_some_and(|next| next > last) {
            return TICK;
        }
        let result = self.write_to(last).await;
        let problem = result.err();
        let pause = if problem.is_some() { TRY_AGAIN } else { TICK };
        self.told(problem);
        pause
    }

    /// Each trouble is a line of the log once.
    fn told(&self, problem: Option<String>) {
        let words = problem.map(|why| format!("the history could not be written to {}: {why}", self.topic));
        let mut store = self.history.lock();
        if store.problems.write != words {
            if let Some(words) = &words {
                tracing::warn!("{words}");
            }
            store.problems.write = words;
        }
    }

    async fn write_to(&mut self, last: u32) -> Result<(), String> {
        let next = match self.next {
            Some(next) => next,
            None => self.begin(last).await?,
        };
        for minute in next.max(last.saturating_sub(CATCH_UP))..=last {
            self.write(minute).await?;
            self.next = Some(minute + 1);
        }
        Ok(())
    }

    /// Where the leader before ended. One that cannot be read is not waited for: a minute that is written twice counts
    /// once.
    async fn begin(&mut self, last: u32) -> Result<u32, String> {
        match history::newest_minute(&self.cluster, &self.topic, WRITE).await {
            Ok(newest) => Ok(newest.map_or(0, |newest| newest + 1)),
            Err(Cause::NotPermitted(_)) => Ok(last),
            Err(cause) => Err(cause.to_string()),
        }
    }

    async fn write(&mut self, minute: u32) -> Result<(), String> {
        let groups = self.history.lock().minute(minute);
        let at = Timestamp::from_millis(i64::from(minute) * MINUTE_MILLIS);
        let deadline = Deadline::after(WRITE);
        for record in minute_records(&Minute { at, groups }) {
            if !self.leadership.is_held() {
                return Err("this replica is not the elected writer any more".to_owned());
            }
            let producer = self.producer()?;
            let sent = producer.send(new_record(&self.topic, None, record), deadline).await;
            if let Err(error) = sent {
                self.producer = None;
                return Err(write_task::words(&WriteError::from(error)));
            }
        }
        Ok(())
    }

    fn producer(&mut self) -> Result<Producer, String> {
        if let Some(producer) = &self.producer {
            return Ok(producer.clone());
        }
        let made = self.cluster.producer(ProducerKind::Compressed).map_err(|error| error.with_cause())?;
        Ok(self.producer.insert(made).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_over_once_its_last_readings_are_in() {
        let at = |second: i64| Timestamp::from_millis((1_795_270_080 + second) * 1_000);
        let minute = 1_795_270_080 / 60;
        for (second, want) in
            [(0, minute - 2), (4, minute - 2), (5, minute - 1), (59, minute - 1), (65, minute)]
        {
            assert_eq!(last_over(at(second)), want, "{second} s");
        }
    }
}
