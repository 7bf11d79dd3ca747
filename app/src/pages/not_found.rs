//! A path that leads nowhere.

use flowdeck_model::PortError;
use flowdeck_model::error::Thing;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::components::error;

#[component]
pub(crate) fn NotFound() -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    error::page(&PortError::not_found(Thing::Page, path).into())
}
