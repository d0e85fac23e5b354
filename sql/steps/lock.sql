-- Everything that the step changes, before it changes anything. Writers hold some of these tables until they commit and may want
-- others meanwhile, so whoever waits for them with others in hand may deadlock, and the application must not be the one that loses:
-- the step waits for less than deadlock_timeout, gives back what it has, and tries again.
DO $$
DECLARE
    attached text;
    deadline timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) '60 seconds'::pg_catalog.interval;
    before   text := pg_catalog.current_setting('lock_timeout');
BEGIN
    SELECT pg_catalog.string_agg(DISTINCT s.relation::pg_catalog.text, ', ') INTO attached
      FROM zentry_notify.event_source s
     WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) s.relation);
    PERFORM pg_catalog.set_config('lock_timeout', '300ms', true);
    LOOP
        BEGIN
            IF attached IS NOT NULL THEN
                EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', attached);
            END IF;
            LOCK TABLE zentry_notify.notification_log, zentry_notify.event_source, zentry_notify.webhook_integration,
                zentry_notify.webhook_circuit, zentry_notify.webhook_count, zentry_notify.progress_note,
                zentry_notify.project_progress, zentry_notify.event_type, zentry_notify.event_wording, zentry_notify.delivery_stat,
                zentry_notify.api_token IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) deadline THEN
                RAISE EXCEPTION 'zentry_notify: the tables that the update changes were in use for a minute'
                    USING ERRCODE = 'lock_not_available', HINT = 'End the long transactions that write to them, then repeat the command. Nothing was changed.';
            END IF;
            PERFORM pg_catalog.pg_sleep(0.1);
        END;
    END LOOP;
    PERFORM pg_catalog.set_config('lock_timeout', before, true);
END
$$;
