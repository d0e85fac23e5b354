//! Other words for an event: what is set, for all integrations or for one, a form that changes it, and how it would look.

use std::collections::{BTreeMap, BTreeSet};

use axum::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::events::{found, previews};
use super::frame::{Frame, Notice, Section};
use super::input::problem_text;
use super::parts;
use super::preview::Message;
use super::visitor::Visitor;
use crate::database::{Access, Session};
use crate::queries::integrations;
use crate::queries::rights::{Deed, Rights};
use crate::queries::wordings::{self, Wording};
use crate::queries::words::Words;
use crate::web::Error;
use crate::web::error::Fields;
use crate::web::filters::Filters;
use crate::web::path::Name;

/// A part of what a message says, as the form has it.
struct Part {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    /// Its value may have several lines.
    is_long: bool,
    /// That a message has none of it can be said.
    may_lack: bool,
}

const fn part(name: &'static str, label: &'static str, hint: &'static str) -> Part {
    Part {
        name,
        label,
        hint,
        is_long: false,
        may_lack: true,
    }
}

const PARTS: [Part; 8] = [
    Part {
        may_lack: false,
        ..part(
            "title",
            "Title",
            "Words, and keys of the event's data in double braces.",
        )
    },
    Part {
        is_long: true,
        ..part("text", "Text", "** switches bold on and off.")
    },
    Part {
        is_long: true,
        ..part(
            "fields",
            "Fields",
            "A line each: its name, a colon, and its value, such as Points: {{ points }}.",
        )
    },
    Part {
        may_lack: false,
        ..part("colour", "Colour", "Such as #57F287.")
    },
    part("emoji", "Emoji", "Before the title."),
    part("footer", "Footer", "The small print."),
    part(
        "url",
        "Link",
        "Of the thing that the event is about: an address, or a path below zentry_notify.link_base.",
    ),
    part("thumbnail", "Picture", "An address, like the link."),
];

/// What the form says: texts as they were typed. An empty one is as before.
#[derive(Debug, Default)]
struct Draft {
    texts: BTreeMap<&'static str, String>,
    /// Of which the message has none.
    lacks: BTreeSet<&'static str>,
}

impl Draft {
    fn of(words: &Words) -> Self {
        let mut draft = Self::default();
        for (name, value) in words.parts() {
            let text = match value {
                Some(Value::String(text)) => Some(text),
                fields => fields.as_ref().map(lines_of),
            };
            if text.as_deref() == Some("") {
                draft.lacks.insert(name);
            }
            draft.texts.insert(name, text.unwrap_or_default());
        }
        draft
    }

    fn sent(sent: &[(String, String)]) -> Self {
        let mut draft = Self::default();
        for part in &PARTS {
            let mut values = sent.iter().rev().filter(|(name, _)| name == part.name);
            let text = values.next().map(|(_, text)| text.replace('\0', ""));
            let text = text.unwrap_or_default().replace("\r\n", "\n");
            draft.texts.insert(part.name, text.trim().to_owned());
            if part.may_lack
                && sent
                    .iter()
                    .any(|(name, value)| name == "none" && value == part.name)
            {
                draft.lacks.insert(part.name);
            }
        }
        draft
    }

    /// What can't be meant, and the database can't see.
    fn slips(&self) -> Fields {
        let mut slips = Fields::new();
        let mut slip = |name: &str, words: String| slips.entry(name.to_owned()).or_default().push(words);
        for part in PARTS.iter().filter(|part| self.lacks.contains(part.name)) {
            if !self.text(part.name).is_empty() {
                let label = part.label.to_lowercase();
                slip(
                    part.name,
                    format!("There is a {label}, or there is none at all: empty it, or untick the box."),
                );
            }
        }
        if let Some(line) = without_value(self.text("fields")) {
            slip(
                "fields",
                format!("{line:?} has no colon between a name and a value."),
            );
        }
        slips
    }

    fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    fn words(&self) -> Words {
        let said = |name: &str| {
            let text = self.text(name);
            match self.lacks.contains(name) {
                true => Some(String::new()),
                false => (!text.is_empty()).then(|| text.to_owned()),
            }
        };
        Words::of(said, said("fields").map(|text| fields_of(&text)))
    }
}

