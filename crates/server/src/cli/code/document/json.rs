//! JSON values in TOML.

use serde::Deserialize;
use serde_json::{Number, Value};

/// Returns `{"value": VALUE}` for `{"json": TEXT}`, where VALUE is TEXT read as JSON. A file has this form for constants that TOML cannot
/// express, such as null. `None`: the value is something else, or TEXT is not JSON.
pub(super) fn constant(value: &Value) -> Option<Value> {
    let text = value
        .as_object()
        .filter(|object| object.len() == 1)?
        .get("json")?
        .as_str()?;
    let value: Value = serde_json::from_str(text).ok()?;
    Some(serde_json::json!({ "value": value }))
}

/// A JSON object, which a file writes as a table, or as a string of JSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct Data(pub Value);

impl TryFrom<toml::Value> for Data {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        let value = match value {
            toml::Value::String(text) => {
                serde_json::from_str(&text).map_err(|error| format!("it is not JSON: {error}"))?
            }
            other => json_of(other)?,
        };
        if value.is_object() {
            Ok(Self(value))
        } else {
            Err("it must be a table, or a text that contains a JSON object".to_owned())
        }
    }
}

/// Returns a TOML value as JSON.
///
/// # Errors
/// When it contains a time, or a number that is not finite.
fn json_of(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::Number(number.into()),
        toml::Value::Float(number) => {
            Value::Number(Number::from_f64(number).ok_or_else(|| format!("JSON has no {number}"))?)
        }
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(at) => return Err(format!("JSON has no times: write \"{at}\"")),
        toml::Value::Array(array) => Value::Array(array.into_iter().map(json_of).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => Value::Object(
            table
                .into_iter()
                .map(|(key, value)| Ok((key, json_of(value)?)))
                .collect::<Result<_, String>>()?,
        ),
    })
}

/// Returns a JSON value as TOML. `None`: it would not be read back unchanged, as with null, and with numbers other than integers of 64 bits.
pub fn toml_of(value: &Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => toml::Value::Boolean(*flag),
        Value::Number(number) => toml::Value::Integer(
            number
                .as_i64()
                .filter(|whole| whole.to_string() == number.to_string())?,
        ),
        Value::String(text) => toml::Value::String(text.clone()),
        Value::Array(array) => toml::Value::Array(array.iter().map(toml_of).collect::<Option<_>>()?),
        Value::Object(object) => toml::Value::Table(
            object
                .iter()
                .map(|(key, value)| Some((key.clone(), toml_of(value)?)))
                .collect::<Option<_>>()?,
        ),
    })
}
