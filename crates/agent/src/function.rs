//! Async functions as handlers.

use std::future::{Future, poll_fn};
use std::pin::pin;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::extract::FromMessage;
use crate::failure::HandlerError;
use crate::message::Message;

/// An async function of up to eight extractors that gives nothing or a `Result<(), E>`, where `E` is any error or a
/// [`HandlerError`]. `A` is how its arguments are told apart from those of others.
pub trait HandlerFn<S, A>: Clone + Send + Sync + 'static {
    /// Takes the arguments from the message and calls the function.
    fn call(&self, message: Message, state: &S) -> BoxFuture<'static, Result<(), HandlerError>>;
}

/// What a handler function gives.
pub trait IntoOutcome {
    /// As the agent takes it.
    fn into_outcome(self) -> Result<(), HandlerError>;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<E: Into<HandlerError>> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), HandlerError> {
        self.map_err(Into::into)
    }
}

/// Calls `taken` once the future was polled for the first time.
pub(crate) async fn first_step<F: Future>(future: F, taken: impl FnOnce()) -> F::Output {
    let (mut future, mut taken) = (pin!(future), Some(taken));
    let polled = poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        if let Some(taken) = taken.take() {
            taken();
        }
        polled
    });
    polled.await
}

macro_rules! functions {
    ($(($($argument:ident),*))*) => {$(
        #[allow(non_snake_case, unused_variables)]
        impl<F, R, S, $($argument,)*> HandlerFn<S, ($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R + Clone + Send + Sync + 'static,
            R: Future<Output: IntoOutcome> + Send + 'static,
            $($argument: FromMessage<S> + Send,)*
        {
            fn call(&self, message: Message, state: &S) -> BoxFuture<'static, Result<(), HandlerError>> {
                $(
                    let $argument = match $argument::from_message(&message, state) {
                        Ok(value) => value,
                        Err(error) => return std::future::ready(Err(error)).boxed(),
                    };
                )*
                let future = self($($argument),*);
                async move { future.await.into_outcome() }.boxed()
            }
        }
    )*};
}

functions! {
    ()
    (A1)
    (A1, A2)
    (A1, A2, A3)
    (A1, A2, A3, A4)
    (A1, A2, A3, A4, A5)
    (A1, A2, A3, A4, A5, A6)
    (A1, A2, A3, A4, A5, A6, A7)
    (A1, A2, A3, A4, A5, A6, A7, A8)
}
