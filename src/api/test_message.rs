//! `zentry_test_webhook`: sends a message at once, from the caller's own session.

use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;
use webhook::appearance::Appearance;
use webhook::definition::Catalogue;
use webhook::endpoint::{Endpoint, EndpointKind, SecretUrl, parse_mention};
use webhook::event::Event;
use webhook::http_thread::Outgoing;
use webhook::language::Language;
use webhook::message;
use webhook::nats::Publication;
use webhook::outcome::{Answer, Judgement, Verdict, judge, judge_absence, remarks, stream_looked_at};
use webhook::rich_text::beginning;
use webhook::way::{Way, WayId};

use crate::http::Http;
use crate::installation;
use crate::pg::process;
use crate::pg::setting;
use crate::plan::{Plan, with_spi};
use crate::report;
use crate::settings;
use crate::wake;
use webhook::signing::{Signing, StoredSigning};

/// Maximum length of the message in code points. A longer one is cut, between two characters as readers see them.
const MAX_MESSAGE: usize = 500;
/// Maximum length of the remarks on a stream in code points.
const MAX_NOTE: usize = 1_000;

/// The row of the result: the delivery's id in the log, its status, the HTTP status and the error.
type Row = (i64, &'static str, Option<i32>, Option<String>);

/// Posts the message, waits for the answer, and writes both into the log. A message that cannot be delivered is a result, not an error.
#[pg_extern(sql = false)]
#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns' names from the type"
)]
fn zentry_test_webhook(
    webhook_id: Option<i64>,
    test_message: Option<&str>,
) -> TableIterator<
    'static,
    (
        name!(log_id, i64),
        name!(status, &'static str),
        name!(response_status_code, Option<i32>),
        name!(error_message, Option<String>),
    ),
> {
    // This is checked before anything is posted, since it could not be logged.
    installation::require_writable("zentry_test_webhook()");
    installation::require_fitting();
    let Found {
        id,
        webhook_type,
        webhook_url,
        mention,
        appearance,
        signing,
        language,
    } = find(webhook_id);
    let endpoint = super::url::require_endpoint(&webhook_type, &webhook_url);
    let (endpoint, signing) = Signing::of(endpoint, &signing).unwrap_or_else(|reason| {
        report::refuse(
            "secret",
            &reason,
            "SELECT zentry_new_secret(id) makes one and shows it.",
        )
    });
    let mut appearance = settings::appearance(Some(&appearance));
    appearance.mention = mention.and_then(|text| parse_mention(endpoint.kind(), &text).ok());
    appearance.topic = endpoint.topic().cloned();
    let event = event(test_message.unwrap_or("Test message from Zentry!"));
    let (judgement, stream) = post(&endpoint, &event, &appearance, signing.as_ref(), language);
    if let Some(stream) = stream {
        stream.note(id);
    }
    let works = judgement.verdict == Verdict::Sent;
    let logged = log(id, &event, judgement);
    if works {
        reopen(id);
    }
    TableIterator::once(logged)
}

/// Has the worker send what waits for a webhook that failed before, and works now.
fn reopen(webhook_id: i64) {
    const SQL: &str = "SELECT zentry_notify.reopen($1)";
    with_spi(|spi| {
        Plan::prepare(spi, SQL, &[pg_sys::INT8OID]).execute(spi, &[webhook_id.into()]);
    });
}

/// A webhook as it is stored.
struct Found {
    id: i64,
    webhook_type: String,
    webhook_url: String,
    mention: Option<String>,
    /// The JSON of how its messages appear.
    appearance: String,
    signing: StoredSigning,
    language: Language,
}

/// Returns the webhook, also one that is switched off. It raises an error if there is none, or if its URL was deleted.
fn find(webhook_id: Option<i64>) -> Found {
    const SQL: &str = "SELECT w.webhook_type::text, u.webhook_url::text, w.mention, zentry_notify.appearance_of(w.id), \
                              u.signing_secret, u.previous_secret, u.previous_until, u.headers::text, \
                              zentry_notify.language_of(w.id) \
                       FROM zentry_notify.webhook w \
                       LEFT JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id WHERE w.id = $1";
    let found = with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[pg_sys::INT8OID]).execute(spi, &[webhook_id.into()]);
        let text = |column| rows.get::<String>(0, column);
        (rows.len() > 0)
            .then(|| {
                let id = webhook_id?;
                Some(Found {
                    id,
                    webhook_type: text(1)?,
                    webhook_url: text(2).unwrap_or_else(|| super::refuse::no_url(id)),
                    mention: text(3),
                    appearance: text(4).unwrap_or_default(),
                    signing: StoredSigning {
                        secret: text(5),
                        previous: text(6).zip(rows.get::<Timestamp>(0, 7)),
                        headers: text(8),
                    },
                    language: text(9).and_then(|code| Language::of(&code)).unwrap_or_default(),
                })
            })
            .flatten()
    });
    found.unwrap_or_else(|| {
        super::refuse::no_such_webhook(webhook_id);
        unreachable!("no_such_webhook raises an error")
    })
}

