//! Discord's rules.

use serde_json::{Value, json};
use zentry_e2e::emulator::{Emulator, Options, Verdict, Webhook};

use crate::{AGENT, plain_client, post, send, url};

/// Limits would get into the way of many requests.
fn unlimited() -> Emulator {
    Emulator::start_with(Options {
        rate_limits: false,
        ..Options::default()
    })
    .unwrap()
}

fn with(embed: Value) -> Value {
    json!({"allowed_mentions": {"parse": []}, "embeds": [embed]})
}

fn letters(count: usize) -> String {
    // Four bytes, two UTF-16 units: only counting code points gives the right length.
    "\u{1f600}".repeat(count)
}

/// `inside` is taken without a complaint; `outside` is refused with `code` at `path` (below `errors`).
fn boundary(webhook: &Webhook, path: &str, code: &str, inside: &Value, outside: &Value) {
    let taken = send(webhook, inside);
    assert_eq!(taken.status, 200, "{path}: {}", taken.text);
    let last = webhook.received().pop().unwrap();
    assert_eq!(
        (&last.verdict, &last.warnings),
        (&Verdict::Accepted, &vec![]),
        "{path}"
    );

    let refused = send(webhook, outside);
    assert_eq!(refused.status, 400, "{path}");
    let answer = refused.json();
    assert_eq!(answer["code"], 50035, "{path}: {answer}");
    assert_eq!(answer["message"], "Invalid Form Body");
    let errors = answer["errors"]
        .pointer(&format!("{path}/_errors"))
        .unwrap_or_else(|| panic!("{path}: {answer}"));
    assert_eq!(errors[0]["code"], code, "{path}: {answer}");
}

#[test]
fn texts_have_their_limits() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let too_long = |path: &str, most: usize, body: &dyn Fn(String) -> Value| {
        boundary(
            &webhook,
            path,
            "BASE_TYPE_MAX_LENGTH",
            &body(letters(most)),
            &body(letters(most + 1)),
        );
    };
    too_long(
        "/content",
        2000,
        &|text| json!({"content": text, "allowed_mentions": {"parse": []}}),
    );
    too_long("/embeds/0/title", 256, &|text| with(json!({"title": text})));
    too_long("/embeds/0/description", 4096, &|text| {
        with(json!({"description": text}))
    });
    too_long("/embeds/0/footer/text", 2048, &|text| {
        with(json!({"title": "t", "footer": {"text": text}}))
    });
    too_long("/embeds/0/author/name", 256, &|text| {
        with(json!({"author": {"name": text}}))
    });
    too_long("/embeds/0/fields/0/name", 256, &|text| {
        with(json!({"fields": [{"name": text, "value": "v"}]}))
    });
    too_long("/embeds/0/fields/0/value", 1024, &|text| {
        with(json!({"fields": [{"name": "n", "value": text}]}))
    });
}

#[test]
fn addresses_have_their_limit() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let address = |length: usize| {
        format!(
            "https://a.example/{}",
            "p".repeat(length - "https://a.example/".len())
        )
    };
    let body = |length| with(json!({"title": "t", "url": address(length)}));
    boundary(
        &webhook,
        "/embeds/0/url",
        "BASE_TYPE_MAX_LENGTH",
        &body(2048),
        &body(2049),
    );
    for key in ["image", "thumbnail"] {
        let body = |length| with(json!({key: {"url": address(length)}}));
        boundary(
            &webhook,
            &format!("/embeds/0/{key}/url"),
            "BASE_TYPE_MAX_LENGTH",
            &body(2048),
            &body(2049),
        );
    }
    let body = |icon: &str| with(json!({"footer": {"text": "t", "icon_url": icon}}));
    let path = "/embeds/0/footer/icon_url";
    boundary(
        &webhook,
        path,
        "URL_TYPE_INVALID_SCHEME",
        &body("attachment://a.png"),
        &body("ftp://a.example/a.png"),
    );
    boundary(
        &webhook,
        path,
        "URL_TYPE_INVALID_URL",
        &body("https://a.example/a.png"),
        &body("a.png"),
    );
}

#[test]
fn text_is_trimmed_before_it_is_counted() {
    let emulator = unlimited();
    let padded = format!("  {}\n ", letters(256));
    assert_eq!(
        send(&emulator.discord_webhook(), &with(json!({"title": padded}))).status,
        200
    );
}

