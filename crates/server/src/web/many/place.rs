//! Translates paths, cookies and links between `/NAME/...` and a database's own routes, which do not know the prefix.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use maud::html;

use crate::database::Name;
use crate::web::Error;

/// The maximum size of a page, in bytes; no page is nearly as large.
const LARGEST: usize = 64 << 20;
/// How addresses of this site begin in the pages' HTML. Other text cannot match, because quotes in it are escaped.
const LINKS: [&str; 5] = [
    " href=\"/",
    " action=\"/",
    " formaction=\"/",
    " src=\"/",
    " data-check=\"/",
];

/// Splits a path into its first segment and the rest: `/sales/docs/` into `sales` and `/docs/`.
pub fn taken_apart(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    let end = path.find('/').unwrap_or(path.len());
    Some(path.split_at(end))
}

/// Keeps only this database's cookies, under their original names: `x_NAME` becomes `x`.
pub fn choose_cookies(headers: &mut HeaderMap, name: &Name) {
    let ending = format!("_{name}");
    let own: Vec<String> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| {
            let (key, value) = cookie.trim().split_once('=')?;
            Some(format!("{}={value}", key.strip_suffix(&ending)?))
        })
        .collect();
    headers.remove(COOKIE);
    if let Ok(value) = HeaderValue::from_str(&own.join("; "))
        && !own.is_empty()
    {
        headers.insert(COOKIE, value);
    }
}

/// Returns the response with the prefix `/NAME` before the site's own addresses, and the suffix `_NAME` on names of cookies.
pub async fn placed(mut response: Response, name: &Name) -> Response {
    let headers = response.headers_mut();
    let location = headers.get(LOCATION).and_then(|to| to.to_str().ok());
    if let Some(location) = location.filter(|location| location.starts_with('/'))
        && let Ok(location) = HeaderValue::from_str(&format!("/{name}{location}"))
    {
        headers.insert(LOCATION, location);
    }
    let cookies: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        let placed = cookie
            .to_str()
            .ok()
            .and_then(|cookie| placed_cookie(cookie, name));
        if let Some(Ok(cookie)) = placed.map(|cookie| HeaderValue::from_str(&cookie)) {
            headers.append(SET_COOKIE, cookie);
        }
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("text/html")) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let read = axum::body::to_bytes(body, LARGEST).await;
    let text = match read.map(|bytes| String::from_utf8(bytes.into())) {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Error::internal(&error).into_response(),
        Err(error) => return Error::internal(&error).into_response(),
    };
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(placed_page(&text, name)))
}

/// Returns the cookie for this database: `x=...; Path=/admin` becomes `x_NAME=...; Path=/NAME/admin`. `Path=/`, which the prefix `__Host-` requires,
/// stays.
fn placed_cookie(cookie: &str, name: &Name) -> Option<String> {
    let (key, rest) = cookie.split_once('=')?;
    let rest = rest.replace("Path=/admin", &format!("Path=/{name}/admin"));
    Some(format!("{key}_{name}={rest}"))
}

/// Returns the page with its links below the name, and with the database's name and a link to the list of databases at the top.
fn placed_page(page: &str, name: &Name) -> String {
    let mut page = page.to_owned();
    for link in LINKS {
        page = page.replace(link, &format!("{link}{name}/"));
    }
    const BRAND: &str = "Zentry notifications</a>";
    let chooser = html! { a.database href="/" title="All databases" { (name.as_str()) } };
    page.replacen(BRAND, &format!("{BRAND}{}", chooser.into_string()), 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn sales() -> Name {
        name("sales")
    }

    #[test]
    fn a_path_begins_with_a_name() {
        assert_eq!(taken_apart("/sales/docs/"), Some(("sales", "/docs/")));
        assert_eq!(taken_apart("/sales/"), Some(("sales", "/")));
        assert_eq!(taken_apart("/sales"), Some(("sales", "")));
        assert_eq!(taken_apart("/"), Some(("", "")));
        assert_eq!(taken_apart("*"), None);
    }

    #[test]
    fn each_database_has_cookies_of_its_own() {
        let set = placed_cookie("zentry_token=x; HttpOnly; SameSite=Strict; Path=/admin", &sales());
        assert_eq!(
            set.as_deref(),
            Some("zentry_token_sales=x; HttpOnly; SameSite=Strict; Path=/sales/admin")
        );
        let set = placed_cookie("__Host-zentry_token=x; Secure; Path=/", &sales());
        assert_eq!(
            set.as_deref(),
            Some("__Host-zentry_token_sales=x; Secure; Path=/")
        );
        let mut headers = HeaderMap::new();
        let sent = "zentry_token=a; zentry_token_shop=b; zentry_token_sales=c; other=d";
        headers.insert(COOKIE, HeaderValue::from_static(sent));
        choose_cookies(&mut headers, &sales());
        assert_eq!(
            headers.get(COOKIE),
            Some(&HeaderValue::from_static("zentry_token=c"))
        );
        choose_cookies(&mut headers, &name("shop"));
        assert_eq!(headers.get(COOKIE), None);
    }

    #[test]
    fn a_page_links_below_its_name() {
        let page = html! {
            a href="/admin/" { "Zentry notifications" }
            p { " href=\"/admin/" }
            form action="/admin/logs/" { input data-check="/admin/check/"; }
            a href="https://example.com/" {}
            a href="#x" {}
        };
        let placed = placed_page(&page.into_string(), &sales());
        assert!(
            placed.starts_with(
                "<a href=\"/sales/admin/\">Zentry notifications</a><a class=\"database\" href=\"/\""
            ),
            "{placed}"
        );
        assert!(placed.contains("<p> href=&quot;/admin/</p>"), "{placed}");
        assert!(
            placed.contains("action=\"/sales/admin/logs/\"")
                && placed.contains("data-check=\"/sales/admin/check/\""),
            "{placed}"
        );
        assert!(
            placed.contains("\"https://example.com/\"") && placed.contains("\"#x\""),
            "{placed}"
        );
    }
}
