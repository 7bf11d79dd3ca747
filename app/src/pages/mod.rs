//! One module a page, named as its URL.

mod command;
mod fleet;
mod group;
mod not_found;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod served;
mod topic;
mod topics;

pub(crate) use command::CommandPage;
pub(crate) use fleet::Fleet;
pub(crate) use group::GroupPage;
pub(crate) use not_found::NotFound;
pub(crate) use topic::TopicPage;
pub(crate) use topics::TopicsPage;

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::api::Answer;
use crate::back;
use crate::components::{error, notice};

/// What every page is while its view is read, and once it is or could not be. What the page itself awaits is in a `Suspense`
/// of its own.
fn once_read<T>(
    view: Resource<Answer<T>>,
    page: impl Fn(T) -> AnyView + Clone + Send + Sync + 'static,
) -> AnyView
where
    T: Clone + Send + Sync + 'static,
{
    let shown = move || {
        let page = page.clone();
        Suspend::new(async move {
            let view = view.await;
            #[cfg(not(target_family = "wasm"))]
            after_first_poll().await;
            match view {
                Ok(view) => {
                    Effect::new(|_| back::restore());
                    page(view)
                }
                Err(error) => error::page(&error),
            }
        })
    };
    view! { <Suspense fallback=notice::loading>{shown}</Suspense> }.into_any()
}

/// Before it renders what is suspended, `Suspense` polls it twice, to learn what else is read in it, and throws away what
/// came of it. So a page that is made at the first poll is made three times for each request.
#[cfg(not(target_family = "wasm"))]
async fn after_first_poll() {
    let mut polled = false;
    let wait = std::future::poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    });
    wait.await;
}

/// A part of the path as it is in the URL, still encoded.
fn segment(name: &'static str) -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str(name).unwrap_or_default().to_owned()))
}