#[test]
fn lists_have_their_limits() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let embeds = |count: usize| json!({"allowed_mentions": {"parse": []}, "embeds": vec![json!({"title": "t"}); count]});
    boundary(
        &webhook,
        "/embeds",
        "BASE_TYPE_MAX_LENGTH",
        &embeds(10),
        &embeds(11),
    );
    let fields = |count: usize| with(json!({"fields": vec![json!({"name": "n", "value": "v"}); count]}));
    boundary(
        &webhook,
        "/embeds/0/fields",
        "BASE_TYPE_MAX_LENGTH",
        &fields(25),
        &fields(26),
    );
}

#[test]
fn the_sum_over_all_embeds_has_its_limit() {
    let emulator = unlimited();
    // 1 of each of the other five texts, in the second embed.
    let body = |description: usize| {
        json!({"allowed_mentions": {"parse": []}, "embeds": [
            {"description": letters(4000)},
            {"description": letters(description), "title": "t", "footer": {"text": "f"}, "author": {"name": "a"},
             "fields": [{"name": "n", "value": "v"}]},
        ]})
    };
    boundary(
        &emulator.discord_webhook(),
        "/embeds",
        "MAX_EMBED_SIZE_EXCEEDED",
        &body(1995),
        &body(1996),
    );
}

#[test]
fn required_members_are_required() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let required = |path: &str, inside: Value, outside: Value| {
        boundary(
            &webhook,
            path,
            "BASE_TYPE_REQUIRED",
            &with(inside),
            &with(outside),
        );
    };
    let full = json!({"fields": [{"name": "n", "value": "v"}]});
    required(
        "/embeds/0/fields/0/name",
        full.clone(),
        json!({"fields": [{"value": "v"}]}),
    );
    required(
        "/embeds/0/fields/0/name",
        full.clone(),
        json!({"fields": [{"name": "", "value": "v"}]}),
    );
    required(
        "/embeds/0/fields/0/value",
        full.clone(),
        json!({"fields": [{"name": "n"}]}),
    );
    required(
        "/embeds/0/fields/0/value",
        full.clone(),
        json!({"fields": [{"name": "n", "value": " \n"}]}),
    );
    required(
        "/embeds/0/fields/0/value",
        full,
        json!({"fields": [{"name": "n", "value": null}]}),
    );
    required(
        "/embeds/0/footer/text",
        json!({"footer": {"text": "f"}}),
        json!({"footer": {}}),
    );
}

#[test]
fn types_are_checked() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let wrong = |path: &str, code: &str, inside: Value, outside: Value| {
        boundary(&webhook, path, code, &with(inside), &with(outside));
    };
    let colour = |colour: Value| json!({"title": "t", "color": colour});
    wrong(
        "/embeds/0/color",
        "NUMBER_TYPE_MAX",
        colour(json!(16_777_215)),
        colour(json!(16_777_216)),
    );
    wrong(
        "/embeds/0/color",
        "NUMBER_TYPE_MIN",
        colour(json!(0)),
        colour(json!(-1)),
    );
    wrong(
        "/embeds/0/color",
        "NUMBER_TYPE_COERCE",
        colour(json!(1)),
        colour(json!("#ff0000")),
    );

    let time = |time: &str| json!({"title": "t", "timestamp": time});
    let (path, code) = ("/embeds/0/timestamp", "DATE_TIME_TYPE_PARSE");
    wrong(
        path,
        code,
        time("2024-01-15T10:30:00Z"),
        time("2024-01-15T10:30:00"),
    );
    wrong(
        path,
        code,
        time("2024-01-15T10:30:00.123456+02:00"),
        time("1705314600"),
    );

    wrong(
        "/embeds/0/title",
        "STRING_TYPE_CONVERT",
        json!({"title": "1"}),
        json!({"title": ["1"]}),
    );
    let field = |inline: Value| json!({"fields": [{"name": "n", "value": "v", "inline": inline}]});
    wrong(
        "/embeds/0/fields/0/inline",
        "BOOLEAN_TYPE_CONVERT",
        field(json!(true)),
        field(json!("yes")),
    );
    wrong(
        "/embeds/0/fields",
        "LIST_TYPE_CONVERT",
        json!({"title": "t", "fields": []}),
        json!({"fields": {}}),
    );
    wrong(
        "/embeds/0/footer",
        "MODEL_TYPE_CONVERT",
        json!({"footer": {"text": "f"}}),
        json!({"footer": "f"}),
    );
}

