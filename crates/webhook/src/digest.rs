//! Digests: when what has gathered for a webhook is sent as one message, and what that says.

use std::borrow::Cow;
use std::collections::BTreeMap;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::Deserialize;
use thiserror::Error;

use crate::card::{Card, humanised, one_line};
use crate::definition::DEFAULT_COLOUR;
use crate::language::Language;
use crate::quiet_hours::QuietHours;
use crate::rich_text::{Builder, RichText};

const SHORTEST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);
/// The longest time between two times of a cron expression: a year, and the day of leap years.
const RAREST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// The most characters of a text. A list of all minutes and hours has some more than two hundred.
const MAX_TEXT: usize = 500;
/// The most events that a digest shows.
pub const SHOWN: usize = 10;
/// The most characters of each of them.
const MAX_LINE: usize = 280;
/// The most event types that it counts by name. All others are counted together.
const MAX_COUNTS: usize = 20;

/// When a digest is sent: an interval after its first event, such as `1 hour`, or the times of a cron expression, such as `0 9 * * 1-5` or
/// `0 9 * * MON-FRI Europe/Berlin`. These are in the time zone of the quiet hours unless it names one, or in UTC if there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    times: Times,
    /// The time zone in which its events are shown.
    zone: Option<TimeZone>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Times {
    After(SignedDuration),
    At(Box<Cron>),
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DigestError {
    #[error("\"{0}\" is neither a length of time nor a cron expression")]
    NoTimes(String),
    #[error("\"{0}\" is not a cron expression: {1}")]
    NoCron(String, String),
    #[error("a digest gathers for a minute to 31 days")]
    Length,
    #[error("the times of \"{0}\" do not come within a year")]
    Never(String),
    #[error("unknown time zone \"{0}\"")]
    UnknownZone(String),
}

impl Digest {
    /// Parses a text that is to be stored, whose times have to come often enough.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str, quiet_hours: Option<&QuietHours>) -> Result<Self, DigestError> {
        let digest = Self::read(text, quiet_hours)?;
        if let Times::At(_) = digest.times {
            let mut last = Timestamp::now();
            for _ in 0..2 {
                last = digest
                    .next(last)
                    .filter(|next| next.duration_since(last) <= RAREST)
                    .ok_or_else(|| DigestError::Never(text.trim().to_owned()))?;
            }
        }
        Ok(digest)
    }

    /// Parses a text that was stored.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn read(text: &str, quiet_hours: Option<&QuietHours>) -> Result<Self, DigestError> {
        let text = text.trim();
        let shown = || text.chars().take(100).collect::<String>();
        if text.chars().count() > MAX_TEXT {
            return Err(DigestError::NoTimes(shown()));
        }
        let zone = quiet_hours.map(QuietHours::zone);
        if let Ok(span) = text.parse::<Span>() {
            let length = span.to_duration(SpanRelativeTo::days_are_24_hours());
            let length = length.map_err(|_| DigestError::Length)?;
            return match (SHORTEST..=LONGEST).contains(&length) {
                true => Ok(Self {
                    times: Times::After(length),
                    zone: zone.cloned(),
                }),
                false => Err(DigestError::Length),
            };
        }
        let (expression, zone) = match text.rsplit_once(char::is_whitespace) {
            Some((expression, name)) if names_zone(expression) => {
                let zone = TimeZone::get(name).map_err(|_| DigestError::UnknownZone(name.to_owned()))?;
                (expression.trim_end(), Some(zone))
            }
            _ => (text, zone.cloned()),
        };
        if expression.split_whitespace().count() != 5 {
            return Err(DigestError::NoTimes(shown()));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(expression).map_err(|error| {
            DigestError::NoCron(shown(), error.to_string().trim_end_matches('.').to_owned())
        })?;
        Ok(Self {
            times: Times::At(Box::new(cron)),
            zone,
        })
    }

    /// Reads the digest of a webhook from its row as a JSON object.
    ///
    /// # Errors
    /// What is wrong with it: time zones come and go with the system's packages.
    pub fn stored(json: &str) -> Result<Option<Self>, DigestError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Stored {
            digest: Option<String>,
            quiet_hours: Option<String>,
        }
        let stored: Stored = serde_json::from_str(json).unwrap_or_default();
        let quiet_hours = stored.quiet_hours.and_then(|text| text.parse().ok());
        stored
            .digest
            .map(|text| Self::read(&text, quiet_hours.as_ref()))
            .transpose()
    }

    /// Returns when a digest is sent that begins with an event of that moment: a later time.
    pub fn due(&self, first: Timestamp) -> Timestamp {
        match &self.times {
            Times::After(length) => first.checked_add(*length).unwrap_or(Timestamp::MAX),
            // If there is no such time, it is better sent than kept.
            Times::At(_) => self.next(first).unwrap_or(first),
        }
    }

    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let Times::At(cron) = &self.times else {
            return None;
        };
        let here = after.to_zoned(self.zone.clone().unwrap_or(TimeZone::UTC));
        let next = cron.find_next_occurrence(&here, false).ok()?.timestamp();
        (next > after).then_some(next)
    }

    /// Returns the message: how many events of which type, and the last ones. `events` has each event's type, and whether it is a sample;
    /// `last` has the cards of up to [`SHOWN`] of them.
    pub fn card<'a>(&self, events: impl IntoIterator<Item = (&'a str, bool)>, last: &[Card]) -> Card {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut samples = 0;
        for (event_type, is_sample) in events {
            *counts.entry(event_type).or_default() += 1;
            samples += usize::from(is_sample);
        }
        let all: usize = counts.values().sum();
        let newest = last.last();
        let language = newest.map_or(Language::default(), |card| card.language);
        let mut colours: Vec<u32> = last.iter().map(|card| card.colour).collect();
        colours.dedup();
        Card {
            event_type: "".into(),
            title: RichText::plain(&language.events(all)),
            emoji: "📋".into(),
            colour: match colours.as_slice() {
                [colour] if counts.len() == 1 => *colour,
                _ => DEFAULT_COLOUR,
            },
            text: self.lines(all, samples, last, language),
            fields: fields(counts, language),
            time: newest.map_or(Timestamp::UNIX_EPOCH, |card| card.time),
            footer: newest.map_or_else(|| "".into(), |card| card.footer.clone()),
            is_sample: all > 0 && samples == all,
            url: None,
            thumbnail: None,
            language,
        }
    }

    fn lines(&self, all: usize, samples: usize, last: &[Card], language: Language) -> RichText {
        let mut text = Builder::default();
        // If all are samples, the message says so itself.
        let mixed = samples > 0 && samples < all;
        if mixed {
            text.push(&language.samples(samples));
            text.push("\n");
        }
        if all > last.len() {
            text.push(&language.last(last.len()));
            text.push("\n");
        }
        for card in last {
            text.push("• ");
            if let Some(zone) = &self.zone {
                text.push(&format!(
                    "{} ",
                    card.time.to_zoned(zone.clone()).strftime("%H:%M")
                ));
            }
            if !card.emoji.is_empty() {
                text.push(&format!("{} ", card.emoji));
            }
            if mixed && card.is_sample {
                text.push(&format!("{}: ", language.words().sample_of));
            }
            text.toggle_bold();
            text.push(&cut(card.title.as_str()));
            text.toggle_bold();
            if !card.text.is_empty() {
                text.push(": ");
                text.push(&cut(card.text.as_str()));
            }
            text.push("\n");
        }
        text.finish()
    }
}

/// Returns whether the text before the last word is a cron expression by itself, so that the word is a time zone.
fn names_zone(before: &str) -> bool {
    before.split_whitespace().count() == 5
}

/// Returns the text on one line, cut to the most characters.
fn cut(text: &str) -> Cow<'_, str> {
    let text = one_line(text);
    if text.chars().nth(MAX_LINE).is_none() {
        return text;
    }
    Cow::Owned(RichText::plain(&text).shortened(MAX_LINE).as_str().to_owned())
}

/// Returns the counts as fields, the most frequent first.
fn fields(counts: BTreeMap<&str, usize>, language: Language) -> Vec<(std::sync::Arc<str>, RichText)> {
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let others: usize = counts.iter().skip(MAX_COUNTS).map(|(_, count)| count).sum();
    let named = counts.iter().take(MAX_COUNTS).map(|(name, count)| {
        (
            language
                .title(name)
                .map_or_else(|| humanised(name), str::to_owned),
            *count,
        )
    });
    named
        .chain((others > 0).then(|| (language.words().others.to_owned(), others)))
        .map(|(name, count)| (name.into(), RichText::plain(&language.number(&count.to_string()))))
        .collect()
}

#[cfg(test)]
mod tests;
