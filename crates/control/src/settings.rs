//! What is configured beside the clusters.

use flowdeck_observe::ObserveSettings;

/// Bounds that hold for every cluster.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    pub observe: ObserveSettings,
    /// Commands that are remembered on each cluster.
    pub commands_remembered: usize,
    /// Commands that wait on each cluster; more are refused.
    pub submit_queue: usize,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { observe: ObserveSettings::default(), commands_remembered: 1_000, submit_queue: 64 }
    }
}
