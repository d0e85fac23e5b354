//! Places in traces, in the format of W3C's Trace Context: <https://www.w3.org/TR/trace-context/#traceparent-header>.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use ring::digest::{SHA256, digest};

use crate::ids::DeliveryId;

/// The header's name, in HTTP and in NATS.
pub const HEADER: &str = "traceparent";

/// The length of a `traceparent` of version 00.
pub const LENGTH: usize = 55;

/// A span, and the trace that it is in: `00-TRACE-SPAN-FLAGS`, with 32, 16 and 2 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

/// Why a text is not a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceparentError {
    #[error("a traceparent has {LENGTH} characters, in four parts with hyphens between them")]
    Shape,
    #[error("a traceparent begins with 00, the only version that there is")]
    Version,
    #[error("the parts of a traceparent are hexadecimal digits, in lower case")]
    Digits,
    #[error("the trace and the span of a traceparent are not all zeros")]
    Zeros,
}

impl FromStr for Traceparent {
    type Err = TraceparentError;

    fn from_str(text: &str) -> Result<Self, TraceparentError> {
        let bytes = text.as_bytes();
        if bytes.len() != LENGTH || [2, 35, 52].iter().any(|place| bytes[*place] != b'-') {
            return Err(TraceparentError::Shape);
        }
        let [version] = digits(&bytes[..2])?;
        if version != 0 {
            return Err(TraceparentError::Version);
        }
        let read = Self {
            trace: digits(&bytes[3..35])?,
            span: digits(&bytes[36..52])?,
            flags: digits::<1>(&bytes[53..])?[0],
        };
        if read.trace == [0; 16] || read.span == [0; 8] {
            return Err(TraceparentError::Zeros);
        }
        Ok(read)
    }
}

/// Reads hexadecimal digits, two for each byte.
fn digits<const N: usize>(text: &[u8]) -> Result<[u8; N], TraceparentError> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(TraceparentError::Digits),
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? * 16 + digit(pair[1])?;
    }
    Ok(bytes)
}

impl Traceparent {
    /// Returns the span of a delivery of an event that was written at this place. It is the same for each attempt; the view
    /// `zentry_notify.delivery_traces` computes it in the same way.
    pub fn of_delivery(&self, delivery: DeliveryId, captured_at: Timestamp) -> Self {
        let name = format!("{self}/{}/{}", delivery.0, captured_at.as_microsecond());
        let digest = digest(&SHA256, name.as_bytes());
        let mut span = [0; 8];
        span.copy_from_slice(&digest.as_ref()[..8]);
        Self { span, ..*self }
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", self.flags)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// W3C's own example.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn it_is_written_as_it_is_read() {
        assert_eq!(EXAMPLE.parse::<Traceparent>().unwrap().to_string(), EXAMPLE);
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, error) in [
            ("", TraceparentError::Shape),
            (&EXAMPLE[..54], TraceparentError::Shape),
            (&format!("{EXAMPLE}0"), TraceparentError::Shape),
            (&EXAMPLE.replace('-', "_"), TraceparentError::Shape),
            (&EXAMPLE.replacen("00-", "01-", 1), TraceparentError::Version),
            (&EXAMPLE.replacen("00-", "ff-", 1), TraceparentError::Version),
            (&EXAMPLE.replace("4bf9", "4BF9"), TraceparentError::Digits),
            (&EXAMPLE.replace("4bf9", "4bg9"), TraceparentError::Digits),
            (&EXAMPLE.replace("4bf9", "4béz"), TraceparentError::Shape),
            (
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                TraceparentError::Zeros,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                TraceparentError::Zeros,
            ),
        ] {
            assert_eq!(text.parse::<Traceparent>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_delivery_has_a_span_of_its_own_in_the_same_trace() {
        let parent: Traceparent = EXAMPLE.parse().unwrap();
        let at = Timestamp::from_microsecond(1_700_000_000_123_456).unwrap();
        let span = parent.of_delivery(DeliveryId(7), at);
        assert_eq!(span, parent.of_delivery(DeliveryId(7), at));
        assert_ne!(span, parent.of_delivery(DeliveryId(8), at));
        assert_ne!(span, parent.of_delivery(DeliveryId(7), Timestamp::UNIX_EPOCH));
        assert_ne!(span.span, parent.span);
        assert_eq!((span.trace, span.flags), (parent.trace, parent.flags));
    }

    proptest! {
        #[test]
        fn nothing_else_is_taken_for_one(text in ".{0,60}") {
            prop_assert!(text.parse::<Traceparent>().is_err());
        }

        #[test]
        fn nothing_of_the_right_length_panics(bytes in proptest::collection::vec(any::<u8>(), LENGTH)) {
            let text = String::from_utf8_lossy(&bytes);
            let _ = text.parse::<Traceparent>();
        }
    }
}
