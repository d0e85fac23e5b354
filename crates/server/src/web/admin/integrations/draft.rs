//! What a form says of an integration: texts as they were typed, until they are values for the database.

use serde_json::Value;

use crate::queries::integrations::{Change, New, Webhook};
use crate::queries::settings::Rules;
use crate::vendors;
use crate::web::error::Fields;

/// Events that a message holds unless it is said.
const MOST_EVENTS: i32 = 10;

/// The fields of the form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    pub name: String,
    pub webhook_type: String,
    /// Empty in a change: as it is.
    pub webhook_url: String,
    /// Empty: every project.
    pub project: String,
    /// `*`: all
    pub event_types: Vec<String>,
    pub is_active: bool,
    pub filter: String,
    pub min_streak_days: String,
    pub milestones: String,
    pub quiet_hours: String,
    pub mention: String,
    pub omit_keys: String,
    pub username: String,
    pub avatar_url: String,
    pub announce: bool,
    pub thread_name: String,
    pub applied_tags: String,
    pub digest: String,
    pub max_events_per_message: String,
    pub min_interval: String,
    pub max_age: String,
    pub rate_limit: String,
    pub rate_group: String,
    pub notify_webhook_id: String,
    pub notices: bool,
    pub thread_by: String,
    /// JSON; empty in a change: as they are.
    pub headers: String,
    /// Empty in a change: as they are.
    pub credentials: String,
}

impl Draft {
    /// An integration that is to be.
    pub fn fresh() -> Self {
        Self {
            webhook_type: "discord".to_owned(),
            event_types: vec!["*".to_owned()],
            is_active: true,
            ..Self::default()
        }
    }

    /// One that there is.
    pub fn of(webhook: &Webhook) -> Self {
        let integration = &webhook.integration;
        let set = &integration.settings;
        fn shown<T: ToString>(number: Option<T>) -> String {
            number.map(|number| number.to_string()).unwrap_or_default()
        }
        let names = integration.event_types.as_array().into_iter().flatten();
        let numbers = set.milestones.iter().flatten().map(ToString::to_string);
        Self {
            name: integration.name.clone(),
            webhook_type: integration.webhook_type.clone(),
            webhook_url: String::new(),
            project: integration.project.map(|id| id.to_string()).unwrap_or_default(),
            event_types: names
                .filter_map(|name| name.as_str().map(ToOwned::to_owned))
                .collect(),
            is_active: integration.is_active,
            filter: set.filter.clone().unwrap_or_default(),
            min_streak_days: shown(set.min_streak_days),
            milestones: numbers.collect::<Vec<_>>().join(", "),
            quiet_hours: set.quiet_hours.clone().unwrap_or_default(),
            mention: set.mention.clone().unwrap_or_default(),
            omit_keys: set.omit_keys.join(", "),
            username: set.username.clone().unwrap_or_default(),
            avatar_url: set.avatar_url.clone().unwrap_or_default(),
            announce: set.announce,
            thread_name: set.thread_name.clone().unwrap_or_default(),
            applied_tags: set.applied_tags.join(", "),
            digest: set.digest.clone().unwrap_or_default(),
            max_events_per_message: shown(
                Some(set.max_events_per_message).filter(|events| *events != MOST_EVENTS),
            ),
            min_interval: Some(set.min_interval.clone())
                .filter(|text| text != "00:00:00")
                .unwrap_or_default(),
            max_age: set.max_age.clone().unwrap_or_default(),
            rate_limit: set.rate_limit.clone().unwrap_or_default(),
            rate_group: set.rate_group.clone().unwrap_or_default(),
            notify_webhook_id: shown(set.notify_webhook_id),
            notices: set.notices,
            thread_by: set.thread_by.clone().unwrap_or_default(),
            headers: String::new(),
            credentials: String::new(),
        }
    }

    /// A new one that is like another, but for its address and its name.
    pub fn like(webhook: &Webhook) -> Self {
        Self {
            name: format!("{} (copy)", webhook.integration.name),
            ..Self::of(webhook)
        }
    }

