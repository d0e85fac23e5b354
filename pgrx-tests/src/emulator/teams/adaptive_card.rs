//! The envelope of Workflows and the Adaptive Card in it (documentation: Adaptive Cards schema 1.4, the elements that
//! Teams draws).

use serde_json::Value;

use crate::emulator::findings::{Findings, present};
use crate::emulator::markup::date_function;
use crate::emulator::shape::{INVALID, Object, address, boolean, choice, each, object, text};

const CARD: &str = "application/vnd.microsoft.card.adaptive";
const VERSIONS: [&str; 6] = ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"];
const SPACINGS: [&str; 7] = [
    "none",
    "small",
    "default",
    "medium",
    "large",
    "extraLarge",
    "padding",
];
const STYLES: [&str; 6] = ["default", "emphasis", "good", "attention", "warning", "accent"];
const ALIGNMENTS: [&str; 3] = ["left", "center", "right"];
/// Members that every element may have.
const COMMON: [&str; 8] = [
    "type",
    "id",
    "spacing",
    "separator",
    "isVisible",
    "height",
    "fallback",
    "requires",
];

pub(super) fn check(body: &Value, f: &mut Findings) {
    let Some(envelope) = object(body, f) else { return };
    f.keys(envelope, &["type", "attachments"]);
    constant(envelope, "type", "message", f);
    let attachments = each(envelope, "attachments", true, f, |attachment, f| {
        f.keys(attachment, &["contentType", "contentUrl", "content"]);
        constant(attachment, "contentType", CARD, f);
        text(attachment, "contentUrl", false, f);
        let content = attachment.get("content").unwrap_or(&Value::Null);
        f.within("content", |f| {
            if let Some(content) = object(content, f) {
                card(content, f);
            }
        });
    });
    if attachments > 1 {
        f.within("attachments", |f| {
            f.warn("the usual flow posts each attachment on its own")
        });
    }
}

fn card(card: &Object, f: &mut Findings) {
    f.keys(
        card,
        &[
            "type",
            "$schema",
            "version",
            "body",
            "actions",
            "msteams",
            "fallbackText",
            "lang",
            "speak",
            "minHeight",
            "verticalContentAlignment",
            "rtl",
        ],
    );
    constant(card, "type", "AdaptiveCard", f);
    text(card, "$schema", false, f);
    if let Some(version) = text(card, "version", true, f).filter(|version| !VERSIONS.contains(version)) {
        f.within("version", |f| {
            f.problem(INVALID, format!("{version:?} is not one of {VERSIONS:?}"))
        });
    }
    if let Some(teams) = present(card, "msteams") {
        f.within("msteams", |f| {
            if let Some(teams) = object(teams, f) {
                f.keys(teams, &["width", "entities"]);
                choice(teams, "width", &["Full"], f);
            }
        });
    }
    each(card, "body", true, f, element);
    actions(card, false, f);
    let mut texts = Vec::new();
    for value in card.get("body").into_iter().chain(card.get("actions")) {
        strings(value, &mut texts);
    }
    mentions(card, &texts, f);
    functions(&texts, f);
}

fn element(element: &Object, f: &mut Findings) {
    choice(element, "spacing", &SPACINGS, f);
    choice(element, "height", &["auto", "stretch"], f);
    boolean(element, "separator", f);
    boolean(element, "isVisible", f);
    text(element, "id", false, f);
    match text(element, "type", true, f) {
        Some("TextBlock") => text_block(element, f),
        Some("FactSet") => {
            own_keys(element, &["facts"], f);
            each(element, "facts", true, f, |fact, f| {
                f.keys(fact, &["title", "value"]);
                text(fact, "title", true, f);
                text(fact, "value", true, f);
            });
        }
        Some("Container") => {
            own_keys(
                element,
                &["items", "style", "bleed", "minHeight", "verticalContentAlignment"],
                f,
            );
            container(element, f);
        }
        Some("ColumnSet") => {
            own_keys(
                element,
                &["columns", "style", "bleed", "minHeight", "horizontalAlignment"],
                f,
            );
            choice(element, "style", &STYLES, f);
            boolean(element, "bleed", f);
            each(element, "columns", false, f, |column, f| {
                own_keys(
                    column,
                    &[
                        "items",
                        "style",
                        "bleed",
                        "minHeight",
                        "verticalContentAlignment",
                        "width",
                    ],
                    f,
                );
                width(column, f);
                container(column, f);
            });
        }
        Some("Image") => {
            own_keys(
                element,
                &["url", "altText", "size", "style", "width", "horizontalAlignment"],
                f,
            );
            address(element, "url", true, f);
            text(element, "altText", false, f);
        }
        Some("ActionSet") => {
            own_keys(element, &["actions"], f);
            actions(element, true, f);
        }
        Some(other) => f.within("type", |f| {
            f.problem(INVALID, format!("{other:?} is not an element"))
        }),
        None => {}
    }
}

