//! The section of an event's page that lists its wordings.

use maud::{Markup, html};

use super::draft::Draft;
use super::whose::{address, webhook_choice, whose};
use crate::database::Session;
use crate::queries::integrations;
use crate::queries::rights::{Deed, Rights};
use crate::queries::wordings::{self, Wording};
use crate::web::Error;
use crate::web::admin::{guide, parts};

/// Returns the section: a table of the wordings of an event, with whose each is, and a link or form to change them if the role may.
pub async fn section(session: &Session<'_>, event: &str, rights: &Rights) -> Result<Markup, Error> {
    let wordings = wordings::list(session).await?;
    let of_it: Vec<&Wording> = wordings.iter().filter(|one| one.event_type == event).collect();
    let names = integrations::names(session).await?;
    let may = rights.may(Deed::SetWording);
    let address = |webhook: Option<i64>| address(event, webhook);
    Ok(html! {
        section {
            h2 { "Wordings" }
            @if of_it.is_empty() { p.empty { "None: messages have the texts of the event type." } }
            @else {
                (parts::table("Wordings", html! {
                    thead { tr { @for head in ["For", "Parts"] { th scope="col" { (head) } } @if may { th scope="col" { span.hidden { "Change" } } } } }
                    tbody {
                        @for one in &of_it {
                            tr {
                                th scope="row" data-label="For" { (whose(one.webhook, &names)) }
                                td.words data-label="Parts" { (Draft::of(&one.words).summary()) }
                                @if may { td.end { a href=(address(one.webhook)) { "Change" span.hidden { " those of " (whose(one.webhook, &names)) } } } }
                            }
                        }
                    }
                }))
            }
            @if may {
                form.filters.below method="get" action={ "/admin/events/" (event) "/wording/" } {
                    (webhook_choice("of", "webhook", "Wording for", "all integrations", &names, None))
                    button { "Set wording" }
                }
            }
            p.below { a href="/admin/languages/" { "Languages" } " change the texts of all events at once. " (guide::link("own-event-type", "Other words for an event")) }
        }
    })
}
