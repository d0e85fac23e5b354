//! The result of `zentry_attach`: the source that was made, for people.

use serde_json::Value;

use super::condition::{Conditions, Test};
use super::source::Source;
use crate::pg::make_trigger::Operation;

/// Returns the rows: each key with where its value comes from, the audience, and when the event fires.
pub fn told(source: &Source, conditions: &Conditions) -> Vec<(String, Option<String>)> {
    let mut lines: Vec<(String, Option<String>)> = source
        .columns
        .iter()
        .map(|(key, value)| (key.clone(), described(value)))
        .collect();
    lines.push(("(who hears)".to_owned(), heard_by(&source.audience)));
    for operation in Operation::ALL {
        let Some(condition) = conditions.get(operation) else {
            continue;
        };
        let words = match condition.test {
            Test::BecomesTrue(_) if conditions.transition.is_none() => {
                format!("{}, and it was not so before", condition.words)
            }
            _ => condition.words.clone(),
        };
        lines.push((format!("(on {} when)", operation.name()), Some(words)));
    }
    lines
}

/// Returns the words for one value of the mapping; None: it is always null.
fn described(value: &Value) -> Option<String> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(match value {
        Value::String(column) => column.clone(),
        Value::Object(object) if object.contains_key("from") => {
            let key = value.get("key").and_then(described).unwrap_or_default();
            format!(
                "{}.{} where {} = {key}",
                text("from"),
                text("column"),
                text("match")
            )
        }
        Value::Object(object) if object.contains_key("expression") => text("expression").to_owned(),
        Value::Object(object) if object.contains_key("old") => format!("old.{}", text("old")),
        Value::Object(object) => match object.get("value") {
            None | Some(Value::Null) => return None,
            Some(constant) => constant.to_string(),
        },
        other => other.to_string(),
    })
}

fn heard_by(audience: &Value) -> Option<String> {
    let key = |form| audience.get(form).and_then(Value::as_str);
    Some(match (key("project"), key("person")) {
        (Some(project), _) => format!("webhooks of project {project}, and of every project"),
        (_, Some(person)) => format!("webhooks of the projects of person {person}, and of every project"),
        _ => "every webhook that subscribes".to_owned(),
    })
}
