//! Credentials for servers of NATS.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use nkeys::{KeyPair, KeyPairType};
use thiserror::Error;

/// The maximum length of credentials in characters. A file of credentials has about a thousand.
const MAX_LENGTH: usize = 10_000;
/// The length of a seed in characters: two bytes for its kind, 32 of the key, and a checksum, in Base32.
const SEED_LENGTH: usize = 58;

const JWT_BEGINS: &str = "BEGIN NATS USER JWT";
const SEED_BEGINS: &str = "BEGIN USER NKEY SEED";

/// Credentials as text: the content of a file of credentials, the seed of a user's key, `user:password`, or a token. `Debug`
/// shows nothing of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(Arc<Login>);

/// The way to log in, for the connection itself.
#[derive(PartialEq, Eq)]
pub enum Login {
    Token(String),
    User {
        name: String,
        password: String,
    },
    /// A user's key by itself.
    Key(Seed),
    /// A token (JWT), by which an account vouches for a user's key, and that key.
    Jwt {
        jwt: String,
        seed: Seed,
    },
}

/// The private half of a user's key.
#[derive(PartialEq, Eq)]
pub struct Seed(String);

/// Why a text is not credentials. The messages contain nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CredentialsError {
    #[error("the credentials are empty")]
    Empty,
    #[error("the credentials are longer than {MAX_LENGTH} characters")]
    TooLong,
    #[error("the credentials have characters that none have")]
    Characters,
    #[error("the file of credentials has no JWT")]
    NoJwt,
    #[error("the file of credentials has no seed")]
    NoSeed,
    #[error("the seed is not that of a user's key, or it was mistyped")]
    Seed,
}

impl CredentialsError {
    /// The HINT: what to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoJwt | Self::NoSeed => {
                "Give the whole content of the .creds file, as nsc or the operator made it."
            }
            Self::Seed => "The seed of a user begins with SU and has 58 characters.",
            _ => "Give the content of a .creds file, a user's seed (SU...), user:password, or a token.",
        }
    }
}

impl Credentials {
    /// Returns the login, for the connection itself and never for a text that is shown or logged.
    pub fn expose(&self) -> &Login {
        &self.0
    }

    /// Returns the texts to be masked, as they are and as in strings of JSON.
    pub fn secrets(&self) -> Vec<Box<str>> {
        let parts: &[&str] = match &*self.0 {
            Login::Token(token) => &[token],
            Login::User { password, .. } => &[password],
            Login::Key(seed) => &[&seed.0],
            Login::Jwt { jwt, seed } => &[jwt, &seed.0],
        };
        let mut secrets = BTreeSet::new();
        for part in parts {
            secrets.insert(part.replace('\\', "\\\\").replace('"', "\\\""));
            secrets.insert((*part).to_owned());
        }
        secrets.into_iter().map(Into::into).collect()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(***)")
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(***)")
    }
}

impl FromStr for Credentials {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self, CredentialsError> {
        if text.chars().count() > MAX_LENGTH {
            return Err(CredentialsError::TooLong);
        }
        let text = text.trim();
        if text.is_empty() {
            return Err(CredentialsError::Empty);
        }
        if text.contains(JWT_BEGINS) || text.contains(SEED_BEGINS) {
            let jwt = section(text, JWT_BEGINS).ok_or(CredentialsError::NoJwt)?;
            let seed = section(text, SEED_BEGINS).ok_or(CredentialsError::NoSeed)?;
            let is_jwt = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if !jwt.bytes().all(is_jwt) {
                return Err(CredentialsError::NoJwt);
            }
            return Ok(Self(Arc::new(Login::Jwt {
                jwt,
                seed: seed.parse()?,
            })));
        }
        if text.chars().any(char::is_control) {
            return Err(CredentialsError::Characters);
        }
        let login = match text.split_once(':') {
            Some((name, password)) if !name.is_empty() && !password.is_empty() => Login::User {
                name: name.to_owned(),
                password: password.to_owned(),
            },
            Some(_) => return Err(CredentialsError::Empty),
            None if looks_like_seed(text) => Login::Key(text.parse()?),
            None => Login::Token(text.to_owned()),
        };
        Ok(Self(Arc::new(login)))
    }
}

/// Returns the text between the two marks of a section. (A field of a form joins all lines into one.)
fn section(text: &str, begins: &str) -> Option<String> {
    let (_, rest) = text.split_once(begins)?;
    let rest = rest.trim_start_matches('-');
    let end = rest.find("------END").or_else(|| rest.find("-----END"))?;
    let content: String = rest[..end].split_whitespace().collect();
    (!content.is_empty()).then_some(content)
}

/// Whether a text has the form of a seed. (A token can be any text, but is hardly ever such a one.)
fn looks_like_seed(text: &str) -> bool {
    let in_base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
    text.len() == SEED_LENGTH && text.starts_with('S') && text.bytes().all(in_base32)
}

impl Seed {
    fn pair(&self) -> Result<KeyPair, CredentialsError> {
        let pair = KeyPair::from_seed(&self.0).map_err(|_| CredentialsError::Seed)?;
        match pair.key_pair_type() {
            KeyPairType::User => Ok(pair),
            _ => Err(CredentialsError::Seed),
        }
    }

