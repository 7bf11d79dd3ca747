//! What runs before every handler. The order and the reasons are in `router.rs`.

pub(crate) mod actor;
pub(crate) mod headers;
pub(crate) mod host;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod origin;
