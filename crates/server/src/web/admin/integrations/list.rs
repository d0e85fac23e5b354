//! The list of integrations.

use maud::{Markup, html};

use crate::database::Access;
use crate::queries::integrations::{self, Filter, Webhook};
use crate::queries::rights::{Deed, Rights};
use crate::web::Error;
use crate::web::admin::frame::{Frame, Section};
use crate::web::admin::visitor::Visitor;
use crate::web::admin::{input, parts};
use crate::web::form::Filters;
use crate::web::page::{Number, Page};
use crate::web::uri::Here;

pub async fn show(visitor: Visitor, here: Here, mut filters: Filters) -> Result<Markup, Error> {
    let number = Number::parse(filters.text("page").as_deref())?;
    let notice = parts::notice(&mut filters);
    let webhook_type = filters.choice("webhook_type", &crate::vendors::NAMES);
    let project = filters.number("project");
    let is_active = filters.flag("is_active");
    filters.finish()?;
    let filter = Filter {
        id: None,
        webhook_type,
        project,
        is_active,
        ..Filter::default()
    };

    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let rights = Rights::of(&session).await?;
    let count = integrations::count(&session, &filter).await?;
    let found = integrations::webhooks(&session, &filter, number.slice()).await?;
    let page = Page::new(number, count, found, &here)?;

    let frame = Frame::new(&visitor, Section::Integrations, "Integrations").notice(notice);
    let frame = match rights.may(Deed::Register) {
        true => {
            frame.actions(html! { a.button.primary href="/admin/integrations/new/" { "New integration" } })
        }
        false => frame,
    };
    Ok(frame.render(html! {
        (narrowing(&filter))
        @if page.results.is_empty() {
            p.empty { "No integration fits: nobody hears anything here." }
        } @else {
            (table(&page.results, rights.may(Deed::Update)))
            (parts::pager(&page, if page.count == 1 { "integration" } else { "integrations" }))
        }
    }))
}

fn narrowing(filter: &Filter) -> Markup {
    let project = filter.project.map(|id| id.to_string()).unwrap_or_default();
    let active = filter
        .is_active
        .map_or("", |active| if active { "true" } else { "false" });
    html! {
        form.filters method="get" role="search" aria-label="Integrations" {
            (input::choice("webhook_type", "Where", Some("Everywhere"), crate::vendors::ALL,
                filter.webhook_type.as_deref().unwrap_or_default()))
            (input::choice("is_active", "Switched", Some("on and off"), [("true", "on"), ("false", "off")], active))
            div.field {
                label for="project" { "Project id" }
                input id="project" name="project" type="number" min="1" value=(project);
            }
            button { "Show" }
        }
    }
}

fn table(webhooks: &[Webhook], may_update: bool) -> Markup {
    parts::table(
        "Integrations, newest first",
        html! {
            thead { tr {
                @for head in ["Name", "Hears", "State", "Last delivery", "Waiting"] { th scope="col" { (head) } }
                @if may_update { th scope="col" { span.hidden { "Switch on or off" } } }
            } }
            tbody {
                @for webhook in webhooks { (row(webhook, may_update)) }
            }
        },
    )
}

fn row(webhook: &Webhook, may_update: bool) -> Markup {
    let Webhook { integration, .. } = webhook;
    html! {
        tr {
            th scope="row" data-label="Name" {
                a href={ "/admin/integrations/" (integration.id) "/" } { (integration.name) }
                div.muted { (crate::vendors::name(&integration.webhook_type)) }
            }
            td data-label="Hears" {
                (integration.heard())
                div.muted { "of " (parts::project(integration.project, integration.project_name.as_deref())) }
            }
            td data-label="State" {
                (parts::state(&webhook.state))
                @if let Some(reason) = &webhook.reason { div.muted.words { (reason) } }
                @if let Some(until) = webhook.held_until { div.muted { "quiet until " (parts::time(until)) } }
            }
            td data-label="Last delivery" {
                @match (webhook.last_delivery_at, &webhook.last_status) {
                    (Some(at), Some(status)) => { (parts::state(status)) div.muted { (parts::time(at)) } },
                    _ => span.muted { "none yet" },
                }
            }
            td.number data-label="Waiting" { (parts::grouped(webhook.pending)) }
            @if may_update { td.end data-label="Switch" { (super::one::switch_form(webhook, "list")) } }
        }
    }
}
