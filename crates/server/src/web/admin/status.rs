//! Whether everything works, and how deliveries went lately.

use maud::{Markup, html};

use super::frame::{Frame, Section};
use super::visitor::Visitor;
use super::{input, parts, plot};
use crate::database::Access;
use crate::queries::status::{self, Finding};
use crate::web::Error;
use crate::web::form::Filters;

/// How much the plots show: what the form says, its words, and how many hours that is.
const SPANS: [(&str, &str, i32); 3] = [
    ("day", "24 hours", 24),
    ("days", "3 days", 72),
    ("week", "7 days", 168),
];

pub async fn show(visitor: Visitor, mut filters: Filters) -> Result<Markup, Error> {
    let chosen = filters.choice("span", &SPANS.map(|(code, _, _)| code));
    filters.finish()?;
    let (code, words, hours) = SPANS
        .into_iter()
        .find(|(code, _, _)| Some(*code) == chosen.as_deref())
        .unwrap_or(SPANS[0]);
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let findings = status::status(&session).await?;
    let hours = status::hours(&session, hours, None).await?;
    Ok(Frame::new(&visitor, Section::Status, "Status").render(html! {
        p.verdict { (verdict(&findings)) }
        @if findings.iter().any(is_problem) {
            section { h2 { "What to look at" } (table("What needs attention", findings.iter().filter(|one| is_problem(one)))) }
        }
        form.filters method="get" {
            (input::choice("span", "Plots of the last", None, SPANS.map(|(code, words, _)| (code, words)), code))
            button { "Show" }
        }
        div.columns {
            section { h2 { "Sent and failed, last " (words) } (plot::sent_and_failed(&hours)) }
            section { h2 { "Latency, last " (words) } (plot::latency(&hours)) }
        }
        section { h2 { "Along the way from the write to the message" } (table("What works and what does not", findings.iter())) }
    }))
}

fn verdict(findings: &[Finding]) -> Markup {
    let count = |state: &str| findings.iter().filter(|finding| finding.state == state).count();
    html! {
        @match (count("broken"), count("attention")) {
            (0, 0) => { (parts::state("ok")) " Everything works." },
            (0, 1) => { (parts::state("attention")) " One thing needs attention." },
            (0, number) => { (parts::state("attention")) " " (number) " things need attention." },
            (1, _) => { (parts::state("broken")) " One thing is broken." },
            (number, _) => { (parts::state("broken")) " " (number) " things are broken." },
        }
    }
}

fn is_problem(finding: &Finding) -> bool {
    finding.state != "ok"
}

fn table<'a>(caption: &str, findings: impl Iterator<Item = &'a Finding>) -> Markup {
    parts::table(
        caption,
        html! {
            thead { tr { @for head in ["What", "State", "In words"] { th scope="col" { (head) } } } }
            tbody {
                @for finding in findings {
                    tr {
                        th scope="row" data-label="What" { (finding.subject) }
                        td data-label="State" { (parts::state(&finding.state)) }
                        td.words data-label="In words" { (finding.detail) (remedy(finding)) }
                    }
                }
            }
        },
    )
}

/// The SQL that mends it.
pub fn remedy(finding: &Finding) -> Markup {
    html! { @if !finding.remedy.is_empty() { (parts::text_box("What mends it", &finding.remedy)) } }
}
