//! A key that is a field of its event.

use serde_json::Value;

use super::{Event, EventError};

/// `field`: names with dots between.
pub(super) fn of_field<E: Event>(event: &E, field: &'static str) -> Result<String, EventError> {
    let json = serde_json::to_value(event).map_err(|source| EventError::Json { event: E::TYPE, source })?;
    let found = field.split('.').try_fold(&json, |value, name| value.get(name));
    match found {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(truth)) => Ok(truth.to_string()),
        _ => Err(EventError::Key { event: E::TYPE, field }),
    }
}
