//! Who looked at records: each look is a line of the log when it begins and, in control mode, a record of the audit when it
//! ends, with what it came to. A look is never refused for want of the audit: what cannot be handed over is counted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flowdeck_model::query::Find;
use flowdeck_model::view::Mode;
use flowdeck_model::view::audit::{LookFilter, LookKind};
use flowdeck_model::{Actor, ClusterName};
use flowdeck_protocol::wire::Look;
use tokio::sync::mpsc;

use crate::clock;
use crate::stats::ClusterStats;

/// Looks that wait to be written.
const WAITING: usize = 256;
/// Of the audit, readers take the last records at their start, and operations must be among them. So a script that looks
/// all the time may not fill it: so many at once, and one more each 10 s.
const AT_ONCE: u32 = 200;
const ONE_MORE: Duration = Duration::from_secs(10);
/// Why a look is counted as dropped.
pub const NOT_AUDITED: &str = "look_not_audited";

/// The looks of one cluster, on their way to the audit.
pub struct Looks {
    /// Only in control mode is there an audit.
    out: Option<mpsc::Sender<Look>>,
    /// Taken once, by whoever writes.
    queue: Mutex<Option<mpsc::Receiver<Look>>>,
    pace: Mutex<Pace>,
    stats: Arc<ClusterStats>,
}

#[derive(Debug)]
struct Pace {
    left: u32,
    since: Instant,
    missed: u64,
}

impl Looks {
    pub(crate) fn new(mode: Mode, stats: Arc<ClusterStats>) -> Self {
        let (out, queue) = match mode {
            Mode::Control => {
                let (out, queue) = mpsc::channel(WAITING);
                (Some(out), Some(queue))
            }
            Mode::Observe => (None, None),
        };
        let pace = Pace { left: AT_ONCE, since: Instant::now(), missed: 0 };
        Self { out, queue: Mutex::new(queue), pace: Mutex::new(pace), stats }
    }

    /// What is to be written; `None` in observe mode, and where it was taken before.
    pub fn take(&self) -> Option<mpsc::Receiver<Look>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Never waits.
    fn put(&self, mut look: Look) {
        let Some(out) = &self.out else { return };
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if !pace.allows(Instant::now()) {
            pace.missed += 1;
            return self.stats.dropped(NOT_AUDITED);
        }
        look.missed = pace.missed;
        match out.try_send(look) {
            Ok(()) => pace.missed = 0,
            Err(_) => {
                pace.missed += 1;
                self.stats.dropped(NOT_AUDITED);
            }
        }
    }
}

impl Pace {
    fn allows(&mut self, now: Instant) -> bool {
        let more = now.saturating_duration_since(self.since).as_secs() / ONE_MORE.as_secs();
        if let Ok(more) = u32::try_from(more)
            && more > 0
        {
            self.left = self.left.saturating_add(more).min(AT_ONCE);
            self.since += ONE_MORE * more;
        }
        let is_allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_allowed
    }
}

/// What is looked at.
pub(crate) struct LookAt<'a> {
    pub(crate) kind: LookKind,
    pub(crate) cluster: &'a ClusterName,
    pub(crate) topic: Option<&'a str>,
    pub(crate) partition: Option<i32>,
    pub(crate) from: String,
    pub(crate) find: Option<&'a Find>,
    pub(crate) unmasked: bool,
}

/// A look that goes on; it is recorded when it ends, however it ends.
pub(crate) struct Looking<'a> {
    looks: &'a Looks,
    look: Option<Look>,
}

