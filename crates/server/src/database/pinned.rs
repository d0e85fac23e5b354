//! Settings that every session has, whatever the database or a role has set, and whatever the session before it has left behind.

/// As options of the connection's start they go before all that ALTER DATABASE and ALTER ROLE set, and RESET ALL comes back to them.
const OPTIONS: &[(&str, &str)] = &[
    // Until the extension's schema is found.
    ("search_path", "pg_catalog,pg_temp"),
    // An error where a policy of somebody's would be asked, and so would run.
    ("row_security", "off"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_isolation", "read\\ committed"),
    ("default_transaction_deferrable", "off"),
    ("exit_on_error", "off"),
    ("jit", "off"),
    ("plan_cache_mode", "auto"),
    // What values look like, and what statements mean.
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("array_nulls", "on"),
    ("backslash_quote", "safe_encoding"),
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    ("quote_all_identifiers", "off"),
    ("check_function_bodies", "on"),
    ("default_text_search_config", "pg_catalog.simple"),
];

/// The options of a connection, after those that were given.
pub fn options(given: &str) -> String {
    let pinned = OPTIONS.iter().map(|(name, value)| format!("-c {name}={value}"));
    let given = Some(given.trim())
        .filter(|given| !given.is_empty())
        .map(ToOwned::to_owned);
    given.into_iter().chain(pinned).collect::<Vec<_>>().join(" ")
}

/// Before a session: whoever had the connection before, and whatever ran there, nothing of it is left. Then the schema that has the
/// extension's functions is the search path. (Minor versions that lack a setting refuse it as an option.) No rows: the database does not have the extension.
pub const RENEW: &str = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; DISCARD TEMP; \
     SELECT pg_catalog.set_config('restrict_nonsystem_relation_kind', '', false) \
      WHERE pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL; \
     SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(n.nspname) || ', pg_temp', false) \
       FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace \
      WHERE e.extname OPERATOR(pg_catalog.=) 'zentry_notify'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_options_come_last() {
        let options = options(" -c geqo=off -c row_security=on ");
        assert!(
            options.starts_with("-c geqo=off -c row_security=on -c search_path="),
            "{options}"
        );
        assert!(
            options.rfind("row_security=off") > options.rfind("row_security=on"),
            "{options}"
        );
    }
}
