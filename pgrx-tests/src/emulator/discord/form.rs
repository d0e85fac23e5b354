//! Discord's rules for the body of a message (documentation: Webhook resource, Embed limits, Allowed Mentions).

use std::collections::HashSet;

use serde_json::Value;

use super::types::{Object, boolean, integer, list, object, required, string, text, timestamp, url};
use crate::emulator::findings::{Findings, present};
use crate::emulator::query::parameter;

const MOST_EMBEDS: usize = 10;
const MOST_FIELDS: usize = 25;
/// Over all embeds of a message.
const MOST_EMBED_TEXT: usize = 6000;
const LONGEST_CONTENT: usize = 2000;
const LONGEST_TITLE: usize = 256;
const LONGEST_DESCRIPTION: usize = 4096;
const LONGEST_FIELD_NAME: usize = 256;
const LONGEST_FIELD_VALUE: usize = 1024;
const LONGEST_FOOTER: usize = 2048;
const LONGEST_AUTHOR: usize = 256;
const LONGEST_THREAD_NAME: usize = 100;
const LONGEST_USERNAME: usize = 80;
const LARGEST_COLOR: i64 = 0xff_ffff;
const MOST_MENTIONS: usize = 100;

pub(super) fn query(query: Option<&str>, findings: &mut Findings) {
    if let Some(thread) = parameter(query, "thread_id").filter(|thread| thread.parse::<u64>().is_err()) {
        findings.within("thread_id", |f| {
            f.problem(
                "NUMBER_TYPE_COERCE",
                format!("Value {thread:?} is not snowflake."),
            );
        });
    }
}

pub(super) fn message(body: &Value, findings: &mut Findings) {
    let Some(message) = object(body, findings) else {
        return;
    };
    findings.keys(
        message,
        &[
            "content",
            "username",
            "avatar_url",
            "tts",
            "embeds",
            "allowed_mentions",
            "components",
            "attachments",
            "flags",
            "thread_name",
            "applied_tags",
            "poll",
        ],
    );
    text(message, "content", LONGEST_CONTENT, findings);
    username(message, findings);
    text(message, "thread_name", LONGEST_THREAD_NAME, findings);
    url(message, "avatar_url", &["http", "https"], findings);
    boolean(message, "tts", findings);
    integer(message, "flags", i64::MAX, findings);
    embeds(message, findings);
    allowed_mentions(message, findings);
}

/// Whether nothing would be seen.
pub(super) fn is_empty(body: &Value) -> bool {
    let blank = |value: &Value| value.as_str().is_none_or(|text| text.trim().is_empty());
    let seen = [
        "title",
        "description",
        "fields",
        "image",
        "thumbnail",
        "author",
        "footer",
    ];
    let blank_embed = |embed: &Value| {
        seen.iter().all(|key| match &embed[key] {
            Value::Array(fields) => fields.is_empty(),
            Value::Object(_) => false,
            other => blank(other),
        })
    };
    blank(&body["content"])
        && body["embeds"]
            .as_array()
            .is_none_or(|embeds| embeds.iter().all(blank_embed))
        && body["poll"].is_null()
}

fn embeds(message: &Object, findings: &mut Findings) {
    let Some(value) = present(message, "embeds") else {
        return;
    };
    findings.within("embeds", |f| {
        let Some(embeds) = list(value, MOST_EMBEDS, f) else {
            return;
        };
        let mut total = 0;
        let mut urls = HashSet::new();
        for (index, value) in embeds.iter().enumerate() {
            f.within(index, |f| {
                let Some(embed) = object(value, f) else { return };
                total += self::embed(embed, f);
                if let Some(url) = present(embed, "url").and_then(Value::as_str)
                    && !urls.insert(url)
                {
                    f.warn("the same url as an embed before: the two collapse into one");
                }
            });
        }
        if total > MOST_EMBED_TEXT {
            f.problem(
                "MAX_EMBED_SIZE_EXCEEDED",
                format!("Embed size exceeds maximum size of {MOST_EMBED_TEXT}"),
            );
        }
    });
}

/// Returns the code points that count towards the total.
fn embed(embed: &Object, f: &mut Findings) -> usize {
    f.keys(
        embed,
        &[
            "title",
            "type",
            "description",
            "url",
            "timestamp",
            "color",
            "footer",
            "image",
            "thumbnail",
            "author",
            "fields",
        ],
    );
    url(embed, "url", &["http", "https"], f);
    integer(embed, "color", LARGEST_COLOR, f);
    timestamp(embed, f);
    for picture in ["image", "thumbnail"] {
        part(embed, picture, &["url"], f, |picture, f| {
            required(picture, "url", f);
            url(picture, "url", &["http", "https", "attachment"], f);
            0
        });
    }
    let author = part(embed, "author", &["name", "url", "icon_url"], f, |author, f| {
        url(author, "url", &["http", "https"], f);
        url(author, "icon_url", &["http", "https", "attachment"], f);
        required(author, "name", f);
        text(author, "name", LONGEST_AUTHOR, f)
    });
    let footer = part(embed, "footer", &["text", "icon_url"], f, |footer, f| {
        url(footer, "icon_url", &["http", "https", "attachment"], f);
        required(footer, "text", f);
        text(footer, "text", LONGEST_FOOTER, f)
    });
    let title = text(embed, "title", LONGEST_TITLE, f);
    let description = text(embed, "description", LONGEST_DESCRIPTION, f);
    title + description + author + footer + fields(embed, f)
}