impl<'a> Looking<'a> {
    /// The line of the log, which has not what was looked for: that may be a secret.
    pub(crate) fn begin(looks: &'a Looks, actor: &Actor, at: &LookAt<'_>) -> Self {
        tracing::info!(
            target: "audit",
            event = at.kind.event(),
            cluster = at.cluster.as_str(),
            topic = at.topic.unwrap_or_default(),
            from = at.from,
            unmasked = at.unmasked,
            actor.name = actor.view.name,
            actor.kind = ?actor.view.kind,
            actor.via = ?actor.view.via,
            actor.address = actor.view.address.as_deref().unwrap_or_default(),
            "records read"
        );
        let look = Look {
            id: uuid::Uuid::new_v4(),
            at: clock::now(),
            actor: actor.view.clone(),
            kind: at.kind,
            topic: at.topic.map(str::to_owned),
            partition: at.partition,
            from: at.from.clone(),
            until: at.find.and_then(|find| find.until),
            filter: at.find.map(filter).unwrap_or_default(),
            unmasked: at.unmasked,
            records: None,
            scanned: None,
            missed: 0,
        };
        Self { looks, look: Some(look) }
    }

    pub(crate) fn came_to(&mut self, records: usize, scanned: u64) {
        if let Some(look) = &mut self.look {
            (look.records, look.scanned) = (Some(records as u64), Some(scanned));
        }
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        if let Some(look) = self.look.take() {
            self.looks.put(look);
        }
    }
}

/// Which kinds of conditions there are.
fn filter(find: &Find) -> Vec<LookFilter> {
    let all = [
        (&find.text, LookFilter::Text),
        (&find.key, LookFilter::Key),
        (&find.header, LookFilter::Header),
        (&find.path, LookFilter::Path),
        (&find.cel, LookFilter::Cel),
    ];
    all.into_iter().filter(|(text, _)| !text.is_empty()).map(|(_, kind)| kind).collect()
}

#[cfg(test)]
mod tests {
    use flowdeck_model::MessagesQuery;
    use flowdeck_model::actor::Via;

    use super::*;

    fn look(looks: &Looks, query: &str) {
        let query = MessagesQuery::parse(query, true).unwrap();
        let actor = Actor::anonymous(Via::Api, None);
        let cluster = "demo".parse().unwrap();
        let at = LookAt {
            kind: LookKind::Search,
            cluster: &cluster,
            topic: Some("orders"),
            partition: query.partition.map(|one| one.get()),
            from: query.from.to_string(),
            find: Some(&query.find),
            unmasked: query.unmasked,
        };
        Looking::begin(looks, &actor, &at).came_to(1, 7);
    }

    #[test]
    fn a_look_has_what_was_done_and_not_what_was_looked_for() {
        let looks = Looks::new(Mode::Control, Arc::default());
        let mut queue = looks.take().unwrap();
        look(&looks, "from=earliest&text=hunter2&cel=key%20%3D%3D%20%22hunter2%22");
        let look = queue.try_recv().unwrap();
        assert_eq!((look.records, look.scanned, look.missed), (Some(1), Some(7), 0));
        assert_eq!(look.filter, [LookFilter::Text, LookFilter::Cel]);
        assert!(!format!("{look:?}").contains("hunter2"));
    }

    #[test]
    fn there_is_no_audit_in_observe_mode() {
        let looks = Looks::new(Mode::Observe, Arc::default());
        look(&looks, "");
        assert!(looks.take().is_none());
    }

    #[test]
    fn very_many_are_counted_and_said_in_the_next() {
        let now = Instant::now();
        let mut pace = Pace { left: AT_ONCE, since: now, missed: 0 };
        let allowed = (0..10_000).filter(|_| pace.allows(now)).count();
        assert_eq!(allowed, AT_ONCE as usize);
        assert!(pace.allows(now + ONE_MORE) && !pace.allows(now + ONE_MORE));
        // However long nobody looked.
        let later = now + ONE_MORE * 100_000;
        assert_eq!((0..10_000).filter(|_| pace.allows(later)).count(), AT_ONCE as usize);

        let looks = Looks::new(Mode::Control, Arc::default());
        let mut queue = looks.take().unwrap();
        for _ in 0..AT_ONCE + 7 {
            look(&looks, "");
            queue.try_recv().ok();
        }
        looks.pace.lock().unwrap().left = 1;
        look(&looks, "");
        assert_eq!(queue.try_recv().unwrap().missed, 7);
    }
}
