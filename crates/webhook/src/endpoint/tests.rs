#![allow(clippy::unwrap_used, clippy::expect_used)]

use url::Url;

use super::*;

mod mentions;
mod policy;
mod redaction;
mod services;
mod settings;

const ID: &str = "123456789012345678";
const TOKEN: &str = "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789._-aBcDeFgHiJkLmNoPqRsTuVwXyZ01";
const SIG: &str = "Zx9_secretsignature-Zx9_secretsignature-Zx9";

fn discord(url: &str) -> Result<Endpoint, EndpointError> {
    Endpoint::parse(WebhookType::Discord, url, &UrlPolicy::default())
}

fn teams(url: &str) -> Result<Endpoint, EndpointError> {
    Endpoint::parse(WebhookType::Teams, url, &UrlPolicy::default())
}

fn relaxed(hosts: &str) -> UrlPolicy {
    UrlPolicy {
        allowed_hosts: parse_host_patterns(hosts).unwrap(),
        allow_http: true,
        allow_private_addresses: true,
    }
}

fn posted(endpoint: &Endpoint) -> &str {
    endpoint.post_url().expose().as_str()
}

mod discord_urls {
    use super::*;

    #[test]
    fn every_host_and_version_is_posted_to_as_version_10_with_wait() {
        for host in [
            "discord.com",
            "ptb.discord.com",
            "canary.discord.com",
            "discordapp.com",
            "DISCORD.com",
        ] {
            for prefix in ["", "/api", "/v9", "/api/v6", "/api/v10"] {
                let endpoint = discord(&format!("https://{host}{prefix}/webhooks/{ID}/{TOKEN}")).unwrap();
                assert_eq!(
                    posted(&endpoint),
                    format!("https://discord.com/api/v10/webhooks/{ID}/{TOKEN}?wait=true")
                );
                assert_eq!(
                    (endpoint.kind(), endpoint.vendor()),
                    (EndpointKind::Discord, Vendor::Of(WebhookType::Discord))
                );
            }
        }
    }

    #[test]
    fn other_parameters_stay_and_wait_is_set_once() {
        let url =
            format!("https://discord.com/api/webhooks/{ID}/{TOKEN}/?wait=false&thread_id=42&w%61it=0&x=%2f");
        let wanted =
            format!("https://discord.com/api/v10/webhooks/{ID}/{TOKEN}?thread_id=42&x=%2f&wait=true");
        assert_eq!(posted(&discord(&url).unwrap()), wanted);
    }

    #[test]
    fn other_hosts_keep_scheme_host_and_port() {
        let url = format!("http://127.0.0.1:8080/api/webhooks/{ID}/{TOKEN}");
        let endpoint = Endpoint::parse(WebhookType::Discord, &url, &relaxed("127.0.0.1:8080")).unwrap();
        let wanted = format!("http://127.0.0.1:8080/api/v10/webhooks/{ID}/{TOKEN}?wait=true");
        assert_eq!(posted(&endpoint), wanted);
        assert_eq!(endpoint.vendor(), Vendor::Other);
    }

    #[test]
    fn discords_own_host_is_never_posted_to_in_clear() {
        let url = format!("http://discord.com/api/webhooks/{ID}/{TOKEN}");
        let endpoint = Endpoint::parse(WebhookType::Discord, &url, &relaxed("discord.com")).unwrap();
        assert_eq!(endpoint.post_url().expose().scheme(), "https");
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for path in [
            String::new(),
            format!("/api/webhooks/{ID}"),
            format!("/api/webhooks/1234567890123456/{TOKEN}"),
            format!("/api/webhooks/123456789012345678901/{TOKEN}"),
            format!("/api/webhooks/12345678901234567x/{TOKEN}"),
            format!("/api/webhooks/{ID}/{}", &TOKEN[..59]),
            format!("/api/webhooks/{ID}/{TOKEN}%20"),
            format!("/api/webhooks/{ID}/{TOKEN}/slack"),
            format!("/api/webhooks/{ID}/{TOKEN}/messages/1"),
            format!("/api/vx/webhooks/{ID}/{TOKEN}"),
            format!("/apiwebhooks/{ID}/{TOKEN}"),
            format!("/api/channels/{ID}/{TOKEN}"),
        ] {
            let error = discord(&format!("https://discord.com{path}")).unwrap_err();
            assert!(
                matches!(error, EndpointError::NotOfType { .. }),
                "{path}: {error}"
            );
        }
    }
}

mod teams_urls {
    use super::*;

    #[test]
    fn hosts_tell_connectors_from_workflows() {
        for (url, kind) in [
            (
                "https://prod-01.usgovtexas.logic.azure.us:443/workflows/a/triggers/manual/paths/invoke?sig=x",
                EndpointKind::TeamsWorkflow,
            ),
            (
                "https://a.b.environment.api.gov.powerplatform.microsoft.us/powerautomate/automations/direct/workflows/a?sig=x",
                EndpointKind::TeamsWorkflow,
            ),
            (
                "https://a.powerautomate.com/workflows/a?sig=x",
                EndpointKind::TeamsWorkflow,
            ),
            (
                "https://a.4b.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/a?sig=x",
                EndpointKind::TeamsWorkflow,
            ),
        ] {
            let endpoint = teams(url).unwrap();
            assert_eq!(
                (endpoint.kind(), endpoint.vendor()),
                (kind, Vendor::Of(WebhookType::Teams)),
                "{url}"
            );
        }
    }

