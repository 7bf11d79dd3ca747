//! Schemas by their ids from a schema registry that answers as Confluent's does: asked over HTTP within a deadline, kept
//! within a bound, failures kept for a moment. It only reads. Where it waits it holds a thread, as decoding does.

mod budget;
mod cache;
mod client;
mod references;
mod registry;
mod settings;

pub use registry::Registry;
pub use settings::{Credentials, RegistrySettings, SettingsError};
