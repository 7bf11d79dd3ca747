//! leptos, for a small download. The pages use it under leptos' name and are written as for leptos.
//!
//! On the server it is leptos and nothing else. In the browser `view!` makes elements, attributes
//! and children of one type each, known at run time, where leptos has a type of its own for every
//! shape of element, each with its own code to build, take over, change and drop: a third of what a
//! first visit downloads. Signals, effects, resources, routes and components are leptos' own.
//!
//! It works by names alone: `view!` writes `::leptos::tachys::html::element::div()` and the like,
//! and finds here what this crate puts over leptos' own. The HTML is the server's, so `any` and
//! `element` take it over exactly as leptos' own types would.

pub use leptos::*;

#[cfg(target_family = "wasm")]
mod any;
#[cfg(target_family = "wasm")]
mod attribute;
#[cfg(target_family = "wasm")]
mod element;
#[cfg(target_family = "wasm")]
mod render;
#[cfg(target_family = "wasm")]
mod tags;

#[cfg(target_family = "wasm")]
pub mod prelude {
    pub use leptos::prelude::*;

    pub use crate::any::AnyView;
    pub use crate::attribute::IntoAttributeValue;
    pub use crate::render::{CollectView, IntoAny, IntoRender, IntoView, View};
}

#[cfg(target_family = "wasm")]
pub mod tachys {
    pub use leptos::tachys::*;

    pub mod html {
        pub use leptos::tachys::html::*;

        pub mod element {
            pub use crate::tags::html::*;
        }
    }

    pub mod svg {
        pub use leptos::tachys::svg::InertElement;

        pub use crate::tags::svg::*;
    }
}

#[cfg(target_family = "wasm")]
pub use prelude::{AnyView, IntoView};
