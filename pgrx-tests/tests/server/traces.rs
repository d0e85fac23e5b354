//! Deliveries as spans, at a receiver of OTLP that reads them as a collector does.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, Delivery, SOON, Scene};
use zentry_e2e::wait::eventually;

use crate::otlp_receiver::{Receiver, hex, read, said};
use crate::support::{Ran, Server, command, role_name};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// The span of a delivery.
fn of<'a>(spans: &'a [Span], delivery: &Delivery) -> &'a Span {
    let id = delivery.id.to_string();
    let is_own = |span: &&Span| said(&span.attributes, "messaging.message.id").as_deref() == Some(&*id);
    let mut own = spans.iter().filter(is_own);
    let span = own.next().unwrap_or_else(|| panic!("{delivery:?} has no span"));
    assert!(own.next().is_none(), "{delivery:?} has two");
    span
}

/// Completes tasks within the trace.
fn complete_traced(scene: &mut Scene, flags: &str, numbers: impl IntoIterator<Item = i64>) {
    let mut transaction = scene.client.transaction().unwrap();
    transaction
        .batch_execute(&format!(
            "SET LOCAL zentry_notify.traceparent = '00-{TRACE}-{PARENT}-{flags}'"
        ))
        .unwrap();
    numbered::complete(&mut transaction, numbers).unwrap();
    transaction.commit().unwrap();
}

fn channel(scene: &mut Scene, kind: Kind) -> Channel {
    let channel = scene.channel_for(kind, None, Some(&["task_completed"])).unwrap();
    if kind == Kind::Signed {
        let secret = format!("SELECT zentry_new_secret({})", channel.id);
        scene.client.batch_execute(&secret).unwrap();
    }
    channel
}

/// The server that exports to the receiver, logged in as a role that may read.
fn server(scene: &mut Scene, receiver: &Receiver) -> Server {
    let login = role_name("tracing");
    scene
        .client
        .batch_execute(&format!(
            "CREATE ROLE {login} LOGIN NOINHERIT; SELECT zentry_grant('{login}', 'server'); SELECT zentry_grant('{login}', 'reader')"
        ))
        .unwrap();
    let cluster = scene.database.cluster();
    let arguments = ["--otlp-endpoint", &receiver.url, "--otlp-interval", "1"];
    Server::start_on(
        cluster.dir(),
        cluster.port(),
        scene.database.name(),
        &login,
        &arguments,
    )
    .unwrap()
}

#[test]
fn a_delivery_is_a_span_of_the_writers_trace() {
    let mut scene = Scene::start().unwrap();
    let (chat, program) = (
        channel(&mut scene, Kind::Discord),
        channel(&mut scene, Kind::Signed),
    );
    let receiver = Receiver::start();
    let server = server(&mut scene, &receiver);
    numbered::complete(&mut scene.client, [1]).unwrap();
    complete_traced(&mut scene, "01", [2]);
    complete_traced(&mut scene, "00", [3]);
    let deliveries = scene.settle().unwrap();
    let spans = receiver.wait_for_spans(2);
    let traced: Vec<&Delivery> = deliveries
        .iter()
        .filter(|delivery| delivery.payload["task_title"] == "Task 2")
        .collect();
    assert_eq!((traced.len(), spans.len()), (2, 2));
    let mut ids = Vec::new();
    for delivery in traced {
        let span = of(&spans, delivery);
        assert_eq!(hex(&span.trace_id), TRACE);
        assert_eq!(hex(&span.parent_span_id), PARENT);
        let nanoseconds = |at: jiff::Timestamp| at.as_nanosecond() as u64;
        assert_eq!(span.start_time_unix_nano, nanoseconds(delivery.created_at));
        assert_eq!(span.end_time_unix_nano, nanoseconds(delivery.sent_at.unwrap()));
        assert_eq!(span.status.clone().unwrap_or_default().code(), StatusCode::Unset);
        let (channel, kind) = match delivery.webhook_integration_id == chat.id {
            true => (&chat, SpanKind::Client),
            false => (&program, SpanKind::Producer),
        };
        assert_eq!(span.kind(), kind);
        assert_eq!(span.name, format!("send {}", channel.webhook.name()));
        for (key, value) in [
            ("messaging.system", Some("zentry_notify")),
            ("messaging.operation.type", Some("send")),
            ("messaging.destination.name", Some(&*channel.webhook.name())),
            ("db.namespace", Some(scene.database.name())),
            ("zentry_notify.event.type", Some("task_completed")),
            ("zentry_notify.delivery.attempts", Some("1")),
            ("zentry_notify.webhook.id", Some(&*channel.id.to_string())),
            ("error.type", None),
        ] {
            assert_eq!(said(&span.attributes, key).as_deref(), value, "{key}");
        }
        assert_eq!(
            said(&span.attributes, "http.response.status_code"),
            delivery.response_status_code.map(|code| code.to_string())
        );
        ids.push(hex(&span.span_id));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2, "a span has an id of its own");
    // The program is told of the span that is exported, and of the trace that nobody has sampled.
    let told: Vec<Option<String>> = program
        .webhook
        .received()
        .iter()
        .map(|received| received.header("traceparent").map(str::to_owned))
        .collect();
    assert_eq!(told[0], None);
    assert!(
        ids.iter()
            .any(|id| told[1].as_deref() == Some(&format!("00-{TRACE}-{id}-01"))),
        "{told:?} {ids:?}"
    );
    assert!(told[2].as_ref().is_some_and(|told| told.ends_with("-00")));
    let shown = chat.webhook.received();
    assert!(!shown.is_empty());
    assert!(
        shown
            .iter()
            .all(|received| received.header("traceparent").is_none())
    );
    let exports = receiver.exports();
    assert!(
        exports[0].head.starts_with("post /v1/traces "),
        "{}",
        exports[0].head
    );
    let resource = read(&exports[0]).resource_spans.remove(0).resource.unwrap();
    assert_eq!(
        said(&resource.attributes, "service.name").as_deref(),
        Some("zentry-notify")
    );
    for secret in [chat.webhook.url(), program.webhook.url()] {
        let (_, path) = secret.rsplit_once('/').unwrap();
        let shown = exports
            .iter()
            .any(|export| String::from_utf8_lossy(&export.body).contains(path));
        assert!(!shown, "{path} is in what was exported");
    }
    let shown = exports
        .iter()
        .any(|export| String::from_utf8_lossy(&export.body).contains("Task 2"));
    assert!(!shown, "data of an event are in what was exported");
    assert!(!server.whole_log().contains("traces wait"));
}

