use super::super::{EndpointKind, parse_mention};
use crate::mention::{MAX_ID, Mention, MentionError};
use EndpointKind::{Discord, GoogleChat, Mattermost, Slack, TeamsConnector, TeamsWorkflow};

#[test]
fn roles_and_users() {
    let id = "123456789012345678";
    assert_eq!(
        parse_mention(Discord, " role:123456789012345678 "),
        Ok(Mention::DiscordRole(id.into()))
    );
    assert_eq!(
        parse_mention(Discord, "user:123456789012345678"),
        Ok(Mention::DiscordUser(id.into()))
    );
    assert_eq!(
        parse_mention(TeamsWorkflow, "user:ada@contoso.com  Ada Lovelace"),
        Ok(Mention::TeamsUser {
            id: "ada@contoso.com".into(),
            name: "Ada Lovelace".into()
        })
    );
}

#[test]
fn who_can_ping_nobody_is_told_why() {
    for (kind, why) in [
        (EndpointKind::Ntfy, "a message of ntfy"),
        (EndpointKind::Signed, "an event that a program gets"),
        (EndpointKind::Nats, "an event that a stream gets"),
    ] {
        let error = parse_mention(kind, "user:ada")
            .err()
            .map(|error| error.to_string());
        assert_eq!(error, Some(format!("{why} mentions nobody")));
    }
}

/// What is written becomes markup of the service, so nothing else may pass.
#[test]
fn markup_is_made_of_ids_and_names_alone() {
    for (kind, text, markup) in [
        (Slack, "user:U012AB3CD", "<@U012AB3CD>"),
        (Slack, "user:W9", "<@W9>"),
        (Slack, "group:S012", "<!subteam^S012>"),
        (Slack, "here", "<!here>"),
        (Slack, "channel", "<!channel>"),
        (GoogleChat, "user:1234567890", "<users/1234567890>"),
        (GoogleChat, "user:1", "<users/1>"),
        (GoogleChat, "all", "<users/all>"),
        (Mattermost, "user:ada.lovelace", "@ada.lovelace"),
        (Mattermost, "user:a-d_a9", "@a-d_a9"),
        (Mattermost, "here", "@here"),
        (Mattermost, "channel", "@channel"),
        (Mattermost, "all", "@all"),
    ] {
        assert_eq!(
            parse_mention(kind, text),
            Ok(Mention::Markup(markup.to_owned())),
            "{kind:?} {text}"
        );
    }
    for kind in [Slack, GoogleChat, Mattermost] {
        let long = format!("user:{}", "1".repeat(MAX_ID + 1));
        for text in [
            "",
            "everyone",
            "user:",
            "group:",
            "user:all>",
            "user:U1> <!channel",
            "user:U 1",
            "user:U1\nx",
            "user:1:2",
            "group:1",
            "here:1",
            "all:x",
            &long,
        ] {
            let error = parse_mention(kind, text);
            assert!(
                matches!(error, Err(MentionError::Nobody { .. })),
                "{kind:?} {text}: {error:?}"
            );
        }
    }
    for text in [
        "user:U",
        "user:S012",
        "group:U012",
        "user:u012",
        "user:X012",
        "all",
    ] {
        assert!(parse_mention(Slack, text).is_err(), "{text}");
    }
    for text in ["user:12a", "here", "user:+1"] {
        assert!(parse_mention(GoogleChat, text).is_err(), "{text}");
    }
    for text in ["user:Ada", "user:a b", "user:a@b"] {
        assert!(parse_mention(Mattermost, text).is_err(), "{text}");
    }
}

#[test]
fn what_mentions_nobody() {
    for text in [
        "",
        "everyone",
        "@everyone",
        "role:",
        "role:123",
        "role:12345678901234567a",
        "role:123456789012345678901",
        "group:123456789012345678",
        "role:123456789012345678> @everyone",
        "role:1234567890123456",
        "<@&123456789012345678>",
    ] {
        assert!(
            matches!(parse_mention(Discord, text), Err(MentionError::Nobody { .. })),
            "{text}"
        );
    }
    for text in [
        "",
        "user:ada@contoso.com",
        "user: Ada",
        "role:1 Ada",
        "user:a </at><at>all",
        "user:a Ada\u{7}",
        "user:a **Ada**",
        "user:a&b Ada",
    ] {
        assert!(
            matches!(
                parse_mention(TeamsWorkflow, text),
                Err(MentionError::Nobody { .. })
            ),
            "{text}"
        );
    }
    assert_eq!(
        parse_mention(TeamsConnector, "user:a Ada"),
        Err(MentionError::Connector)
    );
}
