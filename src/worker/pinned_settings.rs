//! The settings that launcher and worker pin, whatever has been set for the role, for the database, or for both. Some would stop them,
//! others change what a value looks like or make a statement scan a whole table.

use crate::pg::setting;
use std::ffi::CStr;

/// Names and values. A setting that a version does not have is left out.
const PINNED: &[(&CStr, &CStr)] = &[
    // The role, and which objects it sees.
    (c"role", c"none"),
    (c"search_path", c"pg_catalog, pg_temp"),
    // It makes policies an error, where rows would be missing without notice.
    (c"row_security", c"off"),
    (c"restrict_nonsystem_relation_kind", c""),
    (c"session_replication_role", c"origin"),
    // Transactions.
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_deferrable", c"off"),
    // A fast shutdown must not wait for a synchronous standby, and a delivery's outcome needs none.
    (c"synchronous_commit", c"local"),
    (c"commit_delay", c"0"),
    (c"exit_on_error", c"off"),
    // Whether a composite value of an altered type may be read all the same.
    (c"composite_type_mismatch", c"error"),
    // Time and space.
    (c"statement_timeout", c"0"),
    (c"transaction_timeout", c"0"),
    (c"idle_in_transaction_session_timeout", c"0"),
    (c"idle_session_timeout", c"0"),
    // Where our locks and those of a DROP EXTENSION or an ALTER TABLE would make a deadlock, the worker gives up before PostgreSQL ends the
    // other session, which it does after a second.
    (c"lock_timeout", c"500ms"),
    (c"deadlock_timeout", c"100ms"),
    (c"temp_file_limit", c"-1"),
    // What values look like.
    (c"DateStyle", c"ISO, MDY"),
    (c"IntervalStyle", c"postgres"),
    (c"TimeZone", c"UTC"),
    (c"extra_float_digits", c"1"),
    (c"bytea_output", c"hex"),
    (c"lc_monetary", c"C"),
    (c"lc_numeric", c"C"),
    (c"lc_time", c"C"),
    (c"xmlbinary", c"base64"),
    (c"xmloption", c"content"),
    (c"quote_all_identifiers", c"off"),
    // What statements mean.
    (c"array_nulls", c"on"),
    (c"backslash_quote", c"safe_encoding"),
    (c"standard_conforming_strings", c"on"),
    (c"transform_null_equals", c"off"),
    (c"check_function_bodies", c"on"),
    (c"default_text_search_config", c"pg_catalog.simple"),
    // Statements find rows by keys, whatever the statistics of a table that empties and fills say (`pg::large_tables` chooses the right
    // key).
    (c"enable_seqscan", c"off"),
    (c"enable_bitmapscan", c"off"),
    (c"enable_hashjoin", c"off"),
    (c"enable_mergejoin", c"off"),
    (c"enable_indexscan", c"on"),
    (c"enable_indexonlyscan", c"on"),
    (c"enable_nestloop", c"on"),
    (c"enable_sort", c"on"),
    (c"enable_incremental_sort", c"on"),
    (c"enable_tidscan", c"on"),
    (c"enable_hashagg", c"on"),
    (c"enable_material", c"on"),
    (c"enable_memoize", c"on"),
    (c"jit", c"off"),
    (c"plan_cache_mode", c"auto"),
    (c"constraint_exclusion", c"partition"),
    (c"cursor_tuple_fraction", c"0.1"),
    (c"from_collapse_limit", c"8"),
    (c"join_collapse_limit", c"8"),
    (c"geqo", c"on"),
    (c"geqo_threshold", c"12"),
    (c"seq_page_cost", c"1"),
    (c"random_page_cost", c"4"),
    (c"cpu_tuple_cost", c"0.01"),
    (c"cpu_index_tuple_cost", c"0.005"),
    (c"cpu_operator_cost", c"0.0025"),
    (c"recursive_worktable_factor", c"10"),
    // No parallel workers.
    (c"max_parallel_workers_per_gather", c"0"),
    (c"force_parallel_mode", c"off"),
    (c"debug_parallel_query", c"off"),
    // Autovacuum needs these statistics.
    (c"track_counts", c"on"),
    (c"debug_discard_caches", c"0"),
];

