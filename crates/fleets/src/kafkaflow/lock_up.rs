//! KafkaFlow's defect 681, as it was measured: where a pause of all partitions meets a backlog, a revocation that comes
//! before the resume is never answered, and the group waits for the process. A stop or restart gets it out, and it keeps the
//! defect: at its next revocation it locks up for good, unless all its partitions are paused and resumed before.

use std::sync::Mutex;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Sound,
    /// Paused as a whole, with a backlog.
    Armed,
    /// It does not answer.
    Locked,
    /// Stopped or restarted out of it.
    Defect,
    /// That, and paused as a whole since.
    Healing,
    /// Neither a pause nor a stop is obeyed any more.
    Lost,
}

/// What a revocation comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revoked {
    Answered,
    /// Not before the consumer is stopped.
    Locked,
    /// Never.
    Lost,
}

#[derive(Debug, Default)]
pub(super) struct LockUp(Mutex<State>);

impl LockUp {
    fn change(&self, to: impl FnOnce(State) -> State) -> (State, State) {
        let mut state = super::consumer::lock(&self.0);
        let before = *state;
        *state = to(before);
        (before, *state)
    }

    /// All partitions are paused. `waits`: a record waits for space in the workers' buffers.
    pub(super) fn paused(&self, waits: bool) {
        self.change(|state| match state {
            State::Sound if waits => State::Armed,
            State::Defect => State::Healing,
            state => state,
        });
    }

    pub(super) fn resumed(&self) {
        self.change(|state| match state {
            State::Armed | State::Healing => State::Sound,
            state => state,
        });
    }

    pub(super) fn revoked(&self) -> Revoked {
        let (_, state) = self.change(|state| match state {
            State::Armed => State::Locked,
            State::Defect | State::Healing => State::Lost,
            state => state,
        });
        match state {
            State::Locked => Revoked::Locked,
            State::Lost => Revoked::Lost,
            _ => Revoked::Answered,
        }
    }

    /// The consumer is stopped.
    pub(super) fn stopped(&self) {
        self.change(|state| match state {
            State::Armed => State::Sound,
            State::Locked | State::Healing => State::Defect,
            state => state,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_defect_until_it_is_paused_and_resumed() {
        let one = LockUp::default();
        one.paused(false);
        assert_eq!(one.revoked(), Revoked::Answered, "there was no backlog");
        one.paused(true);
        one.resumed();
        assert_eq!(one.revoked(), Revoked::Answered);
        one.paused(true);
        assert_eq!(one.revoked(), Revoked::Locked);
        one.stopped();
        one.paused(false);
        one.resumed();
        assert_eq!(one.revoked(), Revoked::Answered, "healed");
        one.paused(true);
        assert_eq!(one.revoked(), Revoked::Locked);
        one.stopped();
        assert_eq!(one.revoked(), Revoked::Lost);
    }
}
