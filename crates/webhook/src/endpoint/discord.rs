//! The shape of Discord's webhook URLs.

use url::Url;

use super::error::{EndpointError, Page, UrlForm};
use super::facts::Facts;
use super::host;
use super::vendor::Vendor;
use crate::kinds::{EndpointKind, Setting, WebhookType};
use crate::mention::{Mention, Mentions};

const FORM: UrlForm = UrlForm {
    example: "https://discord.com/api/webhooks/<17 to 20 digits>/<token>",
    whose: "Discord's",
    copied: "copy it from the channel's settings under Integrations.",
};

pub(super) const FACTS: Facts = Facts {
    form: &FORM,
    allowed_hosts: "discord.com, ptb.discord.com, canary.discord.com, discordapp.com, ptb.discordapp.com, canary.discordapp.com",
    is_vendors: is_host,
    read: |url, vendor| Ok((EndpointKind::Discord, normalise(url, vendor)?)),
    page,
    mentions: Ok(Mentions {
        syntax: "`role:ID` or `user:ID`",
        whom: "no role or user of Discord",
        hint: "role:ID or user:ID, with the id that \"Copy ID\" of Discord's developer mode gives.",
        read: mention,
    }),
    settings: &[
        Setting::Username,
        Setting::AvatarUrl,
        Setting::Announce,
        Setting::ThreadName,
        Setting::AppliedTags,
    ],
    ..Facts::USUAL
};

const API: &str = "/api/v10/webhooks";
const HOST: &str = "discord.com";

/// Discord's ids are 64-bit snowflakes: 17 digits since 2015, 20 at most.
const ID_LENGTH: std::ops::RangeInclusive<usize> = 17..=20;
/// Tokens have 68 characters today.
const MIN_TOKEN_LENGTH: usize = 60;

/// The URL to post to: version 10 of the API, `wait=true`, and for Discord's own hosts its main one.
fn normalise(mut url: Url, vendor: Vendor) -> Result<Url, EndpointError> {
    let path = {
        let (id, token) = credentials(url.path())?;
        format!("{API}/{id}/{token}")
    };
    let query = with_wait(url.query());
    url.set_query(Some(&query));
    if vendor == Vendor::Of(WebhookType::Discord) {
        let query = url.query().unwrap_or_default();
        return Url::parse(&format!("https://{HOST}{path}?{query}")).map_err(EndpointError::NotAUrl);
    }
    url.set_path(&path);
    Ok(url)
}

/// The id and the token of `[/api][/vN]/webhooks/{id}/{token}[/]`.
fn credentials(path: &str) -> Result<(&str, &str), EndpointError> {
    let shape = || FORM.refuse("its path is not /api/webhooks/{id}/{token}");
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
        return Err(FORM.refuse("the webhook's id is not a number of 17 to 20 digits"));
    }
    if let Some((_, "slack" | "github")) = token.split_once('/') {
        return Err(FORM.refuse("it ends in /slack or /github, which take other messages"));
    }
    if !token
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    {
        return Err(FORM.refuse("its token has characters that are not allowed in one"));
    }
    if token.len() < MIN_TOKEN_LENGTH {
        return Err(FORM.refuse("its token has fewer than 60 characters"));
    }
    Ok((id, token))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the query, unchanged but for `wait`, of which it has `wait=true` alone.
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

fn is_host(name: &str) -> bool {
    host::is_within(name, &["discord.com", "discordapp.com"])
}

fn page(host: &str, first: &str, url: &Url) -> Option<Page> {
    let what = match first {
        _ if host == "discord.gg" => "an invitation to a Discord server",
        _ if !is_host(host) => return None,
        "channels" => "a link to a Discord channel",
        "invite" => "an invitation to a Discord server",
        "oauth2" => "an invitation of a Discord bot",
        _ if url.path().starts_with("/api/oauth2/") => "an invitation of a Discord bot",
        _ => return None,
    };
    Some(Page::usual(what))
}

fn mention(text: &str) -> Option<Mention> {
    let (what, id) = text.split_once(':')?;
    if !ID_LENGTH.contains(&id.len()) || !is_digits(id) {
        return None;
    }
    match what {
        "role" => Some(Mention::DiscordRole(id.to_owned())),
        "user" => Some(Mention::DiscordUser(id.to_owned())),
        _ => None,
    }
}
