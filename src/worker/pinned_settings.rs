//! Settings that launcher and worker have as we want them, whatever has been set for the role, for the database, or for both. Some would
//! stop them, others change what a value looks like or send a statement through a whole table.

use crate::pg::setting;
use std::ffi::CStr;

/// Names and values. Those that a version does not have are left out.
const PINNED: &[(&CStr, &CStr)] = &[
    // As whom, and of which objects.
    (c"role", c"none"),
    (c"search_path", c"pg_catalog, pg_temp"),
    // An error where rows would be kept from us without a word.
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
    // Where our locks and those of a DROP EXTENSION or an ALTER TABLE make a circle, we give way before the other session
    // would be ended for it, which Postgres does after a second.
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
    // Our statements find rows by key, whatever the statistics of a table that empties and fills say.
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
    // No process of ours has others at its side.
    (c"max_parallel_workers_per_gather", c"0"),
    (c"force_parallel_mode", c"off"),
    (c"debug_parallel_query", c"off"),
    // Autovacuum has to hear of what was written.
    (c"track_counts", c"on"),
    (c"debug_discard_caches", c"0"),
];

/// Sets them for this process, for good; outside of a transaction.
pub fn pin(application_name: &CStr) {
    // For pg_stat_activity.
    let all = PINNED
        .iter()
        .copied()
        .chain([(c"application_name", application_name)]);
    for (name, value) in all {
        setting::pin(name, value);
    }
}
