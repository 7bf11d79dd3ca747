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
use crate::components::{bar, cluster};
use crate::links;

fn head(info: &ClusterView, now: Timestamp, title: String) -> AnyView {
    Clock::provide(now);
    view! {
        <Title text=[&title, " · ", &info.label].concat()/>
        <div>
            <nav class="crumbs" aria-label="Where you are">
                <a href=links::to("/") rel="external">"Fleet"</a> " / "
                <a href=links::to("/all-groups") rel="external">"Groups"</a>
            </nav>
            <div class="title">
                {cluster::pill(info.label.clone(), info.colour)}
                <h1>{title}</h1>
                {bar::updated(Some(now))}
            </div>
        </div>
        {cluster::trouble(info)}
    }
    .into_any()
}
