//! What a client cannot do: guess on and on, send too much, hold on for ever.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;

use crate::support::{API, Directory, Server};

#[test]
fn failed_tries_are_limited() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--max-failed-tries", "3"])?;
    let reader = server.token(&mut scene, "reader")?;
    for _ in 0..3 {
        assert_eq!(
            server
                .call("GET", "/metrics", Some("zentry_12345678_guess"), None)?
                .status,
            401
        );
        // A request without any is no try.
        assert_eq!(server.call("GET", "/metrics", None, None)?.status, 401);
    }
    for token in ["zentry_12345678_guess", &reader.text] {
        let answer = server.call("GET", "/metrics", Some(token), None)?;
        assert_eq!(answer.status, 429, "{answer:?}");
        let wait: u64 = answer.header("retry-after").parse()?;
        assert!((1..=60).contains(&wait), "{answer:?}");
    }
    Ok(())
}

#[test]
fn behind_a_trusted_proxy_each_client_has_tries_of_its_own() -> Result<()> {
    let mut scene = Scene::start()?;
    let options = ["--max-failed-tries", "3", "--trusted-proxy", "127.0.0.1"];
    let server = Server::start_with(&mut scene, &options)?;
    let reader = server.token(&mut scene, "reader")?;
    let status = |token: &str, forwarded: &str| -> Result<u16> {
        let headers = [("X-Forwarded-For", forwarded)];
        Ok(server.call_with("GET", "/metrics", Some(token), &headers)?.status)
    };
    for made_up in ["", "198.51.100.1, ", "198.51.100.2, "] {
        assert_eq!(
            status("zentry_12345678_guess", &format!("{made_up}192.0.2.7"))?,
            401
        );
    }
    assert_eq!(status(&reader.text, "192.0.2.7")?, 429);
    assert_eq!(status(&reader.text, "192.0.2.8")?, 200);
    Ok(())
}

#[test]
fn a_body_is_limited() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--max-body", "1000"])?;
    let manager = server.token(&mut scene, "manager")?;
    let answer = server.post(
        "/webhook-integrations/",
        &manager,
        json!({"name": "x".repeat(1000)}),
    )?;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.json["detail"].is_string(), "{answer:?}");
    // One that is announced as larger than it will ever be is not waited for.
    let mut stream = connect(&server)?;
    write!(
        stream,
        "POST {API}/webhook-integrations/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 1000000000000\r\n\r\n{{",
        manager.text
    )?;
    assert!(first_line(&mut stream)?.contains("413"));
    let text = server.call(
        "POST",
        &format!("{API}/webhook-integrations/"),
        Some(&manager.text),
        None,
    )?;
    assert_eq!(text.status, 400, "no body has no fields: {text:?}");
    Ok(())
}

#[test]
fn what_is_no_json_is_refused() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start(&mut scene)?;
    let manager = server.token(&mut scene, "manager")?;
    for (kind, body, status) in [
        ("application/json", "{\"name\": ", "400"),
        (
            "application/json; charset=utf-8",
            "{\"name\": \"\u{fffd}\"}",
            "400",
        ),
        ("application/json", "\u{0}", "400"),
        ("multipart/form-data", "x", "400"),
        ("application/xml", "<x/>", "415"),
        ("text/plain", "{}", "415"),
    ] {
        let mut stream = connect(&server)?;
        write!(
            stream,
            "POST {API}/webhook-integrations/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            manager.text,
            body.len()
        )?;
        let line = first_line(&mut stream)?;
        assert!(line.contains(status), "{kind} {body:?}: {line}");
    }
    Ok(())
}

/// One that sends its head, or its body, a little at a time holds nobody else up, and is sent away.
#[test]
fn a_slow_client_is_sent_away() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--request-timeout", "1", "--head-timeout", "1"])?;
    let manager = server.token(&mut scene, "manager")?;
    let mut heads: Vec<TcpStream> = (0..50).map(|_| connect(&server)).collect::<Result<_>>()?;
    for stream in &mut heads {
        write!(stream, "GET {API}/webhook-integrations/ HTTP/1.1\r\nHost: x\r\n")?;
    }
    let mut slow_body = connect(&server)?;
    write!(
        slow_body,
        "POST {API}/webhook-integrations/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{",
        manager.text
    )?;
    assert_eq!(server.get("/webhook-integrations/", &manager)?.status, 200);
    let line = first_line(&mut slow_body)?;
    assert!(line.contains("504"), "{line}");
    for stream in &mut heads {
        ended(stream)?;
    }
    // A statement that takes too long is ended as well, and its connection used again.
    let channel = scene.channel(Kind::Discord)?;
    channel.webhook.script([Behaviour::Hang]);
    let answer = server.post(
        &format!("/webhook-integrations/{}/test/", channel.id),
        &manager,
        json!({}),
    )?;
    assert_eq!(answer.status, 504, "{answer:?}");
    assert_eq!(server.get("/webhook-integrations/", &manager)?.status, 200);
    Ok(())
}

