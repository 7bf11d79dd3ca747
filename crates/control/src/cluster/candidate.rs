//! This process in the election of the writer, in control mode; who only observes joins no group.

use flowdeck_kafka::{Cluster, Deadline, Election, ElectionEvent, ElectionRequest, Leadership};
use flowdeck_model::GroupId;
use flowdeck_model::view::Mode;
use flowdeck_observe::ClusterSettings;

pub(crate) struct Candidate(Option<Election>);

impl Candidate {
    pub(crate) fn new(cluster: &Cluster, settings: &ClusterSettings) -> Self {
        let request = || ElectionRequest {
            group: GroupId::from(settings.writer_id.as_str()),
            topic: settings.holds_topic.clone(),
            session: settings.timing.writer_session,
        };
        Self((settings.mode == Mode::Control).then(|| cluster.elect(request())))
    }

    /// `None` where it does not take part.
    pub(crate) fn leadership(&self) -> Option<Leadership> {
        self.0.as_ref().map(Election::leadership)
    }

    pub(crate) async fn next(&mut self) -> ElectionEvent {
        if let Some(election) = &mut self.0
            && let Some(event) = election.next().await
        {
            return event;
        }
        std::future::pending().await
    }

    /// Another replica leads at once.
    pub(crate) async fn leave(self, deadline: Deadline) {
        if let Some(election) = self.0 {
            election.leave(deadline).await;
        }
    }
}
