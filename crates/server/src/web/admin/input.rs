//! Fields of forms, each with its label, its hint and what is wrong with it.

use maud::{Markup, Render, html};

use crate::web::error::Fields;

/// A field of one line.
#[derive(Debug)]
pub struct TextField<'a> {
    /// Its name in the form; its id, too.
    pub name: &'a str,
    pub label: &'a str,
    /// The input's type.
    pub kind: &'a str,
    pub value: &'a str,
    pub hint: Markup,
    pub required: bool,
    pub autocomplete: &'a str,
    /// Where the script asks whether the value is right while it is typed.
    pub check: Option<&'a str>,
    /// The id of a list of what may be typed.
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

/// What is wrong with a field; there in any case, for the script to fill.
pub fn problem_text(name: &str, problem: Option<&Vec<String>>) -> Markup {
    html! {
        p.problem id={ (name) "-problem" } aria-live="polite" {
            @for text in problem.into_iter().flatten() { (text) " " }
        }
    }
}

/// Projects to choose from, for fields that take the id of one; nothing where the role may not read them.
pub fn projects(known: &[(i64, String)]) -> Markup {
    html! {
        datalist id=(PROJECTS) {
            @for (id, name) in known { option value=(id) { (name) } }
        }
    }
}

/// The list's id.
pub const PROJECTS: &str = "projects";

/// A box to tick.
pub fn tick_box(name: &str, value: &str, label: impl Render, ticked: bool) -> Markup {
    html! {
        label.tick {
            input type="checkbox" name=(name) value=(value) checked[ticked];
            span { (label) }
        }
    }
}

/// A list to choose from; the first choice, of the empty value, is `none` if there is one.
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
