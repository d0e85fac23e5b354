//! The configuration as it is written down: what is of people's own of event types, wordings and sources. (Webhooks are in
//! [`super::integrations`].)

use serde::Serialize;
use serde_json::Value;
use tokio_postgres::{Error, Row};
use utoipa::ToSchema;

use crate::database::Session;

/// What a message says; null: as before
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Words {
    pub title: Option<String>,
    pub text: Option<String>,
    /// A list of names and values
    #[schema(value_type = Option<Vec<Object>>)]
    pub fields: Option<Value>,
    pub colour: Option<String>,
    pub emoji: Option<String>,
    pub footer: Option<String>,
    pub url: Option<String>,
    pub thumbnail: Option<String>,
}

impl From<&Row> for Words {
    fn from(row: &Row) -> Self {
        Self {
            title: row.get("title"),
            text: row.get("text"),
            fields: row.get("fields"),
            colour: row.get("colour"),
            emoji: row.get("emoji"),
            footer: row.get("footer"),
            url: row.get("url"),
            thumbnail: row.get("thumbnail"),
        }
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
}

const WORDS: &str = "w.title::text, w.text::text, w.fields, w.colour::text, w.emoji::text, w.footer::text, w.url::text, w.thumbnail::text";

/// An event type of people's own.
#[derive(Clone, Debug, PartialEq)]
pub struct EventType {
    pub name: String,
    pub words: Words,
    pub time_key: Option<String>,
    pub sample: Option<Value>,
}

/// By name.
pub async fn event_types(session: &Session<'_>) -> Result<Vec<EventType>, Error> {
    let sql = format!(
        "SELECT w.name::text, {WORDS}, w.time_key, w.sample FROM zentry_notify.event_types w WHERE NOT w.built_in ORDER BY w.name"
    );
    let rows = session.query(&sql, &[]).await?;
    let types = rows.iter().map(|row| EventType {
        name: row.get("name"),
        words: row.into(),
        time_key: row.get("time_key"),
        sample: row.get("sample"),
    });
    Ok(types.collect())
}

/// Replaces what one of that name says.
pub async fn register_event_type(session: &Session<'_>, kind: &EventType) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_register_event_type($1::text, $2::text, $3::text, $4::jsonb::json, $5::text, $6::text, $7::text, $8::text, $9::jsonb, \
                       $10::text, $11::text)::text";
    let Words {
        title,
        text,
        fields,
        colour,
        emoji,
        footer,
        url,
        thumbnail,
    } = &kind.words;
    session
        .query_one(
            SQL,
            &[
                &kind.name,
                title,
                text,
                fields,
                colour,
                emoji,
                footer,
                &kind.time_key,
                &kind.sample,
                url,
                thumbnail,
            ],
        )
        .await
        .map(drop)
}

pub async fn unregister_event_type(session: &Session<'_>, name: &str) -> Result<(), Error> {
    session
        .query_one("SELECT zentry_unregister_event_type($1::text)::text", &[&name])
        .await
        .map(drop)
}

/// What stands for all events, of which it says the language.
pub const ALL_EVENTS: &str = "*";

/// Other words for an event, or the language of all of them, for all webhooks or for one.
#[derive(Clone, Debug, PartialEq)]
pub struct Wording {
    pub event_type: String,
    pub webhook: Option<i64>,
    pub words: Words,
    /// Of [`ALL_EVENTS`] alone.
    pub language: Option<String>,
}

/// Those of the installation first, then by webhook and event.
pub async fn wordings(session: &Session<'_>) -> Result<Vec<Wording>, Error> {
    let sql = format!(
        "SELECT w.event_type::text, w.webhook_integration_id, w.language, {WORDS} FROM zentry_notify.event_wordings w \
          ORDER BY w.webhook_integration_id NULLS FIRST, w.event_type"
    );
    let rows = session.query(&sql, &[]).await?;
    let wordings = rows.iter().map(|row| Wording {
        event_type: row.get("event_type"),
        webhook: row.get("webhook_integration_id"),
        words: row.into(),
        language: row.get("language"),
    });
    Ok(wordings.collect())
}

/// What is none stays as it is.
pub async fn set_wording(session: &Session<'_>, wording: &Wording) -> Result<(), Error> {
    if wording.event_type == ALL_EVENTS {
        return set_language(session, wording.language.as_deref(), wording.webhook).await;
    }
    const SQL: &str = "SELECT zentry_set_wording($1::text, $2::bigint, $3::text, $4::text, $5::jsonb::json, $6::text, $7::text, $8::text, $9::text, $10::text)::text";
    let Words {
        title,
        text,
        fields,
        colour,
        emoji,
        footer,
        url,
        thumbnail,
    } = &wording.words;
    session
        .query_one(
            SQL,
            &[
                &wording.event_type,
                &wording.webhook,
                title,
                text,
                fields,
                colour,
                emoji,
                footer,
                url,
                thumbnail,
            ],
        )
        .await
        .map(drop)
}

pub async fn reset_wording(
    session: &Session<'_>,
    event_type: &str,
    webhook: Option<i64>,
) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_reset_event_type($1::text, $2::bigint)::text";
    if event_type == ALL_EVENTS {
        return set_language(session, None, webhook).await;
    }
    session.query_one(SQL, &[&event_type, &webhook]).await.map(drop)
}