fn fields(embed: &Object, findings: &mut Findings) -> usize {
    let Some(value) = present(embed, "fields") else {
        return 0;
    };
    findings.within("fields", |f| {
        let Some(fields) = list(value, MOST_FIELDS, f) else {
            return 0;
        };
        let field = |(index, value): (usize, &Value)| {
            f.within(index, |f| {
                let Some(field) = object(value, f) else { return 0 };
                f.keys(field, &["name", "value", "inline"]);
                boolean(field, "inline", f);
                required(field, "name", f);
                required(field, "value", f);
                text(field, "name", LONGEST_FIELD_NAME, f) + text(field, "value", LONGEST_FIELD_VALUE, f)
            })
        };
        fields.iter().enumerate().map(field).sum()
    })
}

fn allowed_mentions(message: &Object, findings: &mut Findings) {
    let Some(value) = present(message, "allowed_mentions") else {
        findings.warn("no allowed_mentions: the content could ping");
        return;
    };
    findings.within("allowed_mentions", |f| {
        let Some(mentions) = object(value, f) else { return };
        f.keys(mentions, &["parse", "roles", "users", "replied_user"]);
        boolean(mentions, "replied_user", f);
        let parsed = parse(mentions, f);
        for kind in ["roles", "users"] {
            let Some(value) = present(mentions, kind) else {
                continue;
            };
            f.within(kind, |f| {
                let Some(ids) = list(value, MOST_MENTIONS, f) else {
                    return;
                };
                if !ids.is_empty() && parsed.contains(&kind) {
                    f.problem(
                        "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                        format!("parse:[{kind:?}] and {kind}: [ids...] are mutually exclusive."),
                    );
                }
                for (index, id) in ids.iter().enumerate() {
                    if id.as_str().and_then(|id| id.parse::<u64>().ok()).is_none() {
                        f.within(index, |f| {
                            f.problem("NUMBER_TYPE_COERCE", format!("Value {id} is not snowflake."))
                        });
                    }
                }
            });
        }
        if !parsed.is_empty() {
            f.warn(format_args!("the content could ping {}", parsed.join(", ")));
        }
    });
}

fn parse<'a>(mentions: &'a Object, findings: &mut Findings) -> Vec<&'a str> {
    let Some(value) = present(mentions, "parse") else {
        return Vec::new();
    };
    findings.within("parse", |f| {
        let Some(kinds) = list(value, usize::MAX, f) else {
            return Vec::new();
        };
        for (index, kind) in kinds.iter().enumerate() {
            if !matches!(kind.as_str(), Some("roles" | "users" | "everyone")) {
                f.within(index, |f| {
                    f.problem(
                        "BASE_TYPE_CHOICES",
                        "Value must be one of {'everyone', 'roles', 'users'}.",
                    );
                });
            }
        }
        kinds.iter().filter_map(Value::as_str).collect()
    })
}

fn username(message: &Object, findings: &mut Findings) {
    let Some(name) = string(message, "username", findings) else {
        return;
    };
    let length = name.trim().chars().count();
    let lower = name.to_lowercase();
    findings.within("username", |f| {
        if !(1..=LONGEST_USERNAME).contains(&length) {
            f.problem(
                "BASE_TYPE_BAD_LENGTH",
                format!("Must be between 1 and {LONGEST_USERNAME} in length."),
            );
        }
        for word in ["discord", "clyde"]
            .into_iter()
            .filter(|word| lower.contains(word))
        {
            f.problem(
                "USERNAME_INVALID_CONTAINS",
                format!("Username cannot contain \"{word}\""),
            );
        }
    });
}

/// An object below `parent`, if it is there and is one; returns what `walk` counts.
fn part(
    parent: &Object,
    key: &str,
    known: &[&str],
    findings: &mut Findings,
    walk: impl FnOnce(&Object, &mut Findings) -> usize,
) -> usize {
    let Some(value) = present(parent, key) else {
        return 0;
    };
    findings.within(key, |f| {
        let Some(part) = object(value, f) else { return 0 };
        f.keys(part, known);
        walk(part, f)
    })
}
