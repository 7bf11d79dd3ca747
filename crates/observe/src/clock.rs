//! The one place where this crate reads the wall clock. Rules get `now` as an argument.

use std::time::SystemTime;

use flowdeck_model::Timestamp;

pub fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
