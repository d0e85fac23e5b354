//! Small pieces that several pages have.

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use super::frame::Notice;
use crate::queries::logs::Entry;
use crate::web::filters::Filters;
use crate::web::page::Page;

/// In UTC, to the second.
pub fn time(at: Timestamp) -> Markup {
    html! {
        time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (at.strftime("%Y-%m-%d %H:%M:%S")) " UTC" }
    }
}

/// A state in a word, with a sign of its own beside its colour.
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

/// A project by id and, where the role may read it, name.
pub fn project(id: Option<i64>, name: Option<&str>) -> Markup {
    html! {
        @match (id, name) {
            (Some(_), Some(name)) => (name),
            (Some(id), None) => { "project " (id) },
            (None, _) => "every project",
        }
    }
}

/// JSON as people read it, in a box that the keyboard can scroll.
pub fn json(label: &str, value: &Value) -> Markup {
    text_box(label, &format!("{value:#}"))
}

pub fn text_box(label: &str, text: &str) -> Markup {
    html! { pre tabindex="0" role="group" aria-label=(label) { code { (text) } } }
}

/// What the request before has done.
pub fn notice(filters: &mut Filters) -> Option<Notice> {
    Notice::parse(filters.text("said").as_deref())
}

/// A table that scrolls by itself where the screen is narrow.
pub fn table(caption: &str, content: Markup) -> Markup {
    html! {
        div.table role="group" aria-label=(caption) tabindex="0" {
            table { caption.hidden { (caption) } (content) }
        }
    }
}

/// Deliveries, newest first. With boxes to tick where `may_retry` and they can be sent again.
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

/// Where the pages before and after this one are, and how many rows there are.
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

/// A number with its thousands apart.
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
    use super::*;

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