fn event(message: &str) -> Event {
    let message = beginning(message, MAX_MESSAGE);
    Event {
        event_type: webhook::definition::TEST.into(),
        data: serde_json::json!({ "message": message }).to_string().into(),
        occurred_at: Timestamp::now(),
        traceparent: None,
    }
}

/// Posts the event, by one way out after the other until one reaches the endpoint. Returns what the answer means, and for a stream what was seen of it.
fn post(
    endpoint: &Endpoint,
    event: &Event,
    appearance: &Appearance,
    signing: Option<&Signing>,
    language: Language,
) -> (Judgement, Option<LookedAt>) {
    let mut http = match Http::start(0) {
        Ok(http) => http,
        Err(error) => report::error(
            PgSqlErrorCode::ERRCODE_CONFIG_FILE_ERROR,
            format!("zentry_notify: {error}"),
            "",
            "SELECT * FROM zentry_status() says which setting it is.",
        ),
    };
    let body = if endpoint.kind().takes_events() {
        message::event_json(event, Vec::new())
    } else {
        let card = Catalogue::of(language).card(event);
        message::compose_with(endpoint.kind(), &[card], appearance).body
    };
    // The id by which a receiver recognises a repeat; a test message is never repeated.
    let id = format!("test-{}", event.occurred_at.as_microsecond());
    let headers = signing.map(|signing| signing.headers(Some(&id), None, Timestamp::now(), &body));
    let publication = endpoint
        .subject_prefix()
        .map(|prefix| Publication::new(&process::origin(), prefix, event, None));
    let outgoing = |way: WayId| Outgoing {
        id: 0,
        way,
        kind: endpoint.kind(),
        url: endpoint.post_url().clone(),
        headers: headers.clone().unwrap_or_default(),
        message: publication
            .clone()
            .zip(signing)
            .map(|(publication, signing)| signing.message(publication, None)),
        body: body.clone(),
    };
    let send = |http: &Http, way| {
        if http.send(outgoing(way)).is_err() {
            report::error(
                PgSqlErrorCode::ERRCODE_SYSTEM_ERROR,
                "the thread that posts the message has ended".to_owned(),
                "",
                "Try again; the server log may say why.",
            );
        }
    };
    let mut ways = ways(endpoint).into_iter();
    send(&http, ways.next().unwrap_or(WayId::DIRECT));
    loop {
        // An interrupt (Ctrl-C) raises its error here; dropping the thread ends the request.
        wait(&http);
        if let Some(answer) = http.answers().into_iter().next() {
            let url = endpoint.post_url();
            // Nothing was sent, so another way out is tried, as the worker does.
            if let Err(error) = &answer.result
                && judge_absence(error).verdict == Verdict::Unreached
                && let Some(next) = ways.next()
            {
                report::warning(
                    PgSqlErrorCode::ERRCODE_WARNING,
                    error.to_string(),
                    "The message goes by the next way out of zentry_notify.proxy.",
                );
                send(&http, next);
                continue;
            }
            let stream = answer
                .result
                .as_ref()
                .ok()
                .and_then(|answer| LookedAt::of(answer, url));
            for remark in stream.iter().flat_map(|stream| &stream.0) {
                report::warning(
                    PgSqlErrorCode::ERRCODE_WARNING,
                    remark.clone(),
                    "docs/guide/nats.md has what a stream should be like.",
                );
            }
            return (judge(endpoint.kind(), url, answer.result.as_ref()), stream);
        }
    }
}

/// Returns the ways out to try, in this order: those that Discord has not parked come first.
fn ways(endpoint: &Endpoint) -> Vec<WayId> {
    if endpoint.kind() == EndpointKind::Nats {
        return vec![WayId::DIRECT];
    }
    let parked = |way: &WayId| {
        let registry = wake::registry().filter(|_| endpoint.kind() == EndpointKind::Discord);
        registry
            .and_then(|registry| registry.discord_parked_until(&[*way]))
            .is_some()
    };
    let mut ways: Vec<WayId> = settings::ways().iter().map(Way::id).collect();
    ways.sort_by_key(parked);
    ways
}

