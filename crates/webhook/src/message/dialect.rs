//! The markups of receivers.

/// The markup of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Discord's own Markdown.
    Discord,
    /// CommonMark and HTML, in a MessageCard.
    MessageCard,
    /// A part of CommonMark, and functions in double braces, in an Adaptive Card.
    AdaptiveCard,
    /// CommonMark, line by line.
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

/// An invisible character that separates characters which together would be markup, where the receiver has no escape for them.
pub(super) const ZERO_WIDTH_SPACE: char = '\u{200B}';
