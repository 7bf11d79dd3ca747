//! Operations that were looked up in the audit, since they are older than what is remembered: a page that shows one asks for
//! it again and again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use flowdeck_model::{ClusterName, CommandId};
use flowdeck_observe::operations::Operation;

/// So many are kept; the oldest goes first.
const KEPT: usize = 64;

#[derive(Default)]
pub(crate) struct OldOperations(Mutex<VecDeque<(ClusterName, Arc<Operation>)>>);

impl OldOperations {
    pub(crate) fn get(&self, cluster: &ClusterName, id: CommandId) -> Option<Arc<Operation>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(of, operation)| of == cluster && operation.id == id);
        found.map(|(_, operation)| Arc::clone(operation))
    }

    pub(crate) fn keep(&self, cluster: &ClusterName, operation: Arc<Operation>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((cluster.clone(), operation));
    }
}
