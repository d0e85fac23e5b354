//! The shapes of Slack's, Google Chat's and Mattermost's URLs.

use super::*;
use crate::schedule::Policy;

fn parsed(webhook_type: WebhookType, url: &str, hosts: &str) -> Result<Endpoint, EndpointError> {
    Endpoint::parse(webhook_type, url, &relaxed(hosts))
}

#[track_caller]
fn refused(webhook_type: WebhookType, url: &str, hosts: &str, words: &str) {
    let error = parsed(webhook_type, url, hosts).unwrap_err();
    assert!(matches!(error, EndpointError::NotOfType { .. }), "{url}: {error}");
    assert!(error.to_string().contains(words), "{url}: {error}");
}

/// What the vendors' own servers take, where nobody has said another rate.
#[test]
fn vendors_count_requests_on_their_own_hosts() {
    let policy = Policy::default();
    for (webhook_type, url, rate) in [
        (
            WebhookType::Slack,
            "https://hooks.slack.com/services/T1/B2/x",
            Some("1/s"),
        ),
        (
            WebhookType::GoogleChat,
            "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t",
            Some("1/s"),
        ),
        (WebhookType::Ntfy, "https://ntfy.sh/alerts", Some("60/5min")),
        (
            WebhookType::Teams,
            "https://a.environment.api.powerplatform.com/workflows/a?sig=x",
            Some("25/5min"),
        ),
        (WebhookType::Mattermost, "https://own.example/hooks/a", None),
        (WebhookType::Ntfy, "https://own.example/alerts", None),
    ] {
        let hosts =
            "hooks.slack.com, chat.googleapis.com, ntfy.sh, *.environment.api.powerplatform.com, own.example";
        let vendor = parsed(webhook_type, url, hosts).unwrap().vendor();
        let told = policy.rate_of(vendor).map(|rate| rate.to_string());
        assert_eq!(told.as_deref(), rate, "{url}");
        assert_eq!(vendor == Vendor::Of(webhook_type), rate.is_some(), "{url}");
    }
}

mod slack {
    use super::*;

    const HOSTS: &str = "hooks.slack.com, hooks.slack-gov.com, slack.example.com";

    #[test]
    fn urls_stay_as_they_are() {
        for (url, vendor) in [
            (
                "https://hooks.slack.com/services/T012/B345/aBc9",
                Vendor::Of(WebhookType::Slack),
            ),
            (
                "https://hooks.slack-gov.com/services/T012/B345/aBc9",
                Vendor::Of(WebhookType::Slack),
            ),
            ("https://slack.example.com/services/T012/B345/aBc9", Vendor::Other),
        ] {
            let endpoint = parsed(WebhookType::Slack, url, HOSTS).unwrap();
            assert_eq!((posted(&endpoint), endpoint.vendor()), (url, vendor));
            assert_eq!(endpoint.shared_limit(), None, "each webhook has its own");
        }
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for path in [
            "",
            "services",
            "services/T012/B345",
            "services/T012/B345/",
            "services//B345/aBc9",
            "services/T012/B345/aBc9/",
            "services/T012/B345/aBc9/x",
            "services/T012/B345/a-c9",
            "hooks/T012/B345/aBc9",
        ] {
            let url = format!("https://hooks.slack.com/{path}");
            refused(WebhookType::Slack, &url, HOSTS, "its path is not /services/");
        }
        for path in ["triggers/T012/1/x", "workflows/T012/A1/1/x"] {
            let url = format!("https://hooks.slack.com/{path}");
            refused(WebhookType::Slack, &url, HOSTS, "it starts a workflow");
        }
        for host in ["app.slack.com", "slack.com", "api.slack.com"] {
            let error = parsed(WebhookType::Slack, &format!("https://{host}/x"), host).unwrap_err();
            assert!(error.to_string().contains("a page of Slack"), "{error}");
        }
    }
}

mod google_chat {
    use super::*;

    const HOST: &str = "chat.googleapis.com";
    const URL: &str = "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k&token=t";

