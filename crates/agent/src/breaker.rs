//! A circuit breaker: after failures in a row nothing is handled for a while, and then one record at a time is tried.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use flowdeck_model::Timestamp;
use flowdeck_model::view::{CircuitBreakerView, CircuitState};
use futures::future::BoxFuture;
use tower::{Layer, Service};

use crate::failure::{BoxError, Failure, HandlerError};
use crate::lanes::NotBegun;
use crate::message::Message;
use crate::shared::now;

/// While another record is tried.
const TRY_ELSEWHERE: Duration = Duration::from_millis(500);
/// In characters.
const ERROR_MAX: usize = 400;

/// Pauses the consumer while what its handler needs is down, and the dashboard shows it: given to
/// [`crate::AgentBuilder::circuit_breaker`], it counts the calls of the whole handler. As a layer around functions of a
/// [`crate::Router`] (`.layer(breaker.clone())`) it counts theirs alone, and keeps back what is for them; given to the
/// builder too, it pauses all of the consumer.
///
/// It opens after so many failures in a row that another try may mend; a permanent one, or one for the dead letters,
/// says nothing of what is down. Which one it is says [`crate::AgentBuilder::map_errors`] for the whole handler. A layer
/// does not know of that: there, an error may be mended unless it is a [`HandlerError::permanent`] or
/// [`HandlerError::dead_letter`]. While it is open no handler begins, no attempt is counted, and records wait in their
/// order. After that one record at a time is tried: the first that succeeds closes it, a failure opens it again.
///
/// It is apart from a pause by an operator: under a hold nothing is tried either, and each ends by itself.
#[derive(Clone)]
pub struct CircuitBreaker(Arc<Inner>);

struct Inner {
    failures: u32,
    open_for: Duration,
    state: Mutex<State>,
    watchers: Mutex<Vec<Watcher>>,
}

/// Told of each change; gone once it says false.
type Watcher = Box<dyn Fn() -> bool + Send + Sync>;

#[derive(Debug)]
struct State {
    circuit: Circuit,
    since: Timestamp,
    opened: u64,
    error: Option<String>,
    /// It is a layer, and counts there.
    is_layer: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Circuit {
    /// So many failed in a row.
    Closed(u32),
    Open {
        until: Instant,
    },
    /// A record is being tried, since then.
    HalfOpen {
        trying: Option<Instant>,
    },
}

impl std::fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CircuitBreaker").field("state", &*self.lock()).finish()
    }
}

impl CircuitBreaker {
    /// Opens after `failures` in a row, for `open_for`.
    pub fn new(failures: u32, open_for: Duration) -> Self {
        Self(Arc::new(Inner {
            failures: failures.max(1),
            open_for,
            state: Mutex::new(State {
                circuit: Circuit::Closed(0),
                since: now(),
                opened: 0,
                error: None,
                is_layer: false,
            }),
            watchers: Mutex::new(vec![]),
        }))
    }

    /// What it does now.
    pub fn state(&self) -> CircuitState {
        self.lock().circuit.state()
    }

    pub(crate) fn view(&self) -> CircuitBreakerView {
        let state = self.lock();
        let retry_at = match state.circuit {
            Circuit::Open { until } => Some(now().plus(until.saturating_duration_since(Instant::now()))),
            Circuit::Closed(_) | Circuit::HalfOpen { .. } => None,
        };
        CircuitBreakerView {
            state: state.circuit.state(),
            since: state.since,
            retry_at,
            opened: state.opened,
            error: state.error.clone(),
        }
    }