/// The same, but what is none is as before then: of another wording that there is, nothing is left.
pub async fn replace_wording(session: &Session<'_>, wording: &Wording) -> Result<(), Error> {
    let there = wordings(session).await?;
    let there = there
        .into_iter()
        .find(|there| there.event_type == wording.event_type && there.webhook == wording.webhook);
    let is_cut = there.is_some_and(|there| there.words.has_more_than(&wording.words));
    if is_cut || wording.words == Words::default() {
        reset_wording(session, &wording.event_type, wording.webhook).await?;
    }
    if wording.words == Words::default() {
        return Ok(());
    }
    set_wording(session, wording).await
}

/// What an event's messages say now, whoever has said so.
pub async fn words_now(
    session: &Session<'_>,
    event_type: &str,
    webhook: Option<i64>,
) -> Result<Option<Value>, Error> {
    const SQL: &str = "SELECT d.definition::jsonb FROM zentry_notify.event_definition d \
        WHERE d.event_type = $1::text AND (d.webhook_integration_id IS NULL OR d.webhook_integration_id = $2::bigint) \
        ORDER BY d.webhook_integration_id NULLS LAST LIMIT 1";
    let rows = session.query(SQL, &[&event_type, &webhook]).await?;
    Ok(rows.first().map(|row| row.get(0)))
}

/// The languages that there are words in.
pub async fn languages(session: &Session<'_>) -> Result<Vec<String>, Error> {
    let row = session.query_one("SELECT zentry_notify.languages()", &[]).await?;
    Ok(row.get(0))
}

/// None: as if none had been set.
pub async fn set_language(
    session: &Session<'_>,
    language: Option<&str>,
    webhook: Option<i64>,
) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_set_language($1::text, $2::bigint)::text";
    session.query_one(SQL, &[&language, &webhook]).await.map(drop)
}

/// An attached table, as what makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub event_type: String,
    /// With its schema.
    pub table: String,
    pub relation: u32,
    /// `zentry_attach()` makes it by itself.
    pub built_in: bool,
    /// An object; a key that is null is not guessed.
    pub columns: Value,
    pub condition: Option<String>,
    pub operation: Option<String>,
    pub audience: Value,
    pub done: Option<String>,
    pub omit: Vec<String>,
}

/// By event and table.
pub async fn sources(session: &Session<'_>) -> Result<Vec<Source>, Error> {
    const SQL: &str = "SELECT s.event_type, s.table_name, s.relation, s.built_in, s.columns, s.condition, s.operation, s.audience, s.done, s.omit \
                         FROM zentry_notify.source_arguments() s ORDER BY s.event_type, s.table_name";
    let rows = session.query(SQL, &[]).await?;
    let sources = rows.iter().map(|row| Source {
        event_type: row.get(0),
        table: row.get(1),
        relation: row.get(2),
        built_in: row.get(3),
        columns: row.get(4),
        condition: row.get(5),
        operation: row.get(6),
        audience: row.get(7),
        done: row.get(8),
        omit: row.get(9),
    });
    Ok(sources.collect())
}

/// The number of a table, if there is one of that name.
pub async fn relation(session: &Session<'_>, table: &str) -> Result<Option<u32>, Error> {
    const SQL: &str = "SELECT to_regclass($1::text)::oid";
    let row = session.query_one(SQL, &[&table]).await?;
    Ok(row.get(0))
}

/// What is given of a source; what is none is guessed.
#[derive(Clone, Debug, Default)]
pub struct Attachment {
    pub columns: Value,
    pub condition: Option<String>,
    pub operation: Option<String>,
    pub audience: Option<Value>,
    pub done: Option<String>,
}

pub async fn attach(
    session: &Session<'_>,
    event_type: &str,
    relation: u32,
    given: &Attachment,
) -> Result<(), Error> {
    const SQL: &str = "SELECT count(*) FROM zentry_attach($1::text, $2::oid::regclass, $3::jsonb, $4::text, $5::text, $6::jsonb, $7::text)";
    let Attachment {
        columns,
        condition,
        operation,
        audience,
        done,
    } = given;
    session
        .query_one(
            SQL,
            &[
                &event_type,
                &relation,
                columns,
                condition,
                operation,
                audience,
                done,
            ],
        )
        .await
        .map(drop)
}

/// What became of each of Zentry's own tables: event, table and state.
pub async fn attach_all(session: &Session<'_>) -> Result<Vec<(String, String, String)>, Error> {
    const SQL: &str = "SELECT a.event_type, a.relation, a.state FROM zentry_attach() a";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect())
}

pub async fn detach(session: &Session<'_>, event_type: &str, relation: u32) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_detach($2::oid::regclass, $1::text)::text";
    session.query_one(SQL, &[&event_type, &relation]).await.map(drop)
}

pub async fn omit(
    session: &Session<'_>,
    event_type: &str,
    relation: u32,
    keys: &[String],
) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_omit($1::text, $2::oid::regclass, $3::text[])::text";
    session
        .query_one(SQL, &[&event_type, &relation, &keys])
        .await
        .map(drop)
}

/// Who has the lock of those who apply a file, another one than this session: its process and its role.
pub async fn lock_holder(session: &Session<'_>) -> Result<Option<(i32, String)>, Error> {
    // A key of 64 bits, as the function gives it: a sign takes the upper half with it.
    const SQL: &str = "SELECT l.pid, coalesce(a.usename::text, '') FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_backend_pid() \
           AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) \
           AND l.objid::bigint = hashtext('zentry-notify apply')::bigint & 4294967295 \
         LIMIT 1";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows.first().map(|row| (row.get(0), row.get(1))))
}

/// One at a time: names are no keys to the database.
pub async fn lock(session: &Session<'_>) -> Result<(), Error> {
    const SQL: &str = "SELECT pg_advisory_xact_lock(hashtext('zentry-notify apply'))::text";
    session.query_one(SQL, &[]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

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
