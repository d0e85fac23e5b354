//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::visitor::Visitor;
use crate::web::error::Fields;

/// The sections of the site, in the order of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Integrations,
    Log,
    Events,
    Status,
    Tokens,
    Guide,
}

impl Section {
    const ALL: [Self; 6] = [
        Self::Integrations,
        Self::Log,
        Self::Events,
        Self::Status,
        Self::Tokens,
        Self::Guide,
    ];

    /// Returns whether the visitor may see the section.
    fn is_for(self, visitor: &Visitor) -> bool {
        self != Self::Tokens || visitor.sees_tokens()
    }

    fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Integrations => ("/admin/integrations/", "Integrations"),
            Self::Log => ("/admin/logs/", "Log"),
            Self::Events => ("/admin/events/", "Events"),
            Self::Status => ("/admin/status/", "Status"),
            Self::Tokens => ("/admin/tokens/", "Tokens"),
            Self::Guide => ("/admin/guide/", "Guide"),
        }
    }
}

/// The result of the previous request, shown after a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    Registered,
    Saved,
    SwitchedOn,
    SwitchedOff,
    Deleted,
    Retried,
    Resumed,
    SampleSent,
    NobodyHears,
    ManySwitchedOn,
    ManySwitchedOff,
    NoneSelected,
    Worded,
    WordsReset,
    LanguageSet,
    TokenRevoked,
}

impl Notice {
    const ALL: [(Self, &str, &str); 16] = [
        (
            Self::Registered,
            "registered",
            "The integration is registered. Try it below.",
        ),
        (Self::Saved, "saved", "The changes are saved."),
        (Self::SwitchedOn, "on", "The integration is switched on."),
        (
            Self::SwitchedOff,
            "off",
            "The integration is switched off. Its waiting deliveries are held back.",
        ),
        (
            Self::Deleted,
            "deleted",
            "The integration is deleted, with its log.",
        ),
        (Self::Retried, "retried", "The delivery is sent again."),
        (
            Self::Resumed,
            "resumed",
            "Its waiting deliveries are being sent now.",
        ),
        (
            Self::SampleSent,
            "sample",
            "A sample is on its way to every integration that hears this event.",
        ),
        (
            Self::NobodyHears,
            "nobody",
            "No active integration hears this event.",
        ),
        (
            Self::ManySwitchedOn,
            "many-on",
            "The selected integrations are switched on.",
        ),
        (
            Self::ManySwitchedOff,
            "many-off",
            "The selected integrations are switched off. Their waiting deliveries are held back.",
        ),
        (Self::NoneSelected, "none", "Nothing was selected."),
        (Self::Worded, "worded", "The wording is saved."),
        (
            Self::WordsReset,
            "words-reset",
            "The wording is removed: messages have the texts of the event type again.",
        ),
        (Self::LanguageSet, "language", "The language is set."),
        (
            Self::TokenRevoked,
            "revoked",
            "The token is revoked: the next request with it is refused.",
        ),
    ];

    /// Returns the query that shows it.
    pub fn query(self) -> String {
        let code = Self::ALL
            .iter()
            .find(|(notice, _, _)| *notice == self)
            .map_or("", |(_, code, _)| code);
        format!("said={code}")
    }

    pub fn parse(code: Option<&str>) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known, _)| Some(*known) == code);
        found.map(|(notice, _, _)| *notice)
    }

    fn text(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(notice, _, _)| *notice == self)
            .map_or("", |(_, _, text)| text)
    }
}

/// A page without its content.
#[derive(Debug)]
pub struct Frame<'a> {
    title: &'a str,
    visitor: Option<&'a Visitor>,
    section: Option<Section>,
    notice: Option<Notice>,
    problems: Option<&'a Fields>,
    above: Option<Markup>,
    actions: Option<Markup>,
}

impl<'a> Frame<'a> {
    /// Returns a page for visitors who are not signed in.
    pub fn outside(title: &'a str) -> Self {
        Self {
            title,
            visitor: None,
            section: None,
            notice: None,
            problems: None,
            above: None,
            actions: None,
        }
    }

    pub fn new(visitor: &'a Visitor, section: Section, title: &'a str) -> Self {
        Self {
            visitor: Some(visitor),
            section: Some(section),
            ..Self::outside(title)
        }
    }

    pub fn notice(self, notice: Option<Notice>) -> Self {
        Self { notice, ..self }
    }

    /// Sets the errors of a form's fields, which are listed at the top.
    pub fn problems(self, problems: &'a Fields) -> Self {
        Self {
            problems: (!problems.is_empty()).then_some(problems),
            ..self
        }
    }

    /// Sets the parent page.
    pub fn under(self, address: &str, name: &str) -> Self {
        let above = html! { nav.above aria-label="Where this is" { a href=(address) { "← " (name) } } };
        Self {
            above: Some(above),
            ..self
        }
    }

    /// Sets the actions beside the title.
    pub fn actions(self, actions: Markup) -> Self {
        Self {
            actions: Some(actions),
            ..self
        }
    }

    pub fn render(self, content: Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { @if self.problems.is_some() { "Error: " } (self.title) " – Zentry notifications" }
                    link rel="icon" type="image/svg+xml" href=(assets::address("icon.svg"));
                    link rel="stylesheet" href=(assets::address("style.css"));
                    script src=(assets::address("script.js")) defer {}
                }
                body {
                    a.skip href="#content" { "To the content" }
                    (self.top())
                    main #content tabindex="-1" {
                        @if let Some(above) = &self.above { (above) }
                        div.title {
                            h1 { (self.title) }
                            @if let Some(actions) = &self.actions { div.actions { (actions) } }
                        }
                        @if let Some(notice) = self.notice { p.notice role="status" { (notice.text()) } }
                        @if let Some(problems) = self.problems { (summary(problems)) }
                        (content)
                    }
                }
            }
        }
    }

    fn top(&self) -> Markup {
        html! {
            header.top {
                a.brand href="/admin/" { span.mark aria-hidden="true" { "Z" } "Zentry notifications" }
                @if let Some(visitor) = self.visitor {
                    nav aria-label="Pages" {
                        @for section in Section::ALL.into_iter().filter(|section| section.is_for(visitor)) {
                            @let (address, name) = section.link();
                            a href=(address) aria-current=[(self.section == Some(section)).then_some("page")] { (name) }
                        }
                    }
                    form.who method="post" action="/admin/sign-out/" {
                        span { "as " b { (visitor.role()) } }
                        button.quiet { "Sign out" }
                    }
                }
            }
        }
    }
}

/// Returns links to the invalid fields.
fn summary(problems: &Fields) -> Markup {
    html! {
        div.problems role="alert" {
            h2 { "Nothing is saved yet" }
            ul {
                @for (name, texts) in problems {
                    @for text in texts { li { a href={ "#" (name) } { (text) } } }
                }
            }
        }
    }
}
