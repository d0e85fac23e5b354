//! Whose servers endpoints are on.

use crate::kinds::WebhookType;

/// Whose servers an endpoint is on: the published rate limits hold for the vendors' own hosts only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// The vendor of webhooks of this type.
    Of(WebhookType),
    /// Any other server, such as a user's own.
    Other,
}
