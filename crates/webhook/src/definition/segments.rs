//! The part of the template language that nearly every template uses, without the engine: text, `{{ key }}`,
//! `{% if key %}`, `{% else %}`, `{% endif %}`.
//!
//! A card takes a sixth of the engine's time: 2.6 µs instead of 15.8 (`cargo bench --bench format -- steps/card`), while
//! the worker's own thread takes 14 µs in all for a delivery of a backlog (docs/benchmarks.md). A property test checks that both print the
//! same (`the_engine_and_the_short_cut_agree`).

use minijinja::value::Value;
use serde_json::Value as Json;

use super::context::{self, Data};
use super::print;
use crate::rich_text::{Builder, DATA_ASTERISK};

/// Words that are not keys to the engine.
pub(super) const RESERVED: [&str; 19] = [
    "and",
    "dict",
    "else",
    "false",
    "False",
    "if",
    "in",
    "is",
    "loop",
    "namespace",
    "none",
    "None",
    "not",
    "or",
    "range",
    "self",
    "super",
    "true",
    "True",
];

#[derive(Debug, PartialEq)]
pub(super) enum Segment {
    Text(Box<str>),
    ToggleBold,
    Print(Path),
    If {
        condition: Path,
        then: Vec<Segment>,
        otherwise: Vec<Segment>,
    },
}

/// A key of the data, or `a.b.c` into nested objects.
#[derive(Debug, PartialEq)]
pub(super) struct Path {
    key: Box<str>,
    inner: Box<[Box<str>]>,
}

impl Path {
    fn parse(source: &str) -> Option<Self> {
        let mut keys = source.split('.').map(|key| is_key(key).then(|| key.into()));
        let key: Box<str> = keys.next()??;
        (!RESERVED.contains(&&*key)).then_some(())?;
        Some(Self {
            key,
            inner: keys.collect::<Option<_>>()?,
        })
    }

    fn find<'a>(&self, data: &'a Data) -> Option<&'a Json> {
        self.inner
            .iter()
            .try_fold(data.get(&self.key)?, |value, key| value.as_object()?.get(&**key))
    }
}

fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Parses a template; `None`: it needs the engine.
pub(super) fn parse(source: &str) -> Option<Vec<Segment>> {
    let mut rest = source;
    let (segments, end) = parse_block(&mut rest)?;
    (end == BlockEnd::Source).then_some(segments)
}

#[derive(PartialEq)]
enum BlockEnd {
    Source,
    Else,
    EndIf,
}

fn parse_block(rest: &mut &str) -> Option<(Vec<Segment>, BlockEnd)> {
    let mut segments = Vec::new();
    loop {
        let Some(at) = tag_start(rest) else {
            push_literal(&mut segments, rest)?;
            *rest = "";
            return Some((segments, BlockEnd::Source));
        };
        push_literal(&mut segments, &rest[..at])?;
        let (is_print, inner, after) = split_tag(&rest[at..])?;
        *rest = after;
        if is_print {
            segments.push(Segment::Print(Path::parse(inner)?));
            continue;
        }
        match inner {
            "else" => return Some((segments, BlockEnd::Else)),
            "endif" => return Some((segments, BlockEnd::EndIf)),
            _ => segments.push(parse_if(inner, rest)?),
        }
    }
}

fn parse_if(inner: &str, rest: &mut &str) -> Option<Segment> {
    let condition = Path::parse(inner.strip_prefix("if ")?.trim())?;
    let (then, end) = parse_block(rest)?;
    let otherwise = match end {
        BlockEnd::EndIf => Vec::new(),
        BlockEnd::Else => match parse_block(rest)? {
            (otherwise, BlockEnd::EndIf) => otherwise,
            _ => return None,
        },
        BlockEnd::Source => return None,
    };
    Some(Segment::If {
        condition,
        then,
        otherwise,
    })
}

fn tag_start(source: &str) -> Option<usize> {
    source
        .as_bytes()
        .windows(2)
        .position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
}

/// Splits a tag off: whether it prints, its content, and the rest of the source.
fn split_tag(source: &str) -> Option<(bool, &str, &str)> {
    let (is_print, end) = match source.as_bytes().get(1)? {
        b'{' => (true, "}}"),
        b'%' => (false, "%}"),
        _ => return None,
    };
    let (inner, after) = source[2..].split_once(end)?;
    Some((is_print, inner.trim_matches([' ', '\t', '\n']), after))
}

/// Adds a literal; `None`: it begins or ends with an asterisk, which could be a mark together with what is printed before or after it.
fn push_literal(segments: &mut Vec<Segment>, text: &str) -> Option<()> {
    for (index, piece) in text.split("**").enumerate() {
        if index > 0 {
            segments.push(Segment::ToggleBold);
        }
        if piece.starts_with('*') || piece.ends_with('*') {
            return None;
        }
        if !piece.is_empty() {
            segments.push(Segment::Text(piece.into()));
        }
    }
    Some(())
}

pub(super) fn render(segments: &[Segment], data: &Data, out: &mut Builder) {
    for segment in segments {
        match segment {
            Segment::Text(text) => out.push(text),
            Segment::ToggleBold => out.toggle_bold(),
            Segment::Print(path) => print(path.find(data), out),
            Segment::If {
                condition,
                then,
                otherwise,
            } => {
                let block = if is_true(condition.find(data)) {
                    then
                } else {
                    otherwise
                };
                render(block, data, out);
            }
        }
    }
}

fn print(value: Option<&Json>, out: &mut Builder) {
    match value {
        None | Some(Json::Null) => {}
        Some(Json::String(text)) => out.push(text),
        Some(value) => {
            let mut text = String::new();
            // Writing to a string does not fail.
            let _ = print::print(&context::to_value(value), &mut text);
            out.push(&text);
        }
    }
}

fn is_true(value: Option<&Json>) -> bool {
    match value {
        None | Some(Json::Null) => false,
        // Asterisks of this kind are removed before the engine gets the text.
        Some(Json::String(text)) => text.chars().any(|char| char != DATA_ASTERISK),
        Some(value) => Value::is_true(&context::to_value(value)),
    }
}
