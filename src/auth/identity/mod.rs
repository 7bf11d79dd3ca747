//! What a client is known by once it proved who it is: a session in a store, named by a cookie, and the ticket by
//! which a stream is checked while it is open. No credential is verified here.

pub(in crate::auth) mod authenticated;
pub(in crate::auth) mod cookie;
mod memory;
pub(in crate::auth) mod open;
pub(in crate::auth) mod record;
#[cfg(feature = "redis")]
mod redis;
pub(in crate::auth) mod session;
pub(in crate::auth) mod store;
