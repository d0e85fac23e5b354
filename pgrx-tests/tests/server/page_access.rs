//! What pages offer, and what they answer, to whom: by bare requests, as a browser would not send them.

use anyhow::{Context, Result};
use ureq::Agent;
use ureq::http::{Request, Response};
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::Scene;
use zentry_e2e::site::fire;

use crate::support::{Server, Token};

/// A visitor who follows no redirect.
pub struct Visitor {
    agent: Agent,
    root: String,
    cookie: String,
}

pub struct Answer {
    pub status: u16,
    location: String,
    cookie: String,
    policy: String,
    pub text: String,
}

impl Visitor {
    pub fn new(server: &Server, token: &str) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The server closes a connection whose request it has refused before its body came.
            .max_idle_connections(0)
            .build()
            .new_agent();
        Self {
            agent,
            root: server.url.clone(),
            cookie: format!("zentry_token={token}"),
        }
    }

    pub fn get(&self, path: &str) -> Result<Answer> {
        let request = Request::get(format!("{}{path}", self.root)).header("Cookie", &self.cookie);
        answer(self.agent.run(request.body(())?)?)
    }

    pub fn post(&self, path: &str, body: &str) -> Result<Answer> {
        self.post_with(path, body, &[("Sec-Fetch-Site", "same-origin")])
    }

    fn post_with(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let mut request = Request::post(format!("{}{path}", self.root))
            .header("Cookie", &self.cookie)
            .header("Content-Type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(self.agent.run(request.body(body.to_owned())?)?)
    }
}

fn answer(response: Response<ureq::Body>) -> Result<Answer> {
    let (parts, mut body) = response.into_parts();
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    Ok(Answer {
        status: parts.status.as_u16(),
        location: header("location"),
        cookie: header("set-cookie"),
        policy: header("content-security-policy"),
        text: body.read_to_string()?,
    })
}

/// A delivery that failed; its id, and that of its integration.
fn failed(scene: &mut Scene) -> Result<(i64, i64)> {
    let channel = scene.channel(Kind::Discord)?;
    channel.webhook.script([Behaviour::Status(400)]);
    fire(&mut scene.client)?;
    Ok((scene.settle()?.remove(0).id, channel.id))
}

