//! Which URL is what.

/// What stands behind a webhook's URL; decides the format of the body and how an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndpointKind {
    /// Discord's execute-webhook call: embeds.
    Discord,
    /// A legacy Teams connector: MessageCard, 200 with a number for success.
    TeamsConnector,
    /// A Teams Workflows trigger: Adaptive Card in an envelope, 202 for success.
    TeamsWorkflow,
}

/// Whose servers answer: the published caps hold for the vendors' own hosts only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    Discord,
    Microsoft,
    Other,
}
