//! The contents of the form of an integration: texts as they were typed, and their conversion to values for the database.

use serde_json::Value;

use crate::queries::integrations::{Change, New, Webhook};
use crate::queries::settings::Rules;
use crate::vendors;
use crate::web::error::Fields;

/// The default of `max_events_per_message`, which the form shows as an empty field.
const MOST_EVENTS: i32 = 10;

/// The fields of the form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    pub name: String,
    pub webhook_type: String,
    /// In a change, an empty URL stays as it is.
    pub webhook_url: String,
    /// The project's id; empty: every project.
    pub project: String,
    /// The names of event types; `*` stands for all.
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
    /// A JSON object; in a change, empty headers stay as they are.
    pub headers: String,
    /// In a change, empty credentials stay as they are.
    pub credentials: String,
}

impl Draft {
    /// Returns a draft with the defaults of a new integration.
    pub fn fresh() -> Self {
        Self {
            webhook_type: "discord".to_owned(),
            event_types: vec!["*".to_owned()],
            is_active: true,
            ..Self::default()
        }
    }

    /// Returns the draft of an existing integration. Its URL, headers and credentials are secret, so these fields are empty; settings that have
    /// their defaults are empty too.
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

    /// Returns the draft of a copy: all fields of another integration, with another name, and without its URL, headers and credentials.
    pub fn like(webhook: &Webhook) -> Self {
        Self {
            name: format!("{} (copy)", webhook.integration.name),
            ..Self::of(webhook)
        }
    }

    /// Returns the draft that a form sent, without white space at the ends of texts. Null characters, which PostgreSQL's text cannot contain, are
    /// removed; unknown fields are ignored.
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
        // If the box for all events was ticked when the form was loaded, and no script has cleared it, ticking single events means only these.
        if heard_all && draft.event_types.len() > 1 {
            draft.event_types.retain(|name| name != "*");
        }
        draft
    }

    /// Returns whether this event type is among those of the draft; `*`: whether all are heard.
    pub fn hears(&self, event_type: &str) -> bool {
        self.event_types.iter().any(|name| name == event_type)
    }

    /// Returns the integration to register, or the errors of fields that should be numbers or JSON and are not.
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

    /// Returns a change that sets all fields but an empty URL or headers, so that a cleared field removes its setting. The errors are those of
    /// [`new_integration`](Self::new_integration).
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

    /// Returns whether the chosen type supports a setting. The form does not show settings that it does not support.
    fn has(&self, setting: &str) -> bool {
        vendors::has(&self.webhook_type, setting)
    }

    /// Returns the credentials that were typed; `None` if there are none or if the type does not support credentials.
    pub fn credentials(&self) -> Option<&str> {
        let given = !self.credentials.is_empty() && self.has("credentials");
        given.then_some(&*self.credentials)
    }

    /// Returns the headers that were typed; `None` if there are none or if the type does not support headers.
    fn headers(&self) -> Result<Option<Value>, Fields> {
        if self.headers.is_empty() || !self.has("headers") {
            return Ok(None);
        }
        match serde_json::from_str(&self.headers) {
            Ok(headers @ Value::Object(_)) => Ok(Some(headers)),
            _ => {
                let problem = "This is not a JSON object of names and texts.".to_owned();
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

    /// Returns the project's id, `None` for every project, and the settings, without those that the type does not support. Only texts that should
    /// be numbers and are not are errors; the database checks the rest.
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

/// Returns a length of time, or `0`, which removes the setting, if the text is empty.
fn or_zero(text: &str) -> String {
    if text.is_empty() { "0" } else { text }.to_owned()
}

/// Returns the items of a list with commas, without empty ones.
fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Returns the number; `None` if the text is empty, or if it is no number, in which case an error is added.
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
mod tests;
