//! One call of a handler, as its worker and a [`crate::Router`] see it. A handler begins when it is polled first, unless it
//! is a router's: its function begins when the layers around it call it, which may be long after that. So the function
//! asks the gate again.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::run::LaneControl;

/// The function of a [`crate::Router`] did not begin: its partition was paused or taken away while a layer waited. The
/// record is put back; this is no attempt and no failure of it, whatever the layers make of this error. A layer that
/// counts failures or tries again can tell it by `error.is::<NotBegun>()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("the function did not begin: its partition was paused or taken away")]
pub struct NotBegun;

/// Where the call of the record to handle is made once it is asked for: a handler that is no router needs none.
pub(crate) struct CallSlot {
    control: Arc<LaneControl>,
    call: OnceLock<Arc<Call>>,
}

impl fmt::Debug for CallSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallSlot").field(&self.call).finish()
    }
}

impl CallSlot {
    pub(super) fn new(control: Arc<LaneControl>) -> Self {
        Self { control, call: OnceLock::new() }
    }

    /// For the next record. The memory is used again, unless somebody has a message of the record before.
    pub(super) fn next(&mut self) {
        let Some(call) = self.call.get_mut() else { return };
        match Arc::get_mut(call) {
            Some(call) => call.reset(),
            None => self.call = OnceLock::new(),
        }
    }

    pub(crate) fn call(&self) -> &Arc<Call> {
        self.call.get_or_init(|| Arc::new(Call::new(&self.control)))
    }

    /// Whether the layers are not ready to call the function.
    pub(crate) fn waits(&self) -> bool {
        self.call.get().is_some_and(|call| call.waits.load(Ordering::Acquire))
    }

    /// Whether the function was kept back, and has not run since.
    pub(crate) fn is_refused(&self) -> bool {
        self.call.get().is_some_and(|call| call.refused.load(Ordering::Acquire))
    }
}

pub(crate) struct Call {
    control: Arc<LaneControl>,
    /// The layers are not ready to call the function.
    waits: AtomicBool,
    /// The last that is known of the function: it may not begin.
    refused: AtomicBool,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("waits", &self.waits).field("refused", &self.refused).finish()
    }
}

impl Call {
    fn new(control: &Arc<LaneControl>) -> Self {
        Self { control: Arc::clone(control), waits: AtomicBool::new(false), refused: AtomicBool::new(false) }
    }

    fn reset(&mut self) {
        (*self.waits.get_mut(), *self.refused.get_mut()) = (false, false);
    }

    /// Waits until the layers are ready, or the gate is shut.
    pub(crate) async fn turn<T>(&self, ready: impl Future<Output = T>) -> Result<T, NotBegun> {
        self.waits.store(true, Ordering::Release);
        let ready = tokio::select! {
            biased;
            ready = ready => Some(ready),
            () = self.control.shut() => None,
        };
        self.waits.store(false, Ordering::Release);
        match ready {
            Some(ready) if self.control.is_open() => Ok(ready),
            _ => Err(self.refuse()),
        }
    }

    /// Just before the function's first step. Until what this gives is dropped, who shuts the gate waits for it.
    pub(crate) fn begin(&self) -> Result<Starting, NotBegun> {
        if !self.control.start() {
            return Err(self.refuse());
        }
        self.refused.store(false, Ordering::Release);
        Ok(Starting(Arc::clone(&self.control)))
    }

    /// The function returned.
    pub(crate) fn ended(&self) {
        self.refused.store(false, Ordering::Release);
    }

    fn refuse(&self) -> NotBegun {
        self.refused.store(true, Ordering::Release);
        NotBegun
    }
}

/// A function is about to take its first step.
#[derive(Debug)]
pub(crate) struct Starting(Arc<LaneControl>);

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.started();
    }
}
