//! What of a URL may be seen.

use proptest::prelude::*;

use super::*;

fn secret(url: &str) -> SecretUrl {
    SecretUrl::new(Url::parse(url).unwrap())
}

#[test]
fn what_is_the_same_for_everybody_is_shown() {
    for (url, shown) in [
        (
            format!("https://discord.com/api/webhooks/{ID}/{TOKEN}?thread_id=1"),
            "https://discord.com/api/webhooks/123456789012345678/***",
        ),
        (
            format!("https://discord.com/api/v10/webhooks/{ID}/{TOKEN}"),
            "https://discord.com/api/v10/webhooks/123456789012345678/***",
        ),
        (
            "https://contoso.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d".into(),
            "https://contoso.webhook.office.com/webhookb2/***",
        ),
        (
            "https://prod-01.westeurope.logic.azure.com:443/workflows/a/triggers/manual?sig=x".into(),
            "https://prod-01.westeurope.logic.azure.com/workflows/***",
        ),
        (
            "https://127.0.0.1:8443/hook?token=x".into(),
            "https://127.0.0.1:8443/***",
        ),
        (
            "https://127.0.0.1:8443/webhook?token=x".into(),
            "https://127.0.0.1:8443/webhook?***",
        ),
        // A version has up to three digits, and nothing else.
        ("https://h.example/v999/x".into(), "https://h.example/v999/***"),
        ("https://h.example/v1000/x".into(), "https://h.example/***"),
        ("https://h.example/vip/x".into(), "https://h.example/***"),
        ("https://h.example/v/x".into(), "https://h.example/***"),
        (
            "http://user:secret@proxy.example:3128/".into(),
            "http://proxy.example:3128/",
        ),
        ("socks5://user:secret@[::1]:1080".into(), "socks5://[::1]:1080"),
    ] {
        assert_eq!(secret(&url).to_string(), shown);
        assert_eq!(format!("{:?}", secret(&url)), format!("SecretUrl({shown})"));
    }
}

#[test]
fn a_place_is_scheme_host_and_port() {
    for (url, place) in [
        ("https://a.example:443/x?y=z", "https://a.example"),
        ("http://user:secret@a.example:8080/x", "http://a.example:8080"),
        ("https://[::1]:8443/x", "https://[::1]:8443"),
        (
            "nats://a.example:4222/zentry?servers=b.example:1",
            "nats://a.example:4222",
        ),
        ("tls://a.example:4222/zentry", "tls://a.example:4222"),
    ] {
        assert_eq!(secret(url).origin(), place);
    }
}

#[test]
fn any_text_is_shown_without_what_may_be_its_secret() {
    for (text, shown) in [
        (
            format!("https://discord.com/api/webhooks/{ID}/{TOKEN}"),
            format!("https://discord.com/api/webhooks/{ID}/***"),
        ),
        (TOKEN.into(), "***".into()),
        (
            "nats://a.example:1,b.example".into(),
            "nats://a.example:1,b.example:4222/zentry".into(),
        ),
        ("nats://user:secret@a.example".into(), "***".into()),
    ] {
        assert_eq!(redact(&text), shown);
    }
}

