//! A cluster, as every page heads it.

use serde::{Deserialize, Serialize};

use crate::names::ClusterName;
use crate::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Nothing is created and not one record produced.
    Observe,
    /// Pause and resume are offered.
    Control,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClusterView {
    pub name: ClusterName,
    /// For people: "PROD-EU". The name where none is configured.
    pub label: String,
    /// One of a fixed set of colour names (the style sheet's classes), never CSS from outside.
    pub colour: Colour,
    pub mode: Mode,
    /// When the last complete refresh was read; `null` before the first.
    pub as_of: Option<Timestamp>,
    /// Why there is no newer one, in words.
    pub error: Option<String>,
    pub brokers: Option<u32>,
    /// What is off or unknown for lack of rights or capabilities, with the ACL that is missing.
    pub notes: Vec<String>,
    /// What of the cluster's telemetry is not shown, since there is more than is kept, with numbers.
    pub capped: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    #[default]
    Green,
    Teal,
    Blue,
    Purple,
    Grey,
}

impl Colour {
    pub const ALL: [Self; 8] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Teal,
        Self::Blue,
        Self::Purple,
        Self::Grey,
    ];

    /// The value in configuration and class names.
    pub fn key(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Teal => "teal",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Grey => "grey",
        }
    }
}
