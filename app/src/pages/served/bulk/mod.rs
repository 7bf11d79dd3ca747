//! Bulk operations: what one would do with each group, the form that asks for it, and what became of one.

mod choose;
mod operation;
mod preview;

pub(super) use operation::BulkPage;
pub(super) use preview::BulkFormPage;

use flowdeck_model::Timestamp;
use flowdeck_model::view::ClusterView;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::clock::Clock;
use crate::links;

fn head(info: &ClusterView, now: Timestamp, title: String) -> AnyView {
    Clock::provide(now);
    let groups = view! { <a href=links::to("/all-groups") rel="external">"Groups"</a> };
    view! {
        <Title text=[&title, " · ", &info.label].concat()/>
        {super::head(info, title, Some(now), groups.into_any())}
    }
    .into_any()
}