    /// Of a consumer that is paused while it is open.
    pub(crate) fn watch(&self, watcher: impl Fn() -> bool + Send + Sync + 'static) {
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(watcher));
    }

    /// Before a record is handled, where no permit is needed: how long it has to wait.
    pub(crate) fn wait(&self, at: Instant) -> Option<Duration> {
        let mut state = self.lock();
        let expired = self.expire_try(&mut state, at);
        let wait = state.circuit.wait(at);
        drop(state);
        self.tell_if(expired);
        wait
    }

    /// Of the whole handler; `None` where it is a layer, and counts there.
    pub(crate) fn admit_call(&self, at: Instant) -> Result<Option<Permit>, NotAdmitted> {
        if self.lock().is_layer {
            return self.wait(at).map_or(Ok(None), |wait| Err(NotAdmitted { wait }));
        }
        self.admit(at).map(Some)
    }

    fn admit(&self, at: Instant) -> Result<Permit, NotAdmitted> {
        let mut state = self.lock();
        let expired = self.expire_try(&mut state, at);
        if let Some(wait) = state.circuit.wait(at) {
            drop(state);
            self.tell_if(expired);
            return Err(NotAdmitted { wait });
        }
        let tries = (!matches!(state.circuit, Circuit::Closed(_))).then_some(state.opened);
        let changed = tries.is_some() && state.turn(Circuit::HalfOpen { trying: Some(at) });
        drop(state);
        self.tell_if(changed);
        Ok(Permit { breaker: self.clone(), tries, ended: false })
    }

    /// A try that does not end must not keep back all other records for ever: it failed. Whether it opened again.
    fn expire_try(&self, state: &mut State, at: Instant) -> bool {
        let Circuit::HalfOpen { trying: Some(began) } = state.circuit else { return false };
        let open_for = self.0.open_for;
        if at.saturating_duration_since(began) < open_for {
            return false;
        }
        state.error = Some(format!("a try did not end in {open_for:?}"));
        state.opened += 1;
        state.turn(Circuit::Open { until: at + open_for })
    }

    fn ended(&self, tries: Option<u64>, failed: Option<&str>, at: Instant) {
        let mut state = self.lock();
        let failures = match state.circuit {
            Circuit::Closed(failures) => failures,
            Circuit::HalfOpen { .. } if tries == Some(state.opened) => self.0.failures,
            // A try that took longer than it may: what was down works again all the same.
            Circuit::Open { .. } | Circuit::HalfOpen { .. } if tries.is_some() && failed.is_none() => 0,
            // Begun before it opened, or before it opened again.
            Circuit::Open { .. } | Circuit::HalfOpen { .. } => return,
        };
        let changed = match failed {
            None => state.turn(Circuit::Closed(0)),
            Some(_) if failures + 1 < self.0.failures => state.turn(Circuit::Closed(failures + 1)),
            Some(error) => {
                state.error = Some(error.chars().take(ERROR_MAX).collect());
                state.opened += 1;
                state.turn(Circuit::Open { until: at + self.0.open_for })
            }
        };
        drop(state);
        self.tell_if(changed);
    }

    /// It told nothing of what is down.
    fn undecided(&self, tries: Option<u64>) {
        let mut state = self.lock();
        if tries == Some(state.opened) && matches!(state.circuit, Circuit::HalfOpen { .. }) {
            state.turn(Circuit::HalfOpen { trying: None });
        }
    }

    fn tell_if(&self, changed: bool) {
        if changed {
            self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner).retain(|tell| tell());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    fn state(self) -> CircuitState {
        match self {
            Self::Closed(_) => CircuitState::Closed,
            Self::Open { .. } => CircuitState::Open,
            Self::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    fn wait(self, at: Instant) -> Option<Duration> {
        match self {
            Self::Open { until } if until > at => Some(until - at),
            Self::HalfOpen { trying: Some(_) } => Some(TRY_ELSEWHERE),
            Self::Closed(_) | Self::Open { .. } | Self::HalfOpen { trying: None } => None,
        }
    }
}

impl State {
    /// Whether that is another state for who looks.
    fn turn(&mut self, to: Circuit) -> bool {
        let changed = self.circuit.state() != to.state();
        self.circuit = to;
        if changed {
            self.since = now();
        }
        changed
    }
}

/// For one call. Dropped before it ended (a time limit), it failed.
#[derive(Debug)]
pub(crate) struct Permit {
    breaker: CircuitBreaker,
    /// How often it had opened, where the call is a try.
    tries: Option<u64>,
    ended: bool,
}

impl Permit {
    /// A failure is what the agent's mapping makes of it, where that is known.
    pub(crate) fn end(mut self, outcome: Result<(), (Failure, &HandlerError)>) {
        self.ended = true;
        match outcome {
            Ok(()) => self.breaker.ended(self.tries, None, Instant::now()),
            Err((Failure::Permanent | Failure::DeadLetter, _)) => self.breaker.undecided(self.tries),
            Err((Failure::Retry, error)) => {
                self.breaker.ended(self.tries, Some(&error.to_string()), Instant::now());
            }
        }
    }

    /// The call tells nothing of what is down.
    pub(crate) fn end_undecided(mut self) {
        self.ended = true;
        self.breaker.undecided(self.tries);
    }
}

/// As the error says itself.
fn unmapped(error: &HandlerError) -> (Failure, &HandlerError) {
    (error.failure().unwrap_or(Failure::Retry), error)
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.ended {
            self.breaker.ended(self.tries, Some("the call was ended before it returned"), Instant::now());
        }
    }
}

/// The record waits, and was not tried.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the circuit breaker is open for {wait:?} more")]
pub(crate) struct NotAdmitted {
    pub(crate) wait: Duration,
}

impl<S> Layer<S> for CircuitBreaker {
    type Service = CircuitBreakerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.lock().is_layer = true;
        CircuitBreakerService { breaker: self.clone(), inner }
    }
}

