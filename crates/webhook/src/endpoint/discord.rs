//! The shape of Discord's webhook URLs.

use url::Url;

use super::{EndpointError, Vendor};

const API: &str = "/api/v10/webhooks";
const HOST: &str = "discord.com";

/// Discord's ids are 64-bit snowflakes: 17 digits since 2015, 20 at most.
const ID_LENGTH: std::ops::RangeInclusive<usize> = 17..=20;
/// Tokens have 68 characters today.
const MIN_TOKEN_LENGTH: usize = 60;

/// The URL to post to: version 10 of the API, `wait=true`, and for Discord's own hosts its main one.
pub(super) fn normalise(mut url: Url, vendor: Vendor) -> Result<Url, EndpointError> {
    let path = {
        let (id, token) = credentials(url.path())?;
        format!("{API}/{id}/{token}")
    };
    let query = with_wait(url.query());
    url.set_query(Some(&query));
    if vendor == Vendor::Discord {
        let query = url.query().unwrap_or_default();
        return Url::parse(&format!("https://{HOST}{path}?{query}")).map_err(EndpointError::NotAUrl);
    }
    url.set_path(&path);
    Ok(url)
}

/// The id and the token of `[/api][/vN]/webhooks/{id}/{token}[/]`.
fn credentials(path: &str) -> Result<(&str, &str), EndpointError> {
    let shape = || EndpointError::NotDiscord("its path is not /api/webhooks/{id}/{token}");
    let path = path.strip_prefix("/api").unwrap_or(path);
    let path = match path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) {
        Some((version, _)) if is_digits(version) => &path["/v".len() + version.len()..],
        _ => path,
    };
    let rest = path.strip_prefix("/webhooks/").ok_or_else(shape)?;
    let (id, token) = rest
        .strip_suffix('/')
        .unwrap_or(rest)
        .split_once('/')
        .ok_or_else(shape)?;
    if !is_digits(id) || !ID_LENGTH.contains(&id.len()) {
        return Err(EndpointError::NotDiscord(
            "the webhook's id is not a number of 17 to 20 digits",
        ));
    }
    if let Some((_, "slack" | "github")) = token.split_once('/') {
        return Err(EndpointError::NotDiscord(
            "it ends in /slack or /github, which take other messages",
        ));
    }
    if !token
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    {
        return Err(EndpointError::NotDiscord(
            "its token has characters that no token has",
        ));
    }
    if token.len() < MIN_TOKEN_LENGTH {
        return Err(EndpointError::NotDiscord(
            "its token has fewer than 60 characters",
        ));
    }
    Ok((id, token))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The query, byte for byte, with the one `wait` that we need.
fn with_wait(query: Option<&str>) -> String {
    let is_wait = |pair: &str| {
        url::form_urlencoded::parse(pair.as_bytes())
            .next()
            .is_some_and(|(name, _)| name == "wait")
    };
    let kept = query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !is_wait(pair));
    kept.chain(["wait=true"]).collect::<Vec<_>>().join("&")
}
