//! What a message says to those who read it, by the kind of its webhook.

use super::event::{Event, Field};
use super::kind::Kind;
use super::markup::Span;
use super::services::service;

/// Splits a text that was sent to a webhook of this kind into runs. Everything that is not markup stands for itself.
pub fn spans(kind: Kind, source: &str) -> Vec<Span> {
    (service(kind).spans)(source)
}

/// What a person reads: the text without its markup.
pub fn plain(kind: Kind, source: &str) -> String {
    spans(kind, source).into_iter().map(|span| span.text).collect()
}

impl Event {
    /// The same as a reader of this kind of message sees it: without markup, entities and functions resolved.
    pub fn shown(&self, kind: Kind) -> Event {
        let read = |text: &str| plain(kind, text);
        let field = |field: &Field| Field {
            name: read(&field.name),
            value: read(&field.value),
        };
        let footer = |footer: &str| {
            if service(kind).plain_footer {
                footer.to_owned()
            } else {
                read(footer)
            }
        };
        Event {
            title: read(&self.title),
            text: read(&self.text),
            fields: self.fields.iter().map(field).collect(),
            footer: self.footer.as_deref().map(footer),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_three_formats_give_the_same_events() {
        let facts = vec![Field {
            name: "Project".into(),
            value: "Atlas".into(),
        }];
        let expected = Event {
            title: "Done".into(),
            text: "**Ann** did it".into(),
            fields: facts,
            ..Event::default()
        };

        let discord = json!({"embeds": [{"title": "Done", "description": "**Ann** did it",
            "fields": [{"name": "Project", "value": "Atlas"}]}]});
        let connector = json!({"sections": [{"activityTitle": "Done", "activitySubtitle": "**Ann** did it",
            "facts": [{"name": "Project", "value": "Atlas"}]}]});
        let workflow = json!({"attachments": [{"content": {"body": [{"type": "Container", "items": [
            {"type": "TextBlock", "text": "Done"}, {"type": "TextBlock", "text": "**Ann** did it"},
            {"type": "FactSet", "facts": [{"title": "Project", "value": "Atlas"}]}]}]}}]});

        for (kind, body) in [
            (Kind::Discord, discord),
            (Kind::Connector, connector),
            (Kind::Workflow, workflow),
        ] {
            assert_eq!(
                (service(kind).events)(&body),
                std::slice::from_ref(&expected),
                "{kind:?}"
            );
            assert_eq!(
                service(kind).event_count(body.to_string().as_bytes()),
                1,
                "{kind:?}"
            );
        }
        assert_eq!(expected.shown(Kind::Workflow).text, "Ann did it");
        assert_eq!(expected.field("Project"), Some("Atlas"));
    }

    #[test]
    fn small_print_is_no_text() {
        let section = json!({"sections": [{"activityTitle": "Done", "activitySubtitle": "Zentry", "text": "Ann did it"}]});
        let card = json!({"attachments": [{"content": {"body": [
            {"type": "TextBlock", "text": "Done"}, {"type": "TextBlock", "text": "Ann did it"},
            {"type": "TextBlock", "text": "Zentry", "isSubtle": true, "size": "Small"}]}}]});
        for event in [
            &(service(Kind::Connector).events)(&section)[0],
            &(service(Kind::Workflow).events)(&card)[0],
        ] {
            assert_eq!(
                (event.text.as_str(), event.footer.as_deref()),
                ("Ann did it", Some("Zentry"))
            );
        }
    }

    fn bold(text: &str) -> Span {
        Span {
            text: text.into(),
            bold: true,
        }
    }

    fn normal(text: &str) -> Span {
        Span {
            text: text.into(),
            bold: false,
        }
    }

    #[test]
    fn bold_needs_both_ends() {
        assert_eq!(
            spans(Kind::Discord, "**Ann** did it"),
            [bold("Ann"), normal(" did it")]
        );
        assert_eq!(spans(Kind::Discord, "2 ** 3"), [normal("2 ** 3")]);
        assert_eq!(spans(Kind::Discord, "****"), [normal("****")]);
    }

    #[test]
    fn escapes_stand_for_themselves() {
        assert_eq!(
            plain(Kind::Discord, r"\*\*not bold\*\* \_ \\ C:\dir"),
            r"**not bold** _ \ C:\dir"
        );
        assert_eq!(spans(Kind::Discord, r"**a\*\*b**"), [bold("a**b")]);
        assert_eq!(plain(Kind::Discord, "ends with \\"), "ends with \\");
        assert_eq!(plain(Kind::Discord, "é\\é"), "é\\é");
    }

    #[test]
    fn teams_has_lines_and_entities_of_its_own() {
        let source = "one\n\ntwo\nthree &lt;b&gt; &#65;&#x42; &unknown; & &amp;lt;";
        assert_eq!(
            plain(Kind::Connector, source),
            "one\ntwo three <b> AB &unknown; & &lt;"
        );
        assert_eq!(plain(Kind::Discord, source), source);
    }

    #[test]
    fn adaptive_cards_have_dates() {
        let source = "{{DATE(2024-01-15T10:30:00Z, SHORT)}} {{TIME(2024-01-15T10:30:00Z)}}";
        assert_eq!(plain(Kind::Workflow, source), "Mon, 15 Jan 2024 10:30");
        assert_eq!(plain(Kind::Connector, source), source);
        assert_eq!(plain(Kind::Workflow, "{{DATE(today)}} {{"), "{{DATE(today)}} {{");
    }
}
