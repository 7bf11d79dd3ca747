//! The thread's side: one membership in the group, from joining to leaving.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::leadership::Term;
use super::{Announcer, ElectionEvent, ElectionRequest, Lost};
use crate::config::{ClusterConfig, ConfigError};
use crate::error::{Acl, Cause};
use crate::ffi::codes;
use crate::ffi::heartbeats::Heartbeats;
use crate::ffi::member::{Happened, Membership};

/// How long the thread waits before it looks whether it is still wanted, and at its limit.
const TICK: Duration = Duration::from_millis(50);
/// How long the coordinator may take to learn that a member leaves.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// Whose owner leads.
const PARTITION: i32 = 0;

/// Why a membership ended.
pub(super) enum Ended {
    Stopped,
    /// A new one has to begin. No cause: it was said by an event.
    Failed {
        cause: Option<Cause>,
        was_assigned: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Not said yet, or failing since.
    None,
    Standby,
    Leader,
}

pub(super) struct Member {
    config: ClusterConfig,
    request: ElectionRequest,
    announcer: Announcer,
    term: Arc<Term>,
    stop: CancellationToken,
    heartbeats: Arc<Heartbeats>,
    role: Role,
    was_assigned: bool,
    /// Why this membership has to end.
    failed: Option<Option<Cause>>,
}

impl Member {
    pub(super) fn new(
        config: ClusterConfig,
        request: ElectionRequest,
        announcer: Announcer,
        term: Arc<Term>,
        stop: CancellationToken,
    ) -> Self {
        let heartbeats = Arc::new(Heartbeats::new());
        let (role, was_assigned, failed) = (Role::None, false, None);
        Self { config, request, announcer, term, stop, heartbeats, role, was_assigned, failed }
    }

    pub(super) fn run(mut self) -> Ended {
        let mut membership = match self.join() {
            Ok(membership) => membership,
            Err(error) => {
                let cause = Some(Cause::Unsupported(format!("a member could not be made: {error}")));
                return Ended::Failed { cause, was_assigned: false };
            }
        };
        while !self.stop.is_cancelled() && self.failed.is_none() {
            membership.poll(TICK, |event| self.happened(event));
            self.renew(Instant::now());
        }
        // Before the group knows it.
        self.term.end();
        membership.close(CLOSE_LIMIT);
        match self.failed {
            Some(cause) if !self.stop.is_cancelled() => {
                Ended::Failed { cause, was_assigned: self.was_assigned }
            }
            _ => Ended::Stopped,
        }
    }

    fn join(&self) -> Result<Membership, ConfigError> {
        let session = self.request.session.as_millis();
        let own = [
            ("group.id", self.request.group.as_str().to_owned()),
            ("group.protocol", "classic".to_owned()),
            ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
            ("session.timeout.ms", session.to_string()),
            // By librdkafka's clock that is every 0.5 s, or every second.
            ("heartbeat.interval.ms", "400".to_owned()),
            // How long others wait in a rebalance for one that does not join again.
            ("max.poll.interval.ms", (session * 2).to_string()),
            // What is not answered within a session comes too late.
            ("socket.timeout.ms", session.to_string()),
            ("topic.metadata.refresh.interval.ms", "10000".to_owned()),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
        ];
        let properties = self.config.properties_for(&own)?;
        Membership::join(&properties, self.request.topic.as_str(), self.heartbeats.clone())
    }

    fn happened(&mut self, event: Happened) {
        match event {
            Happened::Assigned(added) => self.assigned(added.contains(&PARTITION)),
            Happened::Revoked(lost) if lost.contains(&PARTITION) => self.lost(Lost::Revoked),
            Happened::Revoked(_) => {}
            Happened::Trouble { code: codes::FATAL, message } => {
                self.lost(Lost::Failed);
                self.failed = Some(Some(Cause::Unsupported(message)));
            }
            Happened::Trouble { code, .. } => self.trouble(code),
        }
    }

    fn assigned(&mut self, to_lead: bool) {
        self.was_assigned = true;
        self.announcer.recovered();
        if !to_lead {
            if self.role == Role::None {
                self.role = Role::Standby;
                self.say(ElectionEvent::Standby);
            }
            return;
        }
        // None, or passed: an assignment that waited for so long is none.
        let Some(limit) = self.limit().filter(|limit| *limit > Instant::now()) else {
            self.failed = Some(None);
            return;
        };
        self.role = Role::Leader;
        self.term.begin(limit);
        self.say(ElectionEvent::Elected);
    }

    /// Until when no other member can have been given the partition.
    fn limit(&self) -> Option<Instant> {
        let session = self.request.session;
        Some(self.heartbeats.last_sent()? + (session - session / 6))
    }

    fn renew(&mut self, now: Instant) {
        let limit = self.limit();
        if self.role == Role::Leader && !limit.is_some_and(|limit| self.term.extend(now, limit)) {
            self.lost(Lost::NoAnswer);
            self.failed = Some(None);
        }
    }

    fn lost(&mut self, why: Lost) {
        self.term.end();
        if self.role == Role::Leader {
            self.role = Role::None;
            self.say(ElectionEvent::Lost(why));
        }
    }

    /// librdkafka tries again by itself. Of a leader it is no matter as long as heartbeats are answered.
    fn trouble(&mut self, code: i32) {
        // One broker's connection ended: it is made anew, and the others may answer.
        if self.role == Role::Leader || code == codes::TRANSPORT {
            return;
        }
        let acl = match code {
            codes::TOPIC_AUTHORIZATION_FAILED => Acl::topic("Describe", self.request.topic.as_str()),
            _ => Acl::group("Read", self.request.group.as_str()),
        };
        let cause = Cause::from_code(code, acl);
        if cause == Cause::UnknownTopic {
            self.failed = Some(Some(cause));
            return;
        }
        self.role = Role::None;
        if let Some(event) = self.announcer.failing(cause) {
            self.say(event);
        }
    }

    /// Nobody receives it where the election was dropped, which `stop` tells.
    fn say(&self, event: ElectionEvent) {
        let _ = self.announcer.sender.blocking_send(event);
    }
}
