//! Answers that do not depend on the body: those of scripts and of benchmarks.

use bytes::Bytes;

use super::discord::{self, Dialect};
use super::kind::Kind;
use super::reply::Reply;
use super::route::Route;
use super::script::Behaviour;
use super::teams::{connector, workflow};
use super::{google_chat, mattermost, signed, slack};

/// The answer that a script gives in place of the vendor's; none where the message is taken as usual.
pub(crate) fn scripted(behaviour: &Behaviour, route: Route<'_>) -> Option<Reply> {
    let kind = route.kind();
    match behaviour {
        Behaviour::Normal
        | Behaviour::When { .. }
        | Behaviour::Slow(_)
        | Behaviour::Held
        | Behaviour::LoseAnswer
        | Behaviour::CutAnswer
        | Behaviour::Trickle(_) => None,
        Behaviour::RateLimited { retry_after, global } => Some(match route {
            Route::Discord { version, .. } => {
                let dialect = Dialect::of(version).unwrap_or(Dialect::Current);
                discord::rate_limited(dialect, *retry_after, *global, None)
            }
            Route::Connector => connector::inner_error(429),
            Route::Workflow { .. } => workflow::rate_limited(*retry_after),
            Route::Slack => slack::rate_limited(*retry_after),
            Route::GoogleChat => google_chat::plain(429),
            Route::Mattermost => mattermost::rate_limited(*retry_after),
            Route::Signed => signed::rate_limited(*retry_after),
        }),
        Behaviour::EdgeBan => Some(Reply::text(429, "error code: 1015").header("retry-after", "3600")),
        Behaviour::Status(status) => Some(plain(kind, *status)),
        Behaviour::Answer {
            status,
            headers,
            body,
        } => Some(Reply {
            extra: headers.clone(),
            body: body.clone().into(),
            ..Reply::empty(*status)
        }),
        Behaviour::InnerError(status) => Some(connector::inner_error(*status)),
        Behaviour::Redirect(to) => Some(Reply::empty(307).header("location", to)),
        Behaviour::Hang
        | Behaviour::DropBeforeBody
        | Behaviour::DropBeforeAnswer
        | Behaviour::Reset
        | Behaviour::EndlessBody
        | Behaviour::Garbage
        | Behaviour::HeaderBomb => Some(Reply::empty(200)),
    }
}

/// This status with the body that the vendor sends with it.
pub(crate) fn plain(kind: Kind, status: u16) -> Reply {
    match kind {
        Kind::Discord => discord::plain(status),
        Kind::Connector => connector::plain(status),
        Kind::Workflow => workflow::plain(status),
        Kind::Slack => slack::plain(status),
        Kind::GoogleChat => google_chat::plain(status),
        Kind::Mattermost => mattermost::plain(status),
        Kind::Signed => signed::plain(status),
    }
}

/// The vendor's answer to a good message, without its content.
pub(crate) fn success(kind: Kind) -> Reply {
    let body = match kind {
        Kind::Discord => r#"{"id":"1000000000000000000","type":0,"embeds":[]}"#,
        Kind::Connector => "1",
        Kind::Workflow => return Reply::empty(202),
        Kind::Signed => return Reply::empty(204),
        Kind::Slack | Kind::Mattermost => "ok",
        Kind::GoogleChat => r#"{"name":"spaces/x/messages/1"}"#,
    };
    Reply {
        body: Bytes::from_static(body.as_bytes()),
        ..Reply::empty(200)
    }
}