/// Sets them for this process, for good. It is called outside of a transaction.
pub fn pin(application_name: &CStr) {
    // This is for pg_stat_activity.
    let all = PINNED
        .iter()
        .copied()
        .chain([(c"application_name", application_name)]);
    for (name, value) in all {
        setting::pin(name, value);
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[allow(clippy::unwrap_used)]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::PINNED;

    /// Settings that stay as people have set them, with the reason. A prefix stands for all names that begin with it.
    const LEFT_ALONE: &[(&str, &str)] = &[
        ("zentry_notify.", "ours, and meant to be set"),
        ("application_name", "pinned to the process's own"),
        ("log_", "what is logged is the administrator's to say"),
        ("client_min_messages", "no client listens"),
        ("backtrace_functions", "as log_"),
        ("debug_print_", "as log_"),
        ("debug_pretty_print", "as log_"),
        ("debug_logical_replication_streaming", "no replication"),
        ("trace_", "as log_"),
        ("lc_messages", "as log_"),
        ("compute_query_id", "for pg_stat_statements"),
        ("track_", "what is measured, but track_counts"),
        ("stats_fetch_consistency", "no statistics are read"),
        ("update_process_title", "looks alone"),
        ("client_encoding", "nothing is sent to a client"),
        ("client_connection_check_interval", "no client"),
        ("tcp_", "no client"),
        ("wal_", "how WAL is written, not what"),
        ("commit_siblings", "commit_delay is off"),
        ("backend_flush_after", "how files are written"),
        (
            "effective_",
            "how files are read; a plan by key does not ask for it",
        ),
        ("maintenance_", "no maintenance"),
        ("max_parallel_", "no parallel plan"),
        ("min_parallel_", "no parallel plan"),
        ("parallel_", "no parallel plan"),
        (
            "enable_",
            "kinds of plan that a look-up by key has no use for, or that cost nothing",
        ),
        ("geqo_", "geqo_threshold is pinned"),
        (
            "min_eager_agg_group_size",
            "of no use in a look-up by key, as enable_eager_aggregate",
        ),
        ("jit_", "jit is off"),
        ("hash_mem_multiplier", "speed alone"),
        ("work_mem", "speed alone"),
        ("temp_buffers", "no temporary tables"),
        ("temp_tablespaces", "temporary files may lie anywhere"),
        ("default_tablespace", "no tables are made"),
        ("default_table_access_method", "no tables are made"),
        ("default_toast_compression", "any can be read"),
        ("default_statistics_target", "no ANALYZE"),
        ("default_with_oids", "no tables are made"),
        ("gin_", "no such index"),
        ("vacuum_", "no VACUUM"),
        ("io_", "how files are read"),
        ("timing_clock_source", "speed alone"),
        ("synchronize_seqscans", "any order is as good"),
        ("logical_decoding_work_mem", "no decoding"),
        ("output_plugin_libraries", "no decoding"),
        ("password_encryption", "no passwords"),
        ("scram_iterations", "no passwords"),
        ("md5_password_warnings", "no passwords"),
        ("createrole_self_grant", "no roles are made"),
        ("escape_string_warning", "a warning"),
        ("dynamic_library_path", "nothing is loaded by name"),
        ("extension_", "nothing is installed"),
        ("local_preload_libraries", "not for background processes"),
        ("session_preload_libraries", "not for background processes"),
        ("lo_compat_privileges", "no large objects"),
        ("event_triggers", "no DDL"),
        ("icu_validation_level", "no DDL"),
        ("file_copy_method", "no databases are made"),
        ("allow_", "for developers"),
        ("ignore_", "for emergencies, and for the whole server then"),
        ("zero_damaged_pages", "as ignore_"),
        (
            "post_auth_delay",
            "for developers; it is over when a setting could be pinned",
        ),
        ("pre_auth_delay", "for developers"),
        (
            "max_stack_depth",
            "the system's limit bounds it, which is not for us to say",
        ),
        ("timezone_abbreviations", "no time is read with one"),
        ("wal_sender_timeout", "no sender"),
        ("optimize_bounded_sort", "speed alone"),
        (
            "transaction_deferrable",
            "of one transaction, not of a role or a database",
        ),
        ("transaction_isolation", "as transaction_deferrable"),
        ("transaction_read_only", "as transaction_deferrable"),
        ("ssl_renegotiation_limit", "no client"),
    ];

    #[pg_test]
    fn every_setting_that_can_be_set_for_a_role_or_a_database_is_pinned_or_left_alone_for_a_reason() {
        let unknown = Spi::connect(|client| {
            let names = client
                .select(
                    "SELECT name FROM pg_settings \
                      WHERE context IN ('user', 'superuser', 'backend', 'superuser-backend') ORDER BY name",
                    None,
                    &[],
                )
                .unwrap();
            let names = names.filter_map(|row| row[1].value::<String>().unwrap());
            let pinned = |name: &String| PINNED.iter().any(|(one, _)| one.to_str() == Ok(name));
            let left = |name: &String| LEFT_ALONE.iter().any(|(one, _)| name.starts_with(one));
            names
                .filter(|name| !pinned(name) && !left(name))
                .collect::<Vec<_>>()
        });
        assert_eq!(unknown, Vec::<String>::new());
    }
}
