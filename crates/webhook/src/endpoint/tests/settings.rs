use super::super::{Setting, WebhookType};

#[test]
fn each_type_says_how_its_urls_look_whose_they_are_and_where_to_copy_them() {
    for of in WebhookType::ALL {
        let form = of.facts().form;
        for said in [form.example, form.whose, form.copied] {
            assert!(!said.is_empty(), "{of}");
        }
    }
    assert_eq!(WebhookType::Ntfy.example(), "https://ntfy.sh/<topic>");
}

#[test]
fn types_have_a_place_for_what_their_services_know() {
    use Setting::{
        Announce, AppliedTags, AvatarUrl, Credentials, Digest, Headers, MaxEventsPerMessage, Mention, Secret,
        ThreadBy, ThreadName, Username,
    };
    for (of, has) in [
        (
            WebhookType::Discord,
            [Mention, Username, AvatarUrl, Announce, ThreadName, AppliedTags].as_slice(),
        ),
        (WebhookType::Teams, &[Mention]),
        (WebhookType::Slack, &[Mention]),
        (WebhookType::GoogleChat, &[Mention, Announce, ThreadBy]),
        (WebhookType::Mattermost, &[Mention, Username, AvatarUrl, Announce]),
        (WebhookType::Ntfy, &[Headers]),
        (WebhookType::Webhook, &[Headers, Secret]),
        (WebhookType::Nats, &[Credentials]),
    ] {
        let mut expected = has.to_vec();
        if !matches!(of, WebhookType::Webhook | WebhookType::Nats) {
            expected.extend([Digest, MaxEventsPerMessage]);
        }
        assert_eq!(of.settings().collect::<Vec<_>>(), expected, "{of}");
    }
}

#[test]
fn what_a_type_has_is_named_once() {
    for of in WebhookType::ALL {
        let settings: Vec<Setting> = of.settings().collect();
        let once = |setting: &Setting| settings.iter().filter(|other| *other == setting).count() == 1;
        assert!(settings.iter().all(once), "{of}: {settings:?}");
    }
    let everywhere = |setting: &&Setting| WebhookType::ALL.iter().all(|of| of.has(**setting));
    assert_eq!(Setting::ALL.iter().find(everywhere), None);
    let nowhere = |setting: &&Setting| !WebhookType::ALL.iter().any(|of| of.has(**setting));
    assert_eq!(Setting::ALL.iter().find(nowhere), None);
}
