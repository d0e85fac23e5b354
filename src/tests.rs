//! Tests of the SQL functions inside a server: what they do with good input, and their errors for bad input.

#![allow(clippy::unwrap_used)]

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use pgrx::prelude::*;

    const URL: &str = "https://discord.com/api/webhooks/123456789012345678/\
                       abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_abcd";
    const WORKFLOW: &str = "https://default.01.environment.api.powerplatform.com:443/workflows/0123456789abcdef/triggers/manual/\
                            paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=secretsecretsecret";

    fn register(arguments: &str) -> i64 {
        Spi::get_one(&format!("SELECT zentry_register_webhook({arguments})"))
            .unwrap()
            .unwrap()
    }

    fn discord() -> i64 {
        register(&format!("'Team', 'discord', '{URL}'"))
    }

    fn text(sql: &str) -> Option<String> {
        Spi::get_one(sql).unwrap()
    }

    fn number(sql: &str) -> i64 {
        Spi::get_one(sql).unwrap().unwrap()
    }

    /// Otherwise, whoever catches the interrupt would roll back our subtransaction instead of their own, and the session would stay in that.
    #[pg_test]
    fn an_interrupt_leaves_no_subtransaction_behind() {
        let depth = crate::pg::transaction::depth;
        let before = depth();
        let interrupt = || {
            ereport!(ERROR, PgSqlErrorCode::ERRCODE_QUERY_CANCELED, "as a cancel would");
        };
        let caught = PgTryBuilder::new(|| {
            let _: Result<(), _> = crate::subtransaction::attempt(interrupt);
            false
        })
        .catch_when(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, |_| true)
        .execute();
        assert!(caught, "an interrupt is raised again");
        assert_eq!(depth(), before);
        let other = crate::subtransaction::attempt(|| text("SELECT 1 / 0").is_some());
        assert!(other.is_err());
        assert_eq!((depth(), number("SELECT 1::bigint")), (before, 1));
    }

    /// Returns the SQLSTATE and the hint of the statement's error.
    fn error_of(statement: &str) -> (String, String) {
        let sql = format!(
            "DO $outer$ DECLARE state text; hint text; BEGIN \
               BEGIN EXECUTE $inner${statement}$inner$; state := 'none'; hint := ''; \
               EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, hint = PG_EXCEPTION_HINT; END; \
               PERFORM set_config('tests.state', state, true), set_config('tests.hint', hint, true); END $outer$"
        );
        Spi::run(&sql).unwrap();
        let setting = |name| text(&format!("SELECT current_setting('tests.{name}')")).unwrap();
        (setting("state"), setting("hint"))
    }

    #[pg_test]
    fn a_registered_webhook_hears_everything_and_shows_no_secret() {
        let id = discord();
        assert_eq!(
            text(&format!(
                "SELECT event_types::text FROM zentry_notify.webhooks WHERE id = {id}"
            ))
            .unwrap(),
            r#"["*"]"#
        );
        assert_eq!(
            text(&format!(
                "SELECT webhook_url FROM zentry_notify.webhooks WHERE id = {id}"
            ))
            .unwrap(),
            "https://discord.com/api/webhooks/123456789012345678/***"
        );
    }

    #[pg_test]
    fn the_arguments_of_a_registration_are_kept() {
        let id = register(&format!(
            "'Flow', 'teams', '{WORKFLOW}', 7, ARRAY['badge_earned'], false, 3"
        ));
        let row = text(&format!(
            "SELECT concat_ws(' ', project_id, event_types, is_active, created_by_id) FROM zentry_notify.webhook_integration WHERE id = {id}"
        ));
        assert_eq!(row.unwrap(), r#"7 ["badge_earned"] f 3"#);
    }

    #[pg_test]
    fn an_update_changes_what_is_given_and_nothing_else() {
        let id = discord();
        Spi::run(&format!(
            "SELECT zentry_update_webhook({id}, name => 'Other', event_types => '{{daily_streak}}')"
        ))
        .unwrap();
        let row = text(&format!(
            "SELECT concat_ws(' ', name, webhook_type, event_types, is_active) FROM zentry_notify.webhook_integration WHERE id = {id}"
        ));
        assert_eq!(row.unwrap(), r#"Other discord ["daily_streak"] t"#);
    }

    #[pg_test]
    fn a_new_url_brings_back_what_was_switched_off() {
        let id = discord();
        Spi::run(&format!(
            "UPDATE zentry_notify.webhook_integration \
             SET is_active = false, switched_off_at = now(), switched_off_reason = 'gone' WHERE id = {id}"
        ))
        .unwrap();
        let state = format!("SELECT state FROM zentry_notify.webhooks WHERE id = {id}");
        assert_eq!(text(&state).unwrap(), "gone");
        Spi::run(&format!(
            "SELECT zentry_update_webhook({id}, webhook_url => '{}')",
            URL.replace("abcd", "dcba")
        ))
        .unwrap();
        assert_eq!(text(&state).unwrap(), "active");
    }

    #[pg_test]
    fn deleting_a_webhook_takes_its_log_along() {
        let id = discord();
        Spi::run("SELECT zentry_test_event('badge_earned')").unwrap();
        let waiting = "SELECT count(*) FROM zentry_notify.notification_log";
        assert_eq!(number(waiting), 1);
        Spi::run(&format!("SELECT zentry_delete_webhook({id})")).unwrap();
        assert_eq!(number(waiting), 0);
    }

    #[pg_test]
    fn a_sample_event_goes_to_those_who_would_hear_it() {
        discord();
        register(&format!("'Project', 'discord', '{URL}', 7"));
        register(&format!("'Badges', 'discord', '{URL}', 7, ARRAY['badge_earned']"));
        register(&format!("'Off', 'discord', '{URL}', 7, NULL, false"));
        assert_eq!(
            number("SELECT count(*) FROM zentry_test_event('task_completed', 7)"),
            2
        );
        assert_eq!(
            number("SELECT count(*) FROM zentry_test_event('task_completed', 8)"),
            1
        );
        assert_eq!(
            number("SELECT max((payload->>'project_id')::bigint) FROM zentry_notify.notification_log"),
            8
        );
    }

    #[pg_test]
    fn every_event_type_has_a_sample() {
        assert_eq!(
            number(
                "SELECT count(*) FROM zentry_notify.event_type t WHERE zentry_notify.sample_event(t.name) IS NULL"
            ),
            0
        );
    }

    #[pg_test]
    fn a_failed_delivery_is_retried_three_times_at_most() {
        discord();
        Spi::run("SELECT zentry_test_event()").unwrap();
        for retry in 1..=3 {
            Spi::run("UPDATE zentry_notify.notification_log SET status = 'failed'").unwrap();
            Spi::run("SELECT zentry_retry(max(id)) FROM zentry_notify.notification_log").unwrap();
            assert_eq!(
                number(
                    "SELECT retry_count::bigint FROM zentry_notify.notification_log ORDER BY id DESC LIMIT 1"
                ),
                retry
            );
        }
        Spi::run("UPDATE zentry_notify.notification_log SET status = 'failed'").unwrap();
        let (state, hint) = error_of("SELECT zentry_retry(max(id)) FROM zentry_notify.notification_log");
        assert_eq!(state, "55000");
        assert!(!hint.is_empty());
    }

    #[pg_test]
    fn a_waiting_delivery_is_made_due() {
        discord();
        Spi::run("SELECT zentry_test_event()").unwrap();
        Spi::run("UPDATE zentry_notify.notification_log SET status = 'retry', next_attempt_at = now() + interval '1 hour'").unwrap();
        assert_eq!(
            number("SELECT zentry_retry(id) - id FROM zentry_notify.notification_log"),
            0
        );
        assert_eq!(
            number("SELECT count(*) FROM zentry_notify.notification_log WHERE next_attempt_at <= now()"),
            1
        );
    }

    #[pg_test]
    fn all_failed_deliveries_are_retried_once() {
        let id = discord();
        Spi::run("SELECT zentry_test_event()").unwrap();
        Spi::run("SELECT zentry_test_event('daily_streak')").unwrap();
        Spi::run("UPDATE zentry_notify.notification_log SET status = 'failed'").unwrap();
        assert_eq!(
            number(&format!("SELECT zentry_retry_failed({id}, 'daily_streak')")),
            1
        );
        assert_eq!(number("SELECT zentry_retry_failed()"), 1);
        assert_eq!(number("SELECT zentry_retry_failed()"), 0);
    }

    #[pg_test]
    fn bad_input_gets_a_fitting_sqlstate_and_a_hint() {
        let long = "x".repeat(101);
        let cases = [
            (
                format!("SELECT zentry_register_webhook('a', 'slack', '{URL}')"),
                "22023",
            ),
            (
                "SELECT zentry_register_webhook('a', 'discord', 'not a url')".into(),
                "22023",
            ),
            (
                format!(
                    "SELECT zentry_register_webhook('a', 'discord', '{}')",
                    URL.replace("https", "http")
                ),
                "22023",
            ),
            (
                format!(
                    "SELECT zentry_register_webhook('a', 'discord', '{}')",
                    URL.replace("discord.com", "example.org")
                ),
                "22023",
            ),
            (
                format!("SELECT zentry_register_webhook('a', 'teams', '{URL}')"),
                "22023",
            ),
            (
                format!(
                    "SELECT zentry_register_webhook('a', 'discord', '{URL}', event_types => ARRAY['task_done'])"
                ),
                "22023",
            ),
            (
                format!("SELECT zentry_register_webhook(' ', 'discord', '{URL}')"),
                "22023",
            ),
            (
                format!("SELECT zentry_register_webhook('{long}', 'discord', '{URL}')"),
                "22001",
            ),
            (
                format!("SELECT zentry_register_webhook(NULL, 'discord', '{URL}')"),
                "22004",
            ),
            (
                format!("SELECT zentry_register_webhook('a', NULL, '{URL}')"),
                "22004",
            ),
            (
                "SELECT zentry_register_webhook('a', 'discord', NULL)".into(),
                "22004",
            ),
            ("SELECT zentry_update_webhook(0, name => 'b')".into(), "P0002"),
            ("SELECT zentry_update_webhook(NULL, name => 'b')".into(), "22004"),
            ("SELECT zentry_delete_webhook(0)".into(), "P0002"),
            ("SELECT * FROM zentry_test_webhook(0)".into(), "P0002"),
            ("SELECT * FROM zentry_test_webhook(NULL)".into(), "22004"),
            ("SELECT zentry_test_event('task_done')".into(), "22023"),
            ("SELECT zentry_test_event(NULL)".into(), "22023"),
            ("SELECT zentry_retry(0)".into(), "P0002"),
            ("SELECT zentry_retry(NULL)".into(), "P0002"),
            ("SELECT zentry_retry_failed(0)".into(), "P0002"),
            ("SELECT zentry_detach('pg_class')".into(), "42704"),
            ("SELECT zentry_grant('pg_monitor', 'owner')".into(), "22023"),
            (
                format!(
                    "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url) VALUES ('a', 'slack', '{URL}')"
                ),
                "22023",
            ),
            (
                format!(
                    "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, event_types) VALUES ('a', 'discord', '{URL}', '{{}}')"
                ),
                "22023",
            ),
        ];
        for (statement, expected) in cases {
            let (state, hint) = error_of(&statement);
            assert_eq!(state, expected, "{statement}");
            assert!(!hint.is_empty(), "no hint: {statement}");
        }
    }

    #[pg_test]
    fn an_unknown_event_type_is_named_with_those_that_exist() {
        let (_, hint) = error_of(&format!(
            "SELECT zentry_register_webhook('a', 'discord', '{URL}', event_types => '{{task_done}}')"
        ));
        assert!(
            hint.contains("badge_earned, daily_streak, milestone_reached, project_created, task_completed"),
            "{hint}"
        );
    }

    #[pg_test]
    fn updated_at_keeps_itself() {
        let id = discord();
        Spi::run(&format!("UPDATE zentry_notify.webhook_integration SET updated_at = '2000-01-01', name = 'b' WHERE id = {id}")).unwrap();
        assert_eq!(
            number("SELECT count(*) FROM zentry_notify.webhook_integration WHERE updated_at = now()"),
            1
        );
    }

    #[pg_test]
    fn everything_has_a_comment() {
        let missing = text(
            "SELECT string_agg(pg_describe_object(d.classid, d.objid, 0), ', ') \
             FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify' \
             WHERE d.deptype = 'e' AND d.classid IN ('pg_class'::regclass, 'pg_proc'::regclass) \
               AND obj_description(d.objid, d.classid::regclass::name) IS NULL \
               AND NOT EXISTS (SELECT FROM pg_class s WHERE s.oid = d.objid AND d.classid = 'pg_class'::regclass AND s.relkind = 'S') \
               AND NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
                               WHERE p.oid = d.objid AND d.classid = 'pg_proc'::regclass AND n.nspname = 'tests')",
        );
        assert_eq!(missing, None);
        let columns = text(
            "SELECT string_agg(format('%s.%s', a.attrelid::regclass, a.attname), ', ') FROM pg_attribute a \
             JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'v') JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'zentry_notify' AND a.attnum > 0 AND NOT a.attisdropped AND col_description(a.attrelid, a.attnum) IS NULL",
        );
        assert_eq!(columns, None);
    }

    #[pg_test]
    fn the_public_can_do_nothing() {
        let open = text(
            "SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_depend d \
             JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify' \
             JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass JOIN pg_namespace n ON n.oid = p.pronamespace \
             WHERE d.deptype = 'e' AND n.nspname <> 'tests' AND has_function_privilege('public', p.oid, 'EXECUTE') \
               AND p.oid <> 'zentry_notify.capture()'::regprocedure",
        );
        assert_eq!(open, None);
        let readable = text(
            "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'zentry_notify' AND c.relkind IN ('r', 'v', 'S') \
               AND has_table_privilege('public', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')",
        );
        assert_eq!(readable, None);
        assert_eq!(
            text("SELECT has_schema_privilege('public', 'zentry_notify', 'USAGE')::text").unwrap(),
            "false"
        );
    }

    #[pg_test]
    fn definer_functions_pin_their_search_path() {
        let loose = text(
            "SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_depend d \
             JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify' \
             JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass \
             WHERE d.deptype = 'e' AND p.prosecdef AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)",
        );
        assert_eq!(loose, None);
    }
}