#[test]
fn names_of_users_have_rules() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let named = |name: &str| json!({"content": "c", "username": name, "allowed_mentions": {"parse": []}});
    let (short, long) = ("BASE_TYPE_BAD_LENGTH", "n".repeat(81));
    boundary(&webhook, "/username", short, &named(&long[1..]), &named(&long));
    boundary(&webhook, "/username", short, &named("n"), &named(" "));
    boundary(
        &webhook,
        "/username",
        "USERNAME_INVALID_CONTAINS",
        &named("Zentry"),
        &named("My DisCord"),
    );
    boundary(
        &webhook,
        "/username",
        "USERNAME_INVALID_CONTAINS",
        &named("Zentry"),
        &named("clyde"),
    );
}

#[test]
fn mentions_must_be_allowed_in_the_right_spelling() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let with = |mentions: Value| json!({"content": "c", "allowed_mentions": mentions});
    let good = with(json!({"parse": []}));
    for (path, code, wrong) in [
        ("/allowed_mentions", "MODEL_TYPE_CONVERT", json!([])),
        (
            "/allowed_mentions/parse",
            "LIST_TYPE_CONVERT",
            json!({"parse": "none"}),
        ),
        (
            "/allowed_mentions/parse/0",
            "BASE_TYPE_CHOICES",
            json!({"parse": ["none"]}),
        ),
        (
            "/allowed_mentions/users/0",
            "NUMBER_TYPE_COERCE",
            json!({"users": ["ann"]}),
        ),
        (
            "/allowed_mentions/users",
            "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
            json!({"parse": ["users"], "users": ["1"]}),
        ),
    ] {
        boundary(&webhook, path, code, &good, &with(wrong));
    }
}

#[test]
fn what_discord_lets_pass_but_should_not_be_sent_is_a_warning() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    for (body, warning) in [
        (
            json!({"content": "c"}),
            "no allowed_mentions: the content could ping",
        ),
        (
            json!({"content": "c", "allowed_mentions": {"parse": ["everyone"]}}),
            "allowed_mentions: the content could ping everyone",
        ),
        (
            json!({"text": "t", "content": "c", "allowed_mentions": {"parse": []}}),
            "unknown key \"text\"",
        ),
        (
            with(json!({"title": "t", "colour": 1})),
            "embeds.0: unknown key \"colour\"",
        ),
        (
            json!({"allowed_mentions": {"parse": []}, "embeds": [
                {"title": "1", "url": "https://a.example"}, {"title": "2", "url": "https://a.example"}]}),
            "embeds.1: the same url as an embed before: the two collapse into one",
        ),
    ] {
        assert_eq!(send(&webhook, &body).status, 200, "{body}");
        assert_eq!(webhook.received().pop().unwrap().warnings, [warning], "{body}");
    }
    assert_eq!(emulator.complaints().len(), 5);
}

#[test]
fn an_empty_message_is_refused() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    for body in [
        json!({}),
        json!({"content": " "}),
        json!({"embeds": []}),
        json!({"embeds": [{"color": 1}]}),
    ] {
        let answer = send(&webhook, &body);
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &json!(50006)),
            "{body}"
        );
    }
}

#[test]
fn a_body_that_is_not_json_is_refused() {
    let emulator = unlimited();
    let (webhook, agent) = (emulator.discord_webhook(), plain_client());
    let broken = post(&agent, &url(&webhook), "{\"content\": ").unwrap();
    assert_eq!((broken.status, &broken.json()["code"]), (400, &json!(50109)));
    let list = post(&agent, &url(&webhook), "[]").unwrap();
    assert_eq!((list.status, &list.json()["code"]), (400, &json!(50035)));

    let body = json!({"content": "c"}).to_string();
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
    ] {
        let mut response = agent
            .post(url(&webhook))
            .header("content-type", media)
            .send(&body)
            .unwrap();
        assert_eq!(response.status(), 400, "{media}");
        let text = response.body_mut().read_to_string().unwrap();
        assert!(text.contains("Expected \\\"Content-Type\\\" header"), "{text}");
    }
    assert_eq!(webhook.accepted(), 0);
}

