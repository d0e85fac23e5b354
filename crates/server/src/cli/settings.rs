//! What can be set of a webhook, as options.

use clap::Args;

use crate::queries::settings::Rules;
use crate::vendors;

/// Of a change, an empty text and 0 take away what was set
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Only events whose data this JSON path predicate is true of, such as '$.points > 20'
    #[arg(long, value_name = "PATH")]
    filter: Option<String>,
    /// Of daily_streak, only streaks of so many days
    #[arg(long, value_name = "DAYS")]
    min_streak_days: Option<i32>,
    /// Of milestone_reached, only these, such as 50,100
    #[arg(long, value_name = "PERCENT,...", value_parser = numbers)]
    milestones: Option<Numbers>,
    /// When nothing is sent, such as '22:00-07:00 Europe/Berlin'
    #[arg(long, value_name = "HOURS")]
    quiet_hours: Option<String>,
    /// What has gathered leaves as one message: '1 hour' after the first event, or at '0 9 * * 1-5 Europe/Berlin'
    #[arg(long, value_name = "TIMES")]
    digest: Option<String>,
    #[arg(long, value_name = "WHOM", help = format!("Whom each message pings: {}", vendors::mentions()))]
    mention: Option<String>,
    /// Keys of the events' data that its messages do not have
    #[arg(long, value_name = "KEY,...")]
    omit_keys: Option<String>,
    #[arg(long, value_name = "NAME", help = format!("The name that its messages in {} come from", vendors::called_with("username")))]
    username: Option<String>,
    #[arg(long, value_name = "URL", help = format!("The picture that its messages in {} come with", vendors::called_with("avatar_url")))]
    avatar_url: Option<String>,
    #[arg(long, value_name = "BOOLEAN",
        help = format!("Whether a line of text stands above the events in {}, for phones' notifications", vendors::called_with("announce")))]
    announce: Option<bool>,
    /// For a forum of Discord: each message becomes a post of this name
    #[arg(long, value_name = "NAME")]
    thread_name: Option<String>,
    /// For a forum of Discord: ids of the tags of these posts
    #[arg(long, value_name = "ID,...")]
    applied_tags: Option<String>,
    /// For Google Chat: what the messages of a thread have in common, task or project
    #[arg(long, value_name = "WHAT")]
    thread_by: Option<String>,
    /// How many messages it may get, and in what time, such as 25/5min; 0 is no limit
    #[arg(long, value_name = "RATE")]
    rate_limit: Option<String>,
    /// Webhooks of the same group share their rate
    #[arg(long, value_name = "NAME")]
    rate_group: Option<String>,
    /// The webhook that is told of its trouble
    #[arg(long, value_name = "ID")]
    notify_webhook_id: Option<i64>,
    /// Whether it is told of the trouble of the others
    #[arg(long, value_name = "BOOLEAN")]
    notices: Option<bool>,
    /// How many waiting events may leave as one message, 1 to 10
    #[arg(long, value_name = "EVENTS")]
    max_events_per_message: Option<i32>,
    /// The shortest time between two messages, such as '30 seconds'
    #[arg(long, value_name = "TIME")]
    min_interval: Option<String>,
    /// Deliveries older than this expire, such as '1 day'
    #[arg(long, value_name = "TIME")]
    max_age: Option<String>,
}

/// A list in one option, so that an empty one can be given.
#[derive(Clone, Debug)]
struct Numbers(Vec<i32>);

fn numbers(text: &str) -> Result<Numbers, std::num::ParseIntError> {
    items(text).map(str::parse).collect::<Result<_, _>>().map(Numbers)
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl From<Settings> for Rules {
    fn from(settings: Settings) -> Self {
        let names = |text: String| items(&text).map(ToOwned::to_owned).collect();
        Self {
            omit_keys: settings.omit_keys.map(names),
            filter: settings.filter,
            min_streak_days: settings.min_streak_days,
            milestones: settings.milestones.map(|numbers| numbers.0),
            quiet_hours: settings.quiet_hours,
            mention: settings.mention,
            username: settings.username,
            avatar_url: settings.avatar_url,
            announce: settings.announce,
            thread_name: settings.thread_name,
            applied_tags: settings.applied_tags.map(names),
            rate_limit: settings.rate_limit,
            rate_group: settings.rate_group,
            notify_webhook_id: settings.notify_webhook_id,
            notices: settings.notices,
            digest: settings.digest,
            max_events_per_message: settings.max_events_per_message,
            min_interval: settings.min_interval,
            max_age: settings.max_age,
            thread_by: settings.thread_by,
        }
    }
}
