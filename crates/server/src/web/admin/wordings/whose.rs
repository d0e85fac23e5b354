//! The owner of a wording or of a language: all integrations, or one.

use maud::{Markup, html};

/// Returns a select element for an integration. `all`: the label of the first option, which is empty and stands for all of them.
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

/// Returns whose wording or language it is, for display: the integration's name, or its id if the name is unknown; `None`: all integrations.
pub fn whose(webhook: Option<i64>, names: &[(i64, String)]) -> String {
    let Some(id) = webhook else {
        return "all integrations".to_owned();
    };
    let name = names.iter().find(|(known, _)| *known == id);
    name.map_or_else(|| format!("integration {id}"), |(_, name)| name.clone())
}

/// Returns the address of the form for the wording of an event, of one integration or of all (`None`).
pub(super) fn address(event: &str, webhook: Option<i64>) -> String {
    let query = webhook.map(|id| format!("?webhook={id}")).unwrap_or_default();
    format!("/admin/events/{event}/wording/{query}")
}
