//! Deleting an integration, after a question.

use axum::response::Redirect;
use maud::{Markup, html};

use crate::database::Access;
use crate::queries::integrations;
use crate::queries::rights::{Deed, Rights};
use crate::web::Error;
use crate::web::admin::frame::{Frame, Notice, Section};
use crate::web::admin::parts;
use crate::web::admin::visitor::Visitor;
use crate::web::path::Id;

/// Returns the page that asks whether to delete the integration.
pub async fn ask(visitor: Visitor, Id(id): Id) -> Result<Markup, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    Rights::of(&session).await?.demand(Deed::Delete)?;
    let webhook = super::one::found(&session, id).await?;
    let name = &webhook.integration.name;
    let title = format!("Delete {name}?");
    let frame = Frame::new(&visitor, Section::Integrations, &title)
        .under(&format!("/admin/integrations/{id}/"), name);
    Ok(frame.render(html! {
        p {
            "Its log goes with it: " (parts::grouped(webhook.sent)) " sent, " (parts::grouped(webhook.failed)) " failed, and "
            (parts::grouped(webhook.pending)) " that wait and will not be sent. This can't be undone."
        }
        p { "To keep the log, switch it off instead." }
        form.inline method="post" {
            button.danger { "Delete" }
            a.button href={ "/admin/integrations/" (id) "/" } { "Keep it" }
        }
    }))
}

pub async fn delete(visitor: Visitor, Id(id): Id) -> Result<Redirect, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    integrations::delete(&session, id).await?;
    session.commit().await?;
    Ok(Redirect::to(&format!(
        "/admin/integrations/?{}",
        Notice::Deleted.query()
    )))
}
