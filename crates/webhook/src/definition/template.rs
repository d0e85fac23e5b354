//! Templates in Jinja's language, which make text with bold parts of an event's data.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::sync::{Arc, LazyLock};

use minijinja::machinery::{CodeGenerator, eval, make_string_output, parse};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use super::budget::{self, Bounded};
use super::context::Data;
use super::error::DefinitionError;
use super::guard;
use super::print::print;
use super::segments::{self, Segment};
use super::spoken;
use crate::rich_text::{Builder, DATA_ASTERISK, RichText};

/// The maximum number of instructions of a template. 64 bytes that it builds or prints count as one, and so do eight items of a list that it
/// works on. Real templates take fewer than 100.
const FUEL: u64 = 20_000;
/// The maximum for all templates of a card together.
const CARD_FUEL: u64 = 2 * FUEL;
/// The maximum nesting of expressions and blocks.
const MAX_DEPTH: usize = 50;
/// The maximum length of a template's source, in bytes.
const MAX_SOURCE: usize = 8 * 1024;
/// The name of a template in the engine's own messages.
const NAME: &str = "template";

/// The error of a template that fails on an event's data.
#[derive(Debug, thiserror::Error)]
#[error("template of {part}: {reason}")]
pub(super) struct RenderError {
    part: Box<str>,
    reason: String,
}

/// A compiled template.
#[derive(Debug)]
pub(super) enum Template {
    /// Text, prints and plain conditions, of which nearly every template consists. This is several times faster than
    /// the engine, with the same result.
    Segments(Vec<Segment>),
    Engine {
        part: Box<str>,
        source: Box<str>,
    },
}

impl Template {
    /// Checks and compiles a template; errors name it as `part`.
    pub(super) fn compile(part: &str, source: &str) -> Result<Self, DefinitionError> {
        if source.len() > MAX_SOURCE {
            return Err(DefinitionError::invalid(
                format!("template of {part}"),
                format!("must be at most {MAX_SOURCE} bytes"),
            ));
        }
        try_without_data(source).map_err(|error| explained(part, source, &error))?;
        Ok(segments::parse(source).map_or_else(
            || Self::Engine {
                part: part.into(),
                source: source.into(),
            },
            Self::Segments,
        ))
    }

    /// Returns the keys of the data that the template uses; none if it cannot be used.
    pub(super) fn keys(source: &str) -> BTreeSet<String> {
        let tree = parse(source, NAME, SyntaxConfig::default());
        let names = tree.map(|tree| guard::guard(&tree).1).unwrap_or_default();
        names
            .into_iter()
            .filter(|name| !segments::RESERVED.contains(name))
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Renders the template with these data, and subtracts what it took from `work`.
    pub(super) fn render(&self, data: &Arc<Data>, work: &mut Work) -> Result<RichText, RenderError> {
        match self {
            Self::Segments(segments) => {
                let mut text = Builder::default();
                segments::render(segments, data, &mut text);
                Ok(text.finish())
            }
            Self::Engine { part, source } => evaluate(source, Value::from_dyn_object(Arc::clone(data)))
                .and_then(|(markup, fuel)| work.take(fuel).map(|()| RichText::parse(&markup)))
                .map_err(|error| RenderError {
                    part: part.clone(),
                    reason: reason(&error),
                }),
        }
    }
}

/// The number of instructions that the templates of a card may still take.
pub(super) struct Work(u64);

impl Work {
    pub(super) fn of_a_card() -> Self {
        Self(CARD_FUEL)
    }

    fn take(&mut self, fuel: u64) -> Result<(), Error> {
        self.0 = self.0.checked_sub(fuel).ok_or(ErrorKind::OutOfFuel)?;
        Ok(())
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_formatter(print_escaped);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_DEPTH);
    environment.set_debug(true);
    environment.add_filter(guard::MEASURE, budget::measure);
    environment.add_filter(guard::OPERAND, budget::operand);
    environment.add_filter(guard::FACTOR, budget::factor);
    environment.add_filter(guard::TEXT, budget::text);
    environment.add_filter(guard::TEXTS, budget::texts);
    environment.add_filter("plural", spoken::plural);
    environment.add_filter("number", spoken::number);
    environment.add_filter("percent", spoken::percent);
    environment.add_filter("date", spoken::date);
    // These would print data as markup, or show internals of the engine.
    for filter in ["safe", "escape", "e", "pprint"] {
        environment.remove_filter(filter);
    }
    environment.remove_global("debug");
    environment
}

/// Returns what the template prints, and the instructions that it took. The syntax tree is made each time, which takes a few microseconds,
/// because it borrows the source.
fn evaluate(source: &str, data: Value) -> Result<(String, u64), Error> {
    static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);
    let tree = parse(source, NAME, SyntaxConfig::default())?;
    let mut generator = CodeGenerator::new(NAME, source);
    generator.compile_stmt(&guard::guard(&tree).0);
    let (instructions, blocks) = generator.finish();
    let mut text = String::new();
    // Captured blocks are already escaped; everything else is escaped when it is printed.
    let escape = AutoEscape::Custom("bold".into());
    let mut out = make_string_output(&mut text);
    let (_, state) = eval(&ENVIRONMENT, &instructions, data, &blocks, &mut out, escape)?;
    let fuel = state.fuel_levels().map_or(0, |(spent, _)| spent);
    Ok((text, fuel))
}

/// Evaluates a template without data, to find misspelt names, which the engine looks up only then, and loops that do too much whatever the
/// data are. Errors that may be due to the missing data are ignored.
fn try_without_data(source: &str) -> Result<(), Error> {
    let hopeless = [
        ErrorKind::SyntaxError,
        ErrorKind::UnknownFilter,
        ErrorKind::UnknownTest,
        ErrorKind::UnknownFunction,
        ErrorKind::OutOfFuel,
    ];
    match evaluate(source, Value::default()) {
        Err(error) if hopeless.contains(&error.kind()) => Err(error),
        _ => Ok(()),
    }
}

fn explained(part: &str, source: &str, error: &Error) -> DefinitionError {
    let place = error
        .range()
        .and_then(|range| source.get(range))
        .filter(|place| !place.is_empty());
    DefinitionError::Template {
        part: part.to_owned(),
        line: error.line().unwrap_or(1),
        place: place.map(ToOwned::to_owned),
        reason: reason(error),
    }
}

fn reason(error: &Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return "it does too much: no message needs that".to_owned();
    }
    error
        .detail()
        .map_or_else(|| error.kind().to_string(), ToOwned::to_owned)
}

fn print_escaped(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let value = budget::measure(state, value.clone())?;
    let printed = if value.is_safe() {
        print(&value, &mut Bounded::new(out))
    } else {
        print(&value, &mut Bounded::new(Escaped(out)))
    };
    printed.map_err(|_| ErrorKind::OutOfFuel.into())
}

/// Escapes printed data, so that they are not markup.
struct Escaped<'a, 'b>(&'a mut Output<'b>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut pieces = text.split('*');
        if let Some(first) = pieces.next() {
            self.0.write_str(first)?;
        }
        for piece in pieces {
            self.0.write_char(DATA_ASTERISK)?;
            self.0.write_str(piece)?;
        }
        Ok(())
    }
}