#[test]
fn a_reader_is_offered_and_may_do_no_write() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let (delivery, integration) = failed(&mut scene)?;
    let reader: Token = server.token(&mut scene, "reader")?;
    let manager: Token = server.token(&mut scene, "manager")?;
    let (reader, manager) = (
        Visitor::new(&server, &reader.text),
        Visitor::new(&server, &manager.text),
    );
    let one = format!("/admin/integrations/{integration}");
    for (path, writes) in [
        // Of the only integration, and of those that are ticked.
        ("/admin/integrations/".to_owned(), 2),
        (format!("{one}/"), 2),
        ("/admin/logs/".to_owned(), 2),
        (format!("/admin/logs/{delivery}/"), 1),
        ("/admin/events/".to_owned(), 0),
        ("/admin/events/task_completed/".to_owned(), 1),
        // What has failed is sent again.
        ("/admin/status/".to_owned(), 1),
        ("/admin/languages/".to_owned(), 1),
        ("/admin/guide/".to_owned(), 0),
    ] {
        // The one form of everybody signs out.
        let forms = |visitor: &Visitor| -> Result<usize> {
            let page = visitor.get(&path)?;
            assert_eq!(page.status, 200, "{path}: {}", page.text);
            Ok(page.text.matches("method=\"post\"").count() - 1)
        };
        assert_eq!(forms(&manager)?, writes, "{path} as a manager");
        let page = reader.get(&path)?.text;
        let log_form = usize::from(path == "/admin/logs/");
        assert_eq!(forms(&reader)?, log_form, "{path} as a reader: {page}");
        for offer in [
            "New integration",
            "/edit/",
            "/delete/",
            "Send again",
            "type=\"checkbox\"",
            "Switch o",
            "/admin/tokens/",
            "/wording/",
        ] {
            assert!(!page.contains(offer), "{path} offers {offer} to a reader");
        }
    }
    let url = scene.emulator.discord_webhook().url();
    let new = format!("name=x&webhook_type=discord&webhook_url={url}&event_type=*");
    let many = format!("on=false&id={integration}");
    for (path, body) in [
        ("/admin/integrations/new/".to_owned(), new.as_str()),
        (
            "/admin/integrations/check/".to_owned(),
            "webhook_type=discord&webhook_url=x",
        ),
        (format!("{one}/edit/"), new.as_str()),
        (format!("{one}/switch/"), "on=false"),
        ("/admin/integrations/switch/".to_owned(), many.as_str()),
        (format!("{one}/test/"), "test_message=x"),
        (format!("{one}/delete/"), ""),
        (format!("/admin/logs/{delivery}/retry/"), ""),
        ("/admin/logs/retry-failed/".to_owned(), "since=day"),
        ("/admin/events/task_completed/sample/".to_owned(), ""),
        (
            "/admin/events/task_completed/wording/".to_owned(),
            "do=save&title=x",
        ),
        (
            "/admin/events/task_completed/wording/".to_owned(),
            "do=preview&title=x",
        ),
        ("/admin/events/task_completed/wording/".to_owned(), "do=reset"),
        ("/admin/languages/".to_owned(), "language=de"),
        ("/admin/tokens/".to_owned(), "name=x&role=x"),
        ("/admin/tokens/revoke/".to_owned(), "name=x"),
    ] {
        let page = reader.post(&path, body)?;
        assert_eq!(page.status, 403, "{path}: {}", page.text);
        assert!(
            page.text.contains("<h1>Not allowed</h1>"),
            "{path}: {}",
            page.text
        );
    }
    for path in [
        "/admin/integrations/new/".to_owned(),
        format!("{one}/edit/"),
        format!("{one}/delete/"),
        "/admin/events/task_completed/wording/".to_owned(),
        "/admin/tokens/".to_owned(),
        "/admin/tokens/revoke/?name=x".to_owned(),
    ] {
        assert_eq!(reader.get(&path)?.status, 403, "{path}");
    }
    // A sample for a project that nobody can mean goes to nobody.
    let page = manager.post("/admin/events/task_completed/sample/", "project=one")?;
    assert_eq!(page.status, 400, "{}", page.text);
    // What is ticked is refused one by one.
    let page = reader.post("/admin/logs/retry/", &format!("id={delivery}"))?;
    assert!(page.text.contains("You do not have permission"), "{}", page.text);
    assert_eq!(scene.settle()?.len(), 1, "nothing was written");
    Ok(())
}

#[test]
fn other_sites_can_do_nothing_with_a_visitors_cookie() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--public-url", "https://notify.example.com"])?;
    let (_, integration) = failed(&mut scene)?;
    let manager = server.token(&mut scene, "manager")?;
    // The proxy is reached by TLS: a cookie of the plain name may come from a neighbour, and is none.
    let mut visitor = Visitor::new(&server, &manager.text);
    assert_eq!(visitor.get("/admin/integrations/")?.status, 303);
    visitor.cookie = format!("__Host-{}", visitor.cookie);
    let path = format!("/admin/integrations/{integration}/switch/");
    for headers in [
        [("Sec-Fetch-Site", "cross-site")],
        // A neighbour below the same domain gets the cookie, too.
        [("Sec-Fetch-Site", "same-site")],
        [("Origin", "https://evil.example")],
        [("Origin", "null")],
    ] {
        let page = visitor.post_with(&path, "on=false", &headers)?;
        assert_eq!(page.status, 403, "{headers:?}: {}", page.text);
    }
    for headers in [
        [("Sec-Fetch-Site", "same-origin")],
        [("Origin", server.url.as_str())],
        [("Origin", "https://notify.example.com")],
    ] {
        let page = visitor.post_with(&path, "on=true", &headers)?;
        assert_eq!(page.status, 303, "{headers:?}: {}", page.text);
    }
    // And none can be told where to send a visitor who has signed in.
    let body = format!("token={}&next=https://evil.example/", manager.text);
    let page = Visitor::new(&server, "").post("/admin/sign-in/", &body)?;
    assert_eq!(
        (page.status, page.location.as_str()),
        (303, "/admin/integrations/")
    );
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Secure"] {
        assert!(
            page.cookie.split("; ").any(|part| part == attribute),
            "{}",
            page.cookie
        );
    }
    assert!(page.cookie.starts_with("__Host-zentry_token="), "{}", page.cookie);
    let page = visitor.get("/admin/integrations/")?;
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ] {
        assert!(page.policy.contains(part), "{}", page.policy);
    }
    assert!(!page.policy.contains("unsafe"), "{}", page.policy);
    assert!(
        !page.text.contains("style=\"") && !page.text.contains("onclick"),
        "{}",
        page.text
    );
    assert!(
        !server.whole_log().contains(&manager.text),
        "the log has the token"
    );
    Ok(())
}

