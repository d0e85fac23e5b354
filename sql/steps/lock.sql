-- Locks all that the step changes, before it changes anything. Writers hold locks on some of these tables until they commit, and may request others, so
-- a session that holds some locks and waits for others can deadlock with them. The application must not be the victim: the step waits for less than
-- deadlock_timeout, releases its locks, and tries again.
DO $$
DECLARE
    attached text;
    deadline timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) '60 seconds'::pg_catalog.interval;
    before   text := pg_catalog.current_setting('lock_timeout');
    holders  text;
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
                -- A prepared transaction has no process, and so is in no list of sessions. It holds a lock on its own number.
                SELECT pg_catalog.string_agg(DISTINCT
                           CASE WHEN l.pid IS NULL THEN pg_catalog.format('prepared transaction %L', p.gid) ELSE pg_catalog.format('process %s', l.pid) END, ', ')
                  INTO holders
                  FROM pg_catalog.pg_locks l
                  LEFT JOIN pg_catalog.pg_locks n ON l.pid IS NULL AND n.virtualtransaction OPERATOR(pg_catalog.=) l.virtualtransaction
                   AND n.locktype OPERATOR(pg_catalog.=) 'transactionid' AND n.granted
                  LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction OPERATOR(pg_catalog.=) n.transactionid
                 WHERE l.granted AND l.locktype OPERATOR(pg_catalog.=) 'relation' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
                   AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
                   AND (l.mode OPERATOR(pg_catalog.<>) ALL ('{AccessShareLock,RowShareLock}'::pg_catalog.text[])
                          AND l.relation IN (SELECT s.relation FROM zentry_notify.event_source s)
                        OR l.relation IN (SELECT c.oid FROM pg_catalog.pg_class c
                                           WHERE c.relnamespace OPERATOR(pg_catalog.=) 'zentry_notify'::pg_catalog.regnamespace AND c.relkind OPERATOR(pg_catalog.=) 'r'));
                RAISE EXCEPTION 'zentry_notify: the tables that the update changes were in use for a minute'
                    USING ERRCODE = 'lock_not_available', DETAIL = pg_catalog.format('They are in use by %s.', coalesce(holders, 'nobody any more')),
                          HINT = 'End these transactions (SELECT pg_terminate_backend(PID); COMMIT PREPARED or ROLLBACK PREPARED), then repeat the command. Nothing was changed.';
            END IF;
            PERFORM pg_catalog.pg_sleep(0.1);
        END;
    END LOOP;
    PERFORM pg_catalog.set_config('lock_timeout', before, true);
END
$$;
