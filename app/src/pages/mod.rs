//! One module a page, named as its URL.

mod command;
mod fleet;
mod group;
mod login;
mod not_found;
mod topic;
mod topics;

pub(crate) use command::CommandPage;
pub(crate) use fleet::Fleet;
pub(crate) use group::GroupPage;
pub(crate) use login::LoginPage;
pub(crate) use not_found::NotFound;
pub(crate) use topic::TopicPage;
pub(crate) use topics::TopicsPage;

use crate::prelude::*;
use leptos_router::hooks::use_params_map;

/// A part of the path as it stands in the URL, still encoded.
fn segment(name: &'static str) -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str(name).unwrap_or_default().to_owned()))
}
