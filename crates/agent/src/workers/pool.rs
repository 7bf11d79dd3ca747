//! How many workers there are, which may change while the agent runs.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tracing::error;

use crate::shared::Shared;

type Spawn = Box<dyn Fn(&Arc<Shared>) -> io::Result<()> + Send + Sync>;

pub(crate) struct Pool {
    /// So many there shall be.
    target: AtomicUsize,
    /// So many there are; those that are too many end after the record that they handle.
    alive: AtomicUsize,
    spawn: OnceLock<Spawn>,
}

impl Pool {
    pub(crate) fn new(workers: usize) -> Self {
        Self { target: AtomicUsize::new(workers), alive: AtomicUsize::new(0), spawn: OnceLock::new() }
    }

    pub(crate) fn target(&self) -> usize {
        self.target.load(Ordering::SeqCst)
    }

    /// Workers that still end.
    pub(crate) fn ending(&self) -> usize {
        self.alive.load(Ordering::SeqCst).saturating_sub(self.target())
    }

    pub(super) fn set_spawn(&self, spawn: impl Fn(&Arc<Shared>) -> io::Result<()> + Send + Sync + 'static) {
        // Called once.
        let _ = self.spawn.set(Box::new(spawn));
    }

    pub(super) fn set_target(&self, workers: usize) {
        self.target.store(workers, Ordering::SeqCst);
    }

    /// Spawns what is missing.
    pub(super) fn fill(&self, shared: &Arc<Shared>) {
        let Some(spawn) = self.spawn.get() else { return };
        while self.change(|alive, target| (alive < target).then_some(alive + 1)) {
            let Err(error) = spawn(shared) else { continue };
            self.alive.fetch_sub(1, Ordering::SeqCst);
            error!(group.id = %shared.settings.group, %error, "a worker's thread could not be started; those that run go on");
            return;
        }
    }

    /// Whether the worker that asks is one too many; it counts no more then.
    pub(crate) fn may_end(&self) -> bool {
        self.change(|alive, target| (alive > target).then(|| alive - 1))
    }

    fn change(&self, to: impl Fn(usize, usize) -> Option<usize>) -> bool {
        let changed =
            self.alive.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |alive| to(alive, self.target()));
        changed.is_ok()
    }
}