/// Names and values as people write them, or as JSON where lines can't say it.
fn lines_of(fields: &Value) -> String {
    let pairs: Vec<(&str, &str)> = fields
        .as_array()
        .into_iter()
        .flatten()
        .map(|field| (text_of(&field["name"]), text_of(&field["value"])))
        .collect();
    let is_plain = |(name, value): &(&str, &str)| {
        let is_whole = name.trim() == *name && value.trim() == *value;
        !name.is_empty() && is_whole && !name.contains([':', '\n', '{', '[']) && !value.contains('\n')
    };
    if !pairs.iter().all(is_plain) {
        return fields.to_string();
    }
    let lines: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.join("\n")
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Fields that are written as JSON.
fn json_of(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_array() || value.is_object()).then_some(value)
}

/// The first line that is no name and value.
fn without_value(text: &str) -> Option<&str> {
    if json_of(text).is_some() {
        return None;
    }
    text.lines()
        .find(|line| !line.trim().is_empty() && !line.contains(':'))
}

/// What the database takes for fields.
fn fields_of(text: &str) -> Value {
    if let Some(value) = json_of(text) {
        return value;
    }
    let fields = text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        json!({"name": name.trim(), "value": value.trim()})
    });
    Value::Array(fields.collect())
}

/// What is set of an event, with whose it is.
pub(super) async fn section(session: &Session<'_>, event: &str, rights: &Rights) -> Result<Markup, Error> {
    let wordings = wordings::list(session).await?;
    let of_it: Vec<&Wording> = wordings.iter().filter(|one| one.event_type == event).collect();
    let names = integrations::names(session).await?;
    let may = rights.may(Deed::SetWording);
    let address = |webhook: Option<i64>| address(event, webhook);
    Ok(html! {
        section {
            h2 { "Its words" }
            @if of_it.is_empty() { p.empty { "Nobody has set other words than those that it comes with." } }
            @else {
                (parts::table("Whose words are set", html! {
                    thead { tr { @for head in ["Of", "What is set"] { th scope="col" { (head) } } @if may { th scope="col" { span.hidden { "Change" } } } } }
                    tbody {
                        @for one in &of_it {
                            tr {
                                th scope="row" data-label="Of" { (whose(one.webhook, &names)) }
                                td.words data-label="What is set" { (set_parts(&one.words)) }
                                @if may { td.end { a href=(address(one.webhook)) { "Change" span.hidden { " those of " (whose(one.webhook, &names)) } } } }
                            }
                        }
                    }
                }))
            }
            @if may {
                form.filters.below method="get" action={ "/admin/events/" (event) "/wording/" } {
                    (webhook_choice("of", "webhook", "Words of", "all integrations", &names, None))
                    button { "Set words" }
                }
            }
            p.below { a href="/admin/languages/" { "Languages" } " change the words of all events at once. " (super::guide::link("own-event-type", "Other words for an event")) }
        }
    })
}

/// A choice among integrations, whose first one stands for all of them.
pub(super) fn webhook_choice(
    id: &str,
    name: &str,
    label: &str,
    all: &str,
    names: &[(i64, String)],
    chosen: Option<i64>,
) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            select id=(id) name=(name) {
                option value="" { (all) }
                @for (number, title) in names { option value=(number) selected[chosen == Some(*number)] { (title) } }
            }
        }
    }
}

fn set_parts(words: &Words) -> String {
    let draft = Draft::of(words);
    let said = |part: &&Part| !draft.text(part.name).is_empty() || draft.lacks.contains(part.name);
    let parts: Vec<String> = PARTS
        .iter()
        .filter(said)
        .map(|part| match draft.lacks.contains(part.name) {
            true => format!("no {}", part.label.to_lowercase()),
            false => format!("{}: {}", part.label, draft.text(part.name).replace('\n', "; ")),
        })
        .collect();
    parts.join(" · ")
}

/// Whose words, or language, they are.
pub(super) fn whose(webhook: Option<i64>, names: &[(i64, String)]) -> String {
    let Some(id) = webhook else {
        return "all integrations".to_owned();
    };
    let name = names.iter().find(|(known, _)| *known == id);
    name.map_or_else(|| format!("integration {id}"), |(_, name)| name.clone())
}