#[test]
fn who_is_not_signed_in_any_more_is_asked_to() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--max-failed-tries", "2"])?;
    let manager = server.token(&mut scene, "manager")?;
    let visitor = Visitor::new(&server, &manager.text);
    assert_eq!(visitor.get("/admin/status/")?.status, 200);
    scene
        .client
        .execute("SELECT zentry_revoke_api_token($1)", &[&manager.name])?;
    let page = visitor.get("/admin/logs/?status=sent")?;
    assert_eq!(
        (page.status, page.location.as_str()),
        (303, "/admin/sign-in/?next=%2Fadmin%2Flogs%3Fstatus%3Dsent")
    );
    assert!(
        page.cookie.contains("zentry_token=;") && page.cookie.contains("Max-Age=0"),
        "{}",
        page.cookie
    );
    // Guessing is limited here as it is in the API.
    let guess = |token: &str| Visitor::new(&server, "").post("/admin/sign-in/", &format!("token={token}"));
    assert_eq!(guess("zentry_12345678_x")?.status, 401);
    let page = guess("zentry_12345678_x")?;
    assert_eq!(page.status, 429, "{}", page.text);
    assert!(page.text.contains("Too many failed tries"));
    Ok(())
}

#[test]
fn what_is_not_there_is_a_page_too() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let reader = server.token(&mut scene, "reader")?;
    let visitor = Visitor::new(&server, &reader.text);
    for (path, status) in [
        ("/admin/nothing/", 404),
        ("/admin/integrations/987654321/", 404),
        ("/admin/integrations/one/", 404),
        ("/admin/logs/987654321/", 404),
        ("/admin/events/nothing/", 404),
        ("/admin/events/%ff/", 404),
        ("/admin/events/task_completed/?webhook=987654321", 404),
        ("/admin/logs/?status=lost", 400),
        ("/admin/logs/?page=0", 404),
        ("/admin/guide/nothing/", 404),
        ("/admin/languages/?webhook=x", 400),
        ("/admin/assets/other.css", 404),
    ] {
        let page = visitor.get(path)?;
        assert_eq!(page.status, status, "{path}");
        assert!(
            page.text.starts_with("<!DOCTYPE html>") && page.policy.contains("default-src 'none'"),
            "{path}: {}",
            page.text
        );
    }
    assert_eq!(visitor.get("/admin")?.location, "/admin/integrations/");
    let page = visitor.post("/admin/status/", "")?;
    assert_eq!(page.status, 405, "{}", page.text);
    // Others' answers stay what they are.
    assert!(visitor.get("/administration")?.text.starts_with('{'));
    let asset = visitor.get("/admin/integrations/")?.text;
    let (_, rest) = asset
        .split_once("rel=\"stylesheet\" href=\"")
        .context("no style sheet")?;
    let (style, _) = rest.split_once('"').context("no end")?;
    assert!(
        Visitor::new(&server, "").get(style)?.text.contains("--accent"),
        "{style}"
    );
    Ok(())
}
