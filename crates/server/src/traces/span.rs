//! A delivery as a span, by the semantic conventions of messaging:
//! <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>. The span contains neither a URL nor the event's data.

use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::queries::traces::Traced;

/// The `error.type` of failures that have no name, by the semantic conventions.
const OTHER: &str = "_OTHER";

/// Returns the span of a delivery. `None`: its trace is not sampled, so nobody has recorded it, or `traceparent` or `span_id` is malformed.
pub fn span(traced: &Traced, database: &str) -> Option<SpanData> {
    let (trace, parent, flags) = parts(&traced.traceparent)?;
    if !flags.is_sampled() {
        return None;
    }
    let id = SpanId::from_hex(&traced.span_id).ok()?;
    let has_failed = traced.status == "failed";
    Some(SpanData {
        span_context: SpanContext::new(trace, id, flags, false, TraceState::default()),
        parent_span_id: parent,
        parent_span_is_remote: true,
        span_kind: kind(traced),
        name: name(traced).into(),
        start_time: SystemTime::from(traced.captured_at),
        end_time: SystemTime::from(traced.finished_at),
        attributes: attributes(traced, database, has_failed),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: match has_failed {
            true => Status::error(traced.error_message.clone()),
            false => Status::Unset,
        },
        instrumentation_scope: InstrumentationScope::builder("zentry-notify")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    })
}

/// Returns trace id, parent span and flags of a `traceparent` (`00-TRACE-SPAN-FLAGS`); `None`: it is malformed.
fn parts(traceparent: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let mut parts = traceparent.split('-').skip(1);
    let mut part = || parts.next();
    let trace = TraceId::from_hex(part()?).ok()?;
    let parent = SpanId::from_hex(part()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(part()?, 16).ok()?);
    Some((trace, parent, flags))
}

/// Returns the kind of the span: a producer's if the request carries the trace to a receiver that may continue it, else a client's.
fn kind(traced: &Traced) -> SpanKind {
    match traced.webhook_type.as_deref() {
        Some("webhook" | "nats") => SpanKind::Producer,
        _ => SpanKind::Client,
    }
}

fn name(traced: &Traced) -> String {
    match &traced.webhook {
        Some(webhook) => format!("send {webhook}"),
        None => "send".to_owned(),
    }
}

fn attributes(traced: &Traced, database: &str, has_failed: bool) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("messaging.system", "zentry_notify"),
        KeyValue::new("messaging.operation.name", "send"),
        KeyValue::new("messaging.operation.type", "send"),
        KeyValue::new("messaging.message.id", traced.delivery_id.to_string()),
        KeyValue::new("db.namespace", database.to_owned()),
        KeyValue::new("zentry_notify.event.id", traced.event_id),
        KeyValue::new("zentry_notify.event.type", traced.event_type.clone()),
        KeyValue::new("zentry_notify.webhook.id", traced.webhook_id),
        KeyValue::new("zentry_notify.delivery.attempts", i64::from(traced.attempts)),
    ];
    let texts = [
        ("messaging.destination.name", &traced.webhook),
        ("zentry_notify.webhook.type", &traced.webhook_type),
    ];
    for (key, text) in texts {
        attributes.extend(text.clone().map(|text| KeyValue::new(key, text)));
    }
    let code = traced.response_status_code;
    attributes.extend(code.map(|code| KeyValue::new("http.response.status_code", i64::from(code))));
    if has_failed {
        // The type of a response that is an error is its status code.
        let number = code.filter(|code| *code >= 400).map(|code| code.to_string());
        attributes.push(KeyValue::new(
            "error.type",
            number.unwrap_or_else(|| OTHER.to_owned()),
        ));
    }
    attributes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn traced() -> Traced {
        Traced {
            delivery_id: 7,
            event_id: 5,
            event_type: "task_completed".into(),
            webhook_id: 3,
            webhook: Some("Team".into()),
            webhook_type: Some("discord".into()),
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
            span_id: "0102030405060708".into(),
            captured_at: "2026-11-29T10:00:00.5Z".parse().unwrap(),
            finished_at: "2026-11-29T10:00:01Z".parse().unwrap(),
            status: "sent".into(),
            response_status_code: Some(200),
            error_message: String::new(),
            attempts: 1,
        }
    }

    fn said(span: &SpanData, key: &str) -> Option<String> {
        let found = span.attributes.iter().find(|pair| pair.key.as_str() == key);
        found.map(|pair| pair.value.to_string())
    }

    #[test]
    fn a_delivery_is_a_span_below_the_writers() {
        let span = span(&traced(), "app").unwrap();
        let context = &span.span_context;
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id().to_string(), "0102030405060708");
        assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
        assert_eq!(
            (span.name.as_ref(), &span.span_kind),
            ("send Team", &SpanKind::Client)
        );
        assert_eq!(
            span.end_time.duration_since(span.start_time).unwrap().as_millis(),
            500
        );
        assert_eq!(span.status, Status::Unset);
        assert_eq!(said(&span, "error.type"), None);
        assert_eq!(said(&span, "http.response.status_code").as_deref(), Some("200"));
    }

    #[test]
    fn what_failed_is_an_error() {
        let mut failed = Traced {
            status: "failed".into(),
            response_status_code: Some(404),
            error_message: "it is gone".into(),
            ..traced()
        };
        let gone = span(&failed, "app").unwrap();
        assert_eq!(gone.status, Status::error("it is gone"));
        assert_eq!(said(&gone, "error.type").as_deref(), Some("404"));
        failed.response_status_code = None;
        assert_eq!(
            said(&span(&failed, "app").unwrap(), "error.type").as_deref(),
            Some(OTHER)
        );
    }

    #[test]
    fn what_is_not_sampled_is_no_span() {
        let mut traced = traced();
        traced.traceparent.replace_range(53.., "00");
        assert_eq!(span(&traced, "app"), None);
    }

    #[test]
    fn a_webhook_that_is_deleted_has_no_name() {
        let traced = Traced {
            webhook: None,
            webhook_type: None,
            ..traced()
        };
        let span = span(&traced, "app").unwrap();
        assert_eq!(span.name, "send");
        assert_eq!(said(&span, "messaging.destination.name"), None);
    }
}
