//! The admin pages, on `/admin/`: HTML that works without script, rendered on the server.
//!
//! As everywhere in this server no rule is here: a page calls the functions and reads the views as the role of the visitor's
//! token. What that role may not do is not offered, and what the database refuses is shown beside the field that it names.
//!
//! - `visitor`: who is signed in. A cookie that only this site gets has the token; forms of other sites are refused. `sign_in`: the form.
//! - `frame`, `parts`, `input`: what pages are made of; `refusal`: errors as pages; `assets`: style sheet and script.
//! - `guide`: the guide itself, for the pages to link to, wherever the server runs.
//! - `integrations`, `logs`, `events`, `wordings`, `languages`, `status`, `tokens`: the pages, one directory or file a noun.

pub mod assets;
mod event_type;
mod events;
pub mod frame;
mod guide;
mod input;
mod integrations;
mod languages;
mod logs;
mod parts;
mod plot;
mod preview;
mod refusal;
mod sign_in;
mod status;
mod tokens;
mod visitor;
mod wordings;

pub use self::refusal::{POLICY, surround};
pub use self::visitor::is_secure;

use anyhow::{Context, Result};
use axum::Router;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use tower_http::csrf::CsrfLayer;

use self::visitor::ROOT;
use super::app::App;
use super::error::Error;

/// The pages. `public_url` is where forms come from when a proxy in front of the server changes the header `Host`.
pub fn router(public_url: Option<&str>) -> Result<Router<App>> {
    let mut same_site = CsrfLayer::new();
    if let Some(url) = public_url {
        same_site = same_site
            .add_trusted_origin(url)
            .with_context(|| format!("the public URL {url} is no origin"))?;
    }
    let same_site = same_site
        .with_rejection_response(|_| Error::forbidden("This form was sent by another site.").into_response());
    let pages = Router::new()
        .route("/sign-in", get(sign_in::show_form).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/assets/{name}", get(assets::get))
        .route("/integrations", get(integrations::list::show))
        .route(
            "/integrations/new",
            get(integrations::edit::show_new).post(integrations::edit::create),
        )
        .route("/integrations/switch", post(integrations::switch::many))
        .route("/integrations/check", post(integrations::edit::check))
        .route("/integrations/{id}", get(integrations::one::show))
        .route(
            "/integrations/{id}/edit",
            get(integrations::edit::show).post(integrations::edit::change),
        )
        .route("/integrations/{id}/switch", post(integrations::switch::one))
        .route("/integrations/{id}/resume", post(integrations::one::resume))
        .route("/integrations/{id}/secret", post(integrations::secret::renew))
        .route("/integrations/{id}/test", post(integrations::trial::post))
        .route(
            "/integrations/{id}/delete",
            get(integrations::delete::ask).post(integrations::delete::delete),
        )
        .route("/logs", get(logs::list::show))
        .route("/logs/retry", post(logs::retry::selected))
        .route("/logs/retry-failed", post(logs::retry::failed))
        .route("/logs/{id}", get(logs::one::show))
        .route("/logs/{id}/retry", post(logs::retry::one))
        .route("/events", get(events::list))
        .route("/events/{name}", get(events::show))
        .route("/events/{name}/sample", post(events::send_sample))
        .route("/events/{name}/wording", get(wordings::show).post(wordings::send))
        .route("/guide", get(guide::index))
        .route("/guide/{name}", get(guide::show))
        .route("/languages", get(languages::show).post(languages::set))
        .route("/status", get(status::show))
        .route("/tokens", get(tokens::list).post(tokens::make))
        .route("/tokens/revoke", get(tokens::ask).post(tokens::revoke))
        .layer(same_site);
    Ok(Router::new()
        .route(ROOT, get(async || Redirect::to("/admin/integrations/")))
        .nest(ROOT, pages))
}
