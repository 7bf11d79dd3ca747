//! What every page module starts from: leptos, with our own erased views.

pub(crate) use leptos::prelude::*;

pub(crate) use crate::erased::{AnyView, IntoAny};
