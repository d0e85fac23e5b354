//! Discord's answers: who is let in, and what comes back.

use serde_json::json;
use zentry_e2e::emulator::Verdict;

use crate::discord::{letters, unlimited, with};
use crate::{AGENT, plain_client, post, send, url};

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

#[test]
fn what_goes_to_no_webhook_is_a_stray() {
    let emulator = unlimited();
    for path in ["/", "/api/v10/channels/1/messages", "/webhooks"] {
        let answer = post(&plain_client(), &format!("{}{path}", emulator.http_base()), "{}").unwrap();
        assert_eq!(answer.status, 404, "{path}");
    }
    let paths: Vec<String> = emulator.strays().iter().map(|stray| stray.path.clone()).collect();
    assert_eq!(paths, ["/", "/api/v10/channels/1/messages", "/webhooks"]);
    assert_eq!(emulator.complaints().len(), 3);
}
