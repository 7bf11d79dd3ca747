//! Records in the frame of a schema registry: a zero, the schema's id in four bytes, for Protobuf which message of the
//! schema it is, then the record. Where schemas come from is the affair of whoever decodes ([`Schemas`]).

mod decode;
mod nesting;
mod protobuf;
mod schema;

use std::fmt;
use std::sync::Arc;

pub(crate) use decode::{LABEL, chosen, detected};
pub use schema::RegisteredSchema;

/// The schemas of one registry by their ids. It may wait for them, within a bound of its own.
pub trait Schemas: fmt::Debug + Send + Sync {
    fn schema(&self, id: u32) -> Result<Arc<RegisteredSchema>, NoSchema>;
}

/// Why there is no schema: what failed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSchema {
    /// The registry does not have that id: the bytes may be something else.
    Unknown(String),
    Failed(String),
}

impl NoSchema {
    pub fn why(&self) -> &str {
        match self {
            Self::Unknown(why) | Self::Failed(why) => why,
        }
    }
}
