//! Sending requests and receiving answers.

use jiff::Timestamp;
use pgrx::prelude::*;
use webhook::active::Composer;
use webhook::http_thread::Outgoing;
use webhook::outcome::{TransportError, judge, judge_absence};
use webhook::schedule::RequestId;

use super::state::Worker;

impl Worker {
    pub fn hear_answers(&mut self) {
        for answer in self.http.answers() {
            self.buffers.keep(answer.buffer);
            let id = RequestId(answer.id);
            if let Some((queue, kind, url)) = self.in_flight.remove(&id) {
                if let Ok(answer) = &answer.result {
                    self.streams.hear(queue, &url, answer);
                }
                self.scheduler
                    .judged(id, &judge(kind, &url, answer.result.as_ref()), Timestamp::now());
            }
        }
    }

    pub fn dispatch(&mut self) {
        let buffers = &mut self.buffers;
        let mut composer = Composer {
            webhooks: &self.webhooks,
            catalogue: self.wordings.catalogue(),
            origin: &self.origin,
            buffers: &mut || buffers.take(),
        };
        for request in self.scheduler.poll(Timestamp::now(), &mut composer) {
            let webhook = self.webhooks.get(&request.queue);
            let (webhook, endpoint) = match webhook.map(|webhook| (webhook, &webhook.endpoint)) {
                Some((webhook, Ok(endpoint))) => (webhook, endpoint),
                Some((_, Err(reason))) => {
                    let refused = TransportError::Forbidden(reason.clone());
                    self.scheduler
                        .judged(request.id, &judge_absence(&refused), Timestamp::now());
                    continue;
                }
                None => continue,
            };
            let outgoing = Outgoing {
                id: request.id.0,
                way: request.way,
                kind: endpoint.kind(),
                url: endpoint.request_url(request.message_id.as_deref(), webhook.threads()),
                headers: webhook.headers(&request),
                message: webhook.message(request.publication, request.traceparent),
                body: request.body,
            };
            self.slack.used();
            let sent = (request.queue, endpoint.kind(), endpoint.post_url().clone());
            self.in_flight.insert(request.id, sent);
            if self.http.send(outgoing).is_err() {
                // What is in flight is not recorded as sent, so a new worker sends it.
                pgrx::ereport!(
                    FATAL,
                    PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
                    "zentry_notify: the HTTP thread has ended"
                );
            }
        }
    }
}
