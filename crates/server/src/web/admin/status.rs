//! Whether everything works, and how deliveries went lately.

use maud::{Markup, html};

use super::frame::{Frame, Section};
use super::visitor::Visitor;
use super::{input, parts, plot};
use crate::database::Access;
use crate::queries::integrations;
use crate::queries::rights::{Deed, Rights};
use crate::queries::status::{self, Finding};
use crate::web::Error;
use crate::web::filters::Filters;

/// The periods of the plots: value in the form, label, and number of hours.
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
    let page = Words {
        names: integrations::names(&session).await?,
        rights: Rights::of(&session).await?,
    };
    let (well, problems): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| finding.state == "ok");
    Ok(Frame::new(&visitor, Section::Status, "Status").render(html! {
        p.verdict { (verdict(&findings)) }
        p.muted { "Times in these texts are in UTC; those without a date are today's." }
        @if !problems.is_empty() {
            section { h2 { "Needs attention" } (page.table("What needs attention", &problems)) }
        }
        form.filters method="get" {
            (input::choice("span", "Plots of the last", None, SPANS.map(|(code, words, _)| (code, words)), code))
            button { "Show" }
        }
        div.columns {
            section { h2 { "Sent and failed, last " (words) } (plot::sent_and_failed(&hours)) }
            section { h2 { "Latency, last " (words) } (plot::latency(&hours)) }
        }
        section { h2 { "Works, in the order from a write to its message" } (page.table("What works", &well)) }
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

/// Names of findings for users who do not know ids and SQL.
struct Words {
    names: Vec<(i64, String)>,
    rights: Rights,
}

impl Words {
    fn table(&self, caption: &str, findings: &[&Finding]) -> Markup {
        parts::table(
            caption,
            html! {
                thead { tr { @for head in ["Part", "State", "Finding"] { th scope="col" { (head) } } } }
                tbody {
                    @for finding in findings {
                        tr {
                            th scope="row" data-label="Part" { (self.subject(&finding.subject)) }
                            td data-label="State" { (parts::state(&finding.state)) }
                            td.words data-label="Finding" { (finding.detail) (self.remedy(finding)) }
                        }
                    }
                }
            },
        )
    }

    /// Returns a link to the object's page, with its name.
    fn subject(&self, subject: &str) -> Markup {
        let (kind, rest) = subject.split_once(' ').unwrap_or((subject, ""));
        let named = |id: &str| {
            let id: i64 = id.parse().ok()?;
            self.names.iter().find(|(known, _)| *known == id)
        };
        html! {
            @match (kind, named(rest)) {
                ("webhook", Some((id, name))) => a href={ "/admin/integrations/" (id) "/" } { (name) },
                ("event", _) if !rest.is_empty() => { "Event " a href={ "/admin/events/" (rest) "/" } { (rest) } },
                ("webhooks", _) => a href="/admin/integrations/" { "Integrations" },
                ("failures" | "queue", _) => a href="/admin/logs/" { (subject) },
                _ => (subject),
            }
        }
    }

    /// Returns a button or link, if the pages can resolve it, and the SQL.
    fn remedy(&self, finding: &Finding) -> Markup {
        let deed = Remedy::of(&finding.remedy);
        let may = match &deed {
            Remedy::Resume(_) => self.rights.may(Deed::Resume),
            Remedy::NewUrl(_) => self.rights.may(Deed::Update),
            Remedy::Register => self.rights.may(Deed::Register),
            Remedy::RetryFailed => self.rights.may(Deed::RetryFailed),
            Remedy::Look => true,
            Remedy::Nothing | Remedy::Note(_) | Remedy::Sql(_) => false,
        };
        html! {
            @match deed {
                Remedy::Nothing => {},
                Remedy::Note(note) => p.muted { (note) },
                Remedy::Look => p { a href="/admin/logs/?status=waiting" { "Show waiting deliveries" } },
                Remedy::Resume(id) if may => {
                    form method="post" action={ "/admin/integrations/" (id) "/resume/" } { button { "Try now" } }
                },
                Remedy::NewUrl(id) if may => {
                    p { a.button href={ "/admin/integrations/" (id) "/edit/" } { "Set a new URL" } " and send failed deliveries again, on the "
                        a href={ "/admin/logs/?status=failed&webhook=" (id) } { "log" } "." }
                },
                Remedy::Register if may => p { a.button href="/admin/integrations/new/" { "New integration" } },
                Remedy::RetryFailed if may => {
                    p { a href="/admin/logs/?status=failed" { "Show failed deliveries" } }
                    form method="post" action="/admin/logs/retry-failed/" {
                        input type="hidden" name="since" value="day";
                        button { "Send all of them again" }
                    }
                },
                _ => (for_administrators(&finding.remedy)),
            }
        }
    }
}

/// Returns how to resolve it, for pages without buttons for it.
pub fn remedy(finding: &Finding) -> Markup {
    html! {
        @match Remedy::of(&finding.remedy) {
            Remedy::Nothing => {},
            Remedy::Note(note) => p.muted { (note) },
            _ => (for_administrators(&finding.remedy)),
        }
    }
}

fn for_administrators(sql: &str) -> Markup {
    html! {
        p.muted { "An administrator of the database can resolve it by:" }
        (parts::text_box("SQL that resolves it", sql))
    }
}

/// What the pages offer for a statement that resolves a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Remedy<'a> {
    Nothing,
    /// A comment.
    Note(&'a str),
    Resume(i64),
    NewUrl(i64),
    Register,
    RetryFailed,
    /// At what waits.
    Look,
    Sql(&'a str),
}

impl<'a> Remedy<'a> {
    fn of(sql: &'a str) -> Self {
        // With one id, and nothing else to be done.
        let call = |function: &str| {
            let (before, rest) = sql.split_once(function)?;
            let is_first = before.starts_with("SELECT ") && !before.contains(['(', ';']);
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let id = rest.get(..end)?.parse::<i64>().ok()?;
            is_first.then_some((id, rest.get(end..)?))
        };
        if sql.is_empty() {
            return Self::Nothing;
        }
        if let Some(note) = sql.strip_prefix("-- ") {
            return Self::Note(note);
        }
        match call("zentry_resume(") {
            Some((id, ");")) => return Self::Resume(id),
            Some((id, rest)) if rest.starts_with("); --") => return Self::Resume(id),
            _ => {}
        }
        if let Some((id, rest)) = call("zentry_update_webhook(")
            && rest.starts_with(", webhook_url =>")
        {
            return Self::NewUrl(id);
        }
        if sql.contains("zentry_register_webhook('NAME'") {
            return Self::Register;
        }
        if sql.contains("zentry_retry_failed(since => now() - interval '1 day')") {
            return Self::RetryFailed;
        }
        if sql.starts_with("SELECT * FROM zentry_notify.logs WHERE status IN ('pending', 'retry')") {
            return Self::Look;
        }
        Self::Sql(sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_pages_can_do_is_no_sql() {
        for (sql, deed) in [
            ("", Remedy::Nothing),
            (
                "-- see the line of the worker",
                Remedy::Note("see the line of the worker"),
            ),
            ("SELECT public.zentry_resume(7);", Remedy::Resume(7)),
            (
                "SELECT \"My schema\".zentry_resume(7); -- once nothing else calls",
                Remedy::Resume(7),
            ),
            (
                "SELECT public.zentry_update_webhook(7, webhook_url => 'URL'), public.zentry_retry_failed(7);",
                Remedy::NewUrl(7),
            ),
            (
                "SELECT public.zentry_register_webhook('NAME', 'discord', 'URL');",
                Remedy::Register,
            ),
            (
                "SELECT public.zentry_retry_failed(since => now() - interval '1 day');",
                Remedy::RetryFailed,
            ),
            (
                "SELECT * FROM zentry_notify.logs WHERE status IN ('pending', 'retry') ORDER BY id LIMIT 20;",
                Remedy::Look,
            ),
        ] {
            assert_eq!(Remedy::of(sql), deed);
        }
        for sql in [
            "SELECT * FROM public.zentry_attach();",
            "ALTER SYSTEM SET zentry_notify.allowed_hosts = 'x'; SELECT pg_reload_conf(); SELECT public.zentry_resume(7);",
            "ALTER TABLE tasks_task ENABLE TRIGGER zentry_notify_tasks;",
        ] {
            assert_eq!(Remedy::of(sql), Remedy::Sql(sql));
        }
    }
}
