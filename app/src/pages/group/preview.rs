//! What a command would do, as the server tells it before anything is sent.

use leptos::prelude::*;

use crate::api::{PageError, PreviewText};
use crate::components::error;
use crate::links;
use flowdeck_model::HoldBy;
use flowdeck_model::view::ClusterView;

/// The rows of offsets are in a scrolling part of their own.
pub(in crate::pages) fn shown(preview: &Result<PreviewText, PageError>, cluster: &ClusterView) -> AnyView {
    let refused = |error| {
        view! { <p class="warned" role="alert">"It would be refused: " {error::text(error)}</p> }.into_any()
    };
    let preview = match preview {
        Ok(preview) => preview,
        Err(error) => return refused(error),
    };
    if let Some(error) = &preview.refused {
        return refused(error);
    }
    if let Some(id) = preview.existing {
        return view! {
            <p>"This is in force already, by " <a href=links::command(&cluster.name, id)>"another command"</a> ": nothing would be written."</p>
        }
        .into_any();
    }
    let lines = preview.lines.iter().map(|line| view! { <li>{line.clone()}</li> }).collect_view();
    let offsets = (!preview.offsets.is_empty()).then(|| offsets(preview));
    let by = preview.by.map(choice);
    view! {
        <section class="preview" aria-labelledby="preview">
            <h3 id="preview">"Preview"</h3>
            <ul class="effects">{lines}</ul>
            {offsets}
        </section>
        {by}
    }
    .into_any()
}

/// Belongs to the form that follows, which is not made anew with the preview.
fn choice(by: HoldBy) -> AnyView {
    let one = |kind: HoldBy, words: &'static str| {
        view! { <label><input type="radio" name="by" form="send" value=kind.word() checked=kind == by/> <span>{words}</span></label> }
    };
    view! {
        <fieldset class="durations">
            <legend>"KafkaFlow consumers"</legend>
            {one(HoldBy::Stop, "stop")}
            {one(HoldBy::Pause, "pause")}
        </fieldset>
    }
    .into_any()
}

fn offsets(preview: &PreviewText) -> impl IntoView + use<> {
    let rows = preview.offsets.iter().map(|[place, from, to]| {
        view! { <tr><th scope="row">{place.clone()}</th><td class="num">{from.clone()}</td><td class="num">{to.clone()}</td></tr> }
    });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Offsets">
            <table class="offsets">
                <thead><tr><th scope="col">"Partition"</th><th scope="col" class="num">"Committed"</th><th scope="col" class="num">"Moved to"</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
}
