//! A path that leads nowhere.

use flowdeck_model::PortError;
use flowdeck_model::error::ResourceKind;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::components::error;

#[component]
pub(crate) fn NotFound() -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    error::page(&PortError::not_found(ResourceKind::Page, path).into())
}