/// What a [`CircuitBreaker`] makes as a layer.
#[derive(Debug, Clone)]
pub struct CircuitBreakerService<S> {
    breaker: CircuitBreaker,
    inner: S,
}

impl<S> Service<Message> for CircuitBreakerService<S>
where
    S: Service<Message, Response = (), Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, message: Message) -> Self::Future {
        let permit = match self.breaker.admit(Instant::now()) {
            Ok(permit) => permit,
            Err(refused) => return Box::pin(std::future::ready(Err(refused.into()))),
        };
        let called = self.inner.call(message);
        Box::pin(async move {
            let outcome = called.await.map_err(|error| HandlerError::from_box(error.into()));
            if outcome.as_ref().is_err_and(|error| error.source().is::<NotBegun>()) {
                permit.end_undecided();
            } else {
                permit.end(outcome.as_ref().copied().map_err(unmapped));
            }
            outcome.map_err(HandlerError::into_box)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const OPEN_FOR: Duration = Duration::from_secs(30);

    fn retry() -> HandlerError {
        HandlerError::from("no connection")
    }

    fn call(breaker: &CircuitBreaker, at: Instant, outcome: Result<(), &HandlerError>) {
        breaker.admit(at).unwrap().end(outcome.map_err(unmapped));
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_success_closes_it() {
        let (breaker, began) = (CircuitBreaker::new(3, OPEN_FOR), Instant::now());
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        breaker.watch(move || count.fetch_add(1, Ordering::Relaxed) < 100);
        for outcome in [Err(&retry()), Err(&retry()), Ok(()), Err(&retry()), Err(&retry())] {
            call(&breaker, began, outcome);
        }
        assert_eq!((breaker.state(), breaker.view().opened), (CircuitState::Closed, 0));
        call(&breaker, began, Err(&HandlerError::permanent("not JSON")));
        assert_eq!(breaker.state(), CircuitState::Closed, "that is the message's own fault");
        call(&breaker, began, Err(&retry()));
        assert_eq!(breaker.state(), CircuitState::Open);
        assert!(breaker.wait(Instant::now()).is_some_and(|wait| wait <= OPEN_FOR && wait > OPEN_FOR / 2));
        assert!(breaker.admit(Instant::now()).is_err());
        let view = breaker.view();
        assert_eq!((view.opened, view.error.as_deref()), (1, Some("no connection")));
        assert!(view.retry_at.is_some_and(|at| at > view.since));

        let later = Instant::now() + OPEN_FOR;
        assert_eq!(breaker.wait(later), None);
        let first = breaker.admit(later).unwrap();
        assert_eq!(breaker.state(), CircuitState::HalfOpen);
        assert_eq!(breaker.admit(later).unwrap_err().wait, TRY_ELSEWHERE, "one at a time");
        first.end(Err(unmapped(&retry())));
        assert_eq!((breaker.state(), breaker.view().opened), (CircuitState::Open, 2), "at once again");

        let later = Instant::now() + OPEN_FOR;
        call(&breaker, later, Err(&HandlerError::permanent("not JSON")));
        assert_eq!(breaker.state(), CircuitState::HalfOpen, "nothing is known of what was down");
        call(&breaker, later, Ok(()));
        assert_eq!(breaker.state(), CircuitState::Closed);
        assert_eq!(told.load(Ordering::Relaxed), 5, "each change");
    }

    #[test]
    fn a_call_that_is_dropped_failed_and_one_that_began_before_it_opened_counts_no_more() {
        let (breaker, began) = (CircuitBreaker::new(1, OPEN_FOR), Instant::now());
        let before = breaker.admit(began).unwrap();
        drop(breaker.admit(began).unwrap());
        assert_eq!(breaker.state(), CircuitState::Open);
        before.end(Ok(()));
        assert_eq!(breaker.state(), CircuitState::Open);
        drop(breaker.admit(Instant::now() + OPEN_FOR).unwrap());
        assert_eq!((breaker.state(), breaker.view().opened), (CircuitState::Open, 2));
    }

    #[test]
    fn try_that_does_not_end_counts_as_failed() {
        let breaker = CircuitBreaker::new(1, OPEN_FOR);
        call(&breaker, Instant::now(), Err(&retry()));
        let began = Instant::now() + OPEN_FOR;
        let hung = breaker.admit(began).unwrap();
        assert_eq!(breaker.wait(began + OPEN_FOR / 2), Some(TRY_ELSEWHERE));
        assert_eq!(breaker.wait(began + OPEN_FOR), Some(OPEN_FOR));
        assert_eq!((breaker.state(), breaker.view().opened), (CircuitState::Open, 2));
        assert_eq!(breaker.view().error.as_deref(), Some("a try did not end in 30s"));

        let next = breaker.admit(began + 2 * OPEN_FOR).unwrap();
        hung.end(Err(unmapped(&retry())));
        assert_eq!(breaker.state(), CircuitState::HalfOpen, "the next one is being tried");
        next.end_undecided();
        let late = breaker.admit(began + 2 * OPEN_FOR).unwrap();
        assert_eq!(breaker.admit(began + 3 * OPEN_FOR).unwrap_err().wait, OPEN_FOR);
        late.end(Ok(()));
        assert_eq!(breaker.state(), CircuitState::Closed, "it works, however long that took");
    }

    #[test]
    fn it_counts_what_the_agent_makes_of_an_error() {
        let (breaker, began) = (CircuitBreaker::new(3, OPEN_FOR), Instant::now());
        let mapping = crate::failure::Mapping::new(|_| Failure::Permanent);
        let fails = |error: &HandlerError| {
            breaker.admit(began).unwrap().end(Err((mapping.failure(error), error)));
        };
        for _ in 0..10 {
            fails(&retry());
        }
        assert_eq!((breaker.state(), breaker.view().opened), (CircuitState::Closed, 0));
        for _ in 0..3 {
            fails(&HandlerError::retry("no connection"));
        }
        assert_eq!((breaker.state(), breaker.view().opened), (CircuitState::Open, 1));
    }

    #[tokio::test]
    async fn as_a_layer_it_counts_there_alone() {
        use crate::testing::{TestMessage, run};
        let breaker = CircuitBreaker::new(1, OPEN_FOR);
        async fn fails() -> Result<(), HandlerError> {
            Err(retry())
        }
        async fn works() {}
        let router = crate::Router::new(()).topic("t", fails).layer(breaker.clone()).topic("u", works);
        assert!(breaker.admit_call(Instant::now()).unwrap().is_none(), "the handler's calls are not counted");
        assert!(run(&router, TestMessage::new("t")).await.is_err());
        let refused = run(&router, TestMessage::new("t")).await.unwrap_err();
        assert!(refused.source().is::<NotAdmitted>());
        assert!(run(&router, TestMessage::new("u")).await.is_ok());
    }
}
