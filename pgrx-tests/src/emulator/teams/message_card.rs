//! MessageCard (documentation: Legacy actionable message card reference), checked more strictly than the connector
//! does, which drops what it does not understand.

use serde_json::Value;

use crate::emulator::findings::Findings;
use crate::emulator::shape::{INVALID, Object, address, boolean, choice, each, object, text};

const MOST_SECTIONS: usize = 10;
const MOST_ACTIONS: usize = 4;

pub(super) fn check(body: &Value, f: &mut Findings) {
    let Some(card) = object(body, f) else { return };
    f.keys(
        card,
        &[
            "@type",
            "@context",
            "summary",
            "text",
            "title",
            "themeColor",
            "sections",
            "potentialAction",
            "correlationId",
            "expectedActors",
            "originator",
            "hideOriginalBody",
        ],
    );
    constant(card, "@type", &["MessageCard"], f);
    constant(
        card,
        "@context",
        &["https://schema.org/extensions", "http://schema.org/extensions"],
        f,
    );
    for key in ["summary", "text", "title"] {
        text(card, key, false, f);
    }
    if let Some(colour) = text(card, "themeColor", false, f) {
        let hex = colour.len() == 6 && colour.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hex {
            f.within("themeColor", |f| {
                f.problem(INVALID, "is not six hexadecimal digits")
            });
        }
    }
    let sections = each(card, "sections", false, f, section);
    if sections > MOST_SECTIONS {
        f.within("sections", |f| {
            f.problem(INVALID, format!("has more than {MOST_SECTIONS} entries"))
        });
    }
    actions(card, f);
}

fn section(section: &Object, f: &mut Findings) {
    f.keys(
        section,
        &[
            "title",
            "startGroup",
            "activityImage",
            "activityImageType",
            "activityTitle",
            "activitySubtitle",
            "activityText",
            "heroImage",
            "text",
            "facts",
            "images",
            "potentialAction",
            "markdown",
        ],
    );
    for key in [
        "title",
        "activityTitle",
        "activitySubtitle",
        "activityText",
        "text",
    ] {
        text(section, key, false, f);
    }
    boolean(section, "markdown", f);
    boolean(section, "startGroup", f);
    address(section, "activityImage", false, f);
    choice(section, "activityImageType", &["avatar", "article"], f);
    each(section, "facts", false, f, |fact, f| {
        f.keys(fact, &["name", "value"]);
        text(fact, "name", true, f);
        text(fact, "value", true, f);
    });
    actions(section, f);
}

fn actions(parent: &Object, f: &mut Findings) {
    let actions = each(parent, "potentialAction", false, f, |action, f| {
        f.keys(action, &["@type", "@context", "name", "targets"]);
        constant(action, "@type", &["OpenUri"], f);
        text(action, "name", true, f);
        each(action, "targets", true, f, |target, f| {
            f.keys(target, &["os", "uri"]);
            choice(target, "os", &["default", "iOS", "android", "windows"], f);
            address(target, "uri", true, f);
        });
    });
    if actions > MOST_ACTIONS {
        f.within("potentialAction", |f| {
            f.problem(INVALID, format!("has more than {MOST_ACTIONS} entries"))
        });
    }
}

fn constant(parent: &Object, key: &str, values: &[&str], f: &mut Findings) {
    if let Some(value) = text(parent, key, true, f).filter(|value| !values.contains(value)) {
        f.within(key, |f| {
            f.problem(INVALID, format!("{value:?} is not {}", values[0]))
        });
    }
}
