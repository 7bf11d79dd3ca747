//! Two parts of one JSON object. `#[serde(flatten)]` would read one of them through a copy of every value, with code of
//! its own for each type, which the browser would have to download.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use serde_json::value::RawValue;

/// Each part leaves the other's fields alone. From serde_json only.
pub(super) fn both<'de, D, A, B>(deserializer: D) -> Result<(A, B), D::Error>
where
    D: Deserializer<'de>,
    A: DeserializeOwned,
    B: DeserializeOwned,
{
    let object = Box::<RawValue>::deserialize(deserializer)?;
    let first = serde_json::from_str(object.get()).map_err(D::Error::custom)?;
    let second = serde_json::from_str(object.get()).map_err(D::Error::custom)?;
    Ok((first, second))
}
