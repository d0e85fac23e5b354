//! Settings of every session, which override those of the database and the role, and reset what the previous session has left.

/// Settings in the startup options. They override those of ALTER DATABASE and ALTER ROLE, and RESET ALL returns to them.
const OPTIONS: &[(&str, &str)] = &[
    // In force until the extension's schema is found.
    ("search_path", "pg_catalog,pg_temp"),
    // An error instead of running another role's row security policy.
    ("row_security", "off"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_isolation", "read\\ committed"),
    ("default_transaction_deferrable", "off"),
    ("exit_on_error", "off"),
    ("jit", "off"),
    ("plan_cache_mode", "auto"),
    // Formats of values, and the syntax of statements.
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

/// Returns the startup options of a connection: those that were given, and the pinned settings.
pub fn options(given: &str) -> String {
    let pinned = OPTIONS.iter().map(|(name, value)| format!("-c {name}={value}"));
    let given = Some(given.trim())
        .filter(|given| !given.is_empty())
        .map(ToOwned::to_owned);
    given.into_iter().chain(pinned).collect::<Vec<_>>().join(" ")
}

/// Statements before each session. They undo everything that the previous session did on the connection, and set the search path to the schema of the
/// extension's functions. No rows: the database does not have the extension. (Settings that some minor versions lack cannot be startup options, which
/// such a version would refuse.)
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
