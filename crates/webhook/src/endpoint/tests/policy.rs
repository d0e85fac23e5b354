//! Which URLs are refused, and how that is said.

use super::*;

fn error(url: &str) -> EndpointError {
    discord(url).unwrap_err()
}

#[test]
fn what_is_no_url_is_refused() {
    for text in [
        "",
        "discord",
        "//discord.com/x",
        "https://",
        "https://[::1",
        "https://a b/",
    ] {
        assert!(matches!(error(text), EndpointError::NotAUrl(_)), "{text}");
    }
    for text in [
        "ftp://discord.com/",
        "javascript:alert(1)",
        "discord.com:443/x",
        "file:///etc/passwd",
    ] {
        assert_eq!(error(text), EndpointError::OtherScheme, "{text}");
    }
    for (text, words) in [
        ("discord", "it does not begin with https://"),
        ("https://", "it has no host"),
        ("https://a:65536/", "its port is not a number"),
        ("https://[::1", "its host is not an IP address"),
        ("https://a b/", "characters that no host has"),
    ] {
        assert!(error(text).to_string().contains(words), "{text}: {}", error(text));
    }
    let longest = format!("https://discord.com/{}", "a".repeat(2028));
    assert!(!matches!(error(&longest), EndpointError::TooLong { .. }));
    let long = format!("https://discord.com/{}", "a".repeat(2048));
    assert!(matches!(
        error(&long),
        EndpointError::TooLong { length: 2068, .. }
    ));
}

#[test]
fn http_user_info_and_fragments_are_refused() {
    assert_eq!(error("http://discord.com/"), EndpointError::HttpNotAllowed);
    assert_eq!(error("https://user@discord.com/"), EndpointError::UserInfo);
    assert_eq!(error("https://:secret@discord.com/"), EndpointError::UserInfo);
    assert_eq!(
        error("https://discord.com@evil.example/"),
        EndpointError::UserInfo
    );
    assert_eq!(error("https://discord.com/#x"), EndpointError::Fragment);
}

#[test]
fn other_hosts_and_ports_are_refused_with_what_to_set() {
    for url in [
        "https://evil.example/",
        "https://discord.com.evil.example/",
        "https://evildiscord.com/",
        "https://sub.discord.com/",
        "https://evilwebhook.office.com/",
        "https://discord.com./",
        "https://disc\u{043e}rd.com/",
        "https://evil.example\\@discord.com/",
        "https://2130706433/",
        "https://evil.example:8443/",
    ] {
        let error = error(url);
        assert!(
            matches!(error, EndpointError::HostNotAllowed { .. }),
            "{url}: {error}"
        );
        assert!(error.hint().unwrap().contains("zentry_notify.allowed_hosts"));
    }
    let error = error("https://discord.com:8443/");
    assert_eq!(
        error,
        EndpointError::PortNotAllowed {
            host: "discord.com".into(),
            port: 8443
        }
    );
    assert!(error.hint().unwrap().contains("\"discord.com:8443\""));
}

#[test]
fn a_private_address_is_refused_in_every_notation() {
    let policy = UrlPolicy {
        allowed_hosts: parse_host_patterns("127.0.0.1, [::ffff:127.0.0.1], [::1], 10.0.0.1").unwrap(),
        ..UrlPolicy::default()
    };
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "%31%32%37.0.0.1",
        "127。0。0。1",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "10.0.0.1",
    ] {
        let error = Endpoint::parse(WebhookType::Teams, &format!("https://{host}/x"), &policy).unwrap_err();
        assert!(
            matches!(error, EndpointError::NotPublic { .. }),
            "{host}: {error}"
        );
    }
}

#[test]
fn a_public_address_needs_no_permission_but_its_place_in_the_list() {
    let policy = UrlPolicy {
        allowed_hosts: parse_host_patterns("8.8.8.8, [2606:4700::1]").unwrap(),
        ..UrlPolicy::default()
    };
    for host in ["8.8.8.8", "[2606:4700::1]"] {
        let url = format!("https://{host}/x");
        assert!(
            Endpoint::parse(WebhookType::Webhook, &url, &policy).is_ok(),
            "{host}"
        );
    }
}

#[test]
fn patterns_are_hosts_suffixes_and_addresses_with_ports() {
    let matches = |pattern: &str, url: &str| {
        pattern
            .parse::<HostPattern>()
            .unwrap()
            .matches(&Url::parse(url).unwrap())
    };
    assert!(matches("discord.com", "https://discord.com/"));
    assert!(matches("Discord.COM", "http://discord.com/"));
    assert!(!matches("discord.com", "https://discord.com:80/"));
    assert!(matches("discord.com:443", "https://discord.com/"));
    assert!(!matches("discord.com:443", "http://discord.com/"));
    assert!(matches("*.example.org:8443", "https://a.b.example.org:8443/"));
    assert!(!matches("*.example.org", "https://example.org/"));
    assert!(matches("127.0.0.1:8443", "https://127.0.0.1:8443/"));
    assert!(matches("[::1]:8443", "https://[::1]:8443/"));
    assert!(matches("[::1]", "https://[0::1]/"));
    for text in [
        "",
        "*",
        "a b",
        "host:",
        "host:0",
        "host:65536",
        "*.",
        "a.*.b",
        "*.*.b",
        "*.127.0.0.1",
        "*.0.0.1",
        "::1",
    ] {
        assert!(text.parse::<HostPattern>().is_err(), "{text}");
    }
    for text in ["discord.com", "*.example.org:8443", "[::1]:8443", "127.0.0.1"] {
        assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), text);
    }
    assert_eq!(parse_host_patterns(DEFAULT_ALLOWED_HOSTS).unwrap().len(), 18);
    assert_eq!(parse_host_patterns(" ,").unwrap(), []);
}

#[test]
fn public_and_other_addresses() {
    for address in [
        "1.1.1.1",
        "162.159.128.233",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700::1",
        "2a00::1",
        "2001:200::1",
        "3fff:1000::1",
        "64:ff9b::162.159.128.233",
    ] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:1.1.1.1",
        "::1.1.1.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1.1.1.1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:101:101::",
        "3fff::1",
        "3fff:fff::1",
        "5f00::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}
