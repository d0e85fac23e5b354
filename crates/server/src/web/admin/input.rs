//! Fields of forms, each with label, hint and errors.

use maud::{Markup, Render, html};

use crate::web::error::Fields;

/// A single-line field.
#[derive(Debug)]
pub struct TextField<'a> {
    /// The name and id of the field.
    pub name: &'a str,
    pub label: &'a str,
    /// The `type` of the input element.
    pub kind: &'a str,
    pub value: &'a str,
    pub hint: Markup,
    pub required: bool,
    pub autocomplete: &'a str,
    /// The address at which the script validates the value while it is typed.
    pub check: Option<&'a str>,
    /// The id of a list of suggestions.
    pub list: Option<&'a str>,
}

impl Default for TextField<'_> {
    fn default() -> Self {
        Self {
            name: "",
            label: "",
            kind: "text",
            value: "",
            hint: html! {},
            required: false,
            autocomplete: "off",
            check: None,
            list: None,
        }
    }
}

impl TextField<'_> {
    pub fn render(&self, wrong: &Fields) -> Markup {
        let problem = wrong.get(self.name);
        html! {
            div.field {
                label for=(self.name) {
                    (self.label) @if !self.required { span.optional { " (optional)" } }
                }
                p.hint id={ (self.name) "-hint" } { (self.hint) }
                input id=(self.name) name=(self.name) type=(self.kind) value=(self.value) required[self.required]
                    autocomplete=(self.autocomplete) spellcheck="false"
                    aria-describedby={ (self.name) "-hint " (self.name) "-problem" }
                    aria-invalid=[problem.map(|_| "true")] data-check=[self.check] list=[self.list];
                (problem_text(self.name, problem))
            }
        }
    }
}

/// Returns the element for a field's errors, which exists in any case, for the script.
pub fn problem_text(name: &str, problem: Option<&Vec<String>>) -> Markup {
    html! {
        p.problem id={ (name) "-problem" } aria-live="polite" {
            @for text in problem.into_iter().flatten() { (text) " " }
        }
    }
}

/// Returns the list of projects for fields that take a project's id; empty if the role may not read them.
pub fn projects(known: &[(i64, String)]) -> Markup {
    html! {
        datalist id=(PROJECTS) {
            @for (id, name) in known { option value=(id) { (name) } }
        }
    }
}

/// The id of the list.
pub const PROJECTS: &str = "projects";

/// Returns a checkbox.
pub fn tick_box(name: &str, value: &str, label: impl Render, ticked: bool) -> Markup {
    html! {
        label.tick {
            input type="checkbox" name=(name) value=(value) checked[ticked];
            span { (label) }
        }
    }
}

/// Returns a select element; `none`: the label of a first option with an empty value.
pub fn choice<'a>(
    name: &str,
    label: &str,
    none: Option<&str>,
    choices: impl IntoIterator<Item = (&'a str, &'a str)>,
    chosen: &str,
) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @if let Some(none) = none { option value="" { (none) } }
                @for (value, text) in choices {
                    option value=(value) selected[value == chosen] { (text) }
                }
            }
        }
    }
}