#[test]
fn what_is_refused_is_a_span_with_an_error() {
    let mut scene = Scene::start().unwrap();
    let chat = channel(&mut scene, Kind::Discord);
    chat.webhook.script([Behaviour::Status(413)]);
    let receiver = Receiver::start();
    let _server = server(&mut scene, &receiver);
    complete_traced(&mut scene, "01", [1]);
    let deliveries = scene.settle().unwrap();
    assert_eq!(deliveries[0].status, "failed", "{deliveries:?}");
    let spans = receiver.wait_for_spans(1);
    let span = of(&spans, &deliveries[0]);
    let status = span.status.clone().unwrap();
    assert_eq!(
        (status.code(), &*status.message),
        (StatusCode::Error, &*deliveries[0].error_message)
    );
    assert_eq!(said(&span.attributes, "error.type").as_deref(), Some("413"));
}

/// An attempt more, of what was read from the table, is of the same span.
#[test]
fn all_attempts_are_one_span() {
    let mut scene = Scene::start().unwrap();
    let program = channel(&mut scene, Kind::Signed);
    program
        .webhook
        .script([Behaviour::Status(502), Behaviour::Status(502)]);
    let receiver = Receiver::start();
    let _server = server(&mut scene, &receiver);
    complete_traced(&mut scene, "01", [1]);
    let deliveries = scene.settle().unwrap();
    let spans = receiver.wait_for_spans(1);
    let span = of(&spans, &deliveries[0]);
    assert_eq!(
        said(&span.attributes, "zentry_notify.delivery.attempts").as_deref(),
        Some("3")
    );
    let own = format!("00-{TRACE}-{}-01", hex(&span.span_id));
    let told = program.webhook.received();
    assert_eq!(told.len(), 3);
    assert!(
        told.iter()
            .all(|received| received.header("traceparent") == Some(&*own))
    );
}

#[test]
fn while_the_receiver_is_down_nothing_waits_for_it_and_nothing_is_lost() {
    let mut scene = Scene::start().unwrap();
    let chat = channel(&mut scene, Kind::Discord);
    let receiver = Receiver::start();
    receiver.answers(0);
    let server = server(&mut scene, &receiver);
    complete_traced(&mut scene, "01", 1..=3);
    assert_eq!(scene.settle().unwrap().len(), 3);
    server
        .wait_for_log("traces wait: the receiver of traces")
        .unwrap();
    receiver.answers(401);
    server
        .wait_for_log("traces wait: the receiver of traces answers 401")
        .unwrap();
    let refused = receiver.refused();
    eventually(SOON, "another try", || {
        (receiver.refused() > refused).then_some(())
    })
    .unwrap();
    assert_eq!(server.call("GET", "/healthz", None, None).unwrap().status, 200);
    complete_traced(&mut scene, "01", [4]);
    let deliveries = scene.settle().unwrap();
    assert_eq!(receiver.spans(), []);
    receiver.answers(200);
    let spans = receiver.wait_for_spans(4);
    assert_eq!(spans.len(), 4);
    deliveries.iter().for_each(|delivery| {
        of(&spans, delivery);
    });
    server.wait_for_log("traces are exported again").unwrap();
    assert_eq!(chat.webhook.event_count(), 4);
}