    #[test]
    fn paths_tell_where_hosts_say_nothing() {
        let policy = relaxed("127.0.0.1:8443");
        for (path, kind) in [
            ("webhookb2/a", EndpointKind::TeamsConnector),
            ("webhook/a", EndpointKind::TeamsConnector),
            ("workflows/a", EndpointKind::TeamsWorkflow),
            ("webhooks/a", EndpointKind::TeamsWorkflow),
        ] {
            let url = format!("https://127.0.0.1:8443/{path}");
            let endpoint = Endpoint::parse(WebhookType::Teams, &url, &policy).unwrap();
            assert_eq!(
                (endpoint.kind(), endpoint.vendor()),
                (kind, Vendor::Other),
                "{url}"
            );
        }
    }

    #[test]
    fn the_query_is_kept_byte_for_byte() {
        let query =
            format!("api-version=2016-06-01&sp=%2Ftriggers%2fmanual%2Frun&sv=1.0&sig={SIG}+a%2Bb==&&e");
        let url = format!(
            "https://a.4b.environment.api.powerplatform.com/workflows/a/triggers/manual/paths/invoke?{query}"
        );
        assert_eq!(teams(&url).unwrap().post_url().expose().query(), Some(&*query));
    }

    #[test]
    fn a_url_of_the_other_vendor_is_the_wrong_type() {
        let error = teams(&format!("https://discord.com/api/webhooks/{ID}/{TOKEN}")).unwrap_err();
        assert!(error.hint().unwrap().contains("\"discord\""), "{error}");
        let error = discord("https://a.4b.environment.api.powerplatform.com/workflows/a?sig=x").unwrap_err();
        assert!(error.hint().unwrap().contains("\"teams\""), "{error}");
        assert!(matches!(
            teams("https://a.4b.environment.api.powerplatform.com"),
            Err(EndpointError::NoPath { .. })
        ));
    }

    #[test]
    fn what_has_ended_is_refused_with_what_ended_and_when() {
        for (url, when) in [
            (
                "https://contoso.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d/e",
                "May 2026",
            ),
            (
                "https://outlook.office.com/webhook/a@b/IncomingWebhook/c/d",
                "May 2026",
            ),
            (
                "https://outlook.office365.com/webhook/a@b/IncomingWebhook/c/d",
                "May 2026",
            ),
            (
                "https://prod-01.westeurope.logic.azure.com:443/workflows/a/triggers/manual/paths/invoke?sig=x",
                "30 November 2025",
            ),
        ] {
            let error = teams(url).unwrap_err();
            assert!(matches!(error, EndpointError::Ended { .. }), "{url}: {error}");
            assert!(error.to_string().contains(when), "{url}: {error}");
            // Whatever the administrator allows.
            let hosts = relaxed(
                "*.webhook.office.com, outlook.office.com, outlook.office365.com, *.logic.azure.com:443",
            );
            assert_eq!(Endpoint::parse(WebhookType::Teams, url, &hosts), Err(error));
        }
    }

    #[test]
    fn a_flow_without_its_signature_is_refused() {
        let flow = "https://a.4b.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/a/triggers/manual/paths/invoke";
        for query in ["", "?api-version=1", "?api-version=1&sp=%2Ftriggers&sig="] {
            let error = teams(&format!("{flow}{query}")).unwrap_err();
            assert_eq!(error, EndpointError::NoSignature, "{query}");
            assert!(error.hint().unwrap().contains("single quotes"));
        }
        // Who runs an endpoint of their own has other ways to know who calls.
        let own = "https://hooks.example.com/workflows/a";
        assert!(Endpoint::parse(WebhookType::Teams, own, &relaxed("hooks.example.com")).is_ok());
    }
}

mod mistaken {
    use super::*;

    #[test]
    fn escaped_urls_are_told_as_that() {
        let flow = "https://a.4b.environment.api.powerplatform.com/workflows/a?api-version=1";
        for (url, found) in [
            (format!("{flow}&amp;sig={SIG}"), "&amp;"),
            (format!("{flow}\\&sig={SIG}"), "\\&"),
            (format!("{flow}\\u0026sig={SIG}"), "\\u0026"),
            (format!("'{flow}&sig={SIG}'"), "'"),
            (format!("<{flow}&sig={SIG}>"), "<"),
        ] {
            let error = teams(&url).unwrap_err();
            assert!(
                matches!(error, EndpointError::Escaped { found: is, .. } if is == found),
                "{url}: {error}"
            );
            assert!(!error.to_string().contains(SIG));
        }
    }

