//! Style sheet, script and icon. Their addresses contain a digest, so that browsers can cache them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::web::Error;

/// The style sheet, with rules that hide the fields that the chosen service does not support.
static STYLE: LazyLock<String> = LazyLock::new(|| {
    let mut style = include_str!("assets/style.css").to_owned();
    for service in crate::vendors::names() {
        let chosen = format!("form:has([name=\"webhook_type\"][value=\"{service}\"]:checked)");
        let others = format!("[data-services]:not([data-services~=\"{service}\"])");
        style.push_str(&format!("{chosen} {others} {{ display: none; }}\n"));
    }
    style
});
const SCRIPT: &str = include_str!("assets/script.js");
const ICON: &str = include_str!("assets/icon.svg");

pub async fn get(Path(name): Path<String>) -> Result<Response, Error> {
    let (kind, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE.as_str()),
        "script.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(Error::not_found()),
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, text).into_response())
}

/// Returns the address of an asset.
pub fn address(name: &str) -> String {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let digest = Sha256::new()
            .chain_update(STYLE.as_str())
            .chain_update(SCRIPT)
            .chain_update(ICON);
        digest.finalize()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    });
    format!("/admin/assets/{name}?v={}", *VERSION)
}
