//! Links.

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;

use super::app::App;

/// The request's own address, for links to other pages of the same list.
#[derive(Clone, Debug)]
pub struct Here {
    /// `https://host/path/`
    base: String,
    query: Vec<(String, String)>,
}

impl Here {
    /// Returns the address with these query parameters changed, or removed.
    pub fn with(&self, changes: &[(&str, Option<String>)]) -> String {
        let kept = self
            .query
            .iter()
            .filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name))
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let changed = changes
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let mut pairs: Vec<(&str, &str)> = kept.chain(changed).collect();
        pairs.sort_by_key(|(name, _)| *name);
        let mut query = form_urlencoded::Serializer::new(String::new());
        let query = query.extend_pairs(pairs).finish();
        if query.is_empty() {
            return self.base.clone();
        }
        format!("{}?{query}", self.base)
    }
}

impl Here {
    #[cfg(test)]
    pub fn at(base: &str, query: &[(&str, &str)]) -> Self {
        let query = query.iter();
        Self {
            base: base.to_owned(),
            query: query
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    /// Returns an address below this one.
    pub fn below(&self, name: &str) -> String {
        format!("{}{name}/", self.base)
    }
}

/// Whether the connection uses TLS; a layer of `listen` sets it.
#[derive(Clone, Copy, Debug)]
pub struct Secure(pub bool);

impl FromRequestParts<App> for Here {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let secure = parts.extensions.get::<Secure>().is_some_and(|secure| secure.0);
        let origin = app.options().public_url.clone().unwrap_or_else(|| {
            let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
            let host = host.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
            let scheme = if secure { "https" } else { "http" };
            format!("{scheme}://{}", host.unwrap_or("localhost"))
        });
        let path = parts
            .extensions
            .get::<axum::extract::OriginalUri>()
            .map_or(&parts.uri, |uri| &uri.0)
            .path()
            .trim_end_matches('/');
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self {
            base: format!("{origin}{path}/"),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_link_has_the_other_parameters() {
        let here = Here::at(
            "https://h/api/logs/",
            &[("status", "failed & lost"), ("page", "3")],
        );
        let page = |page: Option<&str>| here.with(&[("page", page.map(str::to_owned))]);
        assert_eq!(
            page(Some("4")),
            "https://h/api/logs/?page=4&status=failed+%26+lost"
        );
        assert_eq!(page(None), "https://h/api/logs/?status=failed+%26+lost");
        let both = [("page", None), ("status", None)];
        assert_eq!(here.with(&both), "https://h/api/logs/");
        assert_eq!(
            here.with(&[("after", Some("7".to_owned()))]),
            "https://h/api/logs/?after=7&page=3&status=failed+%26+lost"
        );
        assert_eq!(here.below("count"), "https://h/api/logs/count/");
    }

    #[tokio::test]
    async fn a_page_is_known_by_the_address_that_browsers_use() {
        for (public_url, secure, expected) in [
            (None, None, "http://h:80/api/logs/?a=1"),
            (None, Some(true), "https://h:80/api/logs/?a=1"),
            (
                Some("https://notify.example.com"),
                Some(false),
                "https://notify.example.com/api/logs/?a=1",
            ),
        ] {
            let app = App::unconnected(|options| options.public_url = public_url.map(str::to_owned));
            let request = axum::http::Request::get("/api/logs/?a=1").header(HOST, "h:80");
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            if let Some(secure) = secure {
                parts.extensions.insert(Secure(secure));
            }
            let Ok(here) = Here::from_request_parts(&mut parts, &app).await;
            assert_eq!(here.with(&[]), expected);
        }
    }
}