    /// One that was sent by a form. PostgreSQL's text has no null characters, and no keyboard types them.
    pub fn sent(pairs: Vec<(String, String)>) -> Self {
        let mut draft = Self::default();
        let mut heard_all = false;
        for (name, value) in pairs {
            let value = value.replace('\0', "").trim().to_owned();
            let field = match name.as_str() {
                "event_type" => {
                    draft.event_types.push(value);
                    continue;
                }
                "heard_all" => {
                    heard_all = true;
                    continue;
                }
                "is_active" => {
                    draft.is_active = true;
                    continue;
                }
                "announce" => {
                    draft.announce = true;
                    continue;
                }
                "notices" => {
                    draft.notices = true;
                    continue;
                }
                "name" => &mut draft.name,
                "webhook_type" => &mut draft.webhook_type,
                "webhook_url" => &mut draft.webhook_url,
                "project" => &mut draft.project,
                "filter" => &mut draft.filter,
                "min_streak_days" => &mut draft.min_streak_days,
                "milestones" => &mut draft.milestones,
                "quiet_hours" => &mut draft.quiet_hours,
                "mention" => &mut draft.mention,
                "omit_keys" => &mut draft.omit_keys,
                "username" => &mut draft.username,
                "avatar_url" => &mut draft.avatar_url,
                "thread_name" => &mut draft.thread_name,
                "applied_tags" => &mut draft.applied_tags,
                "digest" => &mut draft.digest,
                "max_events_per_message" => &mut draft.max_events_per_message,
                "min_interval" => &mut draft.min_interval,
                "max_age" => &mut draft.max_age,
                "rate_limit" => &mut draft.rate_limit,
                "rate_group" => &mut draft.rate_group,
                "notify_webhook_id" => &mut draft.notify_webhook_id,
                "thread_by" => &mut draft.thread_by,
                "headers" => &mut draft.headers,
                "secret" => &mut draft.credentials,
                _ => continue,
            };
            *field = value;
        }
        // Where no script takes the tick away from all events, who ticks single ones means these.
        if heard_all && draft.event_types.len() > 1 {
            draft.event_types.retain(|name| name != "*");
        }
        draft
    }

    pub fn hears(&self, event_type: &str) -> bool {
        self.event_types.iter().any(|name| name == event_type)
    }

    /// What to register.
    pub fn new_integration(&self) -> Result<New, Fields> {
        let (project, rules) = self.values()?;
        Ok(New {
            name: self.name.clone(),
            webhook_type: self.webhook_type.clone(),
            webhook_url: self.webhook_url.clone(),
            project,
            event_types: Some(self.event_types()),
            is_active: Some(self.is_active),
            rules,
            secret: self.credentials().map(str::to_owned),
            headers: self.headers()?,
            created_by: None,
        })
    }

    /// What to change: everything, so that what was cleared is taken away.
    pub fn change(&self) -> Result<Change, Fields> {
        let (project, rules) = self.values()?;
        Ok(Change {
            name: Some(self.name.clone()),
            webhook_type: Some(self.webhook_type.clone()),
            webhook_url: Some(self.webhook_url.clone()).filter(|url| !url.is_empty()),
            project: Some(project),
            event_types: Some(self.event_types()),
            is_active: Some(self.is_active),
            rules,
            headers: self.headers()?,
        })
    }

    /// Whether the service has a place for it. The form does not show what it has none for.
    fn has(&self, setting: &str) -> bool {
        vendors::has(&self.webhook_type, setting)
    }

    /// What was given.
    pub fn credentials(&self) -> Option<&str> {
        let given = !self.credentials.is_empty() && self.has("credentials");
        given.then_some(&*self.credentials)
    }

    fn headers(&self) -> Result<Option<Value>, Fields> {
        if self.headers.is_empty() || !self.has("headers") {
            return Ok(None);
        }
        match serde_json::from_str(&self.headers) {
            Ok(headers @ Value::Object(_)) => Ok(Some(headers)),
            _ => {
                let problem = "This is no JSON object of names and texts.".to_owned();
                Err(Fields::from([("headers".to_owned(), vec![problem])]))
            }
        }
    }

    fn event_types(&self) -> Vec<String> {
        if self.hears("*") {
            vec!["*".to_owned()]
        } else {
            self.event_types.clone()
        }
    }

