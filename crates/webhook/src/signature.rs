//! Signatures by Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac::{HMAC_SHA256, Key, sign};
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;

const PREFIX: &str = "whsec_";
/// The length of a secret in bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;
/// The length of a generated secret.
const MADE: usize = 32;

/// A secret that requests are signed by. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Arc<[u8]>);

impl SigningSecret {
    /// Generates a secret.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, SecretError> {
        let mut bytes = [0; MADE];
        let filled = SystemRandom::new().fill(&mut bytes);
        filled.map_err(|_| SecretError::NoRandomness)?;
        Ok(Self(bytes.as_slice().into()))
    }

    /// Returns the secret as text, for whoever has asked for it, and never for anything that others may read.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    fn signature(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut signed = format!("{id}.{seconds}.").into_bytes();
        signed.extend_from_slice(body);
        let tag = sign(&Key::new(HMAC_SHA256, &self.0), &signed);
        format!("v1,{}", STANDARD.encode(tag))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(***)")
    }
}

/// Why a text is not a secret. The messages contain nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SecretError {
    #[error("the secret must begin with {PREFIX}")]
    NoPrefix,
    #[error("the secret is not in Base64, of the standard alphabet and with its padding")]
    NotBase64,
    #[error("the secret must have 24 to 64 bytes, and has {0}")]
    Length(usize),
    #[error("the system has no random numbers")]
    NoRandomness,
}

impl SecretError {
    /// The HINT: what to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoRandomness => "See whether the server can read /dev/urandom.",
            _ => "Leave it out, and one is made; or give what openssl rand -base64 32 prints, behind whsec_.",
        }
    }
}

impl FromStr for SigningSecret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::NoPrefix)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| SecretError::NotBase64)?;
        if !LENGTH.contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        Ok(Self(bytes.into()))
    }
}

/// Returns the headers of an attempt, with a signature for each secret, in their order.
pub fn headers<'a>(
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> [(&'static str, String); 3] {
    let seconds = now.as_second();
    let signatures: Vec<String> = secrets
        .into_iter()
        .map(|secret| secret.signature(id, seconds, body))
        .collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Of the specification's reference implementations.
    #[test]
    fn the_known_signature_comes_out() {
        let secret: SigningSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let now = Timestamp::from_second(1_614_265_330).unwrap();
        let [(_, id), (_, timestamp), (_, signature)] = headers(
            [&secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            now,
            b"{\"test\": 2432232314}",
        );
        assert_eq!(id, "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(timestamp, "1614265330");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_made_can_be_read() {
        let secret = SigningSecret::generate().unwrap();
        assert_eq!(secret.expose().parse(), Ok(secret.clone()));
        assert_ne!(SigningSecret::generate().unwrap(), secret);
        assert_eq!(format!("{secret:?}"), "SigningSecret(***)");
        let both = headers([&secret, &secret], "a", Timestamp::UNIX_EPOCH, b"{}")[2]
            .1
            .clone();
        let parts: Vec<&str> = both.split(' ').collect();
        assert_eq!((parts.len(), parts[0]), (2, parts[1]));
    }

    #[test]
    fn what_some_verifier_refuses_is_refused() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for length in [24, 32, 64] {
            assert!(of(length).parse::<SigningSecret>().is_ok(), "{length}");
        }
        for (text, error) in [
            (of(23), SecretError::Length(23)),
            (of(65), SecretError::Length(65)),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(), SecretError::NoPrefix),
            (
                " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
                SecretError::NoPrefix,
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-".into(),
                SecretError::NotBase64,
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAA".into(),
                SecretError::NotBase64,
            ),
            ("whsec_".into(), SecretError::Length(0)),
        ] {
            assert_eq!(text.parse::<SigningSecret>(), Err(error), "{text}");
        }
    }
}
