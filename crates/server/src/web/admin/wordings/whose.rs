//! Whose words are meant: those of all integrations, or of one.

use maud::{Markup, html};

/// A choice among integrations, whose first one stands for all of them.
pub fn webhook_choice(
    id: &str,
    name: &str,
    label: &str,
    all: &str,
    names: &[(i64, String)],
    chosen: Option<i64>,
) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            select id=(id) name=(name) {
                option value="" { (all) }
                @for (number, title) in names { option value=(number) selected[chosen == Some(*number)] { (title) } }
            }
        }
    }
}

/// Whose words, or language, they are.
pub fn whose(webhook: Option<i64>, names: &[(i64, String)]) -> String {
    let Some(id) = webhook else {
        return "all integrations".to_owned();
    };
    let name = names.iter().find(|(known, _)| *known == id);
    name.map_or_else(|| format!("integration {id}"), |(_, name)| name.clone())
}

pub(super) fn address(event: &str, webhook: Option<i64>) -> String {
    let query = webhook.map(|id| format!("?webhook={id}")).unwrap_or_default();
    format!("/admin/events/{event}/wording/{query}")
}
