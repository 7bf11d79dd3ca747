//! Setting a group's commits: what a request would move (`read`, `resolve`), how that is shown (`preview`,
//! `command_line`, `records`), by whom it can be done (`way`), what one set that is to be taken back (`set_by`), and doing
//! it for a group without members (`alter`).

pub(crate) mod alter;
mod catch_up;
mod command_line;
mod port;
mod preview;
mod read;
mod records;
mod resolve;
pub(crate) mod set_by;
pub(crate) mod way;