fn container(container: &Object, f: &mut Findings) {
    choice(container, "style", &STYLES, f);
    choice(
        container,
        "verticalContentAlignment",
        &["top", "center", "bottom"],
        f,
    );
    boolean(container, "bleed", f);
    each(container, "items", true, f, element);
}

fn text_block(block: &Object, f: &mut Findings) {
    let own = [
        "text",
        "color",
        "fontType",
        "horizontalAlignment",
        "isSubtle",
        "maxLines",
        "size",
        "weight",
        "wrap",
        "style",
    ];
    own_keys(block, &own, f);
    text(block, "text", true, f);
    choice(
        block,
        "color",
        &[
            "default",
            "dark",
            "light",
            "accent",
            "good",
            "warning",
            "attention",
        ],
        f,
    );
    choice(block, "fontType", &["default", "monospace"], f);
    choice(block, "horizontalAlignment", &ALIGNMENTS, f);
    choice(
        block,
        "size",
        &["default", "small", "medium", "large", "extraLarge"],
        f,
    );
    choice(block, "weight", &["default", "lighter", "bolder"], f);
    choice(block, "style", &["default", "heading", "columnHeader"], f);
    boolean(block, "isSubtle", f);
    boolean(block, "wrap", f);
    if present(block, "maxLines").is_some_and(|lines| !lines.is_u64()) {
        f.within("maxLines", |f| f.problem(INVALID, "is not a whole number"));
    }
}

/// `auto`, `stretch`, a weight, or pixels.
fn width(column: &Object, findings: &mut Findings) {
    let proper = match present(column, "width") {
        None | Some(Value::Number(_)) => true,
        Some(Value::String(width)) => {
            let number = width.strip_suffix("px").unwrap_or(width);
            width == "auto" || width == "stretch" || number.parse::<u32>().is_ok()
        }
        Some(_) => false,
    };
    if !proper {
        findings.within("width", |f| f.problem(INVALID, "is not a width"));
    }
}

fn actions(parent: &Object, required: bool, f: &mut Findings) {
    each(parent, "actions", required, f, |action, f| {
        f.keys(
            action,
            &["type", "title", "url", "id", "iconUrl", "style", "tooltip"],
        );
        constant(action, "type", "Action.OpenUrl", f);
        text(action, "title", true, f);
        address(action, "url", true, f);
    });
}

/// Each `<at>` in a text needs an entity of the same text, and the other way round.
fn mentions(card: &Object, texts: &[&str], f: &mut Findings) {
    let entities: Vec<&str> = card
        .get("msteams")
        .and_then(|teams| teams["entities"].as_array())
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter_map(|entity| entity["text"].as_str())
        .collect();
    for text in texts {
        if text.contains("<at>") && !entities.iter().any(|entity| text.contains(entity)) {
            f.warn("a text holds <at> without an entity");
        }
    }
    for entity in entities
        .iter()
        .filter(|entity| !texts.iter().any(|text| text.contains(*entity)))
    {
        f.problem(INVALID, format!("the entity {entity:?} is in no text"));
    }
}

/// Teams leaves a function that it does not know as it is, for everybody to see.
fn functions(texts: &[&str], f: &mut Findings) {
    for text in texts {
        for (at, _) in text
            .match_indices("{{")
            .filter(|(at, _)| date_function(&text[*at..]).is_none())
        {
            f.warn(format_args!("no function of Teams: {:?}", &text[at..]));
        }
    }
}

fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(list) => list.iter().for_each(|value| strings(value, found)),
        Value::Object(object) => object.values().for_each(|value| strings(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn own_keys(element: &Object, own: &[&str], f: &mut Findings) {
    f.keys(element, &[&COMMON[..], own].concat());
}

fn constant(parent: &Object, key: &str, wanted: &str, f: &mut Findings) {
    if let Some(value) = text(parent, key, true, f).filter(|value| *value != wanted) {
        f.within(key, |f| {
            f.problem(INVALID, format!("{value:?} is not {wanted:?}"))
        });
    }
}
