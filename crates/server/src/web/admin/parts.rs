//! Parts that several pages use.

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use super::frame::Notice;
use crate::queries::logs::Entry;
use crate::web::filters::Filters;
use crate::web::page::Page;

/// Returns a time in UTC, to the second.
pub fn time(at: Timestamp) -> Markup {
    html! {
        time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (at.strftime("%Y-%m-%d %H:%M:%S")) " UTC" }
    }
}

/// Returns a state in a word, with a symbol, so that it does not depend on colour.
pub fn state(word: &str) -> Markup {
    let (class, sign) = match word {
        "active" | "sent" | "ok" => ("good", "✓"),
        "failing" | "attention" => ("warning", "!"),
        "retry" => ("warning", "↻"),
        "gone" | "failed" | "broken" | "suspended" => ("bad", "✕"),
        "pending" => ("neutral", "…"),
        _ => ("neutral", "○"),
    };
    html! { span.state.(class) { span.sign aria-hidden="true" { (sign) } (word) } }
}

/// Returns a project's id and, if the role may read it, name.
pub fn project(id: Option<i64>, name: Option<&str>) -> Markup {
    html! {
        @match (id, name) {
            (Some(_), Some(name)) => (name),
            (Some(id), None) => { "project " (id) },
            (None, _) => "every project",
        }
    }
}

/// Returns formatted JSON in a box that can be scrolled with the keyboard.
pub fn json(label: &str, value: &Value) -> Markup {
    text_box(label, &format!("{value:#}"))
}

pub fn text_box(label: &str, text: &str) -> Markup {
    html! { pre tabindex="0" role="group" aria-label=(label) { code { (text) } } }
}

/// Returns the result of the previous request.
pub fn notice(filters: &mut Filters) -> Option<Notice> {
    Notice::parse(filters.text("said").as_deref())
}

/// Returns a table that scrolls horizontally on narrow screens.
pub fn table(caption: &str, content: Markup) -> Markup {
    html! {
        div.table role="group" aria-label=(caption) tabindex="0" {
            table { caption.hidden { (caption) } (content) }
        }
    }
}

/// Returns a table of deliveries, newest first; with `may_retry`, it has checkboxes for those that can be re-sent.
pub fn deliveries(caption: &str, entries: &[Entry], may_retry: bool) -> Markup {
    table(
        caption,
        html! {
            thead { tr {
                @if may_retry { th.box scope="col" { span.hidden { "Select" } } }
                @for head in ["Delivery", "When", "Event", "About", "Integration", "Outcome", "What went wrong"] { th scope="col" { (head) } }
            } }
            tbody {
                @for entry in entries { (delivery(entry, may_retry)) }
            }
        },
    )
}

fn delivery(entry: &Entry, may_retry: bool) -> Markup {
    let id = entry.id;
    html! {
        tr {
            @if may_retry {
                td.box {
                    @if entry.can_be_retried() { input type="checkbox" name="id" value=(id) aria-label={ "Select delivery " (id) }; }
                }
            }
            td data-label="Delivery" { a href={ "/admin/logs/" (id) "/" } { (id) } }
            td data-label="When" { (time(entry.created_at)) }
            td data-label="Event" { (entry.event_type) }
            td.words data-label="About" { @match entry.about() { Some(about) => (about), None => span.muted { "–" } } }
            td data-label="Integration" {
                a href={ "/admin/integrations/" (entry.webhook_integration) "/" } {
                    @match &entry.webhook_integration_name { Some(name) => (name), None => { "integration " (entry.webhook_integration) } }
                }
            }
            td data-label="Outcome" {
                (state(&entry.status))
                @if let Some(code) = entry.response_status_code { " " span.muted { (code) } }
                @if let Some(again) = entry.retried_as {
                    div.muted { "sent again as " a href={ "/admin/logs/" (again) "/" } { (again) } }
                }
                @if let Some(first) = entry.retry_of {
                    div.muted { "repeats " a href={ "/admin/logs/" (first) "/" } { (first) } }
                }
            }
            td.words data-label="What went wrong" { @if entry.error_message.is_empty() { span.muted { "–" } } @else { (entry.error_message) } }
        }
    }
}

