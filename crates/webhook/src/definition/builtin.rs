//! The definitions of Zentry's five events, of notices about webhooks, and of the test message.

use std::sync::LazyLock;

use super::event_definition::{DEFAULT_COLOUR, EventDefinition, FieldDefinition};
use crate::language::Language;

/// The event type of the test message; its data are `{"message": text}`.
pub const TEST: &str = "test";

/// The event type of notices about a webhook in trouble.
pub const TROUBLE: &str = "webhook_trouble";

pub(super) const FOOTER: &str = "Zentry Project Management";

/// The definitions of the five events, of [`TROUBLE`], and of [`TEST`] as the last one.
pub fn builtin() -> &'static [EventDefinition] {
    static DEFINITIONS: LazyLock<Vec<EventDefinition>> = LazyLock::new(|| {
        vec![
            task_completed(),
            badge_earned(),
            project_created(),
            milestone_reached(),
            daily_streak(),
            trouble(),
            test(),
        ]
    });
    &DEFINITIONS
}

fn task_completed() -> EventDefinition {
    EventDefinition {
        name: "task_completed".into(),
        title: "Task Completed".into(),
        colour: 0x00_ff_00,
        emoji: "✅".into(),
        text: "{% if user_name %}**{{ user_name }}** completed \
               {% if task_title %}**{{ task_title }}**{% else %}a task{% endif %}\
               {% else %}{% if task_title %}**{{ task_title }}**{% else %}A task{% endif %} was completed{% endif %}\
               {% if project_name %} in **{{ project_name }}**{% endif %}."
            .into(),
        fields: fields(&[("Project", "{{ project_name }}"), ("Points Earned", "{{ points }}")]),
        footer: Some(FOOTER.into()),
        time_key: Some("completed_at".into()),
        url: None,
        thumbnail: None,
        language: Language::English,
    }
}

fn badge_earned() -> EventDefinition {
    EventDefinition {
        name: "badge_earned".into(),
        title: "Badge Earned".into(),
        colour: 0xff_d7_00,
        emoji: "🏆".into(),
        text: "{% if user_name %}**{{ user_name }}**{% else %}Somebody{% endif %} earned \
               {% if badge_name %}the badge **{{ badge_name }}**{% else %}a badge{% endif %}."
            .into(),
        fields: fields(&[("Badge Description", "{{ badge_description }}")]),
        footer: Some(FOOTER.into()),
        time_key: Some("earned_at".into()),
        url: None,
        thumbnail: None,
        language: Language::English,
    }
}

fn project_created() -> EventDefinition {
    EventDefinition {
        name: "project_created".into(),
        title: "Project Created".into(),
        colour: 0x00_99_ff,
        emoji: "🚀".into(),
        text: "{% if user_name %}**{{ user_name }}** created \
               {% if project_name %}the project **{{ project_name }}**{% else %}a project{% endif %}\
               {% else %}{% if project_name %}The project **{{ project_name }}**{% else %}A project{% endif %} \
               was created{% endif %}."
            .into(),
        fields: fields(&[("Created by", "{{ user_name }}"), ("Description", "{{ project_description }}")]),
        footer: Some(FOOTER.into()),
        time_key: Some("created_at".into()),
        url: None,
        thumbnail: None,
        language: Language::English,
    }
}

fn milestone_reached() -> EventDefinition {
    EventDefinition {
        name: "milestone_reached".into(),
        title: "Milestone Reached".into(),
        colour: 0xff_66_00,
        emoji: "🎯".into(),
        text: "{% if project_name %}**{{ project_name }}**{% else %}A project{% endif %} reached \
               {% if milestone_name %}**{{ milestone_name }}**{% else %}a milestone{% endif %}."
            .into(),
        fields: fields(&[
            ("Project", "{{ project_name }}"),
            ("Progress", "{% if progress %}{{ progress }}%{% endif %}"),
        ]),
        footer: Some(FOOTER.into()),
        time_key: None,
        url: None,
        thumbnail: None,
        language: Language::English,
    }
}

fn daily_streak() -> EventDefinition {
    EventDefinition {
        name: "daily_streak".into(),
        title: "Daily Streak".into(),
        colour: 0x99_66_ff,
        emoji: "🔥".into(),
        text: "{% if user_name %}**{{ user_name }}**{% else %}Somebody{% endif %} is on a \
               {% if streak_days %}**{{ streak_days }}-day** {% endif %}streak."
            .into(),
        fields: fields(&[("Streak Type", "{{ streak_type }}")]),
        footer: Some(FOOTER.into()),
        time_key: None,
        url: None,
        thumbnail: None,
        language: Language::English,
    }
}

fn trouble() -> EventDefinition {
    EventDefinition {
        name: TROUBLE.into(),
        title: "Webhook Trouble".into(),
        colour: 0xcc_33_00,
        emoji: "⚠️".into(),
        text: "{% if webhook_name %}**{{ webhook_name }}**{% else %}A webhook{% endif %}\
               {% if webhook_id %} ({{ webhook_id }}){% endif %} {% if what %}{{ what }}{% else %}is in trouble{% endif %}."
            .into(),
        fields: fields(&[("Reason", "{{ reason }}")]),
        footer: Some(FOOTER.into()),
        time_key: None,
        url: None,
        thumbnail: None,
        language: Language::English,
    }
}

fn test() -> EventDefinition {
    EventDefinition {
        name: TEST.into(),
        title: "Webhook Test".into(),
        colour: DEFAULT_COLOUR,
        emoji: "🔔".into(),
        text: "{{ message }}".into(),
        fields: Vec::new(),
        footer: Some(FOOTER.into()),
        time_key: None,
        url: None,
        thumbnail: None,
        language: Language::English,
    }
}

fn fields(fields: &[(&str, &str)]) -> Vec<FieldDefinition> {
    fields
        .iter()
        .map(|&(name, value)| FieldDefinition {
            name: name.into(),
            value: value.into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Definition;

    #[test]
    fn every_builtin_definition_compiles() {
        for raw in builtin() {
            assert_eq!(
                Definition::compile(raw).map(|definition| definition.name().to_owned()),
                Ok(raw.name.clone())
            );
        }
    }
}
