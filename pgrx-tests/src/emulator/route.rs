//! Which path is whose.

use super::kind::Kind;
use super::services::service;

/// What a path addresses, secrets included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `[/api][/vN]/webhooks/{id}/{token}`.
    Discord {
        version: Option<&'a str>,
        id: &'a str,
        token: &'a str,
    },
    /// `/webhookb2/…/IncomingWebhook/…` and the older `/webhook/…`.
    Connector,
    /// `…/workflows/{id}/triggers/manual/paths/invoke`, at Azure or at the Power Platform.
    Workflow { id: &'a str },
    /// What is found by its path alone.
    Path(Kind),
}

impl Route<'_> {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Route::Discord { .. } => Kind::Discord,
            Route::Connector => Kind::Connector,
            Route::Workflow { .. } => Kind::Workflow,
            Route::Path(kind) => kind,
        }
    }
}

const INVOKE: &str = "/triggers/manual/paths/invoke";

pub(crate) fn route(path: &str) -> Option<Route<'_>> {
    if path.starts_with("/webhookb2/") || path.starts_with("/webhook/") {
        return Some(Route::Connector);
    }
    let owns = |kind: &Kind| service(*kind).by_path.as_ref().is_some_and(|by| (by.owns)(path));
    if let Some(kind) = Kind::ALL.into_iter().find(owns) {
        return Some(Route::Path(kind));
    }
    if let Some(front) = path.strip_suffix(INVOKE) {
        let (prefix, id) = front.rsplit_once("/workflows/")?;
        let known = prefix.is_empty() || prefix.starts_with("/powerautomate/automations/direct");
        return (known && !id.contains('/')).then_some(Route::Workflow { id });
    }
    discord(path)
}

fn discord(path: &str) -> Option<Route<'_>> {
    let path = path.strip_prefix("/api").unwrap_or(path);
    let (version, rest) = match path.strip_prefix("/v") {
        Some(versioned) => {
            let (version, rest) = versioned.split_once('/')?;
            (Some(version), rest)
        }
        None => (None, path.strip_prefix('/')?),
    };
    let (id, token) = rest.strip_prefix("webhooks/")?.split_once('/')?;
    (!id.is_empty() && !token.is_empty() && !token.contains('/')).then_some(Route::Discord {
        version,
        id,
        token,
    })
}

/// The target with what is secret replaced, for people.
pub(crate) fn redacted(path: &str, query: Option<&str>) -> String {
    let mut shown = match route(path) {
        Some(Route::Discord { token, .. }) => format!("{}…", &path[..path.len() - token.len()]),
        Some(Route::Connector) => format!("/{}/…", path.split('/').nth(1).unwrap_or_default()),
        Some(Route::Path(kind)) => match &service(kind).by_path {
            Some(by) => (by.shown)(path),
            None => path.to_owned(),
        },
        Some(Route::Workflow { .. }) | None => path.to_owned(),
    };
    if let Some(query) = query {
        let parts = query.split('&').map(|part| match part.split_once('=') {
            Some(("sig", _)) => "sig=…",
            Some(("key", _)) => "key=…",
            Some(("token", _)) => "token=…",
            _ => part,
        });
        shown.push('?');
        shown.push_str(&parts.collect::<Vec<_>>().join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_discord_url_is_found() {
        for (path, version) in [
            ("/api/v10/webhooks/1/t", Some("10")),
            ("/api/webhooks/1/t", None),
            ("/v9/webhooks/1/t", Some("9")),
            ("/webhooks/1/t", None),
        ] {
            assert_eq!(
                route(path),
                Some(Route::Discord {
                    version,
                    id: "1",
                    token: "t"
                }),
                "{path}"
            );
        }
        for path in [
            "/api/v10/webhooks/1",
            "/api/v10/webhooks/1/t/slack",
            "/api/v10/channels/1/t",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }

    #[test]
    fn both_homes_of_workflows_are_found() {
        for path in [
            "/workflows/ab/triggers/manual/paths/invoke",
            "/powerautomate/automations/direct/cu/01/workflows/ab/triggers/manual/paths/invoke",
        ] {
            assert_eq!(route(path), Some(Route::Workflow { id: "ab" }), "{path}");
        }
        assert_eq!(route("/x/workflows/ab/triggers/manual/paths/invoke"), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(
            redacted("/api/v10/webhooks/1/secret", Some("wait=true")),
            "/api/v10/webhooks/1/…?wait=true"
        );
        assert_eq!(
            redacted("/webhookb2/a@b/IncomingWebhook/c/d", None),
            "/webhookb2/…"
        );
        let workflow = redacted(
            "/workflows/ab/triggers/manual/paths/invoke",
            Some("sv=1.0&sig=secret"),
        );
        assert_eq!(
            workflow,
            "/workflows/ab/triggers/manual/paths/invoke?sv=1.0&sig=…"
        );
    }
}
