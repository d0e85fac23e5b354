//! A template: Jinja's language over an event's data, giving text with bold parts.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::sync::Arc;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use super::DefinitionError;
use super::context::{self, Data};
use super::segments::{self, Segment};
use crate::rich_text::{Builder, DATA_ASTERISK, RichText};

/// Instructions that a template may take; 64 bytes of output cost as much as one. Real templates take under 100.
const FUEL: u64 = 20_000;
/// Nesting of expressions and blocks.
const MAX_DEPTH: usize = 50;
/// Bytes of a template's source.
const MAX_SOURCE: usize = 8 * 1024;
/// The one template of an environment.
const NAME: &str = "template";

/// A template that failed on an event's data.
#[derive(Debug, thiserror::Error)]
#[error("template of {part}: {reason}")]
pub(super) struct RenderError {
    part: Box<str>,
    reason: String,
}

/// A compiled template.
#[derive(Debug)]
pub(super) enum Template {
    /// Text, prints and plain conditions: what nearly every template consists of, several times faster than
    /// through the engine and with the same result.
    Segments(Vec<Segment>),
    Engine {
        part: Box<str>,
        environment: Box<Environment<'static>>,
    },
}

impl Template {
    /// `part` names the template in errors.
    pub(super) fn compile(part: &str, source: &str) -> Result<Self, DefinitionError> {
        let engine = Self::compile_for_engine(part, source)?;
        Ok(segments::parse(source).map_or(engine, Self::Segments))
    }

    fn compile_for_engine(part: &str, source: &str) -> Result<Self, DefinitionError> {
        if source.len() > MAX_SOURCE {
            return Err(DefinitionError::invalid(
                format!("template of {part}"),
                format!("must be at most {MAX_SOURCE} bytes"),
            ));
        }
        let mut environment = environment();
        environment
            .add_template_owned(NAME, source.to_owned())
            .and_then(|()| try_without_data(&environment))
            .map_err(|error| explained(part, source, &error))?;
        Ok(Self::Engine {
            part: part.into(),
            environment: Box::new(environment),
        })
    }

    /// Names of the data that the template asks for; none where it cannot be used.
    pub(super) fn keys(source: &str) -> BTreeSet<String> {
        let mut environment = environment();
        if environment.add_template_owned(NAME, source.to_owned()).is_err() {
            return BTreeSet::new();
        }
        let undeclared = environment
            .get_template(NAME)
            .map(|template| template.undeclared_variables(false));
        undeclared
            .into_iter()
            .flatten()
            .filter(|name| !segments::RESERVED.contains(&name.as_str()))
            .collect()
    }

    pub(super) fn render(&self, data: &Arc<Data>) -> Result<RichText, RenderError> {
        match self {
            Self::Segments(segments) => {
                let mut text = Builder::default();
                segments::render(segments, data, &mut text);
                Ok(text.finish())
            }
            Self::Engine { part, environment } => environment
                .get_template(NAME)
                .and_then(|template| template.render(Value::from_dyn_object(Arc::clone(data))))
                .map(|markup| RichText::parse(&markup))
                .map_err(|error| RenderError {
                    part: part.clone(),
                    reason: reason(&error),
                }),
        }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // Captured blocks count as printed already; everything else is escaped when it is printed.
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("bold".into()));
    environment.set_formatter(print_escaped);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_DEPTH);
    environment.set_debug(true);
    // What would let data through as markup, or show the engine's inside.
    for filter in ["safe", "escape", "e", "pprint"] {
        environment.remove_filter(filter);
    }
    environment.remove_global("debug");
    environment
}

/// Finds misspelt names, which the engine looks up at run time only, and loops that do too much whatever the data are. Errors
/// that are due to the missing data are none.
fn try_without_data(environment: &Environment<'_>) -> Result<(), Error> {
    let hopeless = [
        ErrorKind::UnknownFilter,
        ErrorKind::UnknownTest,
        ErrorKind::UnknownFunction,
        ErrorKind::OutOfFuel,
    ];
    match environment.get_template(NAME)?.render(Value::default()) {
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

fn print_escaped(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_safe() {
        return context::print(value, out).map_err(Error::from);
    }
    context::print(value, &mut Escaped(out)).map_err(Error::from)
}

/// Keeps printed data from being markup.
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