fn address(event: &str, webhook: Option<i64>) -> String {
    let query = webhook.map(|id| format!("?webhook={id}")).unwrap_or_default();
    format!("/admin/events/{event}/wording/{query}")
}

/// What a page of the form is about.
struct Subject {
    event: String,
    webhook: Option<i64>,
    name: String,
    /// What its messages say now.
    now: Value,
    /// Something is set.
    is_set: bool,
}

impl Subject {
    async fn of(session: &Session<'_>, event: &str, webhook: Option<i64>) -> Result<(Self, Words), Error> {
        found(session, event).await?;
        let names = integrations::names(session).await?;
        if webhook.is_some_and(|id| !names.iter().any(|(known, _)| *known == id)) {
            return Err(Error::not_found());
        }
        let wordings = wordings::list(session).await?;
        let there = wordings
            .into_iter()
            .find(|one| one.event_type == event && one.webhook == webhook);
        let subject = Self {
            event: event.to_owned(),
            webhook,
            name: whose(webhook, &names),
            now: wordings::now(session, event, webhook).await?.unwrap_or_default(),
            is_set: there.is_some(),
        };
        Ok((subject, there.map(|there| there.words).unwrap_or_default()))
    }

    /// A part of what is said now, for people.
    fn now(&self, name: &str) -> String {
        match &self.now[name] {
            Value::String(text) => text.clone(),
            fields @ Value::Array(_) => lines_of(fields),
            _ => String::new(),
        }
    }
}

pub async fn show(visitor: Visitor, Name(event): Name, mut filters: Filters) -> Result<Markup, Error> {
    let webhook = filters.number("webhook");
    filters.finish()?;
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    Rights::of(&session).await?.demand(Deed::SetWording)?;
    let (subject, words) = Subject::of(&session, &event, webhook).await?;
    let previews = previews(&session, &event, webhook).await?;
    Ok(page(
        &visitor,
        &subject,
        &Draft::of(&words),
        &previews,
        false,
        &Fields::new(),
    ))
}

/// Saves what was written, takes back what is there, or shows what was written without keeping it.
pub async fn send(
    visitor: Visitor,
    Name(event): Name,
    mut filters: Filters,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, Error> {
    let webhook = filters.number("webhook");
    filters.finish()?;
    let deed = sent.iter().find(|(name, _)| name == "do");
    let deed = deed.map_or("preview", |(_, deed)| deed.as_str());
    let draft = Draft::sent(&sent);
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    Rights::of(&session).await?.demand(Deed::SetWording)?;
    let (subject, _) = Subject::of(&session, &event, webhook).await?;
    let back =
        |notice: Notice| Redirect::to(&format!("/admin/events/{event}/?{}", notice.query())).into_response();
    if deed == "reset" {
        wordings::reset(&session, &event, webhook).await?;
        session.commit().await?;
        return Ok(back(Notice::WordsReset));
    }
    let wording = Wording {
        event_type: event.clone(),
        webhook,
        words: draft.words(),
        language: None,
    };
    let slips = draft.slips();
    if !slips.is_empty() {
        let shown = previews(&session, &event, webhook).await?;
        let page = page(&visitor, &subject, &draft, &shown, false, &slips);
        return Ok((StatusCode::BAD_REQUEST, page).into_response());
    }
    session.begin_trial().await?;
    let written = wordings::replace(&session, &wording).await;
    if let Err(error) = written.map_err(Error::from) {
        session.undo_trial().await?;
        let Some(wrong) = error.wrong_fields() else {
            return Err(error);
        };
        let shown = previews(&session, &event, webhook).await?;
        let page = page(&visitor, &subject, &draft, &shown, false, wrong);
        return Ok((StatusCode::BAD_REQUEST, page).into_response());
    }
    if deed == "save" {
        session.commit().await?;
        return Ok(back(Notice::Worded));
    }
    let shown = previews(&session, &event, webhook).await?;
    // Not committed: nothing of it stays.
    drop(session);
    Ok(page(&visitor, &subject, &draft, &shown, true, &Fields::new()).into_response())
}

fn page(
    visitor: &Visitor,
    subject: &Subject,
    draft: &Draft,
    previews: &[(String, Message)],
    is_trial: bool,
    wrong: &Fields,
) -> Markup {
    let title = format!("Words of {} for {}", subject.event, subject.name);
    let above = format!("/admin/events/{}/", subject.event);
    let frame = Frame::new(visitor, Section::Events, &title)
        .under(&above, &subject.event)
        .problems(wrong);
    frame.render(html! {
        form.sheet method="post" action=(address(&subject.event, subject.webhook)) novalidate {
            p.hint {
                "What is left empty stays as it is without these words. "
                (super::guide::link("own-event-type", "Templates, and what they can say"))
            }
            @for part in &PARTS { (field(part, subject, draft, wrong)) }
            div.inline {
                button.primary name="do" value="save" { "Save" }
                button name="do" value="preview" { "Preview" }
                @if subject.is_set { button.danger name="do" value="reset" { "Take back" } }
                a.button href=(above) { "Cancel" }
            }
        }
        section #preview {
            h2 { @if is_trial { "What its messages would say" } @else { "What its messages say" } }
            @if is_trial { p.notice role="status" { "Nothing is saved yet." } }
            div.columns {
                @for (format, message) in previews { div { h3 { (format) } (message.draw()) } }
            }
        }
    })
}

