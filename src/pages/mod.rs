//! Pages, forms and server functions: finds the actor, binds the ports, gives them to leptos.

pub(crate) mod bulks;
pub(crate) mod canaries;
pub(crate) mod forms;
pub(crate) mod functions;
pub(crate) mod login;
pub(crate) mod page;
mod ports;
pub(crate) mod produce;
pub(crate) mod redrives;
pub(crate) mod render;
pub(crate) mod retentions;
pub(crate) mod theme;
