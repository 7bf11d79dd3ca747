//! What is asked seldom: groups that are no consumer groups (a slow call), and the rights whose lack
//! makes brokers answer with silent gaps.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_kafka::{Cause, Cluster, Deadline};
use flowdeck_model::GroupId;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::settings::ClusterSettings;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) others: Vec<GroupId>,
    pub(crate) notes: Vec<String>,
    /// Of brokers that have one.
    pub(crate) racks: Arc<BTreeMap<i32, String>>,
}

pub(crate) async fn run(
    cluster: Cluster,
    settings: Arc<ClusterSettings>,
    out: watch::Sender<Arc<Watched>>,
    shutdown: CancellationToken,
) {
    let mut rights = Asked::default();
    let mut others = Asked::default();
    loop {
        let now = Instant::now();
        let mut seen = Watched::clone(&out.borrow());
        let work = async {
            if rights.is_due(now, settings.rights_every) {
                rights.ok = ask_rights(&cluster, &settings, &mut seen).await;
                rights.at = Some(now);
            }
            if others.is_due(now, settings.others_every) {
                others.ok = ask_others(&cluster, &settings, &mut seen).await;
                others.at = Some(now);
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = work => {}
        }
        out.send_replace(Arc::new(seen));
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(settings.refresh) => {}
        }
    }
}

#[derive(Default)]
struct Asked {
    at: Option<Instant>,
    ok: bool,
}

impl Asked {
    /// What failed is asked again at the next round.
    fn is_due(&self, now: Instant, every: std::time::Duration) -> bool {
        !self.ok || self.at.is_none_or(|at| now.duration_since(at) >= every)
    }
}

/// The words with which a note on rights begins; the newest answer replaces the older.
const RIGHTS: &str = "groups and offsets may be missing";

async fn ask_rights(cluster: &Cluster, settings: &ClusterSettings, seen: &mut Watched) -> bool {
    let Ok(rights) = cluster.rights(Deadline::after(settings.call_deadline)).await else { return false };
    seen.racks = Arc::new(rights.racks.clone());
    seen.notes.retain(|note| !note.starts_with(RIGHTS));
    if let Some(acl) = rights.missing_describe() {
        seen.notes.push(format!("{RIGHTS}: the brokers leave them out where {acl} is not granted"));
    }
    true
}

async fn ask_others(cluster: &Cluster, settings: &ClusterSettings, seen: &mut Watched) -> bool {
    match cluster.list_other_groups(Deadline::after(settings.call_deadline)).await {
        Ok(groups) => {
            seen.others = groups.into_iter().map(|group| group.id).collect();
            seen.others.sort();
            true
        }
        // Nothing to ask for: the groups of other kinds stay unknown on such a broker.
        Err(error) => matches!(error.cause, Cause::Unsupported(_)),
    }
}
