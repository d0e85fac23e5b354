//! URLs that somebody registers: what is accepted may be called, and nothing that is printed holds a secret.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};
use webhook::endpoint::{
    Endpoint, HostPattern, SecretUrl, UrlPolicy, WebhookType, parse_host_patterns, redact,
};

const MARK: &str = "MARKEDSECRET";

#[derive(Arbitrary, Debug)]
struct Input {
    start: Start,
    before: String,
    after: String,
    pattern: String,
    echo: Vec<Echo>,
}

#[derive(Arbitrary, Debug)]
enum Start {
    Nothing,
    Discord,
    Connector,
    Workflow,
    Local,
}

#[derive(Arbitrary, Debug)]
enum Echo {
    Text(String),
    Url,
    PathAndQuery,
}

impl Start {
    fn text(&self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Discord => "https://discord.com/api/webhooks/123456789012345678/",
            Self::Connector => "https://contoso.webhook.office.com/webhookb2/",
            Self::Workflow => {
                "https://p.westeurope.logic.azure.com/workflows/0123456789abcdef/triggers/manual/paths/invoke?sig="
            }
            Self::Local => "https://127.0.0.1/",
        }
    }
}

/// Hosts and schemes are no secrets, and are lower case.
fn shows_the_mark(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        let origin = format!("{}{}", url.scheme(), url.host_str().unwrap_or_default());
        origin.to_ascii_lowercase().contains(&MARK.to_ascii_lowercase())
    })
}

fn policies(url: &str) -> Vec<UrlPolicy> {
    let mut policies = vec![UrlPolicy::default()];
    let host = Url::parse(url).ok().and_then(|url| {
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{}{port}", url.host_str()?))
    });
    if let Some(Ok(allowed_hosts)) = host.map(|host| parse_host_patterns(&host)) {
        policies.push(UrlPolicy {
            allowed_hosts,
            ..UrlPolicy::default()
        });
    }
    policies
}

fn check_accepted(endpoint: &Endpoint, webhook_type: WebhookType, policy: &UrlPolicy) {
    let url = endpoint.post_url().expose();
    assert_eq!(url.scheme(), "https");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    match url.host().expect("a host") {
        Host::Ipv4(address) => assert!(
            !(address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()),
            "{address}"
        ),
        Host::Ipv6(address) => assert!(
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_multicast()
                || address.to_ipv4_mapped().is_some()),
            "{address}"
        ),
        Host::Domain(_) => {}
    }
    let again = Endpoint::parse(webhook_type, url.as_str(), policy);
    assert_eq!(
        again.as_ref(),
        Ok(endpoint),
        "what is posted to is registered as itself"
    );
}

fuzz_target!(|input: Input| {
    let text = format!("{}{}{MARK}{}", input.start.text(), input.before, input.after);
    let mut printed = redact(&text);
    for webhook_type in [WebhookType::Discord, WebhookType::Teams] {
        for policy in policies(&text) {
            match Endpoint::parse(webhook_type, &text, &policy) {
                Ok(endpoint) => {
                    printed += &format!("{endpoint:?} {endpoint:#?} {}", endpoint.post_url());
                    check_accepted(&endpoint, webhook_type, &policy);
                }
                Err(error) => printed += &format!("{error} {error:?} {:?}", error.hint()),
            }
        }
    }
    if !shows_the_mark(&text) {
        assert!(!printed.contains(MARK), "{text}: {printed}");
    }
    if let Ok(url) = Url::parse(&text) {
        let secret = SecretUrl::new(url.clone());
        let echo: String = input
            .echo
            .iter()
            .map(|echo| match echo {
                Echo::Text(text) => text.as_str(),
                Echo::Url => url.as_str(),
                Echo::PathAndQuery => &url[url::Position::BeforePath..],
            })
            .collect();
        let redacted = secret.redact(&echo);
        assert_eq!(
            secret.redact(&redacted),
            redacted,
            "redacting again changes nothing"
        );
        let printed = secret.to_string();
        assert_eq!(
            redact(&printed),
            printed,
            "what is printed holds nothing to redact"
        );
    }
    if let Ok(pattern) = input.pattern.parse::<HostPattern>() {
        assert_eq!(pattern.to_string().parse(), Ok(pattern));
    }
});
