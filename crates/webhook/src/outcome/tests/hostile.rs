//! Answers that mean harm.

use proptest::prelude::*;

use super::*;

fn wait_of(judgement: &Judgement) -> Option<Duration> {
    match judgement.verdict {
        Verdict::RateLimited { wait, .. } => Some(wait),
        Verdict::Retry { wait } | Verdict::Unavailable { wait } => wait,
        _ => None,
    }
}

#[test]
fn impossible_waits_are_cut_or_ignored() {
    let day = Duration::from_secs(24 * 3600);
    let default = Duration::from_secs(10);
    for (value, wait) in [
        ("1000000000000", day),
        ("1e999", day),
        ("inf", day),
        ("0", Duration::from_millis(100)),
        ("-1", default),
        ("NaN", default),
        ("soon", default),
        ("", default),
        ("Sun, 06 Nov 9994 08:49:37 GMT", day),
    ] {
        for kind in KINDS {
            let headers = [("retry-after", value), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")];
            assert_eq!(wait_of(&judged(kind, 429, &headers, "")), Some(wait), "{value}");
        }
    }
    for (value, wait) in [
        ("1e12", day),
        ("1e999", default),
        ("-5", default),
        ("\"1\"", default),
        ("null", default),
    ] {
        let body = format!("{{\"retry_after\": {value}}}");
        assert_eq!(
            wait_of(&judged(EndpointKind::Discord, 429, &[], body)),
            Some(wait),
            "{value}"
        );
    }
}

#[test]
fn deep_json_is_no_json() {
    let deep = "{\"errors\":".repeat(30_000) + &"[".repeat(30_000);
    for kind in KINDS {
        assert_eq!(judged(kind, 400, &[], deep.clone()).verdict, REJECTED);
        assert_eq!(judged(kind, 500, &[], deep.clone()).verdict, RETRY);
    }
    let nested = "{\"embeds\":".repeat(100) + "1" + &"}".repeat(100);
    let body = format!("{{\"code\": 50035, \"errors\": {nested}}}");
    assert_eq!(judged(EndpointKind::Discord, 400, &[], body).verdict, REJECTED);
}

#[test]
fn the_stored_body_is_short_and_valid_text() {
    let body = [
        b"\x00\xff\xf0\x9f\x98".as_slice(),
        "\u{1f600}".repeat(2000).as_bytes(),
    ]
    .concat();
    let stored = judged(EndpointKind::Discord, 200, &[], body).body.unwrap();
    assert_eq!(stored.chars().count(), 1000);
    assert!(
        stored.starts_with("\u{fffd}\u{fffd}\u{fffd}\u{1f600}"),
        "{stored}"
    );
}

#[test]
fn an_echoed_secret_is_not_stored() {
    let body = format!("{{\"message\": \"no webhook {TOKEN}\", \"code\": 50013}}");
    for status in [200, 400, 401, 403, 404, 429, 500] {
        for kind in KINDS {
            let judgement = judged(kind, status, &[], body.clone());
            assert!(!format!("{judgement:?}").contains(TOKEN), "{judgement:?}");
            assert!(judgement.body.unwrap().contains("no webhook ***"));
        }
    }
}

#[test]
fn no_part_of_a_secret_is_left_where_a_text_is_cut() {
    for kind in KINDS {
        for status in [200, 400, 403, 404, 500] {
            for before in (400..1000).step_by(7) {
                let body = "x".repeat(before) + TOKEN;
                let judgement = judged(kind, status, &[], body);
                assert!(!format!("{judgement:?}").contains(&TOKEN[..8]), "{judgement:?}");
            }
        }
    }
}

/// Statuses and bodies near those that mean something.
fn any_answer() -> impl Strategy<Value = Answer> {
    let status = prop_oneof![any::<u16>(), 100..600u16, Just(200), Just(400), Just(429)];
    let value = prop_oneof![
        "\\PC{0,20}",
        "-?[0-9]{1,20}(\\.[0-9]{1,5})?",
        Just("true".to_owned())
    ];
    let name = prop::sample::select(JUDGED_HEADERS.as_slice());
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        r#"\{"(code|error|errors|retry_after|message)": ?(50035|\{"embeds": ?\{"[0-9]{0,22}": ?[0-9\[{]}}|"x"|-?1e[0-9]{1,4})\}"#
            .prop_map(String::into_bytes),
        r"HTTP error \PC{0,9}".prop_map(String::into_bytes),
    ];
    (status, prop::collection::vec((name, value), 0..5), body).prop_map(|(status, headers, body)| Answer {
        status,
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        body,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_answer_panics_or_escapes_its_bounds(answer in any_answer()) {
        for kind in KINDS {
            let judgement = judge(kind, &discord_url(), Ok(&answer));
            prop_assert_eq!(judgement.error.is_none(), judgement.verdict == Verdict::Sent);
            prop_assert!(wait_of(&judgement).unwrap_or_default() <= wait::MAX_WAIT);
            prop_assert!(judgement.pause.unwrap_or_default() <= wait::MAX_WAIT);
            if let Verdict::RateLimited { wait, .. } = judgement.verdict {
                prop_assert!(wait > Duration::ZERO);
            }
            if let Verdict::Rejected { culprit } = judgement.verdict {
                prop_assert!(culprit.is_none_or(|culprit| culprit < 10));
            }
            prop_assert_eq!(judgement.body.is_none(), answer.body.is_empty());
            let body = judgement.body.unwrap_or_default();
            prop_assert!(body.chars().count() <= 1000 && !body.contains('\0'));
            let error = judgement.error.unwrap_or_default();
            prop_assert!(error.chars().count() <= 1000 && !error.contains(char::is_control));
        }
    }
}
