//! The parts of what a message says, for all who name them: the statements, the REST API, the command line.

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use utoipa::ToSchema;

/// What a message says; null: as before
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Words {
    /// A template over the event's data
    #[arg(long)]
    #[schema(example = "Done: {{ task_title }}")]
    pub title: Option<String>,
    /// Likewise; ** switches bold on and off
    #[arg(long)]
    pub text: Option<String>,
    /// Names and templates, such as '{"Points": "{{ points }}"}'; replaces all of them
    #[arg(long, value_name = "JSON", value_parser = json)]
    #[schema(value_type = Option<Vec<Object>>)]
    pub fields: Option<Value>,
    /// Such as '#57F287'
    #[arg(long)]
    #[schema(example = "#57F287")]
    pub colour: Option<String>,
    /// Before the title
    #[arg(long)]
    pub emoji: Option<String>,
    /// The small print
    #[arg(long)]
    pub footer: Option<String>,
    /// The address of the thing that the event is about, or a path below zentry_notify.link_base
    #[arg(long)]
    pub url: Option<String>,
    /// The address of a picture of it
    #[arg(long, value_name = "URL")]
    pub thumbnail: Option<String>,
}

fn json(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
}

/// The columns of them, of the relation `w`.
pub const WORDS: &str = "w.title::text, w.text::text, w.fields, w.colour::text, w.emoji::text, w.footer::text, w.url::text, w.thumbnail::text";

impl From<&Row> for Words {
    fn from(row: &Row) -> Self {
        Self::of(|name| row.get(name), row.get("fields"))
    }
}

impl Words {
    /// Each text by its name, and the fields.
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

    /// Its parts by their names: texts, and the fields.
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

    /// Whether something is set that is not in the other ones: a wording can only be taken back as a whole.
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

    /// Whatever it is that one has and the other has not.
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
