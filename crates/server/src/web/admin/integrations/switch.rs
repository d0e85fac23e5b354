//! Switching integrations on and off: one, or those that are selected in the list.

use axum::Form;
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;

use crate::database::Access;
use crate::queries::integrations::{self, Change, Webhook};
use crate::web::Error;
use crate::web::admin::frame::Notice;
use crate::web::admin::visitor::Visitor;
use crate::web::path::Id;

/// Returns the button that switches an integration on or off. `from`: the page to return to, `list` for the list, else the integration's own.
pub(super) fn form(webhook: &Webhook, from: &str) -> Markup {
    let (id, name) = (webhook.integration.id, &webhook.integration.name);
    let on = !webhook.integration.is_active;
    html! {
        form method="post" action={ "/admin/integrations/" (id) "/switch/" } {
            input type="hidden" name="from" value=(from);
            button name="on" value=(on) aria-label={ "Switch " (name) " " (if on { "on" } else { "off" }) } {
                "Switch " (if on { "on" } else { "off" })
            }
        }
    }
}

/// The fields of the form with the button.
#[derive(Debug, Deserialize)]
pub struct Switch {
    on: bool,
    #[serde(default)]
    from: String,
}

/// Switches an integration on or off.
pub async fn one(
    visitor: Visitor,
    Id(id): Id,
    Form(Switch { on, from }): Form<Switch>,
) -> Result<Redirect, Error> {
    let change = Change {
        is_active: Some(on),
        ..Change::default()
    };
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    integrations::update(&session, id, &change).await?;
    session.commit().await?;
    let notice = if on {
        Notice::SwitchedOn
    } else {
        Notice::SwitchedOff
    };
    let page = if from == "list" {
        String::new()
    } else {
        format!("{id}/")
    };
    Ok(Redirect::to(&format!(
        "/admin/integrations/{page}?{}",
        notice.query()
    )))
}

/// Switches the selected integrations on or off, in one transaction: if one fails, none is changed.
pub async fn many(visitor: Visitor, Form(sent): Form<Vec<(String, String)>>) -> Result<Redirect, Error> {
    let on = sent.iter().any(|(name, value)| name == "on" && value == "true");
    let ids = sent.iter().filter(|(name, _)| name == "id");
    let ids: Vec<i64> = ids.filter_map(|(_, id)| id.parse().ok()).collect();
    let change = Change {
        is_active: Some(on),
        ..Change::default()
    };
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    for id in &ids {
        integrations::update(&session, *id, &change).await?;
    }
    session.commit().await?;
    let notice = match (ids.is_empty(), on) {
        (true, _) => Notice::NoneSelected,
        (false, true) => Notice::ManySwitchedOn,
        (false, false) => Notice::ManySwitchedOff,
    };
    Ok(Redirect::to(&format!("/admin/integrations/?{}", notice.query())))
}
