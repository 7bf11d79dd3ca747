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

/// What every page is while its view is read, and once it is or could not be.
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
            match view.await {
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

/// A part of the path as it is in the URL, still encoded.
fn segment(name: &'static str) -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str(name).unwrap_or_default().to_owned()))
}