fn field(part: &Part, subject: &Subject, draft: &Draft, wrong: &Fields) -> Markup {
    let (name, text, now) = (part.name, draft.text(part.name), subject.now(part.name));
    let problem = wrong.get(name);
    let described = format!("{name}-hint {name}-problem");
    html! {
        div.field {
            label for=(name) { (part.label) span.optional { " (optional)" } }
            p.hint id={ (name) "-hint" } {
                (part.hint)
                @if !now.is_empty() { " Now: " code { (now.replace('\n', "; ")) } }
            }
            @if part.is_long {
                textarea id=(name) name=(name) rows="3" spellcheck="false" aria-describedby=(described)
                    aria-invalid=[problem.map(|_| "true")] { "\n" (text) }
            } @else {
                input id=(name) name=(name) type="text" value=(text) autocomplete="off" spellcheck="false"
                    aria-describedby=(described) aria-invalid=[problem.map(|_| "true")];
            }
            @if part.may_lack {
                label.tick {
                    input type="checkbox" name="none" value=(name) checked[draft.lacks.contains(name)];
                    span { "No " (part.label.to_lowercase()) " at all" }
                }
            }
            (problem_text(name, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_lines_or_what_lines_cannot_say() {
        let plain = json!([{"name": "Points", "value": "{{ points }}"}, {"name": "When", "value": "a: b"}]);
        assert_eq!(lines_of(&plain), "Points: {{ points }}\nWhen: a: b");
        assert_eq!(fields_of(&lines_of(&plain)), plain);
        for odd in [
            json!([{"name": "a: b", "value": "x"}]),
            json!([{"name": "a", "value": "x\ny"}]),
        ] {
            assert_eq!(fields_of(&lines_of(&odd)), odd);
        }
        assert_eq!(without_value("Points: {{ points }}\n\n Who "), Some(" Who "));
        assert_eq!(without_value(&plain.to_string()), None);
        assert_eq!(fields_of(""), json!([]));
        assert_eq!(fields_of("Points"), json!([{"name": "Points", "value": ""}]));
    }

    #[test]
    fn what_is_empty_is_as_before_unless_it_is_to_be_none() {
        let sent = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect();
            Draft::sent(&pairs).words()
        };
        let words = sent(&[
            ("title", " Done "),
            ("emoji", ""),
            ("none", "emoji"),
            ("none", "fields"),
            ("none", "title"),
        ]);
        let expected = Words {
            title: Some("Done".to_owned()),
            emoji: Some(String::new()),
            fields: Some(json!([])),
            ..Words::default()
        };
        assert_eq!(words, expected);
        let draft = Draft::of(&expected);
        assert_eq!(draft.words(), expected);
        assert_eq!(set_parts(&expected), "Title: Done · no fields · no emoji");
    }
}