    #[test]
    fn other_links_are_told_as_what_they_are() {
        for (url, what) in [
            (
                "https://discord.com/channels/123456789012345678/123456789012345678",
                "channel",
            ),
            (
                "https://ptb.discord.com/channels/@me/123456789012345678",
                "channel",
            ),
            ("https://discord.gg/abcdef", "invitation"),
            ("https://discord.com/invite/abcdef", "invitation"),
            ("https://discord.com/oauth2/authorize?client_id=1", "invitation"),
            (
                "https://discord.com/api/oauth2/authorize?client_id=1",
                "invitation",
            ),
            (
                "https://teams.microsoft.com/l/channel/19%3aabc%40thread.tacv2/General?groupId=1",
                "Teams",
            ),
            ("https://teams.cloud.microsoft/l/team/19:abc", "Teams"),
            (
                "https://make.powerautomate.com/environments/a/flows/b/details",
                "flow",
            ),
        ] {
            for result in [teams(url), discord(url)] {
                let error = result.unwrap_err();
                assert!(matches!(error, EndpointError::NotAWebhook(_)), "{url}: {error}");
                assert!(error.to_string().contains(what), "{url}: {error}");
                assert!(error.hint().unwrap().contains("Copy Webhook URL"));
            }
        }
    }

    #[test]
    fn a_thread_name_in_the_url_is_refused_with_the_way_to_do_it() {
        let url = format!("https://discord.com/api/webhooks/{ID}/{TOKEN}?thread_name=Releases");
        let policy = UrlPolicy::default();
        let error = Endpoint::parse_new(WebhookType::Discord, &url, &policy).unwrap_err();
        assert_eq!(error, EndpointError::ThreadName);
        assert!(error.hint().unwrap().contains("thread_name of the webhook"));
        // One that is stored works as it did.
        assert!(Endpoint::parse(WebhookType::Discord, &url, &policy).is_ok());
        let thread = format!("https://discord.com/api/webhooks/{ID}/{TOKEN}?thread_id=42");
        assert!(Endpoint::parse_new(WebhookType::Discord, &thread, &policy).is_ok());
    }
}

mod ntfy_urls {
    use super::*;

    fn ntfy(url: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::parse(WebhookType::Ntfy, url, &relaxed("ntfy.sh, ntfy.example.com:8443"))
    }

    #[test]
    fn messages_go_to_the_root_and_the_topic_is_a_secret() {
        for (url, posted_to) in [
            ("https://ntfy.sh/Alerts-of_mine", "https://ntfy.sh/"),
            (
                "https://ntfy.example.com:8443/Alerts-of_mine?priority=4",
                "https://ntfy.example.com:8443/?priority=4",
            ),
        ] {
            let endpoint = ntfy(url).unwrap();
            assert_eq!(posted(&endpoint), posted_to);
            assert_eq!(endpoint.topic().map(|topic| &**topic), Some("Alerts-of_mine"));
            let answer = r#"{"topic":"Alerts-of_mine"}"#;
            assert_eq!(endpoint.post_url().redact(answer), r#"{"topic":"***"}"#);
        }
        let endpoint = ntfy("https://ntfy.sh/alerts")
            .unwrap()
            .with_secrets(vec!["swordfish".into()]);
        assert_eq!(endpoint.post_url().redact("swordfish"), "***");
        let answer = r#"{"topic":"alerts","message":"no alerts"}"#;
        assert_eq!(
            endpoint.post_url().redact(answer),
            r#"{***,"message":"no alerts"}"#
        );
    }

    #[test]
    fn visitors_of_one_server_share_its_limit() {
        let limit = |url| ntfy(url).unwrap().shared_limit();
        assert_eq!(limit("https://ntfy.sh/a"), limit("https://ntfy.sh/b"));
        assert_ne!(
            limit("https://ntfy.sh/a"),
            limit("https://ntfy.example.com:8443/a")
        );
    }

    #[test]
    fn what_is_no_topic_is_refused() {
        let long = format!("https://ntfy.sh/{}", "x".repeat(65));
        for url in [
            "https://ntfy.sh/",
            "https://ntfy.sh/a/b",
            "https://ntfy.sh/a.b",
            "https://ntfy.example.com:8443/settings",
            &long,
        ] {
            let error = ntfy(url).unwrap_err();
            assert!(matches!(error, EndpointError::NotOfType { .. }), "{url}: {error}");
            assert!(
                error
                    .hint()
                    .unwrap()
                    .starts_with("It looks like https://ntfy.sh/<topic>; a topic"),
                "{error}"
            );
        }
        for url in [
            "https://ntfy.sh/docs/publish/",
            "https://ntfy.sh/app",
            "https://docs.ntfy.sh/publish/",
        ] {
            assert!(matches!(ntfy(url), Err(EndpointError::NotAWebhook(_))), "{url}");
        }
        let error = discord("https://ntfy.sh/alerts").unwrap_err();
        assert!(error.hint().unwrap().contains("\"ntfy\""), "{error}");
    }
}
