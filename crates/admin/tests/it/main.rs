//! The admin service against a real broker.

mod common;
mod lag;
