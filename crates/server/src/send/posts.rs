//! The requests of a sender that are out, and what their answers mean.

use std::collections::{HashMap, HashSet};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use webhook::active::ActiveWebhook;
use webhook::client::Client;
use webhook::endpoint::{EndpointKind, SecretUrl};
use webhook::outcome::{Answer, Judgement, TransportError, judge, judge_absence};
use webhook::schedule::{QueueId, Request, RequestId};

type Answered = (RequestId, Result<Answer, TransportError>);

/// Requests, from when they leave until they are judged.
pub struct Posts {
    client: Option<Client>,
    out: HashMap<RequestId, (QueueId, EndpointKind, SecretUrl)>,
    say: UnboundedSender<Answered>,
    answers: UnboundedReceiver<Answered>,
}

impl Posts {
    /// None, and no client to post with yet.
    pub fn new() -> Self {
        let (say, answers) = unbounded_channel();
        Posts {
            client: None,
            out: HashMap::new(),
            say,
            answers,
        }
    }

    /// Posts with this client from now on.
    pub fn use_client(&mut self, client: Client) {
        self.client = Some(client);
    }

    /// Returns whether there is a client to post with.
    pub fn is_ready(&self) -> bool {
        self.client.is_some()
    }

    /// Returns whether nothing is out.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Returns the queues that have something out.
    pub fn busy(&self) -> HashSet<QueueId> {
        self.out.values().map(|(queue, ..)| *queue).collect()
    }

    /// Lets a request of this webhook leave.
    ///
    /// # Errors
    /// The judgement of one that cannot.
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
            return refused("there is nothing to post with".to_owned());
        };
        let headers = webhook.headers(&request);
        let (kind, url) = (
            endpoint.kind(),
            endpoint.request_url(request.message_id.as_deref(), webhook.threads()),
        );
        let sent = (request.queue, kind, endpoint.post_url().clone());
        self.out.insert(request.id, sent);
        let say = self.say.clone();
        tokio::spawn(async move {
            let body = request.body.into();
            let result = client.post_by(request.way, kind, &url, &headers, body).await;
            // Nobody listens any more when the process ends.
            let _ = say.send((request.id, result));
        });
        Ok(())
    }

    /// Waits for an answer and judges it. None: nobody waits for it.
    pub async fn judged(&mut self) -> Option<(RequestId, Judgement)> {
        let answered = self.answers.recv().await?;
        self.judge(answered)
    }

    /// Judges the answers that have come already.
    pub fn judged_by_now(&mut self) -> Vec<(RequestId, Judgement)> {
        let mut judged = Vec::new();
        while let Ok(answered) = self.answers.try_recv() {
            judged.extend(self.judge(answered));
        }
        judged
    }

    fn judge(&mut self, (id, result): Answered) -> Option<(RequestId, Judgement)> {
        let (_, kind, url) = self.out.remove(&id)?;
        Some((id, judge(kind, &url, result.as_ref())))
    }
}