/// Returns links to the previous and the next page, and the number of rows.
pub fn pager<T>(page: &Page<T>, what: &str) -> Markup {
    html! {
        nav.pager aria-label="Pages of the list" {
            span {
                @if page.count_is_unknown { "more than a page of " (what) }
                @else {
                    @if page.count_is_estimate.is_some() { "about " }
                    (grouped(page.count)) " " (what)
                }
            }
            @if let Some(previous) = &page.previous { a.button href=(previous) rel="prev" { "← Newer" } }
            @if let Some(next) = &page.next { a.button href=(next) rel="next" { "Older →" } }
        }
    }
}

/// Returns a number with separated thousands.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(status: &str) -> Entry {
        Entry {
            id: 77,
            webhook_integration: 5,
            webhook_integration_name: None,
            webhook_type: Some("discord".into()),
            event_type: "task_completed".into(),
            payload: json!({"task_title": "Ship it"}),
            status: status.into(),
            response_status_code: Some(404),
            response_body: String::new(),
            error_message: String::new(),
            retry_count: 0,
            created_at: Timestamp::UNIX_EPOCH,
            sent_at: None,
            retried_as: None,
            retry_of: Some(70),
        }
    }

    #[test]
    fn deliveries_can_be_ticked_where_they_can_be_sent_again() {
        let entries = [entry("failed")];
        let html = deliveries("The last ones", &entries, true).into_string();
        for piece in [
            "aria-label=\"The last ones\"",
            "<input type=\"checkbox\" name=\"id\" value=\"77\"",
            "<a href=\"/admin/logs/77/\">77</a>",
            "1970-01-01 00:00:00 UTC",
            "Ship it",
            "integration 5",
            "404",
            "repeats <a href=\"/admin/logs/70/\">70</a>",
        ] {
            assert!(html.contains(piece), "{piece}: {html}");
        }
        for html in [
            deliveries("The last ones", &entries, false),
            deliveries("The last ones", &[entry("sent")], true),
        ] {
            assert!(!html.into_string().contains("checkbox"));
        }
    }

    #[test]
    fn a_list_says_how_long_it_is_and_where_it_goes_on() {
        let mut page = Page {
            count: 1234,
            count_is_estimate: None,
            count_is_unknown: false,
            reached: None,
            next: Some("/b".into()),
            previous: Some("/a".into()),
            results: vec![()],
        };
        let html = pager(&page, "deliveries").into_string();
        for piece in [
            "<span>1,234 deliveries</span>",
            "href=\"/a\" rel=\"prev\"",
            "href=\"/b\" rel=\"next\"",
        ] {
            assert!(html.contains(piece), "{piece}: {html}");
        }
        (page.count_is_estimate, page.next, page.previous) = (Some(true), None, None);
        let html = pager(&page, "deliveries").into_string();
        assert!(html.contains("about 1,234") && !html.contains("href"), "{html}");
        page.count_is_unknown = true;
        assert!(
            pager(&page, "deliveries")
                .into_string()
                .contains("more than a page of deliveries")
        );
    }

    #[test]
    fn what_was_done_before_is_said() {
        assert_eq!(
            notice(&mut Filters::of(&[("said", "saved")])),
            Some(Notice::Saved)
        );
        assert_eq!(notice(&mut Filters::of(&[])), None);
        let html = json("The data", &json!({"a": "<b>"})).into_string();
        assert!(
            html.contains("aria-label=\"The data\"") && html.contains("&lt;b&gt;"),
            "{html}"
        );
    }

    #[test]
    fn a_state_has_its_colour_and_its_sign() {
        for (words, class, sign) in [
            (&["active", "sent", "ok"][..], "good", "✓"),
            (&["failing", "attention"], "warning", "!"),
            (&["retry"], "warning", "↻"),
            (&["gone", "failed", "broken", "suspended"], "bad", "✕"),
            (&["pending"], "neutral", "…"),
            (&["off"], "neutral", "○"),
        ] {
            for word in words {
                let html = state(word).into_string();
                assert!(html.contains(&format!("state {class}")), "{html}");
                assert!(html.contains(&format!(">{sign}</span>{word}<")), "{html}");
            }
        }
    }

    #[test]
    fn a_project_goes_by_its_name_if_that_may_be_read() {
        let named = |id, name| project(id, name).into_string();
        assert_eq!(named(Some(1), Some("Apollo")), "Apollo");
        assert_eq!(named(Some(1), None), "project 1");
        assert_eq!(named(None, Some("Apollo")), "every project");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            [0, 999, 1000, 1_234_567, -1000].map(grouped),
            ["0", "999", "1,000", "1,234,567", "-1,000"]
        );
    }
}
