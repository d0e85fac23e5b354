//! The list of integrations.

use maud::{Markup, html};

use crate::database::Access;
use crate::queries::integrations::{self, Filter, Order, Webhook};
use crate::queries::rights::{Deed, Rights};
use crate::web::Error;
use crate::web::admin::frame::{Frame, Section};
use crate::web::admin::visitor::Visitor;
use crate::web::admin::{input, parts};
use crate::web::filters::Filters;
use crate::web::page::{Number, Page};
use crate::web::uri::Here;

pub async fn show(visitor: Visitor, here: Here, mut filters: Filters) -> Result<Markup, Error> {
    let number = Number::parse(filters.text("page").as_deref())?;
    let notice = parts::notice(&mut filters);
    let webhook_type = filters.choice("webhook_type", &crate::vendors::names());
    let project = filters.number("project");
    let is_active = filters.flag("is_active");
    let state = filters.choice("state", &STATES);
    let name = filters.text("name");
    let sort = filters.choice("sort", &ORDERS.map(|(code, _, _)| code));
    let (_, _, order) = ORDERS
        .into_iter()
        .find(|(code, _, _)| Some(*code) == sort.as_deref())
        .unwrap_or(ORDERS[0]);
    filters.finish()?;
    let filter = Filter {
        id: None,
        webhook_type,
        project,
        is_active,
        state,
        name,
        ..Filter::default()
    };

    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let rights = Rights::of(&session).await?;
    let count = integrations::count(&session, &filter).await?;
    let found = integrations::webhooks(&session, &filter, number.slice(), order).await?;
    let projects = integrations::projects(&session).await?;
    let page = Page::new(number, count, found, &here)?;

    let frame = Frame::new(&visitor, Section::Integrations, "Integrations").notice(notice);
    let frame = match rights.may(Deed::Register) {
        true => {
            frame.actions(html! { a.button.primary href="/admin/integrations/new/" { "New integration" } })
        }
        false => frame,
    };
    Ok(frame.render(html! {
        (narrowing(&filter, order, &projects))
        @if page.results.is_empty() {
            p.empty {
                @if filter == Filter::default() { "There are no integrations yet, so nothing is sent." } @else { "No integration matches." }
            }
        } @else {
            (table(&page.results, rights.may(Deed::Update)))
            @if rights.may(Deed::Update) {
                form #many.inline.below method="post" action="/admin/integrations/switch/" {
                    button name="on" value="true" { "Switch selected on" }
                    button name="on" value="false" { "Switch selected off" }
                }
            }
            (parts::pager(&page, if page.count == 1 { "integration" } else { "integrations" }))
        }
    }))
}

const STATES: [&str; 4] = ["active", "failing", "gone", "off"];

/// The orders of the list: the value that the form sends, its label, and the order of the query. The first is the default.
const ORDERS: [(&str, &str, Order); 5] = [
    ("newest", "newest first", Order::Newest),
    ("name", "by name", Order::Name),
    ("state", "in trouble first", Order::State),
    ("waiting", "most waiting first", Order::Waiting),
    ("delivery", "last delivery first", Order::LastDelivery),
];

fn narrowing(filter: &Filter, order: Order, projects: &[(i64, String)]) -> Markup {
    let project = filter.project.map(|id| id.to_string()).unwrap_or_default();
    let active = filter
        .is_active
        .map_or("", |active| if active { "true" } else { "false" });
    let sort = ORDERS
        .iter()
        .find(|(_, _, known)| *known == order)
        .map_or("", |(code, _, _)| code);
    html! {
        form.filters method="get" role="search" aria-label="Integrations" {
            div.field {
                label for="name" { "Name" }
                input id="name" name="name" type="search" value=(filter.name.as_deref().unwrap_or_default()) autocomplete="off";
            }
            (input::choice("webhook_type", "Service", Some("All services"), crate::vendors::choices(),
                filter.webhook_type.as_deref().unwrap_or_default()))
            (input::choice("state", "State", Some("any"), STATES.map(|state| (state, state)), filter.state.as_deref().unwrap_or_default()))
            (input::choice("is_active", "Switched", Some("on and off"), [("true", "on"), ("false", "off")], active))
            div.field {
                label for="project" { "Project id" }
                input id="project" name="project" type="number" min="1" value=(project) list=(input::PROJECTS);
                (input::projects(projects))
            }
            (input::choice("sort", "Sorted", None, ORDERS.map(|(code, text, _)| (code, text)), sort))
            button { "Show" }
        }
    }
}

fn table(webhooks: &[Webhook], may_update: bool) -> Markup {
    parts::table(
        "Integrations",
        html! {
            thead { tr {
                @if may_update { th.box scope="col" { span.hidden { "Select" } } }
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
            @if may_update {
                td.box { input type="checkbox" name="id" value=(integration.id) form="many" aria-label={ "Select " (integration.name) }; }
            }
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
                @if let Some(until) = webhook.held_until { div.muted { "held until " (parts::time(until)) } }
            }
            td data-label="Last delivery" {
                @match (webhook.last_delivery_at, &webhook.last_status) {
                    (Some(at), Some(status)) => { (parts::state(status)) div.muted { (parts::time(at)) } },
                    _ => span.muted { "none yet" },
                }
            }
            td.number data-label="Waiting" { (parts::grouped(webhook.pending)) }
            @if may_update { td.end data-label="Switch" { (super::switch::form(webhook, "list")) } }
        }
    }
}