/// What a receiver will never take holds up nothing.
#[test]
fn what_the_receiver_cannot_read_is_left_out() {
    let mut scene = Scene::start().unwrap();
    channel(&mut scene, Kind::Discord);
    let receiver = Receiver::start();
    receiver.answers(400);
    let _server = server(&mut scene, &receiver);
    complete_traced(&mut scene, "01", [1]);
    scene.settle().unwrap();
    eventually(SOON, "a refusal", || (receiver.refused() > 0).then_some(())).unwrap();
    receiver.answers(200);
    complete_traced(&mut scene, "01", [2]);
    let deliveries = scene.settle().unwrap();
    let spans = receiver.wait_for_spans(1);
    assert_eq!(spans.len(), 1);
    of(&spans, &deliveries[1]);
}

#[test]
fn a_command_exports_what_was_finished_and_twice_it_is_the_same() {
    let mut scene = Scene::start().unwrap();
    // Of an event that goes when it is done with, the span is known all the same.
    scene.database.set("zentry_notify.log_payloads", "off").unwrap();
    channel(&mut scene, Kind::Discord);
    let receiver = Receiver::start();
    let reader = role_name("tracing");
    scene
        .client
        .batch_execute(&format!(
            "CREATE ROLE {reader} LOGIN; SELECT zentry_grant('{reader}', 'reader')"
        ))
        .unwrap();
    complete_traced(&mut scene, "01", 1..=2);
    scene.settle().unwrap();
    let export = |scene: &Scene, role: &str| -> Ran {
        let mut traces = command(scene, role).unwrap();
        traces
            .args(["traces", "--since", "1h"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url)
            .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20swordfish")
            .env("OTEL_SERVICE_NAME", "notifications");
        traces.output().unwrap().into()
    };
    let ran = export(&scene, &reader);
    assert_eq!((ran.code, &*ran.err), (0, "exported: 2\n"));
    let first = receiver.spans();
    assert_eq!(first.len(), 2);
    assert_eq!(export(&scene, &reader).code, 0);
    let both = receiver.spans();
    let (once, again) = both.split_at(first.len());
    assert_eq!(once, again);
    assert!(
        first
            .iter()
            .all(|span| span.end_time_unix_nano >= span.start_time_unix_nano)
    );
    let exports = receiver.exports();
    assert!(exports[0].head.contains("authorization: bearer swordfish"));
    let resource = read(&exports[0]).resource_spans.remove(0).resource.unwrap();
    assert_eq!(
        said(&resource.attributes, "service.name").as_deref(),
        Some("notifications")
    );
    // Nobody's role sees anything.
    let nobody = role_name("nobody");
    scene
        .client
        .batch_execute(&format!("CREATE ROLE {nobody} LOGIN"))
        .unwrap();
    let ran = export(&scene, &nobody);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let mut nowhere = command(&scene, &reader).unwrap();
    let ran: Ran = nowhere
        .args(["traces"])
        .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("--otlp-endpoint"), "{}", ran.err);
}

/// Rows that a statement writes have it too: something of somebody's is in the way of writing them at once.
#[test]
fn what_a_statement_writes_belongs_to_the_trace_as_well() {
    let mut scene = Scene::start().unwrap();
    channel(&mut scene, Kind::Discord);
    scene
        .client
        .batch_execute(
            "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER look BEFORE INSERT ON zentry_notify.delivery FOR EACH ROW EXECUTE FUNCTION look()",
        )
        .unwrap();
    complete_traced(&mut scene, "01", [1]);
    numbered::complete(&mut scene.client, [2]).unwrap();
    scene.settle().unwrap();
    let rows = scene
        .client
        .query(
            "SELECT traceparent, captured_at = (SELECT e.created_at FROM zentry_notify.event e WHERE e.id = event_id) \
               FROM zentry_notify.delivery_traces",
            &[],
        )
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, String>(0), format!("00-{TRACE}-{PARENT}-01"));
    assert!(rows[0].get::<_, bool>(1));
}
