//! The state of groups that are held, asked for more often than a refresh does: KafkaFlow forgets its pauses in a
//! rebalance, and is told them again when it ends. Bounded: a few groups at a time, the others in turn.

use std::sync::Arc;

use flowdeck_kafka::{Cluster, Deadline};
use flowdeck_model::GroupId;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::group_seen::GroupSeen;
use crate::settings::ClusterSettings;

/// Groups that are asked for at once.
const AT_ONCE: usize = 10;
const IN_FLIGHT: usize = 5;
/// Answers that wait for the actor.
const QUEUE: usize = 4;

pub type Answers = Vec<(GroupId, GroupSeen)>;

/// `groups`: the ones to ask for; none, and nothing is asked.
pub fn start(
    cluster: &Cluster,
    settings: &Arc<ClusterSettings>,
    groups: watch::Receiver<Arc<[GroupId]>>,
    shutdown: &CancellationToken,
    tracker: &TaskTracker,
) -> mpsc::Receiver<Answers> {
    let (out, answers) = mpsc::channel(QUEUE);
    tracker.spawn(run(cluster.clone(), Arc::clone(settings), groups, out, shutdown.clone()));
    answers
}

async fn run(
    cluster: Cluster,
    settings: Arc<ClusterSettings>,
    mut groups: watch::Receiver<Arc<[GroupId]>>,
    out: mpsc::Sender<Answers>,
    shutdown: CancellationToken,
) {
    let mut next = 0;
    let work = async {
        loop {
            let wanted = match groups.wait_for(|groups| !groups.is_empty()).await {
                Ok(groups) => Arc::clone(&groups),
                Err(_) => return,
            };
            let turn: Vec<GroupId> = wanted
                .iter()
                .cycle()
                .skip(next % wanted.len())
                .take(AT_ONCE.min(wanted.len()))
                .cloned()
                .collect();
            next = (next + turn.len()) % wanted.len();
            let answers = ask(&cluster, &turn, Deadline::after(settings.call_deadline)).await;
            if !answers.is_empty() && out.send(answers).await.is_err() {
                return;
            }
            tokio::time::sleep(settings.timing.held_every).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}

/// Those that answered.
pub async fn ask(cluster: &Cluster, groups: &[GroupId], deadline: Deadline) -> Answers {
    let at = clock::now();
    let answers = cluster.describe_groups(groups, IN_FLIGHT, deadline).await;
    let told = answers.into_iter().filter_map(|(group, answer)| Some((group, answer.ok()?)));
    told.map(|(group, told)| (group, GroupSeen::new(at, told.state, &told.members))).collect()
}
