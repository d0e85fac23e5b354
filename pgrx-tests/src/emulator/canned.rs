//! Answers that do not depend on the body: those of scripts and of benchmarks.

use super::discord::{self, Dialect};
use super::kind::Kind;
use super::reply::Reply;
use super::route::Route;
use super::script::Behaviour;
use super::services::service;
use super::teams::connector;

/// What Discord's edge says to an address that it has banned.
pub(crate) fn edge_ban() -> Reply {
    Reply::text(429, "error code: 1015").header("retry-after", "3600")
}

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
            _ => (service(kind).rate_limited)(*retry_after),
        }),
        Behaviour::EdgeBan => Some(edge_ban()),
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
    (service(kind).plain)(status)
}

/// The vendor's answer to a good message, without its content.
pub(crate) fn success(kind: Kind) -> Reply {
    (service(kind).success)()
}
