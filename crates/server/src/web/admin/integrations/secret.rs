//! A new secret for an integration's signatures, which is shown once.

use maud::{Markup, html};

use crate::database::Access;
use crate::queries::integrations;
use crate::web::Error;
use crate::web::admin::frame::{Frame, Section};
use crate::web::admin::parts;
use crate::web::admin::visitor::Visitor;
use crate::web::path::Id;

/// Gives an integration a new secret for its signatures, and returns the only page that shows it.
pub async fn renew(visitor: Visitor, Id(id): Id) -> Result<Markup, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let webhook = super::one::found(&session, id).await?;
    let secret = integrations::new_secret(&session, id, None, None).await?;
    session.commit().await?;
    let grace = html! { "For one day, requests are also signed with the previous secret." };
    Ok(page(&visitor, id, &webhook.integration.name, &secret, grace))
}

/// Returns the page that shows a secret. `notice`: a sentence that stands above it.
pub(super) fn page(visitor: &Visitor, id: i64, name: &str, secret: &str, notice: Markup) -> Markup {
    let back = format!("/admin/integrations/{id}/");
    let frame = Frame::new(visitor, Section::Integrations, "New secret").under(&back, name);
    frame.render(html! {
        section {
            p { (notice) }
            p { "The new signing secret of " (name) ". Copy it now: it is not shown again." }
            (parts::text_box("The new secret", secret))
            a.button href=(back) { "Done" }
        }
    })
}