#[test]
fn other_origins_are_let_in_by_configuration_alone() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--cors-origin", "https://app.example.com"])?;
    let allowed = |origin: &str| -> Result<String> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        let request = ureq::http::Request::builder()
            .method("OPTIONS")
            .uri(format!("{}{API}/webhook-integrations/", server.url))
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization")
            .body(())?;
        let answer = agent.run(request)?;
        let header = answer.headers().get("access-control-allow-origin");
        Ok(header
            .map(|value| value.to_str().unwrap_or_default().to_owned())
            .unwrap_or_default())
    };
    assert_eq!(allowed("https://app.example.com")?, "https://app.example.com");
    assert_eq!(allowed("https://evil.example.com")?, "");
    Ok(())
}

#[test]
fn it_serves_by_tls() -> Result<()> {
    let mut scene = Scene::start()?;
    let files = Directory::new()?;
    let (certificate, key) = (files.0.join("cert.pem"), files.0.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    fs::write(&certificate, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    let arguments = [
        "--tls-cert",
        certificate.to_str().context("a path")?,
        "--tls-key",
        key.to_str().context("a path")?,
    ];
    let server = Server::start_with(&mut scene, &arguments)?;
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let roots = ureq::tls::RootCerts::from(vec![
        ureq::tls::Certificate::from_pem(&fs::read(&certificate)?)?.to_owned(),
    ]);
    let agent = ureq::Agent::config_builder()
        .tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build())
        .build()
        .new_agent();
    let mut answer = agent.get(format!("{}/healthz", server.url)).call()?;
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    assert_eq!(answer.body_mut().read_to_string()?, r#"{"status":"ok"}"#);
    // The cookie is one that no other host can plant, and none of another name is taken.
    let manager = server.token(&mut scene, "manager")?;
    let agent = ureq::Agent::config_builder()
        .tls_config(agent.config().tls_config().clone())
        .max_redirects(0)
        .build()
        .new_agent();
    let form = [("token", manager.text.as_str()), ("next", "")];
    let signed_in = agent
        .post(format!("{}/admin/sign-in/", server.url))
        .header("Origin", &server.url)
        .send_form(form)?;
    let set = signed_in.headers()["set-cookie"].to_str()?;
    assert!(
        set.starts_with("__Host-zentry_token=zentry_")
            && set.contains("; Secure")
            && set.split("; ").any(|part| part == "Path=/"),
        "{set}"
    );
    for (name, status) in [("__Host-zentry_token", 200), ("zentry_token", 303)] {
        let page = agent
            .get(format!("{}/admin/integrations/", server.url))
            .header("Cookie", format!("{name}={}", manager.text))
            .call()?;
        assert_eq!(page.status(), status, "{name}");
    }
    Ok(())
}

#[test]
fn it_listens_on_loopback_unless_told() -> Result<()> {
    let help = Command::new(crate::support::program()?)
        .args(["serve", "--help"])
        .output()?;
    assert!(String::from_utf8_lossy(&help.stdout).contains("[default: 127.0.0.1:8000]"));
    Ok(())
}

fn connect(server: &Server) -> Result<TcpStream> {
    let stream = TcpStream::connect(server.url.trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(SOON))?;
    Ok(stream)
}

fn first_line(stream: &mut TcpStream) -> Result<String> {
    let mut bytes = [0; 512];
    let length = stream.read(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Waits until the server has closed the connection.
fn ended(stream: &mut TcpStream) -> Result<()> {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(error).context("the server has not closed the connection"),
    }
}

/// Tests of webhooks wait for answers, and have connections of their own: nobody else notices.
#[test]
fn tests_that_hang_hold_up_no_other_request() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--pool-size", "3", "--request-timeout", "20"])?;
    let manager = server.token(&mut scene, "manager")?;
    let reader = server.token(&mut scene, "reader")?;
    let channel = scene.channel(Kind::Discord)?;
    channel.webhook.always(Behaviour::Hang);
    let test = format!("/webhook-integrations/{}/test/", channel.id);
    std::thread::scope(|scope| -> Result<()> {
        let tests: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| server.post(&test, &manager, json!({}))))
            .collect();
        channel.webhook.wait_for(1, SOON);
        for _ in 0..20 {
            assert_eq!(server.call("GET", "/healthz", None, None)?.status, 200);
            assert_eq!(server.get("/webhook-integrations/", &reader)?.status, 200);
        }
        channel.webhook.recover();
        // Those that have waited for long enough are told to come back.
        for test in tests {
            let answer = test.join().expect("the thread")?;
            assert!([200, 503, 504].contains(&answer.status), "{answer:?}");
            if answer.status == 503 {
                assert!(
                    answer.json["detail"]
                        .as_str()
                        .unwrap_or_default()
                        .contains("being tested"),
                    "{answer:?}"
                );
                assert_eq!(answer.header("retry-after"), "10");
            }
        }
        Ok(())
    })
}

