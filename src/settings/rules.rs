//! The values that the text settings may have.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc::O_NONBLOCK;
use webhook::appearance::{AppearanceError, check_avatar_url, check_username};
use webhook::client::check_authorities;
use webhook::endpoint::{HostPattern, parse_host_patterns};
use webhook::link::check_base;
use webhook::milestones::parse_milestones;
use webhook::schedule::{InvalidRate, Rate};
use webhook::traceparent::{Traceparent, TraceparentError};
use webhook::way::{Way, parse_ways};

use crate::pg::guc::{Refusal, Rule};

/// Maximum size of a file of certificate authorities in bytes, far more than the list of a system takes.
const MAX_CA_FILE: u64 = 16 << 20;

pub enum AllowedHosts {}

impl Rule for AllowedHosts {
    type Value = Vec<HostPattern>;

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        parse_host_patterns(text).map_err(|error| Refusal {
            detail: format!("{error}."),
            hint: "Separate hosts by commas, and write no scheme and no path, such as \
                   'discord.com, *.powerautomate.com, chat.example.com:8443'.",
        })
    }
}

/// Who sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhoSends {
    /// The worker.
    #[default]
    Local,
    /// Senders on other machines.
    Remote,
    /// These, and the worker while there are none.
    Both,
}

pub enum SendersRule {}

impl Rule for SendersRule {
    type Value = WhoSends;

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        match text {
            "local" => Ok(WhoSends::Local),
            "remote" => Ok(WhoSends::Remote),
            "both" => Ok(WhoSends::Both),
            _ => Err(Refusal {
                detail: "The value has to be local, remote or both.".to_owned(),
                hint: "Say who sends, such as 'local': the worker; 'remote': zentry-notify send, on other machines; 'both': that, and the worker while no such process is connected.",
            }),
        }
    }
}

pub enum Milestones {}

impl Rule for Milestones {
    type Value = Vec<u8>;

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        parse_milestones(text).map_err(|error| Refusal {
            detail: format!("{error}."),
            hint: "Separate percentages by commas, such as '25, 50, 75, 100'.",
        })
    }
}

pub enum Username {}

impl Rule for Username {
    type Value = Option<String>;

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        optional(text, check_username(text))
    }
}

pub enum AvatarUrl {}

impl Rule for AvatarUrl {
    type Value = Option<String>;

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        optional(text, check_avatar_url(text))
    }
}

fn optional(text: &str, checked: Result<(), AppearanceError>) -> Result<Option<String>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    checked.map(|()| Some(text.to_owned())).map_err(|error| Refusal {
        detail: format!("{error}."),
        hint: error.hint(),
    })
}

pub enum LinkBase {}

impl Rule for LinkBase {
    type Value = Option<String>;

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        if text.is_empty() {
            return Ok(None);
        }
        check_base(text)
            .map(|()| Some(text.to_owned()))
            .map_err(|reason| Refusal {
                detail: format!("Nothing can be put behind it: {reason}."),
                hint: "Write the address of the application, such as 'https://app.example.com'.",
            })
    }
}

pub enum RequestRate {}

impl Rule for RequestRate {
    type Value = Rate;

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        text.parse().map_err(|error: InvalidRate| Refusal {
            detail: format!("{error}."),
            hint: "Write a number of requests and a time, such as '25/5min', '4/s' or '100/h'; '0' is no limit.",
        })
    }
}

pub enum TraceParent {}

impl Rule for TraceParent {
    type Value = Option<Traceparent>;

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        if text.is_empty() {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|error: TraceparentError| Refusal {
                detail: format!("{error}."),
                hint: "Set it to the header that your tracer makes, such as '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'; '' is none.",
            })
    }
}

/// Number of characters of a token's key.
const TOKEN_KEY: usize = 8;

pub enum TokenKey {}

impl Rule for TokenKey {
    type Value = ();

    const REFUSED: Option<&'static str> = Some("invalid value for parameter \"zentry_notify.api_token_key\"");

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        let is_key = text.len() == TOKEN_KEY && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_key || text.is_empty()).then_some(()).ok_or_else(|| Refusal {
            detail: format!("A token's key has {TOKEN_KEY} letters and digits."),
            hint: "Leave it alone: the server sets it to the part of the token that is no secret, such as '0a1b2c3d'.",
        })
    }
}

pub enum Proxies {}

impl Rule for Proxies {
    type Value = Vec<Way>;

    const REFUSED: Option<&'static str> = Some("invalid value for parameter \"zentry_notify.proxy\"");

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        parse_ways(text).map_err(|error| Refusal {
            detail: format!("{error}."),
            hint: "Write the URL of a proxy, such as 'http://proxy.example.com:3128' or 'socks5h://user:password@proxy.example.com:1080', \
                   or several, separated by commas; 'direct' among them is the address of the server itself.",
        })
    }
}

pub enum CaFile {}

impl Rule for CaFile {
    type Value = Option<PathBuf>;

    fn parse(text: &str) -> Result<Self::Value, Refusal> {
        Ok((!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn check_reference(value: &Self::Value) -> Result<(), Refusal> {
        let Some(path) = value else { return Ok(()) };
        read_ca_file(path).map(drop).map_err(|reason| Refusal {
            detail: format!("The file \"{}\" cannot be used: {reason}.", path.display()),
            hint: "Name a file with certificates of authorities in PEM format that the server's operating system user can read, \
                   such as '/etc/ssl/certs/company-ca.pem'.",
        })
    }
}

/// Returns the certificates of a file, in PEM format.
///
/// # Errors
/// What is wrong with the file, for people.
pub fn read_ca_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut pem = Vec::new();
    // To open a named pipe would block otherwise.
    let file = File::options()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)
        .map_err(|error| reason(&error))?;
    if !file.metadata().map_err(|error| reason(&error))?.is_file() {
        return Err("it is not a regular file".into());
    }
    file.take(MAX_CA_FILE + 1)
        .read_to_end(&mut pem)
        .map_err(|error| reason(&error))?;
    if pem.len() as u64 > MAX_CA_FILE {
        return Err(format!("it is larger than {} MB", MAX_CA_FILE >> 20));
    }
    check_authorities(&pem)?;
    Ok(pem)
}

/// Returns the system's message without the error number, as PostgreSQL has it.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => Errno::from_raw(code).desc().to_owned(),
        None => error.to_string(),
    }
}
