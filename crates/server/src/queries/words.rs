//! The parts of a wording: one list for the statements, the REST API and the command line.

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use utoipa::ToSchema;

/// The parts of a wording; null: as the event type has it
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Words {
    /// Title: a template over the event data
    #[arg(long)]
    #[schema(example = "Done: {{ task_title }}")]
    pub title: Option<String>,
    /// Text: a template over the event data, in which ** switches bold on and off
    #[arg(long)]
    pub text: Option<String>,
    /// Fields: names and templates, such as '{"Points": "{{ points }}"}', in place of all present ones
    #[arg(long, value_name = "JSON", value_parser = json)]
    #[schema(value_type = Option<Vec<Object>>)]
    pub fields: Option<Value>,
    /// Colour, such as '#57F287'
    #[arg(long)]
    #[schema(example = "#57F287")]
    pub colour: Option<String>,
    /// Emoji in front of the title
    #[arg(long)]
    pub emoji: Option<String>,
    /// Text in small print below the message
    #[arg(long)]
    pub footer: Option<String>,
    /// URL of what the event is about, or a path below zentry_notify.link_base
    #[arg(long)]
    pub url: Option<String>,
    /// URL of a picture of it
    #[arg(long, value_name = "URL")]
    pub thumbnail: Option<String>,
}

fn json(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
}

/// The columns of the parts, in the relation `w`.
pub const WORDS: &str = "w.title::text, w.text::text, w.fields, w.colour::text, w.emoji::text, w.footer::text, w.url::text, w.thumbnail::text";

impl From<&Row> for Words {
    fn from(row: &Row) -> Self {
        Self::of(|name| row.get(name), row.get("fields"))
    }
}

impl Words {
    /// Returns the parts: each text from `text` by its name, and the fields.
    pub fn of(mut text: impl FnMut(&'static str) -> Option<String>, fields: Option<Value>) -> Self {
        Self {
            title: text("title"),
            text: text("text"),
            fields,
            colour: text("colour"),
            emoji: text("emoji"),
            footer: text("footer"),
            url: text("url"),
            thumbnail: text("thumbnail"),
        }
    }

    /// Returns the parts by name: texts, and the fields.
    pub fn parts(&self) -> [(&'static str, Option<Value>); 8] {
        let Self {
            title,
            text,
            fields,
            colour,
            emoji,
            footer,
            url,
            thumbnail,
        } = self;
        let value = |text: &Option<String>| text.clone().map(Value::String);
        [
            ("title", value(title)),
            ("text", value(text)),
            ("fields", fields.clone()),
            ("colour", value(colour)),
            ("emoji", value(emoji)),
            ("footer", value(footer)),
            ("url", value(url)),
            ("thumbnail", value(thumbnail)),
        ]
    }

    /// Returns whether a part is set that is not set in the other wording; single parts cannot be removed, only the whole wording.
    pub fn has_more_than(&self, other: &Self) -> bool {
        let mut pairs = self.parts().into_iter().zip(other.parts());
        pairs.any(|((_, here), (_, there))| here.is_some() && there.is_none())
    }

    /// Returns them as parameters of a statement, in the order of [`Words::parts`].
    pub fn parameters(&self) -> [&(dyn ToSql + Sync); 8] {
        let Self {
            title,
            text,
            fields,
            colour,
            emoji,
            footer,
            url,
            thumbnail,
        } = self;
        [title, text, fields, colour, emoji, footer, url, thumbnail]
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    #[test]
    fn each_part_goes_by_its_name() {
        let words = Words::of(|name| Some(name.to_owned()), Some(Value::from("fields")));
        for ((name, value), parameter) in words.parts().into_iter().zip(words.parameters()) {
            assert_eq!(value, Some(Value::from(name)));
            assert!(format!("{parameter:?}").contains(&format!("{name:?}")));
        }
        let command = Words::augment_args(Command::new("set"));
        let arguments = command.get_arguments().map(|argument| argument.get_id().as_str());
        assert!(arguments.eq(words.parts().map(|(name, _)| name)));
    }

    #[test]
    fn fields_are_given_as_json() {
        let command = Words::augment_args(Command::new("set"));
        let given = |fields: &str| command.clone().try_get_matches_from(["set", "--fields", fields]);
        let read = given(r#"{"Points": "{{ points }}"}"#);
        let read = read
            .ok()
            .and_then(|matches| matches.get_one::<Value>("fields").cloned());
        assert_eq!(read, Some(serde_json::json!({"Points": "{{ points }}"})));
        assert!(given("Points").is_err());
    }

    /// It holds for each part.
    #[test]
    fn what_would_be_lost_is_seen() {
        let some = || Some(String::new());
        let none = Words::default();
        let all = Words {
            title: some(),
            text: some(),
            fields: Some(Value::Null),
            colour: some(),
            emoji: some(),
            footer: some(),
            url: some(),
            thumbnail: some(),
        };
        assert!(!none.has_more_than(&none) && !none.has_more_than(&all) && !all.has_more_than(&all));
        let others: [fn(&mut Words); 8] = [
            |words| words.title = None,
            |words| words.text = None,
            |words| words.fields = None,
            |words| words.colour = None,
            |words| words.emoji = None,
            |words| words.footer = None,
            |words| words.url = None,
            |words| words.thumbnail = None,
        ];
        for (number, take_away) in others.into_iter().enumerate() {
            let mut less = all.clone();
            take_away(&mut less);
            assert!(all.has_more_than(&less), "{number}");
            assert!(!less.has_more_than(&all), "{number}");
        }
    }
}
