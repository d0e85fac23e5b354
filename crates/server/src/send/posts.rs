//! The requests of a sender that are in flight, and the judgement of their responses.

use std::collections::{HashMap, HashSet};

use tokio::task::{Id, JoinError, JoinSet};
use webhook::active::ActiveWebhook;
use webhook::client::Client;
use webhook::endpoint::{EndpointKind, SecretUrl};
use webhook::outcome::{Answer, Judgement, TransportError, judge, judge_absence};
use webhook::schedule::{QueueId, Request, RequestId};

type Answered = Result<(Id, Result<Answer, TransportError>), JoinError>;

/// Requests in flight. Those of a sender that fails are cut off, as if its process had been killed, because its queues are given to others.
pub struct Posts {
    client: Option<Client>,
    /// What each task is about.
    out: HashMap<Id, (RequestId, QueueId, EndpointKind, SecretUrl)>,
    tasks: JoinSet<Result<Answer, TransportError>>,
}

impl Posts {
    /// Returns an empty set, without a client.
    pub fn new() -> Self {
        Posts {
            client: None,
            out: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Sets the client for the following requests.
    pub fn use_client(&mut self, client: Client) {
        self.client = Some(client);
    }

    /// Returns whether there is a client.
    pub fn is_ready(&self) -> bool {
        self.client.is_some()
    }

    /// Returns whether no request is in flight.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Returns the queues that have requests in flight.
    pub fn busy(&self) -> HashSet<QueueId> {
        self.out.values().map(|(_, queue, ..)| *queue).collect()
    }

    /// Starts a request of this webhook.
    ///
    /// # Errors
    /// The judgement of a request that cannot be started.
    pub fn post(&mut self, request: Request, webhook: &ActiveWebhook) -> Result<(), Judgement> {
        let refused = |reason| Err(judge_absence(&TransportError::Forbidden(reason)));
        let endpoint = match &webhook.endpoint {
            Ok(endpoint) => endpoint,
            Err(reason) => return refused(reason.clone()),
        };
        if request.publication.is_some() {
            return refused("only the database's worker publishes to streams".to_owned());
        }
        let Some(client) = self.client.clone() else {
            return refused("there is no HTTP client to post with".to_owned());
        };
        let headers = webhook.headers(&request);
        let (kind, url) = (
            endpoint.kind(),
            endpoint.request_url(request.message_id.as_deref(), webhook.threads()),
        );
        let about = (request.id, request.queue, kind, endpoint.post_url().clone());
        let task = self.tasks.spawn(async move {
            let body = request.body.into();
            client.post_by(request.way, kind, &url, &headers, body).await
        });
        self.out.insert(task.id(), about);
        Ok(())
    }

    /// Waits for a response and judges it, for ever if no request is in flight.
    pub async fn judged(&mut self) -> (RequestId, Judgement) {
        loop {
            match self
                .tasks
                .join_next_with_id()
                .await
                .map(|answered| self.judge(answered))
            {
                Some(Some(judged)) => return judged,
                Some(None) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Judges the responses that have already arrived.
    pub fn judged_by_now(&mut self) -> Vec<(RequestId, Judgement)> {
        let mut judged = Vec::new();
        while let Some(answered) = self.tasks.try_join_next_with_id() {
            judged.extend(self.judge(answered));
        }
        judged
    }

    /// Judges a response, or that there is none because making the request panicked; `None`: the request is not known.
    fn judge(&mut self, answered: Answered) -> Option<(RequestId, Judgement)> {
        let (task, result) = answered.unwrap_or_else(|error| {
            let why = "making the request failed inside";
            (error.id(), Err(TransportError::Protocol(why.into())))
        });
        let (id, _, kind, url) = self.out.remove(&task)?;
        Some((id, judge(kind, &url, result.as_ref())))
    }
}
