//! stub
#[derive(Default)]
pub(crate) struct Pool;