#[test]
fn a_body_of_many_megabytes_is_refused() {
    let emulator = unlimited();
    let body = json!({"content": "c".repeat(9 * 1024 * 1024)});
    let answer = send(&emulator.discord_webhook(), &body);
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!(40005)));
}

#[test]
fn a_caller_must_say_that_it_is_a_bot() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let body = json!({"content": "c"}).to_string();
    for (agent, status) in [
        (AGENT, 200),
        ("DiscordBot (https://example.org)", 403),
        ("curl/8.0", 403),
        ("Mozilla/5.0", 403),
        ("DiscordBot (example.org, 1)", 403),
    ] {
        let request = plain_client()
            .post(url(&webhook))
            .header("content-type", "application/json");
        let response = request.header("user-agent", agent).send(&body).unwrap();
        assert_eq!(response.status(), status, "{agent}");
        assert!(
            !response.headers().contains_key("x-ratelimit-limit"),
            "limits are switched off"
        );
    }
}

#[test]
fn without_wait_nobody_knows_whether_it_was_saved() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let bare = url(&webhook).replace("?wait=true", "");
    let answer = post(&plain_client(), &bare, &json!({"content": "c"}).to_string()).unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(webhook.received()[0].verdict, Verdict::Unsaved);
    assert_eq!((webhook.accepted(), webhook.events().len()), (0, 0));
    assert!(emulator.complaints()[0].contains("without wait=true"));
}

#[test]
fn with_wait_the_message_comes_back() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let answer = send(
        &webhook,
        &with(json!({"title": "Done", "description": "**Ann** did it"})),
    );
    let message = answer.json();
    assert_eq!(answer.status, 200);
    assert_eq!(message["embeds"][0]["title"], "Done");
    assert!(message["id"].as_str().unwrap().parse::<u64>().unwrap() > 1_000_000_000_000_000_000);
    assert_eq!(webhook.shown()[0].text, "Ann did it");
}

#[test]
fn versions_differ() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let body = with(json!({"title": letters(257)})).to_string();
    let at = |version: &str| {
        let url = webhook
            .url()
            .replace("/api/webhooks/", &format!("/api/{version}webhooks/"));
        post(&plain_client(), &format!("{url}?wait=true"), &body).unwrap()
    };
    for version in ["v10/", "v9/", "v8/"] {
        assert_eq!(at(version).json()["code"], 50035, "{version}");
    }
    for version in ["", "v6/", "v7/"] {
        assert_eq!(at(version).json(), json!({"embeds": ["0"]}), "{version}");
    }
    assert_eq!(at("v11/").json()["code"], 50041);
    let unversioned = webhook
        .received()
        .into_iter()
        .find(|received| received.path.starts_with("/api/webhooks"))
        .unwrap();
    assert!(unversioned.warnings[0].starts_with("unversioned path"));
}

#[test]
fn only_the_right_id_and_token_are_let_in() {
    let emulator = unlimited();
    let webhook = emulator.discord_webhook();
    let target = url(&webhook);
    let (front, _) = target.rsplit_once('/').unwrap();
    let body = json!({"content": "c"}).to_string();
    let code = |url: &str| {
        let answer = post(&plain_client(), url, &body).unwrap();
        (answer.status, answer.json()["code"].as_u64().unwrap())
    };
    assert_eq!(
        code(&format!("{front}/{}?wait=true", "x".repeat(68))),
        (401, 50027)
    );
    let base = emulator.http_base();
    assert_eq!(
        code(&format!("{base}/api/v10/webhooks/123456789012345678/x?wait=true")),
        (404, 10015)
    );
    assert_eq!(
        code(&format!("{base}/api/v10/webhooks/abc/x?wait=true")),
        (400, 50035)
    );
    assert_eq!(code(&format!("{target}&thread_id=x")), (400, 50035));
    assert_eq!(
        post(
            &plain_client(),
            &format!("{target}&thread_id=123456789012345678"),
            &body
        )
        .unwrap()
        .status,
        200
    );
    assert_eq!(
        emulator.strays().len(),
        2,
        "the unknown id and the id that is none"
    );

    webhook.remove();
    assert_eq!(code(&target), (404, 10015));
    webhook.restore();
    assert_eq!(post(&plain_client(), &target, &body).unwrap().status, 200);
    assert_eq!(plain_client().get(&target).call().unwrap().status(), 405);
}
