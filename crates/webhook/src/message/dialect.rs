//! The markups that receivers read.

/// Which markup the receiver reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Discord's own Markdown.
    Discord,
    /// CommonMark and HTML, in a MessageCard.
    MessageCard,
    /// A part of CommonMark, and functions in double braces, in an Adaptive Card.
    AdaptiveCard,
    /// CommonMark as it is, in lines.
    CommonMark,
    /// CommonMark with mentions, channels, hashtags and emoji.
    Mattermost,
    /// Slack's `mrkdwn`.
    Slack,
    /// The text of a message in Google Chat.
    GoogleChatText,
    /// The small HTML of a card in Google Chat.
    GoogleChatCard,
}

/// Separates what would be markup together, where the receiver has no escape for it. Readers do not see it.
pub(super) const ZERO_WIDTH_SPACE: char = '\u{200B}';