/// Whether the server is well is found out over a connection of its own, while requests have all others in use.
#[test]
fn requests_that_wait_do_not_make_the_server_ill() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--pool-size", "2"])?;
    let reader = server.token(&mut scene, "reader")?;
    assert_eq!(server.get("/webhook-integrations/", &reader)?.status, 200);
    let mut lock = scene.client.transaction()?;
    lock.batch_execute("LOCK TABLE zentry_notify.webhook")?;
    std::thread::scope(|scope| -> Result<()> {
        let waiting = scope.spawn(|| server.get("/webhook-integrations/", &reader));
        let waits = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'zentry_notify.webhook'::regclass";
        eventually(SOON, "a request to wait", || {
            lock.query(waits, &[]).ok()?.first().map(drop)
        })?;
        let health = server.call("GET", "/healthz", None, None)?;
        assert_eq!(health.status, 200, "{health:?}");
        lock.commit()?;
        assert_eq!(waiting.join().expect("the thread")?.status, 200);
        Ok(())
    })
}

/// Clients who are connected and ask nothing give their place to those who come.
#[test]
fn idle_connections_keep_nobody_out() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_with(&mut scene, &["--max-connections", "20", "--head-timeout", "3600"])?;
    let manager = server.token(&mut scene, "manager")?;
    let mut idle: Vec<TcpStream> = (0..100).map(|_| connect(&server)).collect::<Result<_>>()?;
    for round in 0..5 {
        assert_eq!(
            server.call("GET", "/healthz", None, None)?.status,
            200,
            "round {round}"
        );
    }
    // The first to come were the first to go.
    for stream in idle.iter_mut().take(50) {
        ended(stream)?;
    }
    // One that is being answered stays.
    let channel = scene.channel(Kind::Discord)?;
    channel
        .webhook
        .script([Behaviour::Slow(std::time::Duration::from_secs(2))]);
    let test = format!("/webhook-integrations/{}/test/", channel.id);
    std::thread::scope(|scope| -> Result<()> {
        let answer = scope.spawn(|| server.post(&test, &manager, json!({})));
        channel.webhook.wait_for(1, SOON);
        let more: Vec<TcpStream> = (0..100).map(|_| connect(&server)).collect::<Result<_>>()?;
        assert_eq!(answer.join().expect("the thread")?.status, 200);
        drop(more);
        Ok(())
    })
}

/// As few as the files that it may open, when these are fewer.
#[test]
fn connections_are_no_more_than_files() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_under(&mut scene, "ulimit -n 128")?;
    let idle: Vec<TcpStream> = (0..247).map(|_| connect(&server)).collect::<Result<_>>()?;
    for _ in 0..3 {
        assert_eq!(server.call("GET", "/healthz", None, None)?.status, 200);
    }
    drop(idle);
    Ok(())
}

#[test]
fn a_server_that_has_room_for_few_clients_says_so() -> Result<()> {
    let mut scene = Scene::start()?;
    let server = Server::start_under(&mut scene, "ulimit -n 64")?;
    assert_eq!(server.call("GET", "/healthz", None, None)?.status, 200);
    let log = server.whole_log();
    assert!(
        log.contains(" clients may be connected at a time, for the process may have no more files open beside 12 connections"),
        "{log}"
    );
    Ok(())
}