    /// Returns the public half, as the server knows it.
    ///
    /// # Errors
    /// Never for a key that was parsed.
    pub fn public(&self) -> Result<String, CredentialsError> {
        Ok(self.pair()?.public_key())
    }

    /// # Errors
    /// Never for what was read.
    pub fn sign(&self, nonce: &[u8]) -> Result<Vec<u8>, CredentialsError> {
        self.pair()?.sign(nonce).map_err(|_| CredentialsError::Seed)
    }
}

impl FromStr for Seed {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self, CredentialsError> {
        let seed = Self(text.trim().to_owned());
        // The length is checked here, because the library has another error for it.
        if !looks_like_seed(&seed.0) {
            return Err(CredentialsError::Seed);
        }
        seed.pair().map(|_| seed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// As the server's own tools have them.
    const USER: &str = "SUAEH4OYGVZ4EVYKFFUR4XEWFM3N2X7T5VFLVR6XKERCFRFAQBM5HK4BJM";
    const PUBLIC: &str = "UD3WDJVIVXYBVZU7IF5NMBVTNF6YP3JZ6CICZNY2XBUMRTVPPKXO2333";

    fn account() -> String {
        KeyPair::new_account().seed().unwrap()
    }

    fn login(text: &str) -> Result<Credentials, CredentialsError> {
        text.parse()
    }

    #[test]
    fn a_users_seed_is_read() {
        let seed: Seed = USER.parse().unwrap();
        assert_eq!(seed.public().as_deref(), Ok(PUBLIC));
        assert_eq!(format!("{seed:?}"), "Seed(***)");
        let public = KeyPair::from_public_key(PUBLIC).unwrap();
        assert!(public.verify(b"nonce", &seed.sign(b"nonce").unwrap()).is_ok());
        // One of an account, and one with a wrong letter.
        let account = account();
        let mistyped = USER.replace("YGVZ", "YGVY");
        for wrong in [&*account, &mistyped, PUBLIC, "SU", ""] {
            assert_eq!(wrong.parse::<Seed>(), Err(CredentialsError::Seed), "{wrong}");
        }
    }

    #[test]
    fn what_is_given_is_known_by_its_shape() {
        let of = |text: &str| login(text).unwrap();
        assert_eq!(
            *of(" s3cret-token \n").expose(),
            Login::Token("s3cret-token".into())
        );
        let user = Login::User {
            name: "zentry".into(),
            password: "a:b c".into(),
        };
        assert_eq!(*of("zentry:a:b c").expose(), user);
        assert!(matches!(of(USER).expose(), Login::Key(_)));
        let file = format!(
            "-----BEGIN NATS USER JWT-----\r\neyJ0.eyJq.c2ln\r\n------END NATS USER JWT------\r\n\r\n\
             ************************* IMPORTANT *************************\r\n\
             -----BEGIN USER NKEY SEED-----\r\n{USER}\r\n------END USER NKEY SEED------\r\n"
        );
        let credentials = of(&file);
        assert!(matches!(credentials.expose(), Login::Jwt { jwt, .. } if jwt == "eyJ0.eyJq.c2ln"));
        let secrets: [Box<str>; 2] = [USER.into(), "eyJ0.eyJq.c2ln".into()];
        assert_eq!(credentials.secrets(), secrets);
        assert_eq!(of(&file.replace("\r\n", "")), credentials, "in one line");
        assert_eq!(format!("{credentials:?}"), "Credentials(***)");
        assert_eq!(format!("{:?}", credentials.expose()), "Login(***)");
        let secrets: [Box<str>; 2] = [r#"a"b"#.into(), r#"a\"b"#.into()];
        assert_eq!(of(r#"zentry:a"b"#).secrets(), secrets);
    }

    #[test]
    fn what_no_server_takes_is_refused() {
        let jwt = "-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n";
        let odd = format!(
            "{}-----BEGIN USER NKEY SEED-----\n{USER}\n------END",
            jwt.replace('x', "a'b")
        );
        for (text, error) in [
            ("", CredentialsError::Empty),
            (" \n", CredentialsError::Empty),
            (":x", CredentialsError::Empty),
            ("x:", CredentialsError::Empty),
            ("a\nb", CredentialsError::Characters),
            (jwt, CredentialsError::NoSeed),
            (
                "-----BEGIN USER NKEY SEED-----\nSU\n------END",
                CredentialsError::NoJwt,
            ),
            (&odd, CredentialsError::NoJwt),
            (&account(), CredentialsError::Seed),
            (&"x".repeat(MAX_LENGTH + 1), CredentialsError::TooLong),
        ] {
            assert_eq!(login(text).err(), Some(error), "{text}");
        }
        // A token may be as long as that, and begin or look like a seed.
        let longest = "x".repeat(MAX_LENGTH);
        let lower = USER.to_lowercase();
        let other = USER.replacen('S', "T", 1);
        for token in [&*longest, &USER[..57], &lower, &other] {
            assert_eq!(*login(token).unwrap().expose(), Login::Token(token.into()));
        }
    }

    proptest! {
        /// Whatever is given is read or refused, and shown nowhere.
        #[test]
        fn anything_is_read_or_refused(text in any::<String>()) {
            match login(&text) {
                Ok(credentials) => prop_assert!(!credentials.secrets().is_empty()),
                Err(error) => prop_assert!(!error.hint().is_empty()),
            }
        }
    }
}
