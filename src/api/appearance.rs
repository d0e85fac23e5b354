//! How a webhook's messages appear, and the keys of the data that its settings name.

use std::collections::BTreeSet;

use pgrx::prelude::*;
use webhook::appearance::{
    AppearanceError, check_applied_tags, check_avatar_url, check_thread_name, check_username,
};
use webhook::endpoint::Endpoint;
use webhook::keys::{asks_for_variables, of_filter, unknown};
use webhook::thread::ThreadBy;

use crate::{report, settings};

/// Raises an error unless the services accept messages with this appearance; null stands for none.
#[pg_extern(sql = false)]
fn check_appearance(
    username: Option<&str>,
    avatar_url: Option<&str>,
    thread_name: Option<&str>,
    applied_tags: Option<Vec<Option<String>>>,
    thread_by: Option<&str>,
) {
    let check = |column: &str, result: Result<(), AppearanceError>| {
        if let Err(error) = result {
            report::refuse(column, &format!("{column}: {error}"), error.hint());
        }
    };
    check("username", username.map_or(Ok(()), check_username));
    check("avatar_url", avatar_url.map_or(Ok(()), check_avatar_url));
    check("thread_name", thread_name.map_or(Ok(()), check_thread_name));
    let tags = applied_tags.unwrap_or_default();
    check(
        "applied_tags",
        check_applied_tags(tags.iter().map(|tag| tag.as_deref().unwrap_or_default())),
    );
    if let Some(Err(error)) = thread_by.map(str::parse::<ThreadBy>) {
        report::refuse("thread_by", &format!("thread_by: {error}"), error.hint());
    }
}

/// Raises an error if the URL names a thread, which excludes a `thread_name`. An invalid URL is refused elsewhere.
#[pg_extern(sql = false)]
fn check_thread(webhook_type: &str, webhook_url: &str, thread_name: &str) {
    let endpoint = webhook_type
        .parse()
        .ok()
        .and_then(|webhook_type| Endpoint::parse(webhook_type, webhook_url, &settings::url_policy()).ok());
    if endpoint.is_some_and(|endpoint| endpoint.names_thread()) {
        report::refuse(
            "thread_name",
            &format!(
                "thread_name: the URL names a thread already, so that no message can become the post \"{thread_name}\""
            ),
            "Take ?thread_id= out of the URL, or set no thread_name.",
        );
    }
}

/// Returns whether a filter asks for variables.
#[pg_extern(sql = false)]
fn has_variables(filter: &str) -> bool {
    asks_for_variables(filter)
}

/// Raises an error for a key that is probably a misspelt one of `known`, and a warning for another that is not known. If `known` is not `certain` to be
/// complete, a misspelt key is a warning too.
#[pg_extern(sql = false)]
fn check_keys(parameter: &str, keys: Vec<Option<String>>, known: Option<Vec<Option<String>>>, certain: bool) {
    let known: BTreeSet<String> = known.unwrap_or_default().into_iter().flatten().collect();
    if known.is_empty() {
        return;
    }
    for unknown in unknown(keys.iter().flatten().map(String::as_str), &known) {
        let fault = format!("{parameter}: no event's data have \"{}\"", unknown.key);
        match unknown.meant {
            Some(meant) if certain => {
                report::refuse(parameter, &fault, &format!("Perhaps \"{meant}\" is meant."));
            }
            Some(meant) => report::warning(
                PgSqlErrorCode::ERRCODE_WARNING,
                fault,
                &format!("Perhaps \"{meant}\" is meant."),
            ),
            None => report::warning(
                PgSqlErrorCode::ERRCODE_WARNING,
                fault,
                &format!(
                    "The data have {}.",
                    known.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
                ),
            ),
        }
    }
}

/// Returns the keys of the data that a filter asks for.
#[pg_extern(sql = false)]
fn filter_keys(filter: &str) -> Vec<String> {
    of_filter(filter).into_iter().collect()
}