    #[test]
    fn webhooks_of_one_space_share_its_limit() {
        let limit = |url: &str| parsed(WebhookType::GoogleChat, url, HOST).unwrap().shared_limit();
        assert_eq!(limit(URL), Some("space AAAA".to_owned()));
        assert_eq!(
            limit(URL),
            limit("https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k&token=u")
        );
        assert_ne!(
            limit(URL),
            limit("https://chat.googleapis.com/v1/spaces/BBBB/messages?key=k&token=t")
        );
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for path in [
            "",
            "v1/spaces",
            "v1/spaces/AAAA",
            "v1/spaces//messages",
            "v2/spaces/AAAA/messages",
            "v1/rooms/AAAA/messages",
            "v1/spaces/AAAA/members",
            "v1/spaces/AAAA/messages/x",
        ] {
            let url = format!("https://{HOST}/{path}?key=k&token=t");
            refused(WebhookType::GoogleChat, &url, HOST, "its path is not");
        }
        for query in ["", "?key=k", "?token=t", "?key=&token=t", "?key=k&token="] {
            let url = format!("https://{HOST}/v1/spaces/AAAA/messages{query}");
            refused(WebhookType::GoogleChat, &url, HOST, "key and token");
        }
        for host in ["chat.google.com", "mail.google.com"] {
            let error = parsed(WebhookType::GoogleChat, &format!("https://{host}/x"), host).unwrap_err();
            assert!(error.to_string().contains("a page of Google Chat"), "{error}");
        }
    }

    /// A message that comes again has the same name, and is not made once more.
    #[test]
    fn a_request_names_its_message_and_what_the_user_wrote_stands() {
        const THREADS: &str = "messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD";
        let own = format!("{URL}&requestId=own&messageReplyOption=REPLY_MESSAGE_OR_FAIL");
        for (url, message_id, threads, wanted) in [
            (URL, None, false, URL.to_owned()),
            (URL, Some("1-a"), false, format!("{URL}&requestId=1-a")),
            (URL, None, true, format!("{URL}&{THREADS}")),
            (URL, Some("1-a"), true, format!("{URL}&requestId=1-a&{THREADS}")),
            (&own, Some("1-a"), true, own.clone()),
        ] {
            let endpoint = parsed(WebhookType::GoogleChat, url, HOST).unwrap();
            let request = endpoint.request_url(message_id, threads);
            assert_eq!(request.expose().as_str(), wanted);
        }
    }
}

mod mattermost {
    use super::*;

    const HOST: &str = "chat.example.com";

    #[test]
    fn a_path_before_it_is_the_users_own() {
        for url in [
            "https://chat.example.com/hooks/abc123XYZ",
            "https://chat.example.com/teams/mattermost/hooks/abc123XYZ",
        ] {
            let endpoint = parsed(WebhookType::Mattermost, url, HOST).unwrap();
            assert_eq!(posted(&endpoint), url);
            assert_eq!(endpoint.vendor(), Vendor::Other);
        }
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for path in [
            "",
            "hooks",
            "hooks/",
            "hook/abc",
            "hooks/a-b",
            "hooks/abc/x",
            "hooks/abc/",
        ] {
            let url = format!("https://{HOST}/{path}");
            refused(WebhookType::Mattermost, &url, HOST, "its path does not end in");
        }
    }
}

mod programs {
    use super::*;

    /// Who knows messages by their names takes one only once.
    #[test]
    fn who_is_told_which_message_it_is() {
        for (webhook_type, url, knows) in [
            (
                WebhookType::GoogleChat,
                "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t",
                true,
            ),
            (WebhookType::Webhook, "https://app.example.com/events", true),
            (WebhookType::Mattermost, "https://app.example.com/hooks/a", false),
        ] {
            let endpoint = parsed(webhook_type, url, "chat.googleapis.com, app.example.com").unwrap();
            assert_eq!(endpoint.knows_messages(), knows, "{url}");
        }
    }

    #[test]
    fn a_thread_is_discords_and_has_an_id() {
        let names_thread = |query: &str| {
            let url = format!("https://discord.com/api/webhooks/{ID}/{TOKEN}{query}");
            discord(&url).unwrap().names_thread()
        };
        assert!(names_thread("?thread_id=42"));
        assert!(!names_thread("?thread_id="));
        assert!(!names_thread("?thread=42"));
        assert!(!names_thread(""));
        let url = "https://app.example.com/events?thread_id=42";
        let other = parsed(WebhookType::Webhook, url, "app.example.com").unwrap();
        assert!(!other.names_thread());
    }

    #[test]
    fn only_a_stream_has_subjects() {
        let stream = parsed(WebhookType::Nats, "nats://a.example/acme.app", "a.example:4222").unwrap();
        assert_eq!(stream.subject_prefix(), Some("acme.app"));
        let program = parsed(WebhookType::Webhook, "https://a.example/x", "a.example").unwrap();
        assert_eq!(program.subject_prefix(), None);
    }

    #[test]
    fn an_endpoint_has_a_place_for_what_its_type_has() {
        let program = parsed(WebhookType::Webhook, "https://a.example/x", "a.example").unwrap();
        assert!(program.has(Setting::Secret) && !program.has(Setting::Credentials));
    }
}