#[test]
fn answers_that_echo_the_url_are_masked() {
    let url = secret(&format!(
        "https://discord.com/api/v10/webhooks/{ID}/{TOKEN}?thread_id=987654321098765432"
    ));
    let echo = format!("POST /api/v10/webhooks/{ID}/{TOKEN}?thread_id=987654321098765432 not found");
    assert_eq!(
        url.redact(&echo),
        format!("POST /api/v10/webhooks/***/***?thread_id=987654321098765432 not found")
    );

    let url = secret(
        "https://p.logic.azure.com/workflows/0123456789abcdef/triggers/manual/paths/invoke?sp=%2Ftriggers%2Fmanual&sig=abc%2Fdef-ghi",
    );
    assert_eq!(
        url.redact("sig=abc%2Fdef-ghi or abc/def-ghi of 0123456789abcdef, triggers/manual"),
        "sig=*** or *** of ***, triggers/manual"
    );
    assert_eq!(url.redact(r#"{"sig":"abc\/def-ghi"}"#), r#"{"sig":"***"}"#);
}

#[test]
fn nothing_is_left_of_secrets_that_overlap_or_look_like_the_mask() {
    for (url, text, masked) in [
        (
            "https://h.example/abcdefgh/xabcdefghy",
            "xabcdefghy abcdefgh",
            "*** ***",
        ),
        (
            "https://h.example/abcdefghij/fghijklmno",
            "abcdefghijklmno",
            "***",
        ),
        (
            "https://h.example/abcdefgh/***hgfedcba",
            "abcdefghhgfedcba",
            "***",
        ),
    ] {
        let url = secret(url);
        assert_eq!(url.redact(text), masked);
        assert_eq!(url.redact(masked), masked);
    }
}

#[test]
fn an_answer_that_breaks_off_within_the_secret_is_masked() {
    let url = secret(&format!("https://discord.com/api/v10/webhooks/{ID}/{TOKEN}"));
    for length in 8..TOKEN.len() {
        assert_eq!(
            url.redact(&format!("cannot post to {}", &TOKEN[..length])),
            "cannot post to ***"
        );
    }
    // So few characters stand in many words.
    assert_eq!(url.redact(&TOKEN[..7]), TOKEN[..7]);
}

#[test]
fn an_answer_without_the_secret_is_not_copied() {
    let url = secret(&format!("https://discord.com/api/v10/webhooks/{ID}/{TOKEN}"));
    assert!(matches!(
        url.redact("{\"id\": \"1\"}"),
        std::borrow::Cow::Borrowed(_)
    ));
}

const MARK: &str = "MARKEDSECRET";

/// URLs with the mark where a secret can stand.
fn marked_url() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        Just("discord.com"),
        Just("a.webhook.office.com"),
        Just("p.logic.azure.com"),
        Just("evil.example"),
        Just("127.0.0.1:1"),
        Just("[::1]"),
        Just("discord.com:9"),
    ];
    let segment = prop_oneof![
        Just("api".to_owned()),
        Just("v10".to_owned()),
        Just("webhooks".to_owned()),
        Just(ID.to_owned()),
        Just("webhookb2".to_owned()),
        "[a-zA-Z0-9._~@%:-]{0,9}",
    ];
    let path = prop::collection::vec(segment, 0..6);
    (
        prop_oneof![Just("https"), Just("http"), Just("socks5"), Just("ftp")],
        prop_oneof![Just(""), Just("u:MARKEDSECRET@"), Just("MARKEDSECRET@")],
        host,
        path,
        "[a-zA-Z0-9._-]{0,70}",
        "[a-z&=%]{0,9}",
        any::<bool>(),
    )
        .prop_map(|(scheme, user, host, path, before, query, in_query)| {
            let path = path.join("/");
            if in_query {
                format!("{scheme}://{user}{host}/{path}?{query}&sig={before}{MARK}")
            } else {
                format!("{scheme}://{user}{host}/{path}/{before}{MARK}?{query}#{MARK}")
            }
        })
}

proptest! {
    #[test]
    fn no_display_debug_or_error_holds_a_secret(text in marked_url()) {
        let mut seen = String::new();
        if let Ok(url) = Url::parse(&text) {
            let url = SecretUrl::new(url);
            seen += &format!("{url} {url:?} {url:#?}");
        }
        for webhook_type in [WebhookType::Discord, WebhookType::Teams] {
            for policy in [UrlPolicy::default(), relaxed("discord.com, evil.example, 127.0.0.1:1, [::1]")] {
                seen += &match Endpoint::parse(webhook_type, &text, &policy) {
                    Ok(endpoint) => format!("{endpoint:?}"),
                    Err(error) => format!("{error} {error:?} {:?}", error.hint()),
                };
            }
        }
        prop_assert!(!seen.contains(MARK), "{}", seen);
    }

    #[test]
    fn any_text_is_judged_without_a_panic(text in "\\PC{0,80}", token in "[A-Za-z0-9/?#@:%._-]{0,90}") {
        for text in [text.clone(), format!("https://discord.com/api/webhooks/{ID}/{token}{text}")] {
            for webhook_type in [WebhookType::Discord, WebhookType::Teams] {
                if let Ok(endpoint) = Endpoint::parse(webhook_type, &text, &UrlPolicy::default()) {
                    let again = endpoint.post_url().expose().as_str();
                    let reparsed = Endpoint::parse(webhook_type, again, &UrlPolicy::default());
                    prop_assert_eq!(reparsed, Ok(endpoint.clone()));
                    prop_assert_eq!(endpoint.post_url().expose().scheme(), "https");
                }
            }
        }
    }

    #[test]
    fn no_pattern_panics_and_each_is_read_again_as_itself(text in "\\PC{0,40}|[a-z0-9.*:\\[\\]]{0,30}") {
        if let Ok(pattern) = text.parse::<HostPattern>() {
            prop_assert_eq!(pattern.to_string().parse::<HostPattern>(), Ok(pattern));
        }
    }
}