    /// Only what is no number at all is refused here.
    fn values(&self) -> Result<(Option<i64>, Rules), Fields> {
        let mut wrong = Fields::new();
        let project = number::<i64>(&mut wrong, "project", &self.project).filter(|id| *id != 0);
        let placed = |setting: &str, text: &str| if self.has(setting) { text } else { "" }.to_owned();
        let rules = Rules {
            omit_keys: Some(items(&self.omit_keys).map(ToOwned::to_owned).collect()),
            filter: Some(self.filter.clone()),
            min_streak_days: Some(number(&mut wrong, "min_streak_days", &self.min_streak_days).unwrap_or(0)),
            milestones: Some(
                items(&self.milestones)
                    .filter_map(|item| number(&mut wrong, "milestones", item.trim_end_matches(['%', ' '])))
                    .collect(),
            ),
            quiet_hours: Some(self.quiet_hours.clone()),
            mention: Some(placed("mention", &self.mention)),
            username: Some(placed("username", &self.username)),
            avatar_url: Some(placed("avatar_url", &self.avatar_url)),
            announce: Some(self.announce && self.has("announce")),
            thread_name: Some(placed("thread_name", &self.thread_name)),
            applied_tags: Some(
                items(&placed("applied_tags", &self.applied_tags))
                    .map(ToOwned::to_owned)
                    .collect(),
            ),
            digest: Some(placed("digest", &self.digest)),
            max_events_per_message: Some(
                number(&mut wrong, "max_events_per_message", &self.max_events_per_message)
                    .unwrap_or(MOST_EVENTS),
            ),
            min_interval: Some(or_zero(&self.min_interval)),
            max_age: Some(or_zero(&self.max_age)),
            rate_limit: Some(self.rate_limit.clone()),
            rate_group: Some(self.rate_group.clone()),
            notify_webhook_id: Some(
                number(&mut wrong, "notify_webhook_id", &self.notify_webhook_id).unwrap_or(0),
            ),
            notices: Some(self.notices),
            thread_by: Some(placed("thread_by", &self.thread_by)),
        };
        if wrong.is_empty() {
            Ok((project, rules))
        } else {
            Err(wrong)
        }
    }
}

/// The length of time, or none.
fn or_zero(text: &str) -> String {
    if text.is_empty() { "0" } else { text }.to_owned()
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn number<T: std::str::FromStr>(wrong: &mut Fields, name: &str, text: &str) -> Option<T> {
    if text.is_empty() {
        return None;
    }
    let number = text.parse().ok();
    if number.is_none() {
        wrong.insert(name.to_owned(), vec![format!("“{text}” is not a whole number.")]);
    }
    number
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sent(pairs: &[(&str, &str)]) -> Draft {
        Draft::sent(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn what_is_typed_becomes_values() {
        let draft = sent(&[
            ("name", " Team "),
            ("project", "7"),
            ("event_type", "task_completed"),
            ("event_type", "badge_earned"),
            ("milestones", "50 %, 100"),
            ("omit_keys", "a, b,"),
            ("is_active", "true"),
        ]);
        let new = draft.new_integration().unwrap();
        assert_eq!(
            (new.name.as_str(), new.project, new.is_active),
            ("Team", Some(7), Some(true))
        );
        assert_eq!(new.event_types.unwrap(), ["task_completed", "badge_earned"]);
        assert_eq!(new.rules.milestones, Some(vec![50, 100]));
        assert_eq!(new.rules.omit_keys.unwrap(), ["a", "b"]);
        // What is empty, or 0, is to the database what is left out.
        assert_eq!(
            (new.rules.filter.as_deref(), new.rules.min_streak_days),
            (Some(""), Some(0))
        );
    }

    #[test]
    fn what_is_cleared_is_taken_away() {
        let change = sent(&[("name", "Team"), ("event_type", "*"), ("event_type", "x")])
            .change()
            .unwrap();
        assert_eq!(change.webhook_url, None, "the URL stays");
        assert_eq!(change.project, Some(None));
        assert_eq!(change.event_types.unwrap(), ["*"]);
        assert_eq!(
            (change.rules.filter.as_deref(), change.rules.min_streak_days),
            (Some(""), Some(0))
        );
        assert_eq!(
            (change.rules.milestones, change.is_active),
            (Some(vec![]), Some(false))
        );
    }

    #[test]
    fn single_events_take_the_place_of_all_that_were_heard_before() {
        let all = ("event_type", "*");
        for (pairs, heard) in [
            (&[("heard_all", "true"), all, ("event_type", "a")][..], &["a"][..]),
            (&[("heard_all", "true"), all], &["*"]),
            (&[("heard_all", "true"), ("event_type", "a")], &["a"]),
            (&[all, ("event_type", "a")], &["*"]),
        ] {
            assert_eq!(sent(pairs).event_types(), heard, "{pairs:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_named() {
        let wrong = sent(&[("project", "one"), ("milestones", "50, x")])
            .change()
            .unwrap_err();
        assert_eq!(wrong.keys().collect::<Vec<_>>(), ["milestones", "project"]);
    }
}