/// Remarks on the stream that a message was published to.
struct LookedAt(Vec<String>);

impl LookedAt {
    /// Returns the remarks, redacted; None: the answer does not tell of a stream's configuration.
    fn of(answer: &Answer, url: &SecretUrl) -> Option<Self> {
        stream_looked_at(answer)?;
        let found = remarks(answer).map(|remark| url.redact(remark).into_owned());
        Some(Self(found.collect()))
    }

    /// Stores the remarks with the webhook's state, as the worker does.
    fn note(&self, webhook_id: i64) {
        const SQL: &str = "INSERT INTO zentry_notify.webhook_state AS s (webhook_integration_id, stream_note) \
                           SELECT w.id, $2 FROM zentry_notify.webhook w WHERE w.id = $1 \
                              AND ($2 IS NOT NULL OR EXISTS (SELECT FROM zentry_notify.webhook_state t WHERE t.webhook_integration_id = $1)) \
                           ON CONFLICT (webhook_integration_id) DO UPDATE SET stream_note = EXCLUDED.stream_note \
                           WHERE s.stream_note IS DISTINCT FROM EXCLUDED.stream_note";
        let found = self.0.join("; ");
        let note = (!found.is_empty()).then(|| beginning(&found, MAX_NOTE));
        with_spi(|spi| {
            Plan::prepare(spi, SQL, &[pg_sys::INT8OID, pg_sys::TEXTOID])
                .execute(spi, &[webhook_id.into(), note.into()]);
        });
    }
}

/// Waits until the socket can be read, an interrupt comes, or some seconds have passed. The request has a timeout of its own.
fn wait(http: &Http) {
    const LIMIT: Duration = Duration::from_secs(10);
    process::wait(Some(http.socket()), LIMIT, c"ZentryNotifyTestWebhook");
    pgrx::check_for_interrupts!();
}

/// Writes the message into the log, as an event of its own with one delivery, and returns the row of the result.
fn log(webhook_id: i64, event: &Event, judgement: Judgement) -> Row {
    const EVENT: &str = "INSERT INTO zentry_notify.event (event_type, data, context) \
                         VALUES ($1, $2::json, '{\"routed\": true}') RETURNING id";
    const DELIVERY: &str = "INSERT INTO zentry_notify.delivery \
                              (event_id, webhook_integration_id, event_type, status, response_status_code, response_body, error_message, attempts, finished_at) \
                            VALUES ($1, $2, $3, $4::\"char\", $5, $6, $7, 1, clock_timestamp()) RETURNING id";
    use pg_sys::{INT2OID, INT8OID, TEXTOID};
    let (status, letter) = match judgement.verdict {
        Verdict::Sent => ("sent", "s"),
        _ => ("failed", "f"),
    };
    let code = judgement.status_code.and_then(|code| i16::try_from(code).ok());
    let kept = settings::log_payloads();
    // The transaction needs its id before the event gets its id: the route cursor relies on that.
    process::number_transaction();
    // With this setting off, the event would be taken for one of a dump that is being restored (await_cursor).
    let _no_dump = setting::hold(&[(c"check_function_bodies", c"on")]);
    let id = with_spi(|spi| {
        let id = |rows: &crate::plan::Rows| rows.get::<i64>(0, 1);
        let event_id = if kept {
            // The event is routed already, but until the route cursor has passed it, it counts as one that waits.
            wake::at_commit(|work| work.events = true);
            let arguments = [(&*event.event_type).into(), (&*event.data).into()];
            id(&Plan::prepare(spi, EVENT, &[TEXTOID, TEXTOID]).execute(spi, &arguments))
        } else {
            // The id of an event that was never stored.
            Some(-1)
        };
        let types = [INT8OID, INT8OID, TEXTOID, TEXTOID, INT2OID, TEXTOID, TEXTOID];
        id(&Plan::prepare(spi, DELIVERY, &types).execute(
            spi,
            &[
                event_id.into(),
                webhook_id.into(),
                (&*event.event_type).into(),
                letter.into(),
                code.into(),
                judgement
                    .body
                    .as_deref()
                    .filter(|body| !body.is_empty() && (kept || status == "failed"))
                    .into(),
                judgement.error.as_deref().into(),
            ],
        ))
    });
    (
        id.unwrap_or_default(),
        status,
        code.map(i32::from),
        judgement.error,
    )
}
