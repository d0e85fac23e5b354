//! Discord's rules for a message: each limit from both sides.

use serde_json::{Value, json};
use zentry_e2e::emulator::{Emulator, Options, Verdict, Webhook};

use crate::send;

/// Limits would get into the way of many requests.
pub(crate) fn unlimited() -> Emulator {
    Emulator::start_with(Options {
        rate_limits: false,
        ..Options::default()
    })
    .unwrap()
}

pub(crate) fn with(embed: Value) -> Value {
    json!({"allowed_mentions": {"parse": []}, "embeds": [embed]})
}

pub(crate) fn letters(count: usize) -> String {
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
