//! What several pages show, each thing once.

pub(crate) mod account;
pub(crate) mod bar;
pub(crate) mod clock;
pub(crate) mod cluster;
pub(crate) mod command;
pub(crate) mod error;
pub(crate) mod figures;
pub(crate) mod flow;
pub(crate) mod hold;
pub(crate) mod icons;
pub(crate) mod name;
pub(crate) mod notice;
pub(crate) mod order;
pub(crate) mod part;
pub(crate) mod search;
pub(crate) mod sorting;
pub(crate) mod spark;
pub(crate) mod taps;
pub(crate) mod theme;
pub(crate) mod title;
pub(crate) mod verdict;
