-- Written by scripts/upgrade-step from sql/steps/0.2.0--0.3.0.sql: change that, or the files that it includes.

-- From 0.2.0 to 0.3.0. Structure (tables, columns, indexes) is changed here; what can be run again is included from the files of the installation.

-- As in 01_schema.sql: names must not resolve to objects that somebody has put into the extension's schema.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('restrict_nonsystem_relation_kind', '', true)
 WHERE pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL;

-- library_version() is of the library in memory. The new one on disk is loaded by a restart.
DO $$
BEGIN
    IF zentry_notify.library_version() OPERATOR(pg_catalog.<>) '0.3.0' THEN
        RAISE EXCEPTION 'zentry_notify: the server still runs the library of version %', zentry_notify.library_version()
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Restart the server, then repeat the command.';
    END IF;
END
$$;

-- ---- steps/lock.sql ----

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

-- Before triggers are made: it runs for each.
DROP EVENT TRIGGER zentry_notify_hear_every_update;

-- ---- The log: the table is renamed and otherwise unchanged. The worker moves its rows. ----

-- Renames the constraints of a renamed table, so that they have the names that they have in a new installation.
CREATE FUNCTION zentry_notify.rename_constraints(renamed pg_catalog.regclass, before pg_catalog.text, after pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old name;
BEGIN
    FOR old IN SELECT c.conname FROM pg_constraint c WHERE c.conrelid = renamed AND starts_with(c.conname::text, before || '_') ORDER BY c.conname LOOP
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', renamed, old, after || substr(old, length(before) + 1));
    END LOOP;
END
$$;

ALTER TABLE zentry_notify.notification_log RENAME TO legacy_delivery;
SELECT zentry_notify.rename_constraints('zentry_notify.legacy_delivery', 'notification_log', 'legacy_delivery');
ALTER INDEX zentry_notify.notification_log_waiting RENAME TO legacy_delivery_waiting;
ALTER INDEX zentry_notify.notification_log_finished RENAME TO legacy_delivery_finished;
ALTER INDEX zentry_notify.notification_log_events RENAME TO legacy_delivery_events;
ALTER INDEX zentry_notify.notification_log_failed RENAME TO legacy_delivery_failed;
COMMENT ON TABLE zentry_notify.legacy_delivery IS 'The log of 0.2.0, until the worker has moved its rows to event and delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.id IS 'Id of the delivery; ids in delivery continue above these';
COMMENT ON COLUMN zentry_notify.legacy_delivery.webhook_integration_id IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.event_type IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.payload IS 'The event''s data; JSON null: not stored';
COMMENT ON COLUMN zentry_notify.legacy_delivery.status IS 'pending, retry, sent or failed';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_status_code IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_body IS 'As in delivery; empty: none';
COMMENT ON COLUMN zentry_notify.legacy_delivery.error_message IS 'As in delivery; empty: nothing';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_count IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.attempts IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.created_at IS 'When the event happened';
COMMENT ON COLUMN zentry_notify.legacy_delivery.sent_at IS 'When the endpoint accepted it';
COMMENT ON COLUMN zentry_notify.legacy_delivery.next_attempt_at IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_of IS 'As in delivery';
COMMENT ON INDEX zentry_notify.legacy_delivery_waiting IS 'Waiting deliveries by webhook, in the order of sending';
COMMENT ON INDEX zentry_notify.legacy_delivery_finished IS 'Finished deliveries by webhook';
COMMENT ON INDEX zentry_notify.legacy_delivery_events IS 'Finished deliveries by event type';
COMMENT ON INDEX zentry_notify.legacy_delivery_failed IS 'Failed deliveries';

-- ---- 04_event.sql ----

-- Events: a row for each write that at least one webhook subscribes to, whatever the number of webhooks; the data that the worker looked up
-- for it; and which events are routed.

CREATE TABLE zentry_notify.event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    source_id  bigint,
    event_type text NOT NULL,
    data       json NOT NULL,
    context    json
) WITH (
    -- Rows are only inserted, at the rate of the traffic, and never updated.
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.event IS
    'Captured events, written in the application''s own transactions and never changed. Ids follow the order of the writes, not of the commits';
COMMENT ON COLUMN zentry_notify.event.id IS 'Id of the event';
COMMENT ON COLUMN zentry_notify.event.created_at IS 'When it happened: the time of the transaction that wrote it';
COMMENT ON COLUMN zentry_notify.event.source_id IS 'Id of the event source whose table was written; null: a function created the event';
COMMENT ON COLUMN zentry_notify.event.event_type IS 'Event type; project_progress: internal, the worker computes milestones from it, and no webhook can subscribe to it';
COMMENT ON COLUMN zentry_notify.event.data IS 'The event''s data that come from the written row';
COMMENT ON COLUMN zentry_notify.event.context IS
    'JSON object that only the worker uses, or null. columns: values of other columns, by name; progress: how many tasks of each project were added, removed or completed; cut: keys whose value was too long; routed: its deliveries were written with it; partition_owner: OID of the role that owns the partition that was written, if it does not own the attached table; traceparent: trace context of the write';

CREATE TABLE zentry_notify.event_detail (
    event_id bigint PRIMARY KEY,
    data     jsonb NOT NULL
) WITH (
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.event_detail IS 'Data that the worker added to events: looked-up names and computed values';
COMMENT ON COLUMN zentry_notify.event_detail.event_id IS 'The event';
COMMENT ON COLUMN zentry_notify.event_detail.data IS 'Additional data; they come before the event''s own, key by key';

CREATE TABLE zentry_notify.route_cursor (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    routed    int8multirange NOT NULL DEFAULT '{}',
    restored  text NOT NULL DEFAULT 'no' CHECK (restored IN ('no', 'awaited', 'yes')),
    split     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(split) = 'object')
) WITH (fillfactor = 20);
COMMENT ON TABLE zentry_notify.route_cursor IS 'Which events are routed: one row, which the worker updates in the transaction that writes the deliveries';
COMMENT ON COLUMN zentry_notify.route_cursor.singleton IS 'Always true: the table has one row';
COMMENT ON COLUMN zentry_notify.route_cursor.routed IS 'Ranges of event ids that are routed or will never be used; the first range has no lower bound';
COMMENT ON COLUMN zentry_notify.route_cursor.split IS
    'Partly routed events: for each, the webhooks whose deliveries could not be written; the deliveries of the others are';
COMMENT ON COLUMN zentry_notify.route_cursor.restored IS
    'awaited: events of a dump have been restored, and the route cursor has not, so nothing is routed; yes: the cursor comes from a dump; no: no dump was restored';

INSERT INTO zentry_notify.route_cursor DEFAULT VALUES;

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_detail', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.route_cursor', '');
-- ---- 05_delivery.sql ----

-- Deliveries: a narrow row for each event and webhook, as a rule written once, with its outcome. The table is both the queue and the log.

CREATE TABLE zentry_notify.delivery (
    id                     bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    -- No foreign keys: their checks would lock rows of events and webhooks. Deliveries are deleted with their webhook.
    event_id               bigint NOT NULL,
    webhook_integration_id bigint NOT NULL,
    next_attempt_at        timestamptz,
    finished_at            timestamptz,
    retry_of               bigint,
    response_status_code   smallint,
    attempts               smallint NOT NULL DEFAULT 0,
    retry_count            smallint NOT NULL DEFAULT 0,
    status                 "char" NOT NULL DEFAULT 'p',
    event_type             varchar(50) NOT NULL,
    response_body          text,
    error_message          text,
    traceparent            text,
    captured_at            timestamptz
) WITH (
    -- Deliveries that have to wait are updated, so dead rows grow with the traffic, and vacuum must keep up.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.delivery IS
    'Deliveries of events to webhooks, waiting and finished. The view zentry_notify.notification_log shows them with their events';
COMMENT ON COLUMN zentry_notify.delivery.id IS 'Id of the delivery; a webhook''s deliveries are sent in this order';
COMMENT ON COLUMN zentry_notify.delivery.event_id IS 'The event';
COMMENT ON COLUMN zentry_notify.delivery.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.delivery.next_attempt_at IS 'Time of the next attempt';
COMMENT ON COLUMN zentry_notify.delivery.finished_at IS 'When it was sent or failed for good';
COMMENT ON COLUMN zentry_notify.delivery.retry_of IS 'The failed delivery that this one re-sends';
COMMENT ON COLUMN zentry_notify.delivery.response_status_code IS 'HTTP status of the last response; null: no response';
COMMENT ON COLUMN zentry_notify.delivery.attempts IS 'Number of attempts; a request that met a rate limit does not count';
COMMENT ON COLUMN zentry_notify.delivery.retry_count IS 'Number of times that this delivery was re-sent by hand (zentry_retry)';
COMMENT ON COLUMN zentry_notify.delivery.status IS 'p: pending, not attempted yet; r: retry, waits for next_attempt_at; s: sent; f: failed, see error_message';
COMMENT ON COLUMN zentry_notify.delivery.event_type IS 'Event type';
COMMENT ON COLUMN zentry_notify.delivery.response_body IS 'First 1000 characters of the last response; null: no response';
COMMENT ON COLUMN zentry_notify.delivery.error_message IS 'Last error; null: none';
COMMENT ON COLUMN zentry_notify.delivery.traceparent IS
    'Trace context of the write (W3C Trace Context); null: the write was not traced, and captured_at is null too';
COMMENT ON COLUMN zentry_notify.delivery.captured_at IS 'For a delivery with traceparent: when the event happened, which is where its span begins. The event may be deleted before the span is exported';

CREATE INDEX delivery_log ON zentry_notify.delivery (webhook_integration_id, event_type, id);
COMMENT ON INDEX zentry_notify.delivery_log IS 'Deliveries by webhook and event type';
CREATE INDEX delivery_waiting ON zentry_notify.delivery (webhook_integration_id, id) WHERE status IN ('p', 'r');
COMMENT ON INDEX zentry_notify.delivery_waiting IS 'Waiting deliveries by webhook, in the order of sending';
-- The predicates are spelled as notification_log spells the status, so that queries of the view use the indexes. Deliveries that are written with their
-- outcome are never in the second one.
CREATE INDEX delivery_failed ON zentry_notify.delivery (id)
    WHERE CASE status WHEN 's' THEN 'sent' WHEN 'f' THEN 'failed' WHEN 'r' THEN 'retry' ELSE 'pending' END::varchar(20) = 'failed';
COMMENT ON INDEX zentry_notify.delivery_failed IS 'Failed deliveries';
CREATE INDEX delivery_queue ON zentry_notify.delivery (id)
    WHERE CASE status WHEN 's' THEN 'sent' WHEN 'f' THEN 'failed' WHEN 'r' THEN 'retry' ELSE 'pending' END::varchar(20) IN ('pending', 'retry');
COMMENT ON INDEX zentry_notify.delivery_queue IS 'Waiting deliveries of all webhooks';
CREATE INDEX delivery_retry_of ON zentry_notify.delivery (retry_of) WHERE retry_of IS NOT NULL;
COMMENT ON INDEX zentry_notify.delivery_retry_of IS 'Deliveries that re-send another one';
CREATE INDEX delivery_traced ON zentry_notify.delivery (finished_at, id) WHERE traceparent IS NOT NULL;
COMMENT ON INDEX zentry_notify.delivery_traced IS 'Finished deliveries with a trace context, by finished_at';

-- A delivery whose first attempt succeeds has no row here.
CREATE TABLE zentry_notify.delivery_attempt (
    delivery_id          bigint NOT NULL,
    attempted_at         timestamptz NOT NULL,
    next_attempt_at      timestamptz,
    response_status_code smallint,
    attempt              smallint,
    error_message        text,
    PRIMARY KEY (delivery_id, attempted_at)
);
COMMENT ON TABLE zentry_notify.delivery_attempt IS
    'Unsuccessful requests, one row each: for each delivery the first fifty, and the last one when it failed for good. The view attempts shows them';
COMMENT ON COLUMN zentry_notify.delivery_attempt.delivery_id IS 'The delivery';
COMMENT ON COLUMN zentry_notify.delivery_attempt.attempted_at IS 'When the response came, or the request timed out';
COMMENT ON COLUMN zentry_notify.delivery_attempt.next_attempt_at IS 'Planned time of the next attempt; null: none, the delivery failed for good';
COMMENT ON COLUMN zentry_notify.delivery_attempt.response_status_code IS 'HTTP status of the response; null: no response';
COMMENT ON COLUMN zentry_notify.delivery_attempt.attempt IS 'Number of the attempt, from 1; null: the request does not count as an attempt (a rate limit, or a proxy that could not be reached while another one could)';
COMMENT ON COLUMN zentry_notify.delivery_attempt.error_message IS 'Error, as in notification_log';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.delivery', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.delivery_attempt', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.delivery_id_seq', '');

-- New ids are above those of the old table.
SELECT pg_catalog.setval('zentry_notify.delivery_id_seq', given.last)
  FROM (SELECT greatest(pg_catalog.pg_sequence_last_value('zentry_notify.notification_log_id_seq'),
                        (SELECT max(l.id) FROM zentry_notify.legacy_delivery l)) AS last) given
 WHERE given.last IS NOT NULL;
-- A sequence is removed from the list of what pg_dump dumps (extconfig) only when it is no longer a member of the extension.
ALTER EXTENSION zentry_notify DROP SEQUENCE zentry_notify.notification_log_id_seq;
ALTER TABLE zentry_notify.legacy_delivery ALTER COLUMN id DROP IDENTITY;

-- Since the restart, the new library has written events into the old table, with 0 as their webhook.
INSERT INTO zentry_notify.event (created_at, source_id, event_type, data, context)
SELECT l.created_at, (l.payload OPERATOR(pg_catalog.->>) 'source_id')::pg_catalog.int8, l.event_type,
       (l.payload OPERATOR(pg_catalog.->) 'data')::pg_catalog.json,
       nullif(l.payload OPERATOR(pg_catalog.->) 'context', 'null')::pg_catalog.json
  FROM zentry_notify.legacy_delivery l
 WHERE l.webhook_integration_id OPERATOR(pg_catalog.=) 0 AND l.status IN ('pending', 'retry')
 ORDER BY l.id;
DELETE FROM zentry_notify.legacy_delivery l WHERE l.webhook_integration_id OPERATOR(pg_catalog.=) 0 AND l.status IN ('pending', 'retry');

-- Changes of projects' tasks that were not counted yet.
INSERT INTO zentry_notify.event (created_at, source_id, event_type, data, context)
SELECT n.created_at, n.event_source_id, 'project_progress', '{}',
       pg_catalog.json_build_object('progress', pg_catalog.json_build_array(
           pg_catalog.json_build_object('project', n.project_key, 'done', n.done_change, 'total', n.total_change)))
  FROM zentry_notify.progress_note n
 ORDER BY n.id;
ALTER EXTENSION zentry_notify DROP SEQUENCE zentry_notify.progress_note_id_seq;
ALTER EXTENSION zentry_notify DROP TABLE zentry_notify.progress_note;
DROP TABLE zentry_notify.progress_note;
CREATE TABLE zentry_notify.progress_note (
    event_source_id bigint NOT NULL,
    project_key     text NOT NULL,
    done_change     bigint NOT NULL,
    total_change    bigint NOT NULL,
    PRIMARY KEY (event_source_id, project_key)
);
COMMENT ON TABLE zentry_notify.progress_note IS 'Changes of projects by routed events that are not counted yet, while more events are to be routed';
COMMENT ON COLUMN zentry_notify.progress_note.event_source_id IS 'The event source of milestone_reached';
COMMENT ON COLUMN zentry_notify.progress_note.project_key IS 'Id of the project, as text';
COMMENT ON COLUMN zentry_notify.progress_note.done_change IS 'Change of the number of completed tasks';
COMMENT ON COLUMN zentry_notify.progress_note.total_change IS 'Change of the number of tasks';
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.progress_note', '');

-- ---- Webhooks: the URLs go to a table of their own. ----

DROP TRIGGER check_integration ON zentry_notify.webhook_integration;
DROP TRIGGER forget_integration ON zentry_notify.webhook_integration;
DROP FUNCTION zentry_notify.check_integration();
DROP FUNCTION zentry_notify.forget_integration();
ALTER TABLE zentry_notify.webhook_integration RENAME TO webhook;
SELECT zentry_notify.rename_constraints('zentry_notify.webhook', 'webhook_integration', 'webhook');
DROP FUNCTION zentry_notify.rename_constraints(pg_catalog.regclass, pg_catalog.text, pg_catalog.text);
ALTER TABLE zentry_notify.webhook ADD COLUMN rate_limit varchar(50), ADD COLUMN rate_group varchar(100),
    ADD COLUMN notify_webhook_id bigint;
COMMENT ON TABLE zentry_notify.webhook IS 'Webhooks and the events that they subscribe to, without their URLs';
COMMENT ON COLUMN zentry_notify.webhook.id IS 'Id of the webhook, as zentry_test_webhook and other functions take it';
COMMENT ON COLUMN zentry_notify.webhook.name IS 'Display name, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.webhook.webhook_type IS 'Service that the URL belongs to, such as discord; webhook: a program that checks signatures. zentry_webhook_types() lists them';
COMMENT ON COLUMN zentry_notify.webhook.project_id IS 'Only events of this project are sent; null: events of all projects';
COMMENT ON COLUMN zentry_notify.webhook.created_by_id IS 'Id of the application''s user who registered it';
COMMENT ON COLUMN zentry_notify.webhook.event_types IS 'JSON array of names of zentry_notify.event_type; ["*"]: all, also those added later';
COMMENT ON COLUMN zentry_notify.webhook.is_active IS 'Whether it is active; if not, no events are captured for it, and its waiting deliveries are held back';
COMMENT ON COLUMN zentry_notify.webhook.created_at IS 'When it was registered';
COMMENT ON COLUMN zentry_notify.webhook.updated_at IS 'When it was last changed; set by a trigger';
COMMENT ON COLUMN zentry_notify.webhook.max_events_per_message IS 'Maximum number of waiting events in one message, 1 to 10';
COMMENT ON COLUMN zentry_notify.webhook.min_interval IS 'Minimum time between two messages';
COMMENT ON COLUMN zentry_notify.webhook.max_age IS 'Deliveries older than this fail as expired; null: zentry_notify.max_age applies';
COMMENT ON COLUMN zentry_notify.webhook.activated_at IS 'When it was registered, switched on again or given another URL; set by a trigger. Earlier failures no longer count';
COMMENT ON COLUMN zentry_notify.webhook.switched_off_at IS 'When the extension switched it off because its endpoint no longer exists; cleared by a new URL or by setting is_active';
COMMENT ON COLUMN zentry_notify.webhook.switched_off_reason IS 'Why the extension switched it off';
COMMENT ON COLUMN zentry_notify.webhook.omit_keys IS
    'Keys of the events'' data that are neither stored with nor sent in this webhook''s deliveries, such as {task_description}';
COMMENT ON COLUMN zentry_notify.webhook.filter IS 'JSON path predicate over the event''s data, such as $.points > 20: only events for which it is true are sent; null: all';
COMMENT ON COLUMN zentry_notify.webhook.min_streak_days IS 'For daily_streak: minimum length of a streak, in days; null: all are sent';
COMMENT ON COLUMN zentry_notify.webhook.milestones IS 'For milestone_reached: the milestones that are sent, in per cent; null: all';
COMMENT ON COLUMN zentry_notify.webhook.quiet_hours IS 'When nothing is sent, such as 22:00-07:00 Europe/Berlin, or Mon-Fri 20:00-08:00, Sat-Sun 00:00-24:00 UTC; events of these hours are sent afterwards';
COMMENT ON COLUMN zentry_notify.webhook.mention IS 'Who is mentioned in each message, such as role:ID or user:ID in Discord; zentry_webhook_types() lists the forms for each service';
COMMENT ON COLUMN zentry_notify.webhook.rate_limit IS 'Maximum number of messages in a time, such as 25/5min; 0: no limit; null: zentry_notify.teams_rate for Microsoft''s hosts, and for others what the service answers';
COMMENT ON COLUMN zentry_notify.webhook.rate_group IS 'Webhooks with the same rate_group share one rate limit, the lowest of theirs, such as Teams flows that one person owns; null: its limit is its own';
COMMENT ON COLUMN zentry_notify.webhook.notify_webhook_id IS 'Webhook that gets a notice when this one starts to fail, is switched off or has deliveries that expire; null: the webhooks with notices get it';

ALTER TABLE zentry_notify.webhook
    ADD COLUMN username text,
    ADD COLUMN avatar_url text,
    ADD COLUMN announce boolean NOT NULL DEFAULT false,
    ADD COLUMN thread_name text,
    ADD COLUMN applied_tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN notices boolean NOT NULL DEFAULT false,
    ADD COLUMN digest text,
    ADD COLUMN thread_by text;
COMMENT ON COLUMN zentry_notify.webhook.username IS 'Sender''s name of its messages in Discord and Mattermost; null: zentry_notify.username applies';
COMMENT ON COLUMN zentry_notify.webhook.avatar_url IS 'Sender''s picture of its messages in Discord and Mattermost, an https URL; null: zentry_notify.avatar_url applies';
COMMENT ON COLUMN zentry_notify.webhook.announce IS 'Whether messages to Discord, Google Chat and Mattermost begin with a line of text, which notifications on phones show (they show nothing of an embed or card). Slack messages always have it';
COMMENT ON COLUMN zentry_notify.webhook.thread_name IS 'For a Discord forum channel: each message becomes a post with this name; null: messages go to the channel, or to the thread of ?thread_id= in the URL';
COMMENT ON COLUMN zentry_notify.webhook.applied_tags IS 'For a Discord forum channel: ids of the tags of these posts';
COMMENT ON COLUMN zentry_notify.webhook.notices IS 'Whether it gets the notices about all other webhooks that have no notify_webhook_id';
COMMENT ON COLUMN zentry_notify.webhook.digest IS 'When waiting events are sent as one message with counts and the last ten events: a time after the first of them, such as 1 hour, or a cron expression, such as 0 9 * * 1-5 Europe/Berlin; null: they are sent at once, up to max_events_per_message in a message';
COMMENT ON COLUMN zentry_notify.webhook.thread_by IS 'For Google Chat: events of the same task or project go to one thread, and a message holds events of one thread only; null: each message begins a new thread';
ALTER TABLE zentry_notify.event_type ADD COLUMN url text, ADD COLUMN thumbnail text;
COMMENT ON COLUMN zentry_notify.event_type.url IS
    'Link to what the event is about; a template, such as /tasks/{{ task_id }} (relative to zentry_notify.link_base) or https://...';
COMMENT ON COLUMN zentry_notify.event_type.thumbnail IS 'URL of a picture; a template, as url';
ALTER TABLE zentry_notify.event_wording ADD COLUMN url text, ADD COLUMN thumbnail text, ADD COLUMN language text,
    ADD CHECK ((event_type OPERATOR(pg_catalog.=) '*') OPERATOR(pg_catalog.=) (language IS NOT NULL));
COMMENT ON TABLE zentry_notify.event_wording IS
    'Texts of messages that replace those of the event type, for all webhooks or for one. Order of precedence: the webhook''s wording, the webhook''s language, the wording for all, the language for all, the event type. Null columns leave the next one in force';
COMMENT ON COLUMN zentry_notify.event_wording.event_type IS 'The event type; *: all of them, for language';
COMMENT ON COLUMN zentry_notify.event_wording.language IS 'For *: language of the built-in events, of numbers and dates, and of the fixed texts of messages, such as de';
COMMENT ON COLUMN zentry_notify.event_wording.url IS 'As event_type.url; empty: none';
COMMENT ON COLUMN zentry_notify.event_wording.thumbnail IS 'As event_type.thumbnail; empty: none';

-- A table of its own, as in 03_webhook.sql, which says why.
CREATE TABLE zentry_notify.webhook_secret (
    webhook_integration_id bigint PRIMARY KEY,
    -- Django's model has 500 characters; a Workflows URL may need more.
    webhook_url            varchar(2048) NOT NULL,
    -- For type webhook.
    signing_secret         text,
    previous_secret        text,
    previous_until         timestamptz,
    headers                jsonb CHECK (pg_catalog.jsonb_typeof(headers) OPERATOR(pg_catalog.=) 'object')
);
COMMENT ON TABLE zentry_notify.webhook_secret IS 'URLs and other secrets of the webhooks. Do not add it to publications';
COMMENT ON COLUMN zentry_notify.webhook_secret.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_secret.webhook_url IS
    'URL of the webhook. A secret: whoever knows it can post to the channel. The view zentry_notify.webhooks shows it redacted';
COMMENT ON COLUMN zentry_notify.webhook_secret.signing_secret IS 'For type webhook: key with which requests are signed, whsec_ and Base64; for type nats: credentials';
COMMENT ON COLUMN zentry_notify.webhook_secret.previous_secret IS 'The previous signing secret: until previous_until, requests are signed with both';
COMMENT ON COLUMN zentry_notify.webhook_secret.previous_until IS 'When previous_secret is no longer used';
COMMENT ON COLUMN zentry_notify.webhook_secret.headers IS 'Additional headers of each request: a JSON object of names and values. Secret';
CREATE INDEX webhook_secret_url ON zentry_notify.webhook_secret USING hash (webhook_url);
COMMENT ON INDEX zentry_notify.webhook_secret_url IS 'Webhooks that have the same URL';
CREATE INDEX webhook_notify ON zentry_notify.webhook (notify_webhook_id) WHERE notify_webhook_id IS NOT NULL;
COMMENT ON INDEX zentry_notify.webhook_notify IS 'Webhooks by the webhook that gets their notices';
INSERT INTO zentry_notify.webhook_secret (webhook_integration_id, webhook_url) SELECT w.id, w.webhook_url FROM zentry_notify.webhook w;
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_secret', '');
CREATE TABLE zentry_notify.webhook_state (
    webhook_integration_id bigint PRIMARY KEY,
    failures               integer NOT NULL DEFAULT 0,
    refusals               integer NOT NULL DEFAULT 0,
    limits                 integer NOT NULL DEFAULT 0,
    posted_at              timestamptz[] NOT NULL DEFAULT '{}',
    expired_at             timestamptz,
    stream_note            text
) WITH (fillfactor = 50);
COMMENT ON TABLE zentry_notify.webhook_state IS 'Counters of each webhook''s recent responses. They are stored because a worker exits when there is nothing to do, and the next one continues with them';
COMMENT ON COLUMN zentry_notify.webhook_state.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_state.failures IS 'Number of consecutive failures; at five the webhook is failing';
COMMENT ON COLUMN zentry_notify.webhook_state.refusals IS 'Number of consecutive responses that refuse all messages (403, or a channel that accepts none); at ten the webhook is switched off';
COMMENT ON COLUMN zentry_notify.webhook_state.limits IS 'Number of consecutive responses that report a rate limit, as far as it is needed for the back-off';
COMMENT ON COLUMN zentry_notify.webhook_state.posted_at IS 'Times of the messages that count towards its rate limit';
COMMENT ON COLUMN zentry_notify.webhook_state.expired_at IS 'When the first delivery expired since the last one was sent';
COMMENT ON COLUMN zentry_notify.webhook_state.stream_note IS 'Problem found when the stream that it publishes to was last checked; null: none, or it publishes to no stream';
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_state', '');
COMMENT ON COLUMN zentry_notify.webhook_circuit.failures IS 'Number of consecutive failures; 0: zentry_resume found no delivery to try';
CREATE TABLE zentry_notify.deleted_webhook (
    webhook_integration_id bigint PRIMARY KEY
);
COMMENT ON TABLE zentry_notify.deleted_webhook IS 'Deleted webhooks whose deliveries have not been deleted yet';
COMMENT ON COLUMN zentry_notify.deleted_webhook.webhook_integration_id IS 'Id of the deleted webhook';
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.deleted_webhook', '');

-- ---- Sources and tokens. ----

DROP VIEW zentry_notify.zentry_source;
ALTER TABLE zentry_notify.event_source DROP COLUMN update_of;
ALTER TABLE zentry_notify.event_source ADD COLUMN written_by name, ADD COLUMN written_by_oid oid;
UPDATE zentry_notify.event_source s SET written_by = pg_catalog.pg_get_userbyid(c.relowner), written_by_oid = c.relowner
  FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) s.relation;
COMMENT ON COLUMN zentry_notify.event_source.written_by IS
    'Name of the table''s owner when it was attached: expressions run as that role, and not at all while another role owns the table. The name is stored so that a dump can be restored';
COMMENT ON COLUMN zentry_notify.event_source.written_by_oid IS
    'OID of that role: another role that gets its name later is not trusted';
COMMENT ON COLUMN zentry_notify.event_source.progress IS
    'For milestone_reached: {"group": column of the project, "status": column, "done": its value}; the trigger records the change, and the worker counts';

COMMENT ON COLUMN zentry_notify.event_source.suspended_at IS 'Since when its columns or lookups fail: its events are captured without the values that those gave. zentry_attach resumes it';
COMMENT ON COLUMN zentry_notify.event_source.insert_when IS 'Condition of the insert trigger, as it was given; for display, never executed; null: there is no such trigger';

COMMENT ON COLUMN zentry_notify.event_source.update_when IS 'Condition of the update trigger, as it was given; null: there is no such trigger';

COMMENT ON COLUMN zentry_notify.event_source.delete_when IS 'Condition of the delete trigger, as it was given; null: there is no such trigger';

DROP TRIGGER check_api_token ON zentry_notify.api_token;
ALTER TABLE zentry_notify.api_token ADD COLUMN role_oid oid;
UPDATE zentry_notify.api_token t SET role_oid = r.oid FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) t.role_name;
COMMENT ON COLUMN zentry_notify.api_token.role_name IS 'Name, when the token was created, of the role that requests with it run as. It is stored so that a dump can be restored';
COMMENT ON COLUMN zentry_notify.api_token.role_oid IS
    'OID of that role: the token stays with the role when it is renamed, and never passes to another role of the same name';

CREATE TABLE zentry_notify.audit_entry (
    id           uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    changed_at   timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    transaction  xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    session_role name NOT NULL,
    role_name    name NOT NULL,
    api_token    varchar(100),
    object_type  text NOT NULL,
    object_key   text,
    object_name  text,
    webhook_id   bigint,
    operation    text NOT NULL,
    changes      jsonb NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(changes) OPERATOR(pg_catalog.=) 'object')
);
CREATE INDEX audit_entry_age ON zentry_notify.audit_entry (changed_at);
COMMENT ON TABLE zentry_notify.audit_entry IS
    'Audit log: who changed which configuration, and when, without secrets. Triggers on the tables write it; entries older than zentry_notify.log_retention are deleted';
COMMENT ON INDEX zentry_notify.audit_entry_age IS 'Entries by age';
COMMENT ON COLUMN zentry_notify.audit_entry.id IS 'Id of the entry';
COMMENT ON COLUMN zentry_notify.audit_entry.changed_at IS 'When the change was made';
COMMENT ON COLUMN zentry_notify.audit_entry.transaction IS 'Transaction id; changes of one transaction have the same';
COMMENT ON COLUMN zentry_notify.audit_entry.session_role IS 'The role that logged in; for the REST API and the admin pages, the server''s role';
COMMENT ON COLUMN zentry_notify.audit_entry.role_name IS
    'The role that made the change: the same, or the one set by SET ROLE; zentry_notify_agent: the worker, when it switches off a webhook';
COMMENT ON COLUMN zentry_notify.audit_entry.api_token IS 'Name of the token, if the change came through the REST API or the admin pages; null: it did not';
COMMENT ON COLUMN zentry_notify.audit_entry.object_type IS 'webhook (includes its secrets), event_type, wording, event_source or api_token';
COMMENT ON COLUMN zentry_notify.audit_entry.object_key IS
    'Key of the object: a webhook''s id, an event type''s name, the event type of a wording or event source, a token''s key; null: all (TRUNCATE)';
COMMENT ON COLUMN zentry_notify.audit_entry.object_name IS
    'Name of the object at that time: a webhook''s name, the name of a wording''s webhook, an event source''s table, a token''s name';
COMMENT ON COLUMN zentry_notify.audit_entry.webhook_id IS 'The webhook that was changed or that the wording is for; null: none, or all';
COMMENT ON COLUMN zentry_notify.audit_entry.operation IS 'insert, update, delete or truncate';
COMMENT ON COLUMN zentry_notify.audit_entry.changes IS
    'Column -> {"old": value, "new": value}. Secrets are not shown: a URL without its secret part, names of headers, *** for a secret or a hash';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.audit_entry', '');

-- ---- New CHECK constraints. Rows that do not fulfil them were written without the checks of the functions, and are changed or deleted. ----

UPDATE zentry_notify.event_type SET fields = '[]' WHERE pg_catalog.jsonb_typeof(fields) OPERATOR(pg_catalog.<>) 'array';
UPDATE zentry_notify.event_type SET sample = NULL WHERE pg_catalog.jsonb_typeof(sample) OPERATOR(pg_catalog.<>) 'object';
UPDATE zentry_notify.event_wording SET fields = NULL WHERE pg_catalog.jsonb_typeof(fields) OPERATOR(pg_catalog.<>) 'array';
UPDATE zentry_notify.webhook SET event_types = '[]' WHERE pg_catalog.jsonb_typeof(event_types) OPERATOR(pg_catalog.<>) 'array';
DELETE FROM zentry_notify.event_source
 WHERE 'object' OPERATOR(pg_catalog.<>) ANY (ARRAY[pg_catalog.jsonb_typeof(columns), pg_catalog.jsonb_typeof(audience),
                                                   pg_catalog.jsonb_typeof(coalesce(progress, '{}')), pg_catalog.jsonb_typeof(coalesce(transition, '{}'))]);
ALTER TABLE zentry_notify.event_type ADD CHECK (pg_catalog.jsonb_typeof(fields) OPERATOR(pg_catalog.=) 'array'),
    ADD CHECK (pg_catalog.jsonb_typeof(sample) OPERATOR(pg_catalog.=) 'object');
ALTER TABLE zentry_notify.event_wording ADD CHECK (pg_catalog.jsonb_typeof(fields) OPERATOR(pg_catalog.=) 'array');
ALTER TABLE zentry_notify.webhook ADD CHECK (pg_catalog.jsonb_typeof(event_types) OPERATOR(pg_catalog.=) 'array');
ALTER TABLE zentry_notify.event_source ADD CHECK (pg_catalog.jsonb_typeof(columns) OPERATOR(pg_catalog.=) 'object'),
    ADD CHECK (pg_catalog.jsonb_typeof(audience) OPERATOR(pg_catalog.=) 'object'),
    ADD CHECK (pg_catalog.jsonb_typeof(progress) OPERATOR(pg_catalog.=) 'object'),
    ADD CHECK (pg_catalog.jsonb_typeof(transition) OPERATOR(pg_catalog.=) 'object');

-- ---- Functions that no longer exist. ----

DROP FUNCTION zentry_notify.hear_every_update();
DROP FUNCTION zentry_notify.set_aside_triggers(pg_catalog.regclass, pg_catalog.text[]);
DROP FUNCTION zentry_notify.put_back_triggers(pg_catalog.jsonb);
DROP FUNCTION zentry_notify.of_clause(pg_catalog.regclass, pg_catalog.text[]);
DROP FUNCTION zentry_notify.require_membership(pg_catalog.name);
DROP FUNCTION zentry_notify.attach_source(pg_catalog.text, pg_catalog.regclass, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.text,
    pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text[], pg_catalog.bool);
DROP FUNCTION zentry_notify.put_trigger(pg_catalog.regclass, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text);
DROP FUNCTION zentry_notify.inheritors(pg_catalog.regclass);
DROP FUNCTION zentry_notify.render_event(pg_catalog.jsonb, pg_catalog.text, pg_catalog.jsonb);
-- Functions that have other parameters now.
DROP FUNCTION zentry_notify.status_worker(pg_catalog.bool, pg_catalog.timestamptz, pg_catalog.int4, pg_catalog.timestamptz);
DROP FUNCTION @extschema@.zentry_register_webhook(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text[], pg_catalog.bool,
    pg_catalog.int8, pg_catalog.text[], pg_catalog.text, pg_catalog.int4, pg_catalog.int4[], pg_catalog.text, pg_catalog.text);
DROP FUNCTION @extschema@.zentry_update_webhook(pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text[],
    pg_catalog.bool, pg_catalog.text[], pg_catalog.text, pg_catalog.int4, pg_catalog.int4[], pg_catalog.text, pg_catalog.text);
DROP FUNCTION @extschema@.zentry_register_event_type(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.json, pg_catalog.text, pg_catalog.text,
    pg_catalog.text, pg_catalog.text, pg_catalog.jsonb);
DROP FUNCTION @extschema@.zentry_set_wording(pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.json, pg_catalog.text,
    pg_catalog.text, pg_catalog.text);
DROP FUNCTION zentry_notify.put_wording(pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.json, pg_catalog.text,
    pg_catalog.text, pg_catalog.text);
DROP FUNCTION @extschema@.zentry_preview(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.int8);

-- ---- Comments of tables that 0.2.0 has, in other words. ----

COMMENT ON SCHEMA zentry_notify IS 'Tables and views of zentry_notify, which turns writes to application tables into messages to Discord, Microsoft Teams, Slack and other webhooks';
COMMENT ON TABLE zentry_notify.event_type IS 'Event types: what webhooks subscribe to, and what the messages say. title, text and the values in fields are templates in Jinja''s language over the event''s data';
COMMENT ON COLUMN zentry_notify.event_type.name IS 'Name of the event type, used in deliveries, filters and payloads';
COMMENT ON COLUMN zentry_notify.event_type.title IS 'Title of the message; a template';
COMMENT ON COLUMN zentry_notify.event_type.built_in IS 'Whether the event type comes with the extension';
COMMENT ON COLUMN zentry_notify.event_type.text IS 'Text of the message; a template in which ** switches bold on and off';
COMMENT ON COLUMN zentry_notify.event_type.fields IS 'Fields of the message: array of {"name", "value"}, where value is a template; a field whose value is empty is left out';
COMMENT ON COLUMN zentry_notify.event_type.colour IS 'Colour of the message, #rrggbb';
COMMENT ON COLUMN zentry_notify.event_type.emoji IS 'Emoji before the title';
COMMENT ON COLUMN zentry_notify.event_type.footer IS 'Footer of the message';
COMMENT ON COLUMN zentry_notify.event_type.time_key IS 'Key of the data that holds the event''s own time; null: the time of the write is used';
COMMENT ON COLUMN zentry_notify.event_type.sample IS 'Sample data, used for previews and test messages';
COMMENT ON TABLE zentry_notify.webhook_circuit IS 'Failing webhooks: one delivery at a time is tried, at growing intervals';
COMMENT ON COLUMN zentry_notify.webhook_circuit.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_circuit.opened_at IS 'Since when the webhook is failing';
COMMENT ON COLUMN zentry_notify.webhook_circuit.next_try_at IS 'Time of the next try';
COMMENT ON COLUMN zentry_notify.webhook_circuit.error_message IS 'Last error';
COMMENT ON TABLE zentry_notify.webhook_count IS 'Totals of each webhook''s deliveries since it was registered; they are kept when rows of the log are deleted';
COMMENT ON COLUMN zentry_notify.webhook_count.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_count.sent IS 'Number of sent deliveries';
COMMENT ON COLUMN zentry_notify.webhook_count.failed IS 'Number of failed deliveries';
COMMENT ON COLUMN zentry_notify.webhook_count.last_sent_at IS 'When the last delivery was sent';
COMMENT ON COLUMN zentry_notify.webhook_count.last_failed_at IS 'When the last delivery failed for good';
COMMENT ON COLUMN zentry_notify.webhook_count.last_error IS 'Error of the last delivery that failed for good';
COMMENT ON TABLE zentry_notify.event_source IS 'Event sources: attached tables, and how their triggers turn a row into an event';
COMMENT ON COLUMN zentry_notify.event_source.id IS 'Id of the event source';
COMMENT ON COLUMN zentry_notify.event_source.event_type IS 'The event type that a write to the table fires';
COMMENT ON COLUMN zentry_notify.event_source.relation IS 'The attached table';
COMMENT ON COLUMN zentry_notify.event_source.columns IS 'Where the data come from: key of the event''s data -> column name, or {"old": column name} for the value before the write, or {"from": table, "match": its key, "key": column or another lookup, "column": its column}, or {"value": constant}, or {"expression": SQL over the row "new", "columns": the columns that it uses}';
COMMENT ON COLUMN zentry_notify.event_source.audience IS 'Whose webhooks get the event: {"all": true}, {"project": key of the data}, or {"person": key of the data, "projects": [{"from", "match", "column"}]} for the projects of that person';
COMMENT ON COLUMN zentry_notify.event_source.suspended_reason IS 'Error of the columns or lookups';
COMMENT ON COLUMN zentry_notify.event_source.by_hand IS 'Whether it was attached with arguments of its own, which zentry_attach() does not replace';
COMMENT ON COLUMN zentry_notify.event_source.rider IS 'Another event type of the same table that these triggers fire as well, to save a second trigger';
COMMENT ON COLUMN zentry_notify.event_source.omit IS 'Keys that are left out of the data for all webhooks, such as {task_description}: their columns are not read. zentry_attach keeps it';
COMMENT ON COLUMN zentry_notify.event_source.transition IS 'The change that fires the event: {"column": column, "to": text}. The trigger function checks it, because PostgreSQL parses a WHEN again for each statement; null: WHEN alone decides';
COMMENT ON TABLE zentry_notify.project_progress IS 'Highest progress seen of each project: a milestone at or below it is not fired again';
COMMENT ON COLUMN zentry_notify.project_progress.event_source_id IS 'The event source of milestone_reached';
COMMENT ON COLUMN zentry_notify.project_progress.project_key IS 'Id of the project, as text';
COMMENT ON COLUMN zentry_notify.project_progress.highest IS 'Highest progress, 0 to 100 per cent';
COMMENT ON TABLE zentry_notify.delivery_stat IS 'Counters of each webhook and event type: by the minute for the last hours, by the hour for as long as the log is kept, and in total. The worker updates them';
COMMENT ON COLUMN zentry_notify.delivery_stat.span IS 'Period that the row covers: minute, hour or ever';
COMMENT ON COLUMN zentry_notify.delivery_stat.since IS 'When the minute or hour began; -infinity for ever';
COMMENT ON COLUMN zentry_notify.delivery_stat.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.delivery_stat.event_type IS 'The event type; *: all of them. (A request whose message holds several event types counts once for each of them and once for *)';
COMMENT ON COLUMN zentry_notify.delivery_stat.sent IS 'Number of sent deliveries';
COMMENT ON COLUMN zentry_notify.delivery_stat.failed IS 'Number of failed deliveries';
COMMENT ON COLUMN zentry_notify.delivery_stat.retried IS 'Number of times that a delivery failed and was scheduled again';
COMMENT ON COLUMN zentry_notify.delivery_stat.requests IS 'Number of requests that held such an event, whatever the response';
COMMENT ON COLUMN zentry_notify.delivery_stat.messages IS 'Number of requests that the endpoint accepted';
COMMENT ON COLUMN zentry_notify.delivery_stat.rate_limited IS 'Number of requests that met a rate limit';
COMMENT ON COLUMN zentry_notify.delivery_stat.latency_sum IS 'Sum of the latencies of all sent deliveries, from the event to the response, in seconds';
COMMENT ON COLUMN zentry_notify.delivery_stat.latency IS 'Histogram of the latencies: a count for each of zentry_notify.latency_bounds(), and one for longer ones';
COMMENT ON INDEX zentry_notify.event_wording_of IS 'At most one wording for an event type and a webhook';
COMMENT ON COLUMN zentry_notify.event_wording.id IS 'Id of the wording';
COMMENT ON COLUMN zentry_notify.event_wording.webhook_integration_id IS 'The webhook whose messages it applies to; null: all';
COMMENT ON COLUMN zentry_notify.event_wording.fields IS 'As event_type.fields, and replaces all of them';
COMMENT ON COLUMN zentry_notify.event_wording.created_at IS 'When it was created';
COMMENT ON TABLE zentry_notify.api_token IS 'Tokens of the REST API, as hashes. zentry_create_api_token and zentry_revoke_api_token write them';
COMMENT ON COLUMN zentry_notify.api_token.token_key IS 'First part of the token, after "zentry_". Not secret: it identifies the token in lists and logs';
COMMENT ON COLUMN zentry_notify.api_token.name IS 'What the token is for, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.api_token.token_hash IS 'SHA-256 of the whole token. There is no salt, because the token''s secret is 256 random bits';
COMMENT ON COLUMN zentry_notify.api_token.created_by IS 'The role that created it';
COMMENT ON COLUMN zentry_notify.api_token.created_at IS 'When it was created';
COMMENT ON COLUMN zentry_notify.api_token.expires_at IS 'When it expires; null: it is valid until it is revoked';
COMMENT ON COLUMN zentry_notify.api_token.last_used_at IS 'When a request last used it, to the minute';

-- ---- 12_senders.sql ----

-- Senders, which are processes on other machines (zentry-notify send), and the queues that they hold. Both tables are empty while zentry_notify.senders
-- is local. They are not dumped, because they are about sessions of this server.

CREATE TABLE zentry_notify.sender (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL,
    process         integer NOT NULL,
    session_started timestamptz NOT NULL,
    began_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    patience        interval NOT NULL,
    banned_until    timestamptz
);
COMMENT ON TABLE zentry_notify.sender IS
    'Sessions of zentry-notify send, one row each. The row of a session that has ended holds no queues, and is deleted when the next sender or the worker checks';
COMMENT ON COLUMN zentry_notify.sender.id IS 'Id of the sender, which its session passes with each call';
COMMENT ON COLUMN zentry_notify.sender.name IS 'Name of the machine, for display';
COMMENT ON COLUMN zentry_notify.sender.process IS 'Process id (PID) of its session in the server';
COMMENT ON COLUMN zentry_notify.sender.session_started IS 'When that process began: with the PID it tells whether the session still exists';
COMMENT ON COLUMN zentry_notify.sender.began_at IS 'When it began to send';
COMMENT ON COLUMN zentry_notify.sender.patience IS 'How long the server waits for a sign of life before it ends the session';
COMMENT ON COLUMN zentry_notify.sender.banned_until IS 'Until when Discord blocks its address; null: it is not blocked';

CREATE TABLE zentry_notify.sender_queue (
    webhook_integration_id bigint PRIMARY KEY,
    sender_id              bigint,
    epoch                  bigint NOT NULL DEFAULT 0,
    recalled               boolean NOT NULL DEFAULT false,
    asked                  text CHECK (asked IN ('retry', 'resume'))
) WITH (fillfactor = 50);
COMMENT ON TABLE zentry_notify.sender_queue IS
    'Endpoint queues that senders may hold, and their holders. The worker sends those that are not in this table: it adds a queue when it has no requests of it in flight';
COMMENT ON COLUMN zentry_notify.sender_queue.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.sender_queue.sender_id IS 'The sender that holds it; null: none';
COMMENT ON COLUMN zentry_notify.sender_queue.epoch IS 'Raised each time that the queue is taken: reports of earlier holders are refused';
COMMENT ON COLUMN zentry_notify.sender_queue.recalled IS 'Whether the worker wants it back: the holder releases it as soon as no request of it is in flight';
COMMENT ON COLUMN zentry_notify.sender_queue.asked IS 'A user''s request that the holder has not been told of yet. retry: waiting deliveries are due now; resume: also if the endpoint has asked to wait; null: none';

-- ---- 13_rust_functions.sql ----

-- The functions that are written in Rust; src/ has them under the same names.

CREATE OR REPLACE FUNCTION zentry_notify.capture() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'capture_wrapper';
COMMENT ON FUNCTION zentry_notify.capture() IS 'Trigger on attached tables: records the event if a webhook hears it';

CREATE OR REPLACE FUNCTION zentry_notify.configuration_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'configuration_changed_wrapper';
COMMENT ON FUNCTION zentry_notify.configuration_changed() IS 'Trigger: makes every session and the worker read the configuration again';

CREATE OR REPLACE FUNCTION zentry_notify.refuse(
    condition text, message text, hint text DEFAULT NULL, column_name text DEFAULT NULL, detail text DEFAULT NULL) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'refuse_wrapper';
COMMENT ON FUNCTION zentry_notify.refuse(text, text, text, text, text) IS
    'Raises an error of that condition, as RAISE does, but without the extension''s own functions in its CONTEXT';

CREATE OR REPLACE FUNCTION zentry_notify.check_webhook_url(webhook_type text, webhook_url text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_webhook_url_wrapper';
COMMENT ON FUNCTION zentry_notify.check_webhook_url(text, text) IS 'Raises an error unless the URL is one that webhooks of this type have, and the settings permit its host';

CREATE OR REPLACE FUNCTION zentry_notify.check_webhook_type(webhook_type text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_webhook_type_wrapper';
COMMENT ON FUNCTION zentry_notify.check_webhook_type(text) IS 'Raises an error, which names the types of webhooks, unless this is one of them';

CREATE OR REPLACE FUNCTION zentry_notify.check_room_for_webhook() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_room_for_webhook_wrapper';
COMMENT ON FUNCTION zentry_notify.check_room_for_webhook() IS 'Raises an error if there are as many webhooks as zentry_notify.max_webhooks allows';

CREATE OR REPLACE FUNCTION zentry_notify.type_has(webhook_type text, setting text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'type_has_wrapper';
COMMENT ON FUNCTION zentry_notify.type_has(text, text) IS 'Whether webhooks of this type have this setting, one of those in zentry_webhook_types(); null: there is no such type';

CREATE OR REPLACE FUNCTION @extschema@.zentry_webhook_types()
    RETURNS TABLE (webhook_type text, label text, url text, mention text, settings text[], formats text[])
    LANGUAGE c STABLE PARALLEL SAFE ROWS 8 AS 'MODULE_PATHNAME', 'zentry_webhook_types_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_webhook_types() IS
    'Returns the types of webhooks. label: what people call the type; url: the form of its URL; mention: how mention is written; settings: those that it has of the settings that not every type has; formats: those in which zentry_preview shows its messages';

CREATE OR REPLACE FUNCTION zentry_notify.settings_in_the_way(
    webhook_type text, webhook_url text, allowed_hosts text, allow_http boolean, allow_private_addresses boolean) RETURNS TABLE (setting text, needed text)
    LANGUAGE c STABLE STRICT ROWS 1 AS 'MODULE_PATHNAME', 'settings_in_the_way_wrapper';
COMMENT ON FUNCTION zentry_notify.settings_in_the_way(text, text, text, boolean, boolean) IS
    'Returns which of these settings forbid requests to the URL, and the value that each would need; of allowed_hosts, the entry that it lacks';

CREATE OR REPLACE FUNCTION zentry_notify.check_mention(webhook_type text, webhook_url text, mention text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_mention_wrapper';
COMMENT ON FUNCTION zentry_notify.check_mention(text, text, text) IS 'Raises an error unless messages to such a webhook can have this mention';

CREATE OR REPLACE FUNCTION zentry_notify.check_quiet_hours(quiet_hours text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_quiet_hours_wrapper';
COMMENT ON FUNCTION zentry_notify.check_quiet_hours(text) IS 'Raises an error unless the text is valid as quiet hours';

CREATE OR REPLACE FUNCTION zentry_notify.check_rate_limit(rate_limit text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_rate_limit_wrapper';
COMMENT ON FUNCTION zentry_notify.check_rate_limit(text) IS 'Raises an error unless the text is a rate, such as 25/5min';

CREATE OR REPLACE FUNCTION zentry_notify.rate_of(webhook_type text, webhook_url text, rate_limit text) RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'rate_of_wrapper';
COMMENT ON FUNCTION zentry_notify.rate_of(text, text, text) IS
    'Returns the rate at which messages are sent to such a webhook: its own, or zentry_notify.teams_rate for Microsoft''s hosts; null: neither limits it';

CREATE OR REPLACE FUNCTION zentry_notify.rate_opens_at(rates text[], posted_at timestamptz[]) RETURNS timestamptz
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rate_opens_at_wrapper';
COMMENT ON FUNCTION zentry_notify.rate_opens_at(text[], timestamptz[]) IS
    'Returns when the lowest of the rates permits the next message, after those that were posted at these times; null: at once';

CREATE OR REPLACE FUNCTION zentry_notify.lowest_rate(rates text[]) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'lowest_rate_wrapper';
COMMENT ON FUNCTION zentry_notify.lowest_rate(text[]) IS 'Returns the lowest of the rates; null: none limits anything';

CREATE OR REPLACE FUNCTION zentry_notify.check_digest(digest text, quiet_hours text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_digest_wrapper';
COMMENT ON FUNCTION zentry_notify.check_digest(text, text) IS 'Raises an error unless the text is valid as a digest; its time zone is that of the quiet hours unless it names one';

CREATE OR REPLACE FUNCTION zentry_notify.digest_due(digest text, quiet_hours text, first_event timestamptz) RETURNS timestamptz
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'digest_due_wrapper';
COMMENT ON FUNCTION zentry_notify.digest_due(text, text, timestamptz) IS 'Returns when the digest is due whose first event happened at that time; null: the webhook has no digest';

CREATE OR REPLACE FUNCTION zentry_notify.over_age(event_at timestamptz, seconds double precision, digest text, quiet_hours text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'over_age_wrapper';
COMMENT ON FUNCTION zentry_notify.over_age(timestamptz, double precision, text, text) IS
    'Whether a delivery of an event of that time is older than so many seconds. The time before its digest is due, and in quiet hours, does not count';

CREATE OR REPLACE FUNCTION zentry_notify.has_expired(event_at timestamptz, max_age interval, digest text, quiet_hours text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT event_at < now() - max_age AND zentry_notify.over_age(event_at, extract(epoch FROM max_age)::double precision, digest, quiet_hours)
$$;
COMMENT ON FUNCTION zentry_notify.has_expired(timestamptz, interval, text, text) IS
    'Whether a delivery of an event of that time has expired for a webhook with that digest and these quiet hours';

CREATE OR REPLACE FUNCTION zentry_notify.quiet_until(quiet_hours text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'quiet_until_wrapper';
COMMENT ON FUNCTION zentry_notify.quiet_until(text) IS 'Returns when the quiet hours of now end; null: there are none now';

CREATE OR REPLACE FUNCTION zentry_notify.redact_url(webhook_url text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'redact_url_wrapper';
COMMENT ON FUNCTION zentry_notify.redact_url(text) IS 'Returns the URL without its secret';

CREATE OR REPLACE FUNCTION zentry_notify.built_in_event_types() RETURNS TABLE (definition jsonb, sample jsonb)
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'built_in_event_types_wrapper';
COMMENT ON FUNCTION zentry_notify.built_in_event_types() IS 'Returns the definition and a sample of each built-in event type';

CREATE OR REPLACE FUNCTION zentry_notify.languages() RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'languages_wrapper';
COMMENT ON FUNCTION zentry_notify.languages() IS 'Returns the languages that messages can be in, such as de';

CREATE OR REPLACE FUNCTION zentry_notify.language_words(language text) RETURNS TABLE (event_type text, words jsonb)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 6 AS 'MODULE_PATHNAME', 'language_words_wrapper';
COMMENT ON FUNCTION zentry_notify.language_words(text) IS 'Returns what the messages of the built-in event types, and the test message, say in a language';

CREATE OR REPLACE FUNCTION zentry_notify.check_definition(definition jsonb, sample jsonb, known text[]) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_definition_wrapper';
COMMENT ON FUNCTION zentry_notify.check_definition(jsonb, jsonb, text[]) IS
    'Raises an error unless the definition makes messages, of the sample too, and warns of each key that its templates use and that is not a known one';

CREATE OR REPLACE FUNCTION zentry_notify.ordered_fields(fields text) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ordered_fields_wrapper';
COMMENT ON FUNCTION zentry_notify.ordered_fields(text) IS 'Returns the fields of a message, a JSON object, as an array in the order in which they were written';

CREATE OR REPLACE FUNCTION zentry_notify.placeholder_event(definition jsonb) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'placeholder_event_wrapper';
COMMENT ON FUNCTION zentry_notify.placeholder_event(jsonb) IS 'Returns an object with each key that the definition''s templates use; its value is the key''s name in words';

CREATE OR REPLACE FUNCTION zentry_notify.event_message(definition jsonb, format text, data jsonb, stored text, mention text) RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'event_message_wrapper';
COMMENT ON FUNCTION zentry_notify.event_message(jsonb, text, jsonb, text, text) IS
    'Returns the message of an event as it is posted, in a format of zentry_webhook_types() or in that of a type. stored: what appearance_of returns';

CREATE OR REPLACE FUNCTION zentry_notify.check_appearance(username text, avatar_url text, thread_name text, applied_tags text[], thread_by text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_appearance_wrapper';
COMMENT ON FUNCTION zentry_notify.check_appearance(text, text, text, text[], text) IS 'Raises an error unless the services accept messages with this appearance';

CREATE OR REPLACE FUNCTION zentry_notify.check_thread(webhook_type text, webhook_url text, thread_name text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_thread_wrapper';
COMMENT ON FUNCTION zentry_notify.check_thread(text, text, text) IS 'Raises an error if the URL names a thread of Discord already: a message goes either there or to a new one';

CREATE OR REPLACE FUNCTION zentry_notify.make_secret() RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'make_secret_wrapper';
COMMENT ON FUNCTION zentry_notify.make_secret() IS 'Returns a new random secret to sign by';

CREATE OR REPLACE FUNCTION zentry_notify.check_signing(webhook_type text, secret text, headers text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_signing_wrapper';
COMMENT ON FUNCTION zentry_notify.check_signing(text, text, text) IS
    'Raises an error unless webhooks of this type can have the secret (to sign by, or as credentials), and requests the headers';

CREATE OR REPLACE FUNCTION zentry_notify.check_keys(parameter text, keys text[], known text[], certain boolean) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_keys_wrapper';
COMMENT ON FUNCTION zentry_notify.check_keys(text, text[], text[], boolean) IS
    'Warns of each key that is not a known one. Raises an error for one that is a misspelling of a known one, if certain says that all keys are known';

CREATE OR REPLACE FUNCTION zentry_notify.filter_keys(filter text) RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'filter_keys_wrapper';
COMMENT ON FUNCTION zentry_notify.filter_keys(text) IS 'Returns the keys of the data that a filter uses';

CREATE OR REPLACE FUNCTION zentry_notify.has_variables(filter text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'has_variables_wrapper';
COMMENT ON FUNCTION zentry_notify.has_variables(text) IS 'Whether a filter has variables, such as $name: nothing gives them a value';

CREATE OR REPLACE FUNCTION zentry_notify.ended_service(webhook_type text, webhook_url text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'ended_service_wrapper';
COMMENT ON FUNCTION zentry_notify.ended_service(text, text) IS 'Returns why the service that the URL belongs to no longer exists, and what to do; null: it is not known to have ended';

CREATE OR REPLACE FUNCTION zentry_notify.webhook_format(webhook_type text, webhook_url text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'webhook_format_wrapper';
COMMENT ON FUNCTION zentry_notify.webhook_format(text, text) IS 'Returns the format of the messages to that URL, one of those in zentry_webhook_types()';

CREATE OR REPLACE FUNCTION zentry_notify.wake(webhook_ids bigint[], overdue boolean DEFAULT false) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wake_wrapper';
COMMENT ON FUNCTION zentry_notify.wake(bigint[], boolean) IS
    'Wakes the worker at commit to look at what waits for these webhooks; overdue: also at what waits for its next attempt';

CREATE OR REPLACE FUNCTION zentry_notify.resume(webhook_id bigint) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'resume_wrapper';
COMMENT ON FUNCTION zentry_notify.resume(bigint) IS 'Makes the worker try the webhook''s endpoint at commit, even if that has asked it to wait';

CREATE OR REPLACE FUNCTION zentry_notify.wake_for_senders() RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wake_for_senders_wrapper';
COMMENT ON FUNCTION zentry_notify.wake_for_senders() IS 'Makes the worker read at commit which queues are for senders, and which are its own again';

CREATE OR REPLACE FUNCTION zentry_notify.lost_events() RETURNS bigint
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lost_events_wrapper';
COMMENT ON FUNCTION zentry_notify.lost_events() IS 'Returns how many events of this database could not be written since the server started';

CREATE OR REPLACE FUNCTION zentry_notify.warn_unless_preloaded() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'warn_unless_preloaded_wrapper';
COMMENT ON FUNCTION zentry_notify.warn_unless_preloaded() IS 'Warns that nothing will be sent if shared_preload_libraries lacks zentry_notify';

CREATE OR REPLACE FUNCTION zentry_notify.library_version() RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'library_version_wrapper';
COMMENT ON FUNCTION zentry_notify.library_version() IS
    'Returns the version of the library that this session has loaded; pg_extension.extversion is that of the SQL, and both have to be the same';

CREATE OR REPLACE FUNCTION zentry_notify.put_api_token(token_key text, name text, role oid, token_hash bytea, expires_at timestamptz) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'put_api_token_wrapper';
COMMENT ON FUNCTION zentry_notify.put_api_token(text, text, oid, bytea, timestamptz) IS
    'Writes a token of the REST API; an error unless the caller has the privileges of its role';

CREATE OR REPLACE FUNCTION zentry_notify.drop_api_token(name text) RETURNS boolean
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'drop_api_token_wrapper';
COMMENT ON FUNCTION zentry_notify.drop_api_token(text) IS
    'Removes a token of the REST API; an error unless the caller has the privileges of its role, or that role is gone. Returns false if there is no such token';

CREATE OR REPLACE FUNCTION @extschema@.zentry_test_webhook(webhook_id bigint, test_message text DEFAULT 'Test message from Zentry!')
    RETURNS TABLE (log_id bigint, status text, response_status_code integer, error_message text)
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin ROWS 1
    AS 'MODULE_PATHNAME', 'zentry_test_webhook_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_test_webhook(bigint, text) IS
    'Posts a message to the webhook at once, waits for the answer, and returns the outcome, which is also in the log';
-- ---- 14_rules.sql ----

-- The rules for rows of the extension's tables. They are triggers, so they hold however a row is written.

CREATE OR REPLACE FUNCTION zentry_notify.is_restoring() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Scripts of pg_dump and pg_restore switch this setting off; hardly anything else does.
    SELECT NOT current_setting('check_function_bodies')::boolean
$$;
COMMENT ON FUNCTION zentry_notify.is_restoring() IS
    'Whether this session restores a dump. Then a row may come before the row that it refers to, which is not looked for';

CREATE OR REPLACE FUNCTION zentry_notify.check_filters(filter jsonpath, min_streak_days integer, milestones integer[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF min_streak_days < 1 THEN
        PERFORM zentry_notify.refuse('check_violation', format('min_streak_days must be at least 1, not %s', min_streak_days),
            'Null stands for all streaks.', 'min_streak_days');
    END IF;
    IF milestones = '{}' OR array_ndims(milestones) > 1 OR NOT (1 <= ALL (milestones) AND 100 >= ALL (milestones)) OR array_position(milestones, NULL) IS NOT NULL THEN
        PERFORM zentry_notify.refuse('check_violation', format('milestones must be numbers from 1 to 100, not %s', milestones),
            'For example {50,100}; null stands for all milestones.', 'milestones');
    END IF;
    -- Wherever it is: a part of the filter may be evaluated for some events only.
    IF zentry_notify.has_variables(filter::text) THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter has a variable, which nothing gives a value: %s', filter),
            'Write the value itself, such as $.points > 20; a key of the data begins with $ and a dot.', 'filter');
    END IF;
    -- On empty data a predicate is false or unknown; any other path does not return a single truth value, which is an error.
    BEGIN
        PERFORM jsonb_path_match_tz('{}', filter, '{}', false);
    EXCEPTION WHEN data_exception THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter is not a predicate: %s', filter),
            'Write a comparison or another test, such as $.points > 20 && $.project_name starts with "Web"; not $ ? (@.points > 20).', 'filter');
    END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_filters(jsonpath, integer, integer[]) IS 'Raises an error unless these three can restrict what a webhook hears';

-- The parameter is an integer, so that a number that is too large for the column (smallint) gets the same error.
CREATE OR REPLACE FUNCTION zentry_notify.check_most_events(max_events_per_message integer) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF max_events_per_message NOT BETWEEN 1 AND 10 THEN
        PERFORM zentry_notify.refuse('check_violation', format('max_events_per_message must be 1 to 10, not %s', max_events_per_message),
            'A message has room for ten events.', 'max_events_per_message');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_most_events(integer) IS 'Raises an error unless a message has room for so many events';

-- The keys are known from the samples and sources of the event types: all of them, if each type has a sample or a source.
CREATE OR REPLACE FUNCTION zentry_notify.check_keys_of(parameter text, keys text[], event_types jsonb) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known   text[];
    certain boolean;
BEGIN
    -- Keys of all types, also of those that the webhook does not hear: a key of another type is not a misspelling.
    SELECT array_agg(DISTINCT k.key), bool_and(k.key IS NOT NULL) FILTER (WHERE event_types ?| ARRAY['*', t.name]) INTO known, certain
      FROM zentry_notify.event_type t
      LEFT JOIN LATERAL (SELECT jsonb_object_keys(CASE jsonb_typeof(t.sample) WHEN 'object' THEN t.sample ELSE '{}' END) AS key
                          UNION ALL
                         SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = t.name) k ON true;
    PERFORM zentry_notify.check_keys(parameter, keys, array_remove(known, NULL), certain);
END
$$;
COMMENT ON FUNCTION zentry_notify.check_keys_of(text, text[], jsonb) IS 'Warns of each key that no event''s data have. Raises an error for one that is a misspelling, if all keys of these event types are known';

-- The rules for a row of webhook. write_integration checks the URL, which is in another table.
CREATE OR REPLACE FUNCTION zentry_notify.check_webhook() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text;
    long    text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        NEW.updated_at := now();
    ELSE
        -- The id is in use again, so the worker must not remove its log.
        DELETE FROM zentry_notify.deleted_webhook d WHERE d.webhook_integration_id = NEW.id;
    END IF;
    SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) INTO missing
      FROM pg_attribute a
     WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND a.attnotnull AND to_jsonb(NEW) -> a.attname::text = 'null';
    IF missing IS NOT NULL THEN
        PERFORM zentry_notify.refuse('not_null_violation', format('%s of a webhook must not be null', missing), 'Leave it out for its default.');
    END IF;
    -- Up to 2^53 - 1, the largest integer that a number in JSON holds exactly: clients read ids from JSON.
    IF TG_OP = 'INSERT' AND NEW.id NOT BETWEEN 1 AND 9007199254740991 THEN
        PERFORM zentry_notify.refuse('numeric_value_out_of_range', format('a webhook can''t have the number %s', NEW.id), 'A number is 1 to 9007199254740991.', 'id');
    END IF;
    -- Each session that writes an attached table reads which events are heard, and the worker reads the whole row: without a limit, a webhook
    -- could make every write slow.
    IF TG_OP = 'INSERT' OR (NEW.event_types, NEW.omit_keys, NEW.milestones, NEW.filter::text, NEW.quiet_hours, NEW.digest)
                           IS DISTINCT FROM (OLD.event_types, OLD.omit_keys, OLD.milestones, OLD.filter::text, OLD.quiet_hours, OLD.digest) THEN
        long := CASE WHEN octet_length(NEW.event_types::text) > 20000 THEN 'event_types'
                     WHEN octet_length(NEW.omit_keys::text) > 20000 THEN 'omit_keys'
                     WHEN octet_length(NEW.milestones::text) > 20000 THEN 'milestones'
                     WHEN octet_length(NEW.filter::text) > 20000 THEN 'filter'
                     WHEN octet_length(NEW.quiet_hours) > 1000 THEN 'quiet_hours'
                     WHEN octet_length(NEW.digest) > 1000 THEN 'digest' END;
        IF long IS NOT NULL THEN
            PERFORM zentry_notify.refuse('string_data_right_truncation', format('%s of a webhook is too long', long),
                CASE WHEN long IN ('quiet_hours', 'digest') THEN 'Make it a thousand bytes at most.' ELSE 'Make it 20,000 bytes at most.' END, long);
        END IF;
    END IF;
    PERFORM zentry_notify.check_most_events(NEW.max_events_per_message);
    IF NEW.min_interval NOT BETWEEN '0' AND '1 day' THEN
        PERFORM zentry_notify.refuse('check_violation', format('min_interval must be 0 to 1 day, not %s', NEW.min_interval),
            '0 stands for no minimum; the rates still hold.', 'min_interval');
    END IF;
    IF NEW.max_age <= '0' OR NEW.max_age > '1 year' THEN
        PERFORM zentry_notify.refuse('check_violation', format('max_age must be longer than 0 and at most a year, not %s', NEW.max_age),
            'Null stands for zentry_notify.max_age.', 'max_age');
    END IF;
    IF array_ndims(NEW.omit_keys) > 1 OR array_position(NEW.omit_keys, NULL) IS NOT NULL THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'omit_keys must be a list of keys',
            'For example {task_description}, or {} to leave nothing out.', 'omit_keys');
    END IF;
    IF btrim(NEW.name) = '' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'the name of a webhook must not be empty',
            'Give it a name that its team knows, such as ''Backend channel''.', 'name');
    END IF;
    IF NEW.quiet_hours IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.quiet_hours IS DISTINCT FROM OLD.quiet_hours) THEN
        PERFORM zentry_notify.check_quiet_hours(NEW.quiet_hours);
    END IF;
    IF NEW.rate_limit IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.rate_limit IS DISTINCT FROM OLD.rate_limit) THEN
        PERFORM zentry_notify.check_rate_limit(NEW.rate_limit);
    END IF;
    IF btrim(NEW.rate_group) = '' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'rate_group must not be empty',
            'Name whose webhooks share a rate, such as ''flows of anna@example.com'', or null for a rate of its own.', 'rate_group');
    END IF;
    IF NEW.notify_webhook_id IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.notify_webhook_id IS DISTINCT FROM OLD.notify_webhook_id) THEN
        IF NEW.notify_webhook_id = NEW.id THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', 'a webhook cannot be told of its own trouble',
                'Name another one, or null for those with notices.', 'notify_webhook_id');
        END IF;
        IF NOT zentry_notify.is_restoring() AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = NEW.notify_webhook_id) THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', format('there is no webhook with id %s to be told', NEW.notify_webhook_id),
                'SELECT id, name FROM zentry_notify.webhooks lists them; null stands for those with notices.', 'notify_webhook_id');
        END IF;
    END IF;
    -- (An unknown type, for which type_has returns null, is refused below.)
    IF NEW.digest IS NOT NULL AND zentry_notify.type_has(NEW.webhook_type, 'digest') = false THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('a webhook of type %s has no digest: it gets each event by itself', NEW.webhook_type),
            'Leave digest out.', 'digest');
    END IF;
    IF NEW.digest IS NOT NULL AND (TG_OP = 'INSERT' OR (NEW.digest, NEW.quiet_hours) IS DISTINCT FROM (OLD.digest, OLD.quiet_hours)) THEN
        PERFORM zentry_notify.check_digest(NEW.digest, NEW.quiet_hours);
    END IF;
    PERFORM zentry_notify.check_filters(NEW.filter, NEW.min_streak_days, NEW.milestones);
    PERFORM zentry_notify.check_appearance(NEW.username, NEW.avatar_url, NEW.thread_name, NEW.applied_tags, NEW.thread_by);
    IF jsonb_typeof(NEW.event_types) IS DISTINCT FROM 'array'
       OR EXISTS (SELECT FROM jsonb_array_elements(NEW.event_types) AS e WHERE jsonb_typeof(e) <> 'string') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'event_types must be a JSON array of names',
            'For example ["task_completed", "badge_earned"], or ["*"] for all.', 'event_types');
    END IF;
    IF NOT zentry_notify.is_restoring() THEN
        IF NEW.omit_keys <> '{}' AND (TG_OP = 'INSERT' OR NEW.omit_keys IS DISTINCT FROM OLD.omit_keys) THEN
            PERFORM zentry_notify.check_keys_of('omit_keys', NEW.omit_keys, NEW.event_types);
        END IF;
        IF NEW.filter IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.filter::text IS DISTINCT FROM OLD.filter::text) THEN
            PERFORM zentry_notify.check_keys_of('filter', zentry_notify.filter_keys(NEW.filter::text), NEW.event_types);
        END IF;
    END IF;
    -- Last, so that a row with several faults has the others reported first.
    PERFORM zentry_notify.check_webhook_type(NEW.webhook_type);

    IF TG_OP = 'UPDATE' AND ((NEW.is_active AND NOT OLD.is_active) OR NEW.activated_at IS DISTINCT FROM OLD.activated_at) THEN
        -- A new URL switches on again a webhook that the extension has switched off.
        NEW.is_active := NEW.is_active OR OLD.switched_off_at IS NOT NULL;
        NEW.switched_off_at := NULL;
        NEW.switched_off_reason := NULL;
        NEW.activated_at := clock_timestamp();
        DELETE FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = NEW.id;
        UPDATE zentry_notify.webhook_state s SET failures = 0, refusals = 0, limits = 0, stream_note = NULL
         WHERE s.webhook_integration_id = NEW.id AND ((s.failures, s.refusals, s.limits) <> (0, 0, 0) OR s.stream_note IS NOT NULL);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_webhook() IS 'Trigger: checks a row of webhook. A change of activated_at resets the webhook''s state: switched off, failing, failures in a row';

-- Deletes at most 10,000 deliveries, because a DELETE must not take minutes. The worker deletes the rest (forget_deleted), with what is
-- written for the webhook until this transaction commits.
CREATE OR REPLACE FUNCTION zentry_notify.forget_webhook() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.webhook_secret s WHERE s.webhook_integration_id = OLD.id;
    DELETE FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = OLD.id;
    DELETE FROM zentry_notify.webhook_state s WHERE s.webhook_integration_id = OLD.id;
    DELETE FROM zentry_notify.webhook_count c WHERE c.webhook_integration_id = OLD.id;
    DELETE FROM zentry_notify.event_wording w WHERE w.webhook_integration_id = OLD.id;
    DELETE FROM zentry_notify.delivery_stat s WHERE s.webhook_integration_id = OLD.id;
    PERFORM zentry_notify.forget_deliveries(OLD.id, 10000);
    INSERT INTO zentry_notify.deleted_webhook VALUES (OLD.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_webhook() IS 'Trigger: deletes what belongs to a deleted webhook: its URL, its state, its wordings and its log';

-- A caller of zentry_attach writes here with their own rights, so each statement is checked against the attached table's owner.
CREATE OR REPLACE FUNCTION zentry_notify.check_source() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The agent suspends sources, and no more: what a source looks up and computes has the rights of the table's owner.
    IF current_user = 'zentry_notify_agent' THEN
        IF (to_jsonb(NEW) - '{suspended_at,suspended_reason}'::text[]) IS DISTINCT FROM (to_jsonb(OLD) - '{suspended_at,suspended_reason}'::text[]) THEN
            RAISE EXCEPTION 'zentry_notify_agent may suspend a source and no more' USING ERRCODE = 'insufficient_privilege',
                HINT = 'Let the table''s owner or a superuser do it.'; -- RAISE, because the agent may not call refuse()
        END IF;
    -- The owner of the extension and superusers may also write sources of tables that no longer exist.
    ELSIF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        IF TG_OP IN ('UPDATE', 'DELETE') THEN
            PERFORM zentry_notify.require_owner(OLD.relation);
        END IF;
        IF TG_OP IN ('INSERT', 'UPDATE') THEN
            PERFORM zentry_notify.require_owner(NEW.relation);
        END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NOT zentry_notify.is_restoring() AND NOT EXISTS (SELECT FROM zentry_notify.event_type t WHERE t.name = NEW.event_type) THEN
            PERFORM zentry_notify.refuse('foreign_key_violation', format('unknown event type "%s"', NEW.event_type),
                'SELECT zentry_register_event_type(name, title) adds one.');
        END IF;
        IF NEW.event_type = 'webhook_trouble' THEN
            PERFORM zentry_notify.refuse('wrong_object_type', 'no table fires webhook_trouble',
                'The extension itself fires it when a webhook is in trouble.');
        END IF;
    END IF;
    -- A restored row has the OID that the role had in the other cluster, so the name decides.
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND NEW.written_by IS DISTINCT FROM OLD.written_by AND NEW.written_by_oid IS NOT DISTINCT FROM OLD.written_by_oid THEN
        NEW.written_by_oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.written_by);
    END IF;
    IF TG_OP <> 'DELETE' AND (array_ndims(NEW.omit) > 1 OR array_position(NEW.omit, NULL) IS NOT NULL) THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'omit must be a list of keys',
            'For example {task_description}, or {} to leave nothing out.', 'omit');
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_source() IS 'Trigger: lets the owner of the attached table write its sources, and nobody else but the extension''s owner and superusers; checks the row';

-- A separate trigger, only for changes of omit: the agent, which suspends sources, may not call these functions.
CREATE OR REPLACE FUNCTION zentry_notify.check_source_omit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT zentry_notify.is_restoring() THEN
        PERFORM zentry_notify.check_keys_of('omit', ARRAY(SELECT o FROM unnest(NEW.omit) o WHERE NOT coalesce(NEW.columns ? o, false)),
                                            jsonb_build_array(NEW.event_type));
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_source_omit() IS 'Trigger: checks the keys that a source leaves out (check_keys_of)';

-- With pg_restore --data-only, a source of the dump may be there already, because CREATE EXTENSION or zentry_attach has made it.
CREATE OR REPLACE FUNCTION zentry_notify.replace_source() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.event_source s WHERE s.relation = NEW.relation AND s.event_type = NEW.event_type;
    UPDATE zentry_notify.event_source s SET id = nextval('zentry_notify.event_source_id_seq') WHERE s.id = NEW.id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.replace_source() IS 'Trigger: lets a restored source replace that of the same table and event type, and keep its id';
-- ---- 15_event_definition.sql ----

-- What messages say: event types combined with wordings and languages, and the rules for both.

CREATE OR REPLACE VIEW zentry_notify.event_definition AS
WITH type AS (
    SELECT t.name, pg_catalog.jsonb_strip_nulls(pg_catalog.to_jsonb(t) - '{built_in,created_at,sample}'::pg_catalog.text[]) AS definition
      FROM zentry_notify.event_type t),
wording AS (
    SELECT w.event_type, w.webhook_integration_id,
           pg_catalog.jsonb_strip_nulls(pg_catalog.to_jsonb(w) - '{id,event_type,webhook_integration_id,created_at,language}'::pg_catalog.text[]) AS words
      FROM zentry_notify.event_wording w WHERE w.event_type <> '*'),
language AS (
    SELECT w.language, w.webhook_integration_id FROM zentry_notify.event_wording w WHERE w.event_type = '*'),
-- language_words has no text for event types of users: of the language these have its numbers, dates and buttons.
spoken AS (
    SELECT t.name, l.webhook_integration_id, pg_catalog.jsonb_build_object('language', l.language) || coalesce(p.words, '{}') AS words
      FROM language l CROSS JOIN type t
      LEFT JOIN LATERAL zentry_notify.language_words(l.language) p ON p.event_type = t.name),
common AS (
    SELECT t.name, t.definition || coalesce(s.words, '{}') || coalesce(w.words, '{}') AS definition
      FROM type t
      LEFT JOIN spoken s ON s.name = t.name AND s.webhook_integration_id IS NULL
      LEFT JOIN wording w ON w.event_type = t.name AND w.webhook_integration_id IS NULL),
own AS (
    SELECT w.event_type AS name, w.webhook_integration_id FROM wording w WHERE w.webhook_integration_id IS NOT NULL
     UNION
    SELECT s.name, s.webhook_integration_id FROM spoken s WHERE s.webhook_integration_id IS NOT NULL)
SELECT e.name AS event_type, NULL::bigint AS webhook_integration_id, e.definition
  FROM common e
UNION ALL
SELECT e.name, o.webhook_integration_id, e.definition || coalesce(s.words, '{}') || coalesce(w.words, '{}')
  FROM own o
  JOIN common e ON e.name = o.name
  LEFT JOIN spoken s ON s.name = o.name AND s.webhook_integration_id = o.webhook_integration_id
  LEFT JOIN wording w ON w.event_type = o.name AND w.webhook_integration_id = o.webhook_integration_id
UNION ALL
-- The test message has no row in event_type, because no webhook can subscribe to it.
SELECT p.event_type::pg_catalog.varchar(50), l.webhook_integration_id, pg_catalog.jsonb_build_object('name', p.event_type, 'language', l.language) || p.words
  FROM language l CROSS JOIN LATERAL zentry_notify.language_words(l.language) p WHERE p.event_type = 'test';
COMMENT ON VIEW zentry_notify.event_definition IS 'What the messages of each event type say: the type''s own texts, replaced by the language and the wording of the installation, and by those of the webhook. The event type test is the test message, if a language is set';
COMMENT ON COLUMN zentry_notify.event_definition.event_type IS 'The event type; test: the test message';
COMMENT ON COLUMN zentry_notify.event_definition.webhook_integration_id IS 'The webhook that has a wording or a language of its own; null: what the messages of the others say';
COMMENT ON COLUMN zentry_notify.event_definition.definition IS 'Object with name, title, text, fields, colour, emoji, footer, time_key, url, thumbnail and language; what is null is left out';

CREATE OR REPLACE FUNCTION zentry_notify.sample_event(event_type text) RETURNS jsonb
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
    SELECT coalesce(t.sample, zentry_notify.placeholder_event(d.definition))
      FROM zentry_notify.event_type t
      JOIN zentry_notify.event_definition d ON d.event_type = t.name AND d.webhook_integration_id IS NULL
     WHERE t.name = sample_event.event_type
$$;
COMMENT ON FUNCTION zentry_notify.sample_event(text) IS
    'Returns the event type''s sample, or words in the place of data if it has none; null: there is no such type';

CREATE OR REPLACE FUNCTION zentry_notify.event_keys(event_type text) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
    SELECT array_agg(DISTINCT key ORDER BY key)
      FROM (SELECT jsonb_object_keys(t.sample) FROM zentry_notify.event_type t
             WHERE t.name = event_keys.event_type AND jsonb_typeof(t.sample) = 'object'
             UNION ALL
            SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = event_keys.event_type) AS known (key)
$$;
COMMENT ON FUNCTION zentry_notify.event_keys(text) IS 'Returns the keys that the event''s data have according to its sample and its sources; null: it has neither';

CREATE OR REPLACE FUNCTION zentry_notify.check_event_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.name IS NULL OR NEW.name !~ '^[a-z][a-z0-9_]{0,39}$' OR NEW.name IN ('test', 'project_progress')
       OR NEW.name = 'webhook_trouble' AND NOT NEW.built_in THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('an event type cannot have the name "%s"', coalesce(NEW.name, '(null)')),
            'A name has up to 40 lower-case letters, digits and underscores and begins with a letter, such as release_published. "test", "project_progress" and "webhook_trouble" are taken.', 'name');
    END IF;
    IF jsonb_typeof(NEW.sample) <> 'object' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('the sample of event type "%s" must be a JSON object', NEW.name),
            'For example {"release_name": "2.0"}.', 'sample');
    END IF;
    PERFORM zentry_notify.check_definition(jsonb_strip_nulls(to_jsonb(NEW) - '{built_in,created_at,sample}'::text[]), NEW.sample,
        ARRAY(SELECT jsonb_object_keys(NEW.sample)
              UNION SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = NEW.name));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_event_type() IS 'Trigger: checks a row of event_type';

CREATE OR REPLACE FUNCTION zentry_notify.check_event_wording() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    type zentry_notify.event_type;
BEGIN
    IF NEW.event_type = '*' THEN
        IF NEW.language <> ALL (zentry_notify.languages()) THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', format('unknown language "%s"', left(NEW.language, 50)),
                format('The languages are %s.', array_to_string(zentry_notify.languages(), ', ')), 'language');
        END IF;
        RETURN NEW;
    END IF;
    SELECT t.* INTO type FROM zentry_notify.event_type t WHERE t.name = NEW.event_type;
    IF NOT FOUND AND NOT zentry_notify.is_restoring() THEN
        PERFORM zentry_notify.refuse('foreign_key_violation', format('unknown event type "%s"', NEW.event_type),
            'SELECT zentry_register_event_type(name, title) adds one.');
    END IF;
    -- The event type is still to be restored: the wording is checked by itself.
    IF type.name IS NULL THEN
        type.name := NEW.event_type;
        type.title := NEW.event_type;
        type.text := '';
        type.fields := '[]';
        type.colour := '#808080';
        type.emoji := '';
    END IF;
    PERFORM zentry_notify.check_definition(
        jsonb_strip_nulls(to_jsonb(type) - '{built_in,created_at,sample}'::text[])
          || jsonb_strip_nulls(to_jsonb(NEW) - '{id,event_type,webhook_integration_id,created_at,language}'::text[]),
        type.sample, zentry_notify.event_keys(NEW.event_type));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_event_wording() IS 'Trigger: checks a row of event_wording';
-- ---- 16_views.sql ----

-- The views that people read. No secret is in them; webhook_integration, which has URLs, is in 17_webhook_integration.sql. A column that a view
-- shows as it is in the table has the comment that it has there, which is copied at the end of that file.

CREATE OR REPLACE VIEW zentry_notify.event_data AS
SELECT e.id AS event_id,
       e.created_at,
       e.event_type::text AS event_type,
       e.data::jsonb || coalesce((SELECT x.data FROM zentry_notify.event_detail x WHERE x.event_id = e.id), '{}') AS data
  FROM zentry_notify.event e;
COMMENT ON VIEW zentry_notify.event_data IS 'Events with their data, also those that the worker has looked up';
COMMENT ON COLUMN zentry_notify.event_data.event_id IS 'The event''s id';
COMMENT ON COLUMN zentry_notify.event_data.created_at IS 'When it happened';
COMMENT ON COLUMN zentry_notify.event_data.event_type IS 'The event type';
COMMENT ON COLUMN zentry_notify.event_data.data IS 'The event''s data: those of the row, with what was looked up for it';

CREATE OR REPLACE VIEW zentry_notify.webhooks AS
SELECT w.id,
       w.name,
       w.webhook_type,
       zentry_notify.redact_url((SELECT s.webhook_url FROM zentry_notify.webhook_secret s WHERE s.webhook_integration_id = w.id)) AS webhook_url,
       w.project_id,
       w.event_types,
       w.is_active,
       CASE WHEN w.switched_off_at IS NOT NULL THEN 'gone'
            WHEN NOT w.is_active THEN 'off'
            WHEN c.webhook_integration_id IS NOT NULL THEN 'failing'
            ELSE 'active' END AS state,
       coalesce(w.switched_off_at, c.opened_at) AS state_since,
       coalesce(w.switched_off_reason, c.error_message) AS reason,
       CASE WHEN w.is_active THEN c.next_try_at END AS next_try_at,
       (SELECT count(*) FROM zentry_notify.delivery d
         WHERE d.webhook_integration_id = w.id AND d.status IN ('p', 'r'))
         + (SELECT count(*) FROM zentry_notify.legacy_delivery l
             WHERE l.webhook_integration_id = w.id AND l.status IN ('pending', 'retry')) AS pending,
       coalesce(n.sent, 0) AS sent,
       coalesce(n.failed, 0) AS failed,
       greatest(n.last_sent_at, n.last_failed_at) AS last_delivery_at,
       CASE WHEN n.last_sent_at >= n.last_failed_at OR n.last_failed_at IS NULL AND n.last_sent_at IS NOT NULL THEN 'sent'
            WHEN n.last_failed_at IS NOT NULL THEN 'failed' END AS last_status,
       w.created_by_id,
       w.max_events_per_message,
       w.min_interval,
       w.max_age,
       w.created_at,
       w.updated_at,
       w.omit_keys,
       w.filter::text AS filter,
       w.min_streak_days,
       w.milestones,
       w.quiet_hours,
       CASE WHEN w.is_active THEN
           greatest(zentry_notify.quiet_until(w.quiet_hours),
                    CASE WHEN w.digest IS NOT NULL THEN
                        (SELECT nullif(greatest(zentry_notify.digest_due(w.digest, w.quiet_hours, e.created_at), now()), now())
                           FROM zentry_notify.event e
                          WHERE e.id = (SELECT d.event_id FROM zentry_notify.delivery d
                                         WHERE d.webhook_integration_id = w.id AND d.status IN ('p', 'r') ORDER BY d.id LIMIT 1)) END)
       END AS held_until,
       w.mention,
       w.username,
       w.avatar_url,
       w.announce,
       w.thread_name,
       w.applied_tags,
       w.rate_limit,
       w.rate_group,
       w.notify_webhook_id,
       w.notices,
       w.digest,
       w.thread_by,
       ARRAY(SELECT lower(k) FROM zentry_notify.webhook_secret s, jsonb_object_keys(s.headers) AS k WHERE s.webhook_integration_id = w.id ORDER BY 1) AS header_names
  FROM zentry_notify.webhook w
  LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
  LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id;
COMMENT ON VIEW zentry_notify.webhooks IS 'Webhooks with their state and counts, which may be some seconds behind; the URL without its secret';
COMMENT ON COLUMN zentry_notify.webhooks.webhook_url IS 'The webhook''s URL without its secret';
COMMENT ON COLUMN zentry_notify.webhooks.state IS 'active; failing: its endpoint keeps failing, and is tried at growing intervals; gone: the extension has switched it off, because its endpoint no longer exists or has refused ten messages in a row, or because its filter ends workers; off: switched off by hand';
COMMENT ON COLUMN zentry_notify.webhooks.state_since IS 'Since when it is failing or gone; null otherwise';
COMMENT ON COLUMN zentry_notify.webhooks.reason IS 'Why it is failing or gone; null otherwise';
COMMENT ON COLUMN zentry_notify.webhooks.next_try_at IS 'When it is tried again, while it is failing';
COMMENT ON COLUMN zentry_notify.webhooks.pending IS 'Number of its deliveries that wait';
COMMENT ON COLUMN zentry_notify.webhooks.sent IS 'Number of deliveries that its endpoint has accepted since it was registered';
COMMENT ON COLUMN zentry_notify.webhooks.failed IS 'Number of deliveries that were given up since it was registered';
COMMENT ON COLUMN zentry_notify.webhooks.last_delivery_at IS 'When the last delivery was sent or given up';
COMMENT ON COLUMN zentry_notify.webhooks.last_status IS 'sent or failed: the outcome of the last delivery';
COMMENT ON COLUMN zentry_notify.webhooks.held_until IS 'When the current quiet hours end or the current digest is due, whichever is later; null: nothing is held';
COMMENT ON COLUMN zentry_notify.webhooks.header_names IS 'Names of the additional headers of its requests; their values are secrets';

-- The worker too reads the row as JSON (webhook::appearance), so previews and test messages look like what it sends.
CREATE OR REPLACE FUNCTION zentry_notify.appearance_of(webhook_id bigint) RETURNS text
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT to_json(w)::text FROM zentry_notify.webhook w WHERE w.id = webhook_id
$$;
COMMENT ON FUNCTION zentry_notify.appearance_of(bigint) IS 'Returns the webhook''s row as JSON, by which event_message and zentry_test_webhook make messages';

-- The log of 0.2.0 as a view, with that table's columns and types. Both branches are plain tables with subqueries, without joins and conditions: only
-- then does the planner merge them in the order of an index. The partial indexes of delivery have exactly this expression of the status.
CREATE OR REPLACE VIEW zentry_notify.notification_log AS
SELECT d.id,
       d.webhook_integration_id,
       d.event_type,
       coalesce((SELECT e.data FROM zentry_notify.event_data e WHERE e.event_id = d.event_id)
                  - coalesce((SELECT w.omit_keys FROM zentry_notify.webhook w WHERE w.id = d.webhook_integration_id), '{}'), 'null') AS payload,
       CASE d.status WHEN 's' THEN 'sent' WHEN 'f' THEN 'failed' WHEN 'r' THEN 'retry' ELSE 'pending' END::varchar(20) AS status,
       d.response_status_code::integer AS response_status_code,
       coalesce(d.response_body, '') AS response_body,
       coalesce(d.error_message, '') AS error_message,
       d.retry_count::integer AS retry_count,
       d.attempts::integer AS attempts,
       coalesce((SELECT e.created_at FROM zentry_notify.event e WHERE e.id = d.event_id), d.finished_at, d.next_attempt_at, '-infinity') AS created_at,
       CASE d.status WHEN 's' THEN d.finished_at END AS sent_at,
       d.next_attempt_at,
       d.retry_of
  FROM zentry_notify.delivery d
UNION ALL
SELECT l.id,
       l.webhook_integration_id,
       l.event_type,
       l.payload,
       l.status,
       l.response_status_code,
       l.response_body,
       l.error_message,
       l.retry_count,
       l.attempts,
       l.created_at,
       l.sent_at,
       l.next_attempt_at,
       l.retry_of
  FROM zentry_notify.legacy_delivery l;
COMMENT ON VIEW zentry_notify.notification_log IS
    'Every delivery with its event''s data: those that wait (pending, retry), and the outcome of the others (sent, failed)';
COMMENT ON COLUMN zentry_notify.notification_log.id IS 'The delivery''s id. Deliveries of one webhook are sent in this order';
COMMENT ON COLUMN zentry_notify.notification_log.webhook_integration_id IS 'The webhook that it goes to';
COMMENT ON COLUMN zentry_notify.notification_log.event_type IS 'The event type';
COMMENT ON COLUMN zentry_notify.notification_log.payload IS
    'The event''s data without the webhook''s omit_keys. JSON null once it is sent or failed, if zentry_notify.log_payloads is off';
COMMENT ON COLUMN zentry_notify.notification_log.status IS 'pending: not tried yet; retry: waits for next_attempt_at; sent: the endpoint has accepted it; failed: given up, error_message says why';
COMMENT ON COLUMN zentry_notify.notification_log.response_status_code IS 'HTTP status of the last answer; null: there was none';
COMMENT ON COLUMN zentry_notify.notification_log.response_body IS 'First 1000 characters of the last answer';
COMMENT ON COLUMN zentry_notify.notification_log.error_message IS 'Why the last attempt failed, in words; empty: it did not';
COMMENT ON COLUMN zentry_notify.notification_log.retry_count IS 'Its place in a chain of deliveries that zentry_retry or zentry_retry_failed made; 0: the first one';
COMMENT ON COLUMN zentry_notify.notification_log.attempts IS 'How many times it was posted; an answer that it is rate limited does not count';
COMMENT ON COLUMN zentry_notify.notification_log.created_at IS 'When the event happened';
COMMENT ON COLUMN zentry_notify.notification_log.sent_at IS 'When the endpoint accepted it';
COMMENT ON COLUMN zentry_notify.notification_log.next_attempt_at IS 'When it is tried again, if its status is retry';
COMMENT ON COLUMN zentry_notify.notification_log.retry_of IS 'The failed delivery that this one re-sends; null: none';

CREATE OR REPLACE VIEW zentry_notify.logs AS
SELECT l.id,
       l.webhook_integration_id,
       w.name AS webhook_integration_name,
       w.webhook_type,
       l.event_type,
       l.payload,
       l.status,
       l.response_status_code,
       l.response_body,
       l.error_message,
       l.retry_count,
       l.attempts,
       l.created_at,
       l.sent_at,
       l.next_attempt_at,
       l.retry_of,
       -- As zentry_notify.retried_as returns it; a function that the view calls would have the reader's rights.
       CASE WHEN l.status = 'failed' THEN
           greatest((SELECT max(d.id) FROM zentry_notify.delivery d WHERE d.retry_of = l.id),
                    (SELECT max(d.id) FROM zentry_notify.legacy_delivery d
                      WHERE d.webhook_integration_id = l.webhook_integration_id AND d.status IN ('sent', 'failed') AND d.id > l.id AND d.retry_of = l.id),
                    (SELECT max(d.id) FROM zentry_notify.legacy_delivery d
                      WHERE d.webhook_integration_id = l.webhook_integration_id AND d.status IN ('pending', 'retry') AND d.id > l.id AND d.retry_of = l.id))
       END AS retried_as
  FROM zentry_notify.notification_log l
  LEFT JOIN zentry_notify.webhook w ON w.id = l.webhook_integration_id;
COMMENT ON VIEW zentry_notify.logs IS 'The log: every delivery with its event''s data and the name and type of its webhook';
COMMENT ON COLUMN zentry_notify.logs.webhook_integration_name IS 'The webhook''s name; null: it was deleted';
COMMENT ON COLUMN zentry_notify.logs.webhook_type IS 'The webhook''s type: zentry_webhook_types() lists them';
COMMENT ON COLUMN zentry_notify.logs.retried_as IS 'The delivery that re-sends this one, which failed; null: none does';

-- Without a join, so that reading the attempts of one delivery reads no other rows.
CREATE OR REPLACE VIEW zentry_notify.attempts AS
SELECT a.delivery_id AS log_id,
       (row_number() OVER (PARTITION BY a.delivery_id ORDER BY a.attempted_at))::integer AS number,
       a.attempted_at,
       a.attempt::integer AS attempt,
       a.response_status_code::integer AS response_status_code,
       coalesce(a.error_message, '') AS error_message,
       a.next_attempt_at
  FROM zentry_notify.delivery_attempt a;
COMMENT ON VIEW zentry_notify.attempts IS
    'The requests for a delivery that failed: of each delivery the first fifty, and the last one when it is given up. The view logs has its outcome';
COMMENT ON COLUMN zentry_notify.attempts.log_id IS 'The delivery''s id, as in logs';
COMMENT ON COLUMN zentry_notify.attempts.number IS 'Position among the attempts of the delivery, from 1';

-- Each row is a span. Its id is computed as in Traceparent::of_delivery (crates/webhook), because the message itself may have it.
CREATE OR REPLACE VIEW zentry_notify.delivery_traces AS
SELECT d.id AS delivery_id,
       d.event_id,
       d.event_type,
       d.webhook_integration_id,
       w.name AS webhook_integration_name,
       w.webhook_type,
       d.traceparent,
       substr(encode(sha256(convert_to(format('%s/%s/%s', d.traceparent, d.id, (extract(epoch FROM d.captured_at) * 1000000)::bigint), 'UTF8')), 'hex'), 1, 16) AS span_id,
       d.captured_at,
       d.finished_at,
       CASE d.status WHEN 's' THEN 'sent' ELSE 'failed' END AS status,
       d.response_status_code::integer AS response_status_code,
       coalesce(d.error_message, '') AS error_message,
       d.attempts::integer AS attempts
  FROM zentry_notify.delivery d
  LEFT JOIN zentry_notify.webhook w ON w.id = d.webhook_integration_id
 WHERE d.traceparent IS NOT NULL AND d.finished_at IS NOT NULL AND d.captured_at IS NOT NULL;
COMMENT ON VIEW zentry_notify.delivery_traces IS
    'Finished deliveries of events that were written while zentry_notify.traceparent was set, each as a span. zentry-notify serve exports them by OpenTelemetry''s protocol';
COMMENT ON COLUMN zentry_notify.delivery_traces.delivery_id IS 'The delivery''s id';
COMMENT ON COLUMN zentry_notify.delivery_traces.event_id IS 'The event''s id';
COMMENT ON COLUMN zentry_notify.delivery_traces.event_type IS 'The event type';
COMMENT ON COLUMN zentry_notify.delivery_traces.webhook_integration_id IS 'The webhook that it went to';
COMMENT ON COLUMN zentry_notify.delivery_traces.webhook_integration_name IS 'The webhook''s name; null: it was deleted';
COMMENT ON COLUMN zentry_notify.delivery_traces.webhook_type IS 'The webhook''s type: zentry_webhook_types() lists them';
COMMENT ON COLUMN zentry_notify.delivery_traces.traceparent IS 'The parent span, in the format of W3C Trace Context''s header traceparent';
COMMENT ON COLUMN zentry_notify.delivery_traces.span_id IS 'The delivery''s own span id: 16 hexadecimal digits, always the same for a delivery';
COMMENT ON COLUMN zentry_notify.delivery_traces.captured_at IS 'When the event happened, which is the start of the span';
COMMENT ON COLUMN zentry_notify.delivery_traces.finished_at IS 'When it was sent or given up, which is the end of the span';
COMMENT ON COLUMN zentry_notify.delivery_traces.status IS 'sent, or failed: error_message says why';
COMMENT ON COLUMN zentry_notify.delivery_traces.response_status_code IS 'HTTP status of the last answer; null: there was none';
COMMENT ON COLUMN zentry_notify.delivery_traces.error_message IS 'Why the last attempt failed, in words; empty: it did not';
COMMENT ON COLUMN zentry_notify.delivery_traces.attempts IS 'How many times it was posted; an answer that it is rate limited does not count';

-- The configuration for readers, who have no privilege on its tables.
CREATE OR REPLACE VIEW zentry_notify.event_types AS
SELECT t.name, t.title, t.built_in, t.created_at, t.text, t.fields, t.colour, t.emoji, t.footer, t.time_key, t.sample,
       t.url, t.thumbnail
  FROM zentry_notify.event_type t;
COMMENT ON VIEW zentry_notify.event_types IS 'The event types, and what their messages say unless a wording changes it';
CREATE OR REPLACE VIEW zentry_notify.event_wordings AS
SELECT w.event_type, w.webhook_integration_id, w.title, w.text, w.fields, w.colour, w.emoji, w.footer, w.created_at, w.url, w.thumbnail, w.language
  FROM zentry_notify.event_wording w;
COMMENT ON VIEW zentry_notify.event_wordings IS 'What was set with zentry_set_wording and zentry_set_language; null: unchanged';
CREATE OR REPLACE VIEW zentry_notify.event_sources AS
SELECT s.id, s.event_type, s.relation, s.columns, s.audience, s.progress, s.suspended_at, s.suspended_reason, s.created_at, s.insert_when,
       s.update_when, s.delete_when, s.rider, s.by_hand, s.omit, s.transition
  FROM zentry_notify.event_source s;
COMMENT ON VIEW zentry_notify.event_sources IS 'The attached tables with the event types that they fire; where one is suspended, suspended_reason says why';

-- Only roles that may read the list of tokens see entries about tokens, and by which token a change was made. A security barrier, so that no
-- function in a reader's query is called for rows that are left out.
CREATE OR REPLACE VIEW zentry_notify.audit_log WITH (security_barrier) AS
SELECT e.id, e.changed_at, e.transaction, e.session_role, e.role_name,
       CASE WHEN (SELECT has_table_privilege('zentry_notify.api_tokens', 'SELECT')) THEN e.api_token END AS api_token,
       e.object_type, e.object_key, e.object_name, e.webhook_id, e.operation, e.changes
  FROM zentry_notify.audit_entry e
 WHERE e.object_type <> 'api_token' OR (SELECT has_table_privilege('zentry_notify.api_tokens', 'SELECT'));
COMMENT ON VIEW zentry_notify.audit_log IS
    'Who changed which webhook, event type, wording, event source or API token, when, and from what to what, without secrets. To readers nothing of tokens is shown';

-- The view webhooks used it until now.
ALTER TABLE zentry_notify.webhook DROP COLUMN webhook_url;

-- ---- 17_webhook_integration.sql ----

-- The view webhook_integration, which has the columns of 0.2.0's table, URLs included: for applications whose models are based on it (zentry_grant), and
-- for the functions that register and change webhooks, which write to it.

-- A subquery and no join, so that SELECT ... FOR UPDATE works. Without a condition, so that it behaves like a table to COPY and to every client;
-- the trigger write_integration takes what is written.
CREATE OR REPLACE VIEW zentry_notify.webhook_integration AS
SELECT w.id,
       w.name,
       w.webhook_type,
       (SELECT s.webhook_url FROM zentry_notify.webhook_secret s WHERE s.webhook_integration_id = w.id) AS webhook_url,
       w.project_id,
       w.created_by_id,
       w.event_types,
       w.is_active,
       w.created_at,
       w.updated_at,
       w.max_events_per_message,
       w.min_interval,
       w.max_age,
       w.activated_at,
       w.switched_off_at,
       w.switched_off_reason,
       w.omit_keys,
       w.filter,
       w.min_streak_days,
       w.milestones,
       w.quiet_hours,
       w.mention,
       w.username,
       w.avatar_url,
       w.announce,
       w.thread_name,
       w.applied_tags,
       w.rate_limit,
       w.rate_group,
       w.notify_webhook_id,
       w.notices,
       w.digest,
       w.thread_by
  FROM zentry_notify.webhook w;
ALTER VIEW zentry_notify.webhook_integration
    ALTER COLUMN event_types SET DEFAULT '["*"]',
    ALTER COLUMN is_active SET DEFAULT true,
    ALTER COLUMN created_at SET DEFAULT pg_catalog.now(),
    ALTER COLUMN updated_at SET DEFAULT pg_catalog.now(),
    ALTER COLUMN max_events_per_message SET DEFAULT 10,
    ALTER COLUMN min_interval SET DEFAULT '0',
    ALTER COLUMN activated_at SET DEFAULT pg_catalog.now(),
    ALTER COLUMN omit_keys SET DEFAULT '{}',
    ALTER COLUMN announce SET DEFAULT false,
    ALTER COLUMN applied_tags SET DEFAULT '{}',
    ALTER COLUMN notices SET DEFAULT false;
COMMENT ON VIEW zentry_notify.webhook_integration IS
    'Webhooks with their URLs. It can be written to, under the same rules as by the zentry_* functions';
COMMENT ON COLUMN zentry_notify.webhook_integration.webhook_url IS 'The webhook''s URL. A secret: whoever knows it can post to the channel. The view zentry_notify.webhooks shows it redacted';

CREATE OR REPLACE FUNCTION zentry_notify.no_such_webhook(webhook_id bigint) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'no_such_webhook_wrapper';
COMMENT ON FUNCTION zentry_notify.no_such_webhook(bigint) IS 'Raises the error for a webhook''s id that is null or unknown';

-- It reads the application's table of projects; an error there is ignored, because the change of the webhook must not fail for a warning. Tables are
-- read by their indexes, because a session keeps the plan that it made while a table was small. For jit see 25_audit.sql.
CREATE OR REPLACE FUNCTION zentry_notify.doubts(webhook_id bigint) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    webhook zentry_notify.webhook;
    lookup  jsonb;
BEGIN
    SELECT w.* INTO webhook FROM zentry_notify.webhook w WHERE w.id = webhook_id;
    -- OFFSET 0 makes the planner begin with the index of URLs; otherwise it may go through all webhooks in the order of their ids.
    RETURN QUERY
    SELECT format('webhook %s (%s) has the same URL: what both hear arrives twice', o.id, o.name)
      FROM (SELECT t.webhook_integration_id AS id
              FROM zentry_notify.webhook_secret s
              JOIN zentry_notify.webhook_secret t ON t.webhook_url = s.webhook_url AND t.webhook_integration_id <> s.webhook_integration_id
             WHERE s.webhook_integration_id = webhook_id
            OFFSET 0) same
      JOIN zentry_notify.webhook o ON o.id = same.id
     ORDER BY o.id LIMIT 1;
    IF webhook.is_active AND NOT webhook.notices
       AND NOT EXISTS (SELECT FROM zentry_notify.webhook o WHERE o.notify_webhook_id = webhook_id)
       AND NOT EXISTS (SELECT FROM zentry_notify.event_source s
                        WHERE s.suspended_at IS NULL AND (webhook.event_types ? '*' OR webhook.event_types ? s.event_type)) THEN
        RETURN QUERY
        SELECT CASE WHEN webhook.event_types ? '*' THEN 'it hears nothing: no table is attached'
                    WHEN webhook.event_types = '[]' THEN 'it hears nothing: its list of event types is empty'
                    ELSE format('it hears nothing: no table is attached for %s',
                                (SELECT string_agg(e, ', ' ORDER BY e) FROM jsonb_array_elements_text(webhook.event_types) AS e)) END;
    END IF;
    IF webhook.project_id IS NOT NULL THEN
        BEGIN
            SELECT l.lookup INTO lookup FROM zentry_notify.lookup_of('project_name') l (lookup);
            IF has_any_column_privilege(to_regclass(lookup ->> 'from'), 'SELECT')
               AND NOT EXISTS (SELECT FROM zentry_notify.look_up_in(to_regclass(lookup ->> 'from'), lookup ->> 'match', lookup ->> 'column',
                                                                    ARRAY[webhook.project_id])) THEN
                RETURN NEXT format('there is no project %s', webhook.project_id);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            NULL; -- whether the project exists cannot be found out
        END;
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.doubts(bigint) IS
    'Returns what is probably a mistake in a webhook, in words: another webhook has the same URL, it hears nothing, its project does not exist';

-- Writes only the columns that changed, so that a client that saves the whole row does not undo what others have changed meanwhile, and the URL is in
-- a statement only if it is new. force_generic_plan here, and wherever a URL is an argument: custom plans contain values, and auto_explain logs plans.
CREATE OR REPLACE FUNCTION zentry_notify.write_integration() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    url_is_new boolean := TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.webhook_url IS DISTINCT FROM OLD.webhook_url);
    written    zentry_notify.webhook;
    doubt      text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM zentry_notify.webhook w WHERE w.id = OLD.id;
        RETURN CASE WHEN FOUND THEN OLD END;
    END IF;
    -- (check_webhook refuses what is not an array of strings.)
    IF (TG_OP = 'INSERT' OR NEW.event_types IS DISTINCT FROM OLD.event_types) AND jsonb_typeof(NEW.event_types) = 'array'
       AND NOT jsonb_path_exists(NEW.event_types, '$[*] ? (@.type() != "string")') THEN
        PERFORM zentry_notify.require_event_types(NEW.event_types);
    END IF;
    IF TG_OP = 'INSERT' THEN
        PERFORM zentry_notify.check_room_for_webhook();
        INSERT INTO zentry_notify.webhook AS w
               (id, name, webhook_type, project_id, created_by_id, event_types, is_active, created_at, updated_at, max_events_per_message,
                min_interval, max_age, activated_at, switched_off_at, switched_off_reason, omit_keys, filter, min_streak_days, milestones,
                quiet_hours, mention, username, avatar_url, announce, thread_name, applied_tags, rate_limit, rate_group,
                notify_webhook_id, notices, digest, thread_by)
        VALUES (coalesce(NEW.id, nextval('zentry_notify.webhook_integration_id_seq')), NEW.name, NEW.webhook_type, NEW.project_id,
                NEW.created_by_id, NEW.event_types, NEW.is_active, NEW.created_at, NEW.updated_at, NEW.max_events_per_message, NEW.min_interval,
                NEW.max_age, NEW.activated_at, NEW.switched_off_at, NEW.switched_off_reason, NEW.omit_keys, NEW.filter, NEW.min_streak_days,
                NEW.milestones, NEW.quiet_hours, NEW.mention, NEW.username, NEW.avatar_url, NEW.announce, NEW.thread_name, NEW.applied_tags,
                NEW.rate_limit, NEW.rate_group, NEW.notify_webhook_id, NEW.notices, NEW.digest, NEW.thread_by)
        RETURNING w.* INTO written;
    ELSE
        UPDATE zentry_notify.webhook w
           SET id = CASE WHEN NEW.id IS DISTINCT FROM OLD.id THEN NEW.id ELSE w.id END,
               name = CASE WHEN NEW.name IS DISTINCT FROM OLD.name THEN NEW.name ELSE w.name END,
               webhook_type = CASE WHEN NEW.webhook_type IS DISTINCT FROM OLD.webhook_type THEN NEW.webhook_type ELSE w.webhook_type END,
               project_id = CASE WHEN NEW.project_id IS DISTINCT FROM OLD.project_id THEN NEW.project_id ELSE w.project_id END,
               created_by_id = CASE WHEN NEW.created_by_id IS DISTINCT FROM OLD.created_by_id THEN NEW.created_by_id ELSE w.created_by_id END,
               event_types = CASE WHEN NEW.event_types IS DISTINCT FROM OLD.event_types THEN NEW.event_types ELSE w.event_types END,
               is_active = CASE WHEN NEW.is_active IS DISTINCT FROM OLD.is_active THEN NEW.is_active ELSE w.is_active END,
               created_at = CASE WHEN NEW.created_at IS DISTINCT FROM OLD.created_at THEN NEW.created_at ELSE w.created_at END,
               max_events_per_message = CASE WHEN NEW.max_events_per_message IS DISTINCT FROM OLD.max_events_per_message
                                             THEN NEW.max_events_per_message ELSE w.max_events_per_message END,
               min_interval = CASE WHEN NEW.min_interval IS DISTINCT FROM OLD.min_interval THEN NEW.min_interval ELSE w.min_interval END,
               max_age = CASE WHEN NEW.max_age IS DISTINCT FROM OLD.max_age THEN NEW.max_age ELSE w.max_age END,
               activated_at = CASE WHEN url_is_new THEN clock_timestamp()
                                   WHEN NEW.activated_at IS DISTINCT FROM OLD.activated_at THEN NEW.activated_at ELSE w.activated_at END,
               switched_off_at = CASE WHEN NEW.switched_off_at IS DISTINCT FROM OLD.switched_off_at THEN NEW.switched_off_at ELSE w.switched_off_at END,
               switched_off_reason = CASE WHEN NEW.switched_off_reason IS DISTINCT FROM OLD.switched_off_reason
                                          THEN NEW.switched_off_reason ELSE w.switched_off_reason END,
               omit_keys = CASE WHEN NEW.omit_keys IS DISTINCT FROM OLD.omit_keys THEN NEW.omit_keys ELSE w.omit_keys END,
               filter = CASE WHEN NEW.filter::text IS DISTINCT FROM OLD.filter::text THEN NEW.filter ELSE w.filter END,
               min_streak_days = CASE WHEN NEW.min_streak_days IS DISTINCT FROM OLD.min_streak_days THEN NEW.min_streak_days ELSE w.min_streak_days END,
               milestones = CASE WHEN NEW.milestones IS DISTINCT FROM OLD.milestones THEN NEW.milestones ELSE w.milestones END,
               quiet_hours = CASE WHEN NEW.quiet_hours IS DISTINCT FROM OLD.quiet_hours THEN NEW.quiet_hours ELSE w.quiet_hours END,
               mention = CASE WHEN NEW.mention IS DISTINCT FROM OLD.mention THEN NEW.mention ELSE w.mention END,
               username = CASE WHEN NEW.username IS DISTINCT FROM OLD.username THEN NEW.username ELSE w.username END,
               avatar_url = CASE WHEN NEW.avatar_url IS DISTINCT FROM OLD.avatar_url THEN NEW.avatar_url ELSE w.avatar_url END,
               announce = CASE WHEN NEW.announce IS DISTINCT FROM OLD.announce THEN NEW.announce ELSE w.announce END,
               thread_name = CASE WHEN NEW.thread_name IS DISTINCT FROM OLD.thread_name THEN NEW.thread_name ELSE w.thread_name END,
               applied_tags = CASE WHEN NEW.applied_tags IS DISTINCT FROM OLD.applied_tags THEN NEW.applied_tags ELSE w.applied_tags END,
               rate_limit = CASE WHEN NEW.rate_limit IS DISTINCT FROM OLD.rate_limit THEN NEW.rate_limit ELSE w.rate_limit END,
               rate_group = CASE WHEN NEW.rate_group IS DISTINCT FROM OLD.rate_group THEN NEW.rate_group ELSE w.rate_group END,
               notify_webhook_id = CASE WHEN NEW.notify_webhook_id IS DISTINCT FROM OLD.notify_webhook_id
                                        THEN NEW.notify_webhook_id ELSE w.notify_webhook_id END,
               notices = CASE WHEN NEW.notices IS DISTINCT FROM OLD.notices THEN NEW.notices ELSE w.notices END,
               digest = CASE WHEN NEW.digest IS DISTINCT FROM OLD.digest THEN NEW.digest ELSE w.digest END,
               thread_by = CASE WHEN NEW.thread_by IS DISTINCT FROM OLD.thread_by THEN NEW.thread_by ELSE w.thread_by END
         WHERE w.id = OLD.id
        RETURNING w.* INTO written;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;

    IF url_is_new OR NEW.webhook_type <> OLD.webhook_type THEN
        IF NEW.webhook_url IS NULL THEN
            PERFORM zentry_notify.refuse('not_null_violation', 'webhook_url of a webhook must not be null',
                'Copy it from the page of the service where the webhook was made.', 'webhook_url');
        END IF;
        PERFORM zentry_notify.check_webhook_url(NEW.webhook_type, NEW.webhook_url);
    END IF;
    IF NEW.mention IS NOT NULL AND (url_is_new OR (NEW.mention, NEW.webhook_type) IS DISTINCT FROM (OLD.mention, OLD.webhook_type)) THEN
        PERFORM zentry_notify.check_mention(NEW.webhook_type, NEW.webhook_url, NEW.mention);
    END IF;
    IF NEW.thread_name IS NOT NULL AND (url_is_new OR (NEW.thread_name, NEW.webhook_type) IS DISTINCT FROM (OLD.thread_name, OLD.webhook_type)) THEN
        PERFORM zentry_notify.check_thread(NEW.webhook_type, NEW.webhook_url, NEW.thread_name);
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO zentry_notify.webhook_secret (webhook_integration_id, webhook_url, signing_secret)
        VALUES (written.id, NEW.webhook_url, CASE WHEN zentry_notify.type_has(NEW.webhook_type, 'secret') THEN zentry_notify.make_secret() END);
    ELSIF url_is_new THEN
        INSERT INTO zentry_notify.webhook_secret AS s (webhook_integration_id, webhook_url) VALUES (written.id, NEW.webhook_url)
        -- Headers and credentials are secrets that were given for the old URL, and must not be sent to another one.
        ON CONFLICT (webhook_integration_id) DO UPDATE
           SET webhook_url = EXCLUDED.webhook_url, headers = NULL,
               signing_secret = CASE WHEN zentry_notify.type_has(OLD.webhook_type, 'credentials') THEN NULL ELSE s.signing_secret END;
    END IF;
    IF TG_OP = 'UPDATE' AND url_is_new THEN
        -- A wait that the old URL has asked for does not hold for the new one.
        UPDATE zentry_notify.delivery d SET next_attempt_at = now()
         WHERE d.webhook_integration_id = OLD.id AND d.status IN ('p', 'r') AND d.next_attempt_at > now();
        UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
         WHERE d.webhook_integration_id = OLD.id AND d.status IN ('pending', 'retry') AND d.next_attempt_at > now();
        PERFORM zentry_notify.wake(ARRAY[written.id], true);
    END IF;
    IF TG_OP = 'UPDATE' AND written.id <> OLD.id THEN
        UPDATE zentry_notify.webhook_secret s SET webhook_integration_id = written.id WHERE s.webhook_integration_id = OLD.id;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.webhook_type <> OLD.webhook_type THEN
        UPDATE zentry_notify.webhook_secret s
           SET signing_secret = CASE WHEN zentry_notify.type_has(NEW.webhook_type, 'secret') THEN zentry_notify.make_secret() END,
               previous_secret = NULL, previous_until = NULL, headers = NULL
         WHERE s.webhook_integration_id = written.id
           AND (s.signing_secret IS NOT NULL OR s.headers IS NOT NULL OR zentry_notify.type_has(NEW.webhook_type, 'secret'));
    END IF;

    IF url_is_new OR (NEW.project_id, NEW.event_types, NEW.is_active) IS DISTINCT FROM (OLD.project_id, OLD.event_types, OLD.is_active) THEN
        FOR doubt IN SELECT d FROM zentry_notify.doubts(written.id) AS d LOOP
            RAISE NOTICE 'webhook % (%): %', written.id, written.name, doubt;
        END LOOP;
    END IF;

    NEW.id := written.id;
    NEW.is_active := written.is_active;
    NEW.updated_at := written.updated_at;
    NEW.activated_at := written.activated_at;
    NEW.switched_off_at := written.switched_off_at;
    NEW.switched_off_reason := written.switched_off_reason;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.write_integration() IS 'Trigger: writes the changes of a row of webhook_integration to webhook, and its URL to webhook_secret';

-- Columns of views that are those of a table have its comments.
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT v.attrelid::pg_catalog.regclass AS shown, v.attname, pg_catalog.col_description(t.attrelid, t.attnum) AS text
               FROM (VALUES ('zentry_notify.webhook'::pg_catalog.regclass, 'zentry_notify.webhooks'::pg_catalog.regclass),
                            ('zentry_notify.webhook', 'zentry_notify.webhook_integration'),
                            ('zentry_notify.notification_log', 'zentry_notify.logs'),
                            ('zentry_notify.event_type', 'zentry_notify.event_types'),
                            ('zentry_notify.event_source', 'zentry_notify.event_sources'),
                            ('zentry_notify.event_wording', 'zentry_notify.event_wordings'),
                            ('zentry_notify.audit_entry', 'zentry_notify.audit_log'),
                            ('zentry_notify.delivery_attempt', 'zentry_notify.attempts')) AS pair (kept, shown)
               JOIN pg_catalog.pg_attribute t ON t.attrelid OPERATOR(pg_catalog.=) pair.kept AND t.attnum OPERATOR(pg_catalog.>) 0
               JOIN pg_catalog.pg_attribute v ON v.attrelid OPERATOR(pg_catalog.=) pair.shown AND v.attname OPERATOR(pg_catalog.=) t.attname
              -- While 0.2.0 is updated, the table still has it.
              WHERE t.attname OPERATOR(pg_catalog.<>) 'webhook_url'
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', c.shown, c.attname, c.text);
    END LOOP;
END
$$;
-- ---- 18_webhook_functions.sql ----

-- Functions that register, change and delete webhooks. They write to the view webhook_integration; write_integration and check_webhook have the rules.

CREATE OR REPLACE FUNCTION zentry_notify.require_event_types(event_types jsonb) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text;
BEGIN
    SELECT string_agg(format('"%s"', e), ', ' ORDER BY e) INTO unknown
      FROM jsonb_array_elements_text(event_types) AS e
     WHERE e <> '*' AND NOT EXISTS (SELECT FROM zentry_notify.event_type t WHERE t.name = e);
    IF unknown IS NOT NULL THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('unknown event type %s', unknown),
            format('The event types are %s; * stands for all.', (SELECT string_agg(t.name, ', ' ORDER BY t.name) FROM zentry_notify.event_type t WHERE t.name <> 'webhook_trouble')),
            'event_types');
    END IF;
    IF event_types ? 'webhook_trouble' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'nobody subscribes to webhook_trouble',
            'notices => true makes a webhook hear of the trouble of others; notify_webhook_id names the webhook that hears of the trouble of one.', 'event_types');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_event_types(jsonb) IS 'Raises an error, which names the unknown ones, unless all of these event types exist and can be subscribed to';

-- Not parallel safe, because a parallel query cannot run a subtransaction, which EXCEPTION needs.
CREATE OR REPLACE FUNCTION zentry_notify.to_filter(filter text) RETURNS jsonpath
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN nullif(filter, '')::jsonpath;
EXCEPTION WHEN syntax_error OR data_exception THEN
    PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter is not a JSON path: %s', SQLERRM),
        'For example $.points > 20, or $.project_name starts with "Web".', 'filter');
END
$$;
COMMENT ON FUNCTION zentry_notify.to_filter(text) IS 'Returns the text as a JSON path, or null for an empty one';

CREATE OR REPLACE FUNCTION zentry_notify.to_interval(value text, parameter text) RETURNS interval
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN value::interval;
EXCEPTION WHEN data_exception THEN
    PERFORM zentry_notify.refuse('invalid_parameter_value', format('%s is not an interval: "%s"', parameter, left(value, 50)),
        'For example 30 seconds, or 1 day.', parameter);
END
$$;
COMMENT ON FUNCTION zentry_notify.to_interval(text, text) IS 'Returns the text as an interval, or raises an error that names the parameter';

CREATE OR REPLACE FUNCTION @extschema@.zentry_register_webhook(
    name text, webhook_type text, webhook_url text, project_id bigint DEFAULT NULL,
    event_types text[] DEFAULT NULL, is_active boolean DEFAULT true, created_by_id bigint DEFAULT NULL,
    omit_keys text[] DEFAULT NULL, filter text DEFAULT NULL, min_streak_days integer DEFAULT NULL,
    milestones integer[] DEFAULT NULL, quiet_hours text DEFAULT NULL, mention text DEFAULT NULL,
    username text DEFAULT NULL, avatar_url text DEFAULT NULL, announce boolean DEFAULT NULL, thread_name text DEFAULT NULL,
    applied_tags text[] DEFAULT NULL, rate_limit text DEFAULT NULL, rate_group text DEFAULT NULL, notify_webhook_id bigint DEFAULT NULL,
    notices boolean DEFAULT NULL, digest text DEFAULT NULL, max_events_per_message integer DEFAULT NULL, min_interval interval DEFAULT NULL,
    max_age interval DEFAULT NULL, thread_by text DEFAULT NULL, secret text DEFAULT NULL, headers jsonb DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    id bigint;
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    PERFORM zentry_notify.check_length(webhook_url, 2048, 'webhook_url');
    PERFORM zentry_notify.check_length(rate_limit, 50, 'rate_limit');
    PERFORM zentry_notify.check_length(rate_group, 100, 'rate_group');
    PERFORM zentry_notify.check_most_events(max_events_per_message);
    PERFORM zentry_notify.check_signing(webhook_type, nullif(secret, ''), headers::text);
    INSERT INTO zentry_notify.webhook_integration AS w
           (name, webhook_type, webhook_url, project_id, event_types, is_active, created_by_id,
            omit_keys, filter, min_streak_days, milestones, quiet_hours, mention, username, avatar_url, announce, thread_name, applied_tags,
            rate_limit, rate_group, notify_webhook_id, notices, digest, max_events_per_message, min_interval, max_age, thread_by)
    VALUES (zentry_notify.not_null(name, 'name'), left(zentry_notify.not_null(webhook_type, 'webhook_type'), 20),
            zentry_notify.not_null(webhook_url, 'webhook_url'), nullif(project_id, 0),
            coalesce(to_jsonb(event_types), '["*"]'), coalesce(is_active, true), created_by_id,
            coalesce(omit_keys, '{}'), zentry_notify.to_filter(filter), nullif(min_streak_days, 0), nullif(milestones, '{}'), nullif(quiet_hours, ''),
            nullif(mention, ''),
            nullif(username, ''), nullif(avatar_url, ''), coalesce(announce, false), nullif(thread_name, ''), coalesce(applied_tags, '{}'),
            nullif(rate_limit, ''), nullif(rate_group, ''), nullif(notify_webhook_id, 0), coalesce(notices, false), nullif(digest, ''),
            coalesce(max_events_per_message, 10), coalesce(min_interval, '0'), nullif(max_age, '0'), nullif(thread_by, ''))
    RETURNING w.id INTO id;
    PERFORM zentry_notify.set_signing(id, nullif(secret, ''), nullif(headers, '{}'));
    RETURN id;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_register_webhook(text, text, text, bigint, text[], boolean, bigint, text[], text, integer, integer[], text, text,
        text, text, boolean, text, text[], text, text, bigint, boolean, text, integer, interval, interval, text, text, jsonb) IS
    'Registers a webhook and returns its id. webhook_type: one of zentry_webhook_types(); project_id null: every project; event_types null: all; secret: for type webhook, the secret to sign by (null: a new one that nothing shows; zentry_new_secret makes one and returns it), for type nats, credentials (the content of a .creds file, a user''s seed, user:password or a token); headers: additional headers of its requests. The other parameters are columns of zentry_notify.webhook_integration; an empty text, milestones of {}, and 0 for project_id, min_streak_days, notify_webhook_id or max_age are as if left out';

CREATE OR REPLACE FUNCTION @extschema@.zentry_update_webhook(
    webhook_id bigint, name text DEFAULT NULL, webhook_type text DEFAULT NULL, webhook_url text DEFAULT NULL,
    project_id bigint DEFAULT NULL, event_types text[] DEFAULT NULL, is_active boolean DEFAULT NULL,
    omit_keys text[] DEFAULT NULL, filter text DEFAULT NULL, min_streak_days integer DEFAULT NULL,
    milestones integer[] DEFAULT NULL, quiet_hours text DEFAULT NULL, mention text DEFAULT NULL,
    username text DEFAULT NULL, avatar_url text DEFAULT NULL, announce boolean DEFAULT NULL, thread_name text DEFAULT NULL,
    applied_tags text[] DEFAULT NULL, rate_limit text DEFAULT NULL, rate_group text DEFAULT NULL, notify_webhook_id bigint DEFAULT NULL,
    notices boolean DEFAULT NULL, digest text DEFAULT NULL, max_events_per_message integer DEFAULT NULL, min_interval interval DEFAULT NULL,
    max_age interval DEFAULT NULL, thread_by text DEFAULT NULL, headers jsonb DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    PERFORM zentry_notify.check_length(webhook_url, 2048, 'webhook_url');
    PERFORM zentry_notify.check_length(rate_limit, 50, 'rate_limit');
    PERFORM zentry_notify.check_length(rate_group, 100, 'rate_group');
    PERFORM zentry_notify.check_most_events(max_events_per_message);
    PERFORM zentry_notify.check_signing(NULL, NULL, headers::text);
    UPDATE zentry_notify.webhook_integration AS w
       SET name = coalesce(name, w.name),
           webhook_type = coalesce(left(webhook_type, 20), w.webhook_type),
           webhook_url = coalesce(webhook_url, w.webhook_url),
           project_id = CASE project_id WHEN 0 THEN NULL ELSE coalesce(project_id, w.project_id) END,
           event_types = coalesce(to_jsonb(event_types), w.event_types),
           is_active = coalesce(is_active, w.is_active),
           omit_keys = coalesce(omit_keys, w.omit_keys),
           filter = CASE filter WHEN '' THEN NULL ELSE coalesce(zentry_notify.to_filter(filter), w.filter) END,
           min_streak_days = CASE min_streak_days WHEN 0 THEN NULL ELSE coalesce(min_streak_days, w.min_streak_days) END,
           milestones = CASE milestones WHEN '{}' THEN NULL ELSE coalesce(milestones, w.milestones) END,
           quiet_hours = CASE quiet_hours WHEN '' THEN NULL ELSE coalesce(quiet_hours, w.quiet_hours) END,
           mention = CASE mention WHEN '' THEN NULL ELSE coalesce(mention, w.mention) END,
           username = CASE username WHEN '' THEN NULL ELSE coalesce(username, w.username) END,
           avatar_url = CASE avatar_url WHEN '' THEN NULL ELSE coalesce(avatar_url, w.avatar_url) END,
           announce = coalesce(announce, w.announce),
           thread_name = CASE thread_name WHEN '' THEN NULL ELSE coalesce(thread_name, w.thread_name) END,
           applied_tags = coalesce(applied_tags, w.applied_tags),
           rate_limit = CASE rate_limit WHEN '' THEN NULL ELSE coalesce(rate_limit, w.rate_limit) END,
           rate_group = CASE rate_group WHEN '' THEN NULL ELSE coalesce(rate_group, w.rate_group) END,
           notify_webhook_id = CASE notify_webhook_id WHEN 0 THEN NULL ELSE coalesce(notify_webhook_id, w.notify_webhook_id) END,
           notices = coalesce(notices, w.notices),
           digest = CASE digest WHEN '' THEN NULL ELSE coalesce(digest, w.digest) END,
           max_events_per_message = coalesce(max_events_per_message, w.max_events_per_message),
           min_interval = coalesce(min_interval, w.min_interval),
           max_age = CASE max_age WHEN '0' THEN NULL ELSE coalesce(max_age, w.max_age) END,
           thread_by = CASE thread_by WHEN '' THEN NULL ELSE coalesce(thread_by, w.thread_by) END
     WHERE w.id = webhook_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    PERFORM zentry_notify.set_signing(webhook_id, NULL, headers);
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_update_webhook(bigint, text, text, text, bigint, text[], boolean, text[], text, integer, integer[], text, text,
        text, text, boolean, text, text[], text, text, bigint, boolean, text, integer, interval, interval, text, jsonb) IS
    'Changes what is given, and leaves the rest as it is (null). project_id 0: every project; an empty text, milestones of {}, and 0 for min_streak_days, notify_webhook_id or max_age set the column to null; headers replace all headers ({}: none), and a new URL removes them. A new URL, other headers and is_active => true switch a webhook on again that the extension has switched off';

-- Null leaves secret or headers as they are; {} removes the headers. A change may be what makes a failing webhook work, so it is tried again.
CREATE OR REPLACE FUNCTION zentry_notify.set_signing(webhook_id bigint, secret text, headers jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    kind text := (SELECT w.webhook_type FROM zentry_notify.webhook w WHERE w.id = webhook_id);
    lacks text;
BEGIN
    IF secret IS NULL AND headers IS NULL THEN
        RETURN;
    END IF;
    lacks := CASE WHEN secret IS NOT NULL AND NOT zentry_notify.type_has(kind, 'secret') AND NOT zentry_notify.type_has(kind, 'credentials') THEN 'secret'
                  WHEN headers <> '{}' AND NOT zentry_notify.type_has(kind, 'headers') THEN 'headers' END;
    IF lacks IS NOT NULL THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value',
            format('a webhook of type %s has no %s', kind, CASE lacks WHEN 'secret' THEN 'secret to sign by' ELSE 'headers' END),
            'Leave it out; SELECT webhook_type, settings FROM zentry_webhook_types() says which types have what.', lacks);
    END IF;
    IF secret IS NULL AND NOT zentry_notify.type_has(kind, 'headers') THEN
        RETURN;
    END IF;
    -- Names of headers are case-insensitive; they are stored in lower case, so that two spellings of a name do not become two headers.
    IF headers <> '{}' THEN
        headers := (SELECT jsonb_object_agg(lower(h.key), h.value) FROM jsonb_each(headers) h);
    END IF;
    UPDATE zentry_notify.webhook_secret s
       SET signing_secret = coalesce(secret, s.signing_secret), headers = nullif(coalesce(headers, s.headers), '{}')
     WHERE s.webhook_integration_id = webhook_id
       AND (s.signing_secret IS DISTINCT FROM coalesce(secret, s.signing_secret) OR s.headers IS DISTINCT FROM nullif(coalesce(headers, s.headers), '{}'));
    IF FOUND THEN
        PERFORM zentry_notify.reopen(webhook_id);
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.set_signing(bigint, text, jsonb) IS 'Writes the secret that a webhook''s requests are signed by, and their additional headers, which the caller has checked';

CREATE OR REPLACE FUNCTION @extschema@.zentry_new_secret(webhook_id bigint, secret text DEFAULT NULL, grace interval DEFAULT '1 day') RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    kind text := (SELECT w.webhook_type FROM zentry_notify.webhook w WHERE w.id = webhook_id);
BEGIN
    IF kind IS NULL THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    ELSIF zentry_notify.type_has(kind, 'credentials') THEN
        IF secret IS NULL THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', format('the credentials of a webhook of type %s are not made here', kind),
                'Give them as secret; an empty one takes them away.', 'secret');
        END IF;
        PERFORM zentry_notify.check_signing(kind, nullif(secret, ''), NULL);
        UPDATE zentry_notify.webhook_secret s SET signing_secret = nullif(secret, '') WHERE s.webhook_integration_id = webhook_id;
        PERFORM zentry_notify.reopen(webhook_id);
        RETURN secret;
    ELSIF NOT zentry_notify.type_has(kind, 'secret') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('a webhook of type %s has no secret to sign by', kind),
            'Its URL is its secret: make a new webhook at the service, and give its URL to zentry_update_webhook.', 'webhook_id');
    END IF;
    PERFORM zentry_notify.check_signing(kind, nullif(secret, ''), NULL);
    IF grace IS NULL OR grace NOT BETWEEN '0' AND '30 days' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('grace must be 0 to 30 days, not %s', coalesce(grace::text, 'null')),
            'For that time requests are signed by the previous secret too; 0 stands for the new one alone.', 'grace');
    END IF;
    -- make_secret() is called in the statement, so that the secret is not a parameter of it, which could be logged.
    UPDATE zentry_notify.webhook_secret s
       SET signing_secret = coalesce(nullif(secret, ''), zentry_notify.make_secret()),
           previous_secret = CASE WHEN grace > '0' THEN s.signing_secret END,
           previous_until = CASE WHEN grace > '0' THEN now() + grace END
     WHERE s.webhook_integration_id = webhook_id
    RETURNING s.signing_secret INTO secret;
    PERFORM zentry_notify.reopen(webhook_id);
    RETURN secret;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_new_secret(bigint, text, interval) IS
    'Gives a webhook of type webhook a new secret to sign by (secret null: a random one), and returns it; nothing else ever shows it. Until grace is over, requests are signed by the previous secret too; 0: by the new one alone. For type nats, secret is the new credentials, which hold at once; an empty text: none';

CREATE OR REPLACE FUNCTION @extschema@.zentry_delete_webhook(webhook_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
BEGIN
    DELETE FROM zentry_notify.webhook w WHERE w.id = webhook_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_delete_webhook(bigint) IS 'Deletes a webhook with its log and what still waits for it. The worker deletes the rest of a log of more than 10,000 deliveries';

CREATE OR REPLACE FUNCTION zentry_notify.not_null(value text, parameter text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF value IS NULL THEN
        PERFORM zentry_notify.refuse('null_value_not_allowed', format('%s must not be null', parameter),
            'zentry_register_webhook(name, webhook_type, webhook_url) needs all three.', parameter);
    END IF;
    RETURN value;
END
$$;
COMMENT ON FUNCTION zentry_notify.not_null(text, text) IS 'Returns the value, or raises an error that names the parameter if it is null';

CREATE OR REPLACE FUNCTION zentry_notify.check_length(value text, maximum integer, parameter text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF length(value) > maximum THEN
        PERFORM zentry_notify.refuse('string_data_right_truncation', format('%s must not be longer than %s characters', parameter, maximum),
            'Shorten it.', parameter, format('It has %s.', length(value)));
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_length(text, integer, text) IS 'Raises an error that names the parameter if the value has more characters than maximum';

-- Rows are selected in the order of an index, so that the planner uses it even if it expects few rows and would read the whole log for them.
CREATE OR REPLACE FUNCTION zentry_notify.forget_deliveries(webhook_id bigint, most integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ids     bigint[];
    found   bigint;
    removed bigint;
BEGIN
    ids := ARRAY(SELECT x.id FROM zentry_notify.delivery x WHERE x.webhook_integration_id = webhook_id
                  ORDER BY x.webhook_integration_id, x.event_type, x.id LIMIT most);
    -- The ids come from a subquery, whose number of rows the planner does not know: for a long array it would read the whole table.
    DELETE FROM zentry_notify.delivery_attempt a WHERE a.delivery_id = ANY (ARRAY(SELECT unnest(ids)));
    DELETE FROM zentry_notify.delivery d WHERE d.id = ANY (ARRAY(SELECT unnest(ids)));
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM zentry_notify.legacy_delivery d
     WHERE d.id = ANY (ARRAY(SELECT x.id FROM zentry_notify.legacy_delivery x
                              WHERE x.webhook_integration_id = webhook_id AND x.status IN ('pending', 'retry')
                              ORDER BY x.webhook_integration_id, x.id LIMIT most - removed));
    GET DIAGNOSTICS found = ROW_COUNT;
    removed := removed + found;
    DELETE FROM zentry_notify.legacy_delivery d
     WHERE d.id = ANY (ARRAY(SELECT x.id FROM zentry_notify.legacy_delivery x
                              WHERE x.webhook_integration_id = webhook_id AND x.status IN ('sent', 'failed')
                              ORDER BY x.webhook_integration_id, x.id LIMIT most - removed));
    GET DIAGNOSTICS found = ROW_COUNT;
    RETURN removed + found;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_deliveries(bigint, integer) IS 'Deletes a webhook''s deliveries, at most so many, and returns how many it has deleted';

CREATE OR REPLACE FUNCTION zentry_notify.forget_deleted(most integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deleted bigint;
    removed bigint := 0;
BEGIN
    -- At most as many webhooks as rows, because looking for the deliveries of one costs time even if it has none.
    FOR deleted IN SELECT d.webhook_integration_id FROM zentry_notify.deleted_webhook d LIMIT most LOOP
        -- Somebody may have registered another webhook with this id at the same time.
        IF NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = deleted) THEN
            removed := removed + zentry_notify.forget_deliveries(deleted, (most - removed)::integer);
            EXIT WHEN removed >= most;
        END IF;
        DELETE FROM zentry_notify.deleted_webhook d WHERE d.webhook_integration_id = deleted;
    END LOOP;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_deleted(integer) IS
    'Deletes at most so many deliveries of deleted webhooks, and returns how many it has deleted. The worker calls it';
-- ---- 19_delivery_functions.sql ----

-- Sample events, and deliveries that are re-sent.

-- The event is marked as routed: its deliveries are written here, and the worker does not look for webhooks that hear it.
CREATE OR REPLACE FUNCTION zentry_notify.queue(event_type text, data jsonb, webhook_ids bigint[], sample boolean DEFAULT false) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET check_function_bodies = on
AS $$
#variable_conflict use_variable
DECLARE
    event_id bigint;
BEGIN
    IF event_type IS NULL OR data IS NULL OR EXISTS (SELECT FROM unnest(webhook_ids) AS w (id) WHERE w.id IS NULL) THEN
        PERFORM zentry_notify.refuse('null_value_not_allowed', 'event_type, data and the elements of webhook_ids must not be null',
            'zentry_test_event(event_type) queues a sample for every webhook that hears it.');
    END IF;
    -- The transaction gets its id before the event gets its own: the route cursor relies on that.
    PERFORM pg_current_xact_id();
    INSERT INTO zentry_notify.event AS e (event_type, data, context) VALUES (queue.event_type, queue.data::json, CASE WHEN sample THEN '{"routed": true, "sample": true}' ELSE '{"routed": true}' END::json)
    RETURNING e.id INTO event_id;
    RETURN QUERY
    INSERT INTO zentry_notify.delivery AS d (event_id, webhook_integration_id, event_type)
    SELECT event_id, w.id, queue.event_type FROM unnest(webhook_ids) AS w (id)
    RETURNING d.id;
    PERFORM zentry_notify.wake(webhook_ids);
END
$$;
COMMENT ON FUNCTION zentry_notify.queue(text, jsonb, bigint[], boolean) IS
    'Writes an event with a delivery to each of these webhooks, and returns the ids of the deliveries. sample: the message says that it is a sample';

CREATE OR REPLACE FUNCTION @extschema@.zentry_test_event(
    event_type text DEFAULT 'task_completed', project_id bigint DEFAULT NULL, data jsonb DEFAULT NULL) RETURNS SETOF bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
#variable_conflict use_column
DECLARE
    payload jsonb := data;
    project bigint := zentry_test_event.project_id;
    hearers bigint[];
BEGIN
    PERFORM zentry_notify.require_event_type(zentry_test_event.event_type);
    IF jsonb_typeof(payload) <> 'object' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'the data must be a JSON object',
            'For example {"task_title": "Write the release notes"}.', 'data');
    END IF;
    IF project IS NULL THEN
        SELECT min(w.project_id) INTO project FROM zentry_notify.webhook w WHERE w.is_active;
    END IF;
    IF payload IS NULL THEN
        payload := zentry_notify.sample_event(zentry_test_event.event_type);
        IF payload ? 'project_id' AND project IS NOT NULL THEN
            payload := jsonb_set(payload, '{project_id}', to_jsonb(project));
        END IF;
    END IF;

    hearers := ARRAY(
        SELECT w.id FROM zentry_notify.webhook w
         WHERE w.is_active AND zentry_test_event.event_type = 'webhook_trouble'
           AND (w.notices OR EXISTS (SELECT FROM zentry_notify.webhook x WHERE x.notify_webhook_id = w.id))
         UNION ALL
        SELECT w.id FROM zentry_notify.webhook w
         WHERE w.is_active AND zentry_test_event.event_type <> 'webhook_trouble'
           AND w.event_types ?| ARRAY['*', zentry_test_event.event_type]
           AND (w.project_id IS NULL OR w.project_id = project OR zentry_test_event.event_type = 'project_created'
                OR EXISTS (SELECT FROM zentry_notify.event_source s
                            WHERE s.event_type = zentry_test_event.event_type AND s.audience @> '{"all": true}'))
           -- The filters, as the worker applies them to an event.
           AND NOT EXISTS (
                SELECT FROM (VALUES (NULL, w.filter::text),
                                    ('daily_streak', '$.streak_days >= ' || w.min_streak_days),
                                    ('milestone_reached', (SELECT string_agg(format('$.milestone_name starts with "%s%%"', m), ' || ')
                                                             FROM unnest(w.milestones) m))) c (event_type, path)
                 WHERE c.path IS NOT NULL AND coalesce(c.event_type, zentry_test_event.event_type) = zentry_test_event.event_type
                   AND jsonb_path_match_tz(payload, c.path::jsonpath, '{}', true) IS NOT TRUE)
         ORDER BY 1);
    IF hearers <> '{}' THEN
        RETURN QUERY SELECT zentry_notify.queue(zentry_test_event.event_type, payload, hearers, zentry_test_event.data IS NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_test_event(text, bigint, jsonb) IS
    'Queues a sample of the event type, or an event with the given data, for every active webhook that hears it in that project (null: the lowest project id of an active webhook), and returns the ids of the deliveries';

CREATE OR REPLACE FUNCTION @extschema@.zentry_retry(log_id bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
DECLARE
    entry   zentry_notify.notification_log;
    limited timestamptz;
    new_id  bigint;
BEGIN
    -- The row is locked before it is read through the view, so that it does not change any more.
    PERFORM FROM zentry_notify.delivery d WHERE d.id = log_id FOR UPDATE;
    PERFORM FROM zentry_notify.legacy_delivery d WHERE d.id = log_id FOR UPDATE;
    SELECT l.* INTO entry FROM zentry_notify.notification_log l WHERE l.id = log_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.refuse('no_data_found', format('there is no delivery with id %s', coalesce(log_id::text, '(null)')),
            'SELECT id, status FROM zentry_notify.logs ORDER BY id DESC lists them.');
    END IF;
    CASE entry.status
        WHEN 'retry' THEN
            -- A rate limit of the endpoint is kept, whoever asks.
            SELECT max(l.next_attempt_at) INTO limited FROM zentry_notify.notification_log l
             WHERE l.webhook_integration_id = entry.webhook_integration_id AND l.status = 'retry'
               AND l.next_attempt_at > now() AND l.error_message LIKE '429: %';
            IF limited IS NOT NULL THEN
                RAISE NOTICE 'delivery % waits for a rate limit until %', log_id, limited;
                RETURN log_id;
            END IF;
            -- Deliveries are sent in order, so those before it are made due too. (The first condition on status is that of a partial index.)
            UPDATE zentry_notify.delivery d SET next_attempt_at = now()
             WHERE d.webhook_integration_id = entry.webhook_integration_id AND d.status IN ('p', 'r') AND d.status = 'r' AND d.id <= log_id;
            UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
             WHERE d.webhook_integration_id = entry.webhook_integration_id AND d.status = 'retry' AND d.id <= log_id;
            new_id := log_id;
            PERFORM zentry_notify.wake(ARRAY[entry.webhook_integration_id], true);
        WHEN 'failed' THEN
            IF entry.retry_count >= 3 THEN
                PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('delivery %s was already retried %s times', log_id, entry.retry_count),
                    'Remove the cause first. A new event has three retries of its own.', '', format('It last failed with: %s', entry.error_message));
            END IF;
            IF entry.payload = 'null' THEN
                PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('delivery %s has no data any more', log_id),
                    'While zentry_notify.log_payloads is off, the data of a delivery is deleted once it is sent or failed.');
            END IF;
            new_id := zentry_notify.retried_as(log_id, entry.webhook_integration_id);
            IF new_id IS NOT NULL THEN
                PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('delivery %s was retried already', log_id),
                    format('See delivery %s; if that failed too, retry that one.', new_id));
            END IF;
            IF NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = entry.webhook_integration_id) THEN
                PERFORM zentry_notify.no_such_webhook(entry.webhook_integration_id);
            END IF;
            SELECT q INTO new_id FROM zentry_notify.queue(entry.event_type, entry.payload, ARRAY[entry.webhook_integration_id],
                (SELECT e.context::text = '{"routed": true, "sample": true}' FROM zentry_notify.delivery d JOIN zentry_notify.event e ON e.id = d.event_id
                  WHERE d.id = log_id)) q;
            UPDATE zentry_notify.delivery d SET retry_of = log_id, retry_count = entry.retry_count + 1 WHERE d.id = new_id;
        ELSE
            PERFORM zentry_notify.refuse('object_not_in_prerequisite_state',
                format('delivery %s cannot be retried: it is %s', log_id,
                       CASE entry.status WHEN 'sent' THEN 'sent already' ELSE 'still waiting for its first try' END),
                'Only failed deliveries, and those that wait for their next attempt, can be retried.');
    END CASE;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_retry(bigint) IS
    'Re-sends a failed delivery as a new one, whose id it returns; of one event at most three times in a row. A delivery that waits for its next attempt becomes due now, with those before it, unless the endpoint has set a rate limit';

CREATE OR REPLACE FUNCTION zentry_notify.reopen(webhook_id bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A change of activated_at resets the state of the webhook (check_webhook), and makes the worker read it again.
    UPDATE zentry_notify.webhook w SET activated_at = clock_timestamp()
     WHERE w.id = webhook_id
       AND (w.switched_off_at IS NOT NULL
            OR EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id)
            OR EXISTS (SELECT FROM zentry_notify.webhook_state s WHERE s.webhook_integration_id = w.id AND (s.failures > 0 OR s.refusals > 0)));
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- A rate limit of the endpoint is kept, whoever asks.
    UPDATE zentry_notify.delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('p', 'r') AND d.next_attempt_at > now() AND d.error_message NOT LIKE '429: %';
    UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry') AND d.next_attempt_at > now() AND d.error_message NOT LIKE '429: %';
    PERFORM zentry_notify.wake(ARRAY[webhook_id], true);
END
$$;
COMMENT ON FUNCTION zentry_notify.reopen(bigint) IS 'Resets the state of a webhook whose settings were corrected, and makes what waits for it due now. Does nothing if it was neither failing nor switched off';

CREATE OR REPLACE FUNCTION zentry_notify.retried_as(log_id bigint, webhook_id bigint) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- legacy_delivery has no index by retry_of, but a delivery that re-sends another one comes after it and goes to the same webhook.
    SELECT max(n.id)
      FROM (SELECT d.id FROM zentry_notify.delivery d WHERE d.retry_of = log_id
             UNION ALL
            SELECT d.id FROM zentry_notify.legacy_delivery d
             WHERE d.webhook_integration_id = webhook_id AND d.status IN ('sent', 'failed') AND d.id > log_id AND d.retry_of = log_id
             UNION ALL
            SELECT d.id FROM zentry_notify.legacy_delivery d
             WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry') AND d.id > log_id AND d.retry_of = log_id) n
$$;
COMMENT ON FUNCTION zentry_notify.retried_as(bigint, bigint) IS 'Returns the delivery that re-sends this one, of that webhook; null: none does';

CREATE OR REPLACE FUNCTION @extschema@.zentry_retry_failed(webhook_id bigint DEFAULT NULL, event_type text DEFAULT NULL, since timestamptz DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET check_function_bodies = on
AS $$
#variable_conflict use_column
DECLARE
    hearers bigint[];
    total bigint;
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    -- For the route cursor, as in queue().
    PERFORM pg_current_xact_id();
    -- Each becomes a new event of the present time, because failed ones are often older than max_age.
    WITH failed AS MATERIALIZED (
        SELECT l.id, l.webhook_integration_id, l.event_type, l.payload, l.retry_count
          FROM zentry_notify.notification_log l
         WHERE l.status = 'failed'
           AND l.retry_count < 3
           -- Not a join: with one, the planner may read all failed deliveries, or the log of a webhook, once for each webhook.
           AND (l.webhook_integration_id IN (SELECT w.id FROM zentry_notify.webhook w WHERE w.is_active)) IS TRUE
           AND (webhook_id IS NULL OR l.webhook_integration_id = webhook_id)
           -- The concatenation keeps PostgreSQL 18 and newer from a skip scan of delivery_log for the type; fewer rows have failed than have that type.
           AND (zentry_retry_failed.event_type IS NULL OR l.event_type || '' = zentry_retry_failed.event_type)
           AND (since IS NULL OR l.created_at >= since)
         ORDER BY l.id),
    chosen AS MATERIALIZED (
        SELECT f.*, nextval('zentry_notify.event_id_seq') AS event_id
          FROM failed f
         WHERE f.payload <> 'null' AND zentry_notify.retried_as(f.id, f.webhook_integration_id) IS NULL
         ORDER BY f.id),
    fresh AS (
        INSERT INTO zentry_notify.event (id, event_type, data, context) OVERRIDING SYSTEM VALUE
        SELECT c.event_id, c.event_type, c.payload::json,
               -- A sample stays one.
               coalesce((SELECT e.context FROM zentry_notify.delivery d JOIN zentry_notify.event e ON e.id = d.event_id
                          WHERE d.id = c.id AND e.context::text = '{"routed": true, "sample": true}'), '{"routed": true}')
          FROM chosen c ORDER BY c.event_id),
    queued AS (
        INSERT INTO zentry_notify.delivery (event_id, webhook_integration_id, event_type, retry_count, retry_of)
        SELECT c.event_id, c.webhook_integration_id, c.event_type, c.retry_count + 1, c.id FROM chosen c ORDER BY c.id
        RETURNING webhook_integration_id)
    SELECT count(*), array_agg(DISTINCT q.webhook_integration_id) INTO total, hearers FROM queued q;
    PERFORM zentry_notify.wake(hearers);
    RETURN total;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_retry_failed(bigint, text, timestamptz) IS
    'Re-sends every failed delivery that has not been re-sent (optionally of one webhook, of one event type, or created since a time) and returns how many. Deliveries of webhooks that are switched off are left out';

CREATE OR REPLACE FUNCTION @extschema@.zentry_resume(webhook_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
#variable_conflict use_variable
DECLARE
    trouble text := (SELECT coalesce(w.switched_off_reason, c.error_message)
                       FROM zentry_notify.webhook w LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
                      WHERE w.id = webhook_id);
BEGIN
    -- A change of activated_at resets the state of the webhook (check_webhook), and switches on one that the extension has switched off.
    UPDATE zentry_notify.webhook AS w SET activated_at = clock_timestamp()
     WHERE w.id = webhook_id AND (w.is_active OR w.switched_off_at IS NOT NULL);
    IF NOT FOUND THEN
        IF NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
            PERFORM zentry_notify.no_such_webhook(webhook_id);
        END IF;
        PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('webhook %s is switched off', webhook_id),
            format('SELECT zentry_update_webhook(%s, is_active => true); switches it on.', webhook_id));
    END IF;
    UPDATE zentry_notify.delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('p', 'r') AND d.next_attempt_at > now();
    UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry') AND d.next_attempt_at > now();
    -- If nothing waits, there is nothing to try it with: it stays failing, with no failure in a row, until the next event shows whether it works.
    IF trouble IS NOT NULL
       AND NOT EXISTS (SELECT FROM zentry_notify.delivery d WHERE d.webhook_integration_id = webhook_id AND d.status IN ('p', 'r'))
       AND NOT EXISTS (SELECT FROM zentry_notify.legacy_delivery d WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry')) THEN
        INSERT INTO zentry_notify.webhook_circuit (webhook_integration_id, failures, opened_at, next_try_at, error_message)
        VALUES (webhook_id, 0, now(), now(), CASE WHEN trouble LIKE 'not tried since: %' THEN trouble ELSE 'not tried since: ' || trouble END);
    END IF;
    PERFORM zentry_notify.resume(webhook_id);
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_resume(bigint) IS
    'Tries a webhook now that is failing, gone, or has been told to wait: discards the wait that its endpoint has asked for, also a limit of Discord''s for all webhooks of the cluster, and sends the first delivery that waits. If none waits, the webhook stays failing until its endpoint has accepted one. Quiet hours still hold';
-- ---- 20_notices.sql ----

-- Notices: when a webhook begins to fail, another webhook is told, and not again before the failure is over. A notice that cannot be delivered
-- causes no further notice.

CREATE OR REPLACE FUNCTION zentry_notify.tell_of(webhook_id bigint, what text, reason text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    name   text;
    own    bigint;
    others bigint[];
BEGIN
    IF zentry_notify.is_restoring() THEN
        RETURN;
    END IF;
    SELECT w.name, w.notify_webhook_id INTO name, own FROM zentry_notify.webhook w WHERE w.id = webhook_id;
    others := ARRAY(SELECT o.id FROM zentry_notify.webhook o
                     WHERE o.is_active AND o.id <> webhook_id
                       AND CASE WHEN EXISTS (SELECT FROM zentry_notify.webhook named WHERE named.id = own AND named.is_active)
                                THEN o.id = own ELSE o.notices END
                     ORDER BY o.id);
    IF name IS NOT NULL AND others <> '{}' THEN
        PERFORM zentry_notify.queue('webhook_trouble',
            jsonb_build_object('webhook_id', webhook_id, 'webhook_name', name, 'what', what, 'reason', reason), others);
    END IF;
EXCEPTION WHEN OTHERS THEN
    -- The change that the notice is about must be written even if the notice cannot be.
    RAISE WARNING 'zentry_notify: a notice that webhook % % could not be queued: %', webhook_id, what, SQLERRM;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of(bigint, text, text) IS 'Queues a notice about a webhook for its notify_webhook_id, or, if that is null or inactive, for the webhooks with notices';

CREATE OR REPLACE FUNCTION zentry_notify.tell_of_failing() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.tell_of(NEW.webhook_integration_id, 'fails', NEW.error_message);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of_failing() IS 'Trigger: queues a notice when a webhook starts to fail';

CREATE OR REPLACE FUNCTION zentry_notify.tell_of_switching_off() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.tell_of(NEW.id, 'was switched off', NEW.switched_off_reason);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of_switching_off() IS 'Trigger: queues a notice when a webhook is switched off';

CREATE OR REPLACE FUNCTION zentry_notify.tell_of_expiry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.tell_of(NEW.webhook_integration_id, 'lets deliveries expire',
        (SELECT coalesce(c.error_message, n.last_error)
           FROM zentry_notify.webhook w
           LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
           LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id
          WHERE w.id = NEW.webhook_integration_id));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of_expiry() IS 'Trigger: queues a notice when deliveries of a webhook begin to expire';
-- ---- 21_delivery_log.sql ----

-- The delivery log: writes to notification_log, and how pages of the log are found.

-- The owner of the tables may write notification_log as if it were a table: dumps of 0.2.0 contain its rows, and a DBA who restores a copy may
-- want to delete what was waiting. A row with an id comes from 0.2.0.
CREATE OR REPLACE FUNCTION zentry_notify.write_log() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET check_function_bodies = on
AS $$
DECLARE
    event_of bigint;
    state    "char";
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM zentry_notify.delivery_attempt a WHERE a.delivery_id = OLD.id;
        DELETE FROM zentry_notify.delivery d WHERE d.id = OLD.id;
        DELETE FROM zentry_notify.legacy_delivery d WHERE d.id = OLD.id;
        RETURN OLD;
    END IF;
    state := CASE NEW.status WHEN 'sent' THEN 's' WHEN 'failed' THEN 'f' WHEN 'retry' THEN 'r' WHEN 'pending' THEN 'p' END;
    IF state IS NULL THEN
        PERFORM zentry_notify.refuse('check_violation', format('unknown status "%s"', coalesce(NEW.status, '(null)')),
            'It is pending, retry, sent or failed.', 'status');
    END IF;
    IF TG_OP = 'UPDATE' THEN
        UPDATE zentry_notify.delivery d
           SET status = state, next_attempt_at = NEW.next_attempt_at, retry_of = NEW.retry_of, response_status_code = NEW.response_status_code,
               finished_at = CASE state WHEN 's' THEN coalesce(NEW.sent_at, d.finished_at, now()) WHEN 'f' THEN coalesce(d.finished_at, now()) END,
               attempts = NEW.attempts, retry_count = NEW.retry_count, response_body = nullif(NEW.response_body, ''),
               error_message = nullif(NEW.error_message, '')
         WHERE d.id = OLD.id
        RETURNING d.event_id INTO event_of;
        IF NEW.created_at IS DISTINCT FROM OLD.created_at THEN
            UPDATE zentry_notify.event e SET created_at = NEW.created_at WHERE e.id = event_of;
        END IF;
        IF NEW.payload IS DISTINCT FROM OLD.payload THEN
            -- All deliveries of the event share the data. An event that has another waiting delivery is kept.
            DELETE FROM zentry_notify.event_detail x WHERE x.event_id = event_of AND NEW.payload <> 'null';
            UPDATE zentry_notify.event e SET data = NEW.payload::json WHERE e.id = event_of AND NEW.payload <> 'null';
            DELETE FROM zentry_notify.event e
             WHERE e.id = event_of AND NEW.payload = 'null'
               AND NOT EXISTS (SELECT FROM zentry_notify.delivery d WHERE d.status IN ('p', 'r') AND d.event_id = e.id);
            DELETE FROM zentry_notify.event_detail x
             WHERE x.event_id = event_of AND NOT EXISTS (SELECT FROM zentry_notify.event e WHERE e.id = x.event_id);
        END IF;
        UPDATE zentry_notify.legacy_delivery d
           SET status = NEW.status, next_attempt_at = NEW.next_attempt_at, sent_at = NEW.sent_at, retry_of = NEW.retry_of,
               response_status_code = NEW.response_status_code, attempts = NEW.attempts, retry_count = NEW.retry_count,
               response_body = NEW.response_body, error_message = NEW.error_message, created_at = NEW.created_at, payload = NEW.payload
         WHERE d.id = OLD.id;
        IF state IN ('p', 'r') THEN
            PERFORM zentry_notify.wake(ARRAY[NEW.webhook_integration_id]);
        END IF;
    ELSIF NEW.id IS NOT NULL THEN
        INSERT INTO zentry_notify.legacy_delivery
        VALUES (NEW.id, NEW.webhook_integration_id, NEW.event_type, NEW.payload, NEW.status, NEW.response_status_code, NEW.response_body,
                NEW.error_message, NEW.retry_count, NEW.attempts, NEW.created_at, NEW.sent_at, NEW.next_attempt_at, NEW.retry_of);
        PERFORM setval('zentry_notify.delivery_id_seq', NEW.id)
          WHERE NEW.id > coalesce(pg_sequence_last_value('zentry_notify.delivery_id_seq'), 0);
    ELSE
        PERFORM pg_current_xact_id();
        INSERT INTO zentry_notify.event AS e (created_at, event_type, data, context)
        VALUES (NEW.created_at, NEW.event_type, NEW.payload::json, '{"routed": true}')
        RETURNING e.id INTO event_of;
        INSERT INTO zentry_notify.delivery AS d
               (event_id, webhook_integration_id, next_attempt_at, finished_at, retry_of, response_status_code, attempts, retry_count, status,
                event_type, response_body, error_message)
        VALUES (event_of, NEW.webhook_integration_id, NEW.next_attempt_at,
                CASE WHEN state IN ('s', 'f') THEN coalesce(NEW.sent_at, now()) END, NEW.retry_of, NEW.response_status_code, NEW.attempts,
                NEW.retry_count, state, NEW.event_type, nullif(NEW.response_body, ''), nullif(NEW.error_message, ''))
        RETURNING d.id INTO NEW.id;
        IF state IN ('p', 'r') THEN
            PERFORM zentry_notify.wake(ARRAY[NEW.webhook_integration_id]);
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.write_log() IS 'Trigger: turns writes to notification_log, which only the owner of the tables can make, into writes to delivery and event, or to legacy_delivery';

ALTER VIEW zentry_notify.notification_log
    ALTER COLUMN status SET DEFAULT 'pending',
    ALTER COLUMN response_body SET DEFAULT '',
    ALTER COLUMN error_message SET DEFAULT '',
    ALTER COLUMN retry_count SET DEFAULT 0,
    ALTER COLUMN attempts SET DEFAULT 0,
    ALTER COLUMN created_at SET DEFAULT pg_catalog.now();

-- No index has the newest deliveries of a webhook or an event type in order. The index delivery_log is ordered by id within each pair of them, and
-- this function merges these pairs. Failed and waiting deliveries have indexes of their own. The queries are composed of constants only, so that
-- each combination of arguments gets its own plan. It is a definer function because readers have no privilege on the tables; it returns ids only,
-- of rows that the views show to readers.
CREATE OR REPLACE FUNCTION zentry_notify.log_ids(
    webhook_ids bigint[], event_type text, status text, before_id bigint, after_id bigint, most bigint) RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    direction text := CASE WHEN after_id IS NULL THEN 'DESC' ELSE 'ASC' END;
    page      text := format('l.id < $4 AND l.id > $5 ORDER BY l.id %s LIMIT $6', direction);
    which     text := concat_ws(' AND ', CASE WHEN webhook_ids IS NOT NULL THEN 'l.webhook_integration_id = ANY ($1)' END,
                                CASE WHEN event_type IS NOT NULL THEN 'l.event_type = $2' END,
                                CASE status WHEN 'failed' THEN $q$l.status = 'failed'$q$ WHEN 'sent' THEN $q$l.status = 'sent'$q$
                                            WHEN 'pending' THEN $q$l.status = 'pending'$q$ WHEN 'retry' THEN $q$l.status = 'retry'$q$ END, '');
    -- The pairs that exist.
    runs      text := CASE
        WHEN webhook_ids IS NULL THEN
            'WITH RECURSIVE lane (id) AS (
                 SELECT (SELECT d.webhook_integration_id FROM zentry_notify.delivery d ORDER BY d.webhook_integration_id LIMIT 1)
                  UNION ALL
                 SELECT (SELECT d.webhook_integration_id FROM zentry_notify.delivery d WHERE d.webhook_integration_id > lane.id
                          ORDER BY d.webhook_integration_id LIMIT 1)
                   FROM lane WHERE lane.id IS NOT NULL),
             run (webhook_id, event_type) AS (SELECT lane.id, $2 FROM lane WHERE lane.id IS NOT NULL)'
        WHEN event_type IS NULL THEN
            'WITH RECURSIVE run (webhook_id, event_type) AS (
                 SELECT w.id, (SELECT d.event_type::text FROM zentry_notify.delivery d WHERE d.webhook_integration_id = w.id
                                ORDER BY d.webhook_integration_id, d.event_type LIMIT 1)
                   FROM unnest($1) AS w (id)
                  UNION ALL
                 SELECT run.webhook_id, (SELECT d.event_type::text FROM zentry_notify.delivery d
                                          WHERE d.webhook_integration_id = run.webhook_id AND d.event_type > run.event_type
                                          ORDER BY d.webhook_integration_id, d.event_type LIMIT 1)
                   FROM run WHERE run.event_type IS NOT NULL)'
        ELSE 'WITH run (webhook_id, event_type) AS (SELECT w.id, $2 FROM unnest($1) AS w (id))' END;
    -- Rows of 0.2.0's log that wait are read as a whole: they are few, and no plan should search all rows for them. Finished ones have an
    -- index by webhook and one by event type.
    waiting   text := $q$(SELECT * FROM zentry_notify.legacy_delivery l WHERE l.status IN ('pending', 'retry') OFFSET 0)$q$;
    legacy    text := format(CASE WHEN webhook_ids IS NULL
        THEN $q$(SELECT l.id FROM zentry_notify.legacy_delivery l WHERE l.status IN ('sent', 'failed') AND %s %s)$q$
        ELSE $q$(SELECT l.id FROM unnest($1) AS w (id)
                  CROSS JOIN LATERAL (SELECT l.id FROM zentry_notify.legacy_delivery l
                                       WHERE l.status IN ('sent', 'failed') AND l.webhook_integration_id = w.id AND %s %s) l)$q$ END, which, page);
BEGIN
    IF most < 0 THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('most must not be negative, but is %s', most),
            'It is how many ids are wanted; null: all.', 'most');
    END IF;
    IF status IN ('pending', 'retry') THEN
        RETURN QUERY EXECUTE format($q$
            SELECT l.id
              FROM ((SELECT l.id FROM (SELECT d.id, d.webhook_integration_id, d.event_type,
                                              CASE d.status WHEN 's' THEN 'sent' WHEN 'f' THEN 'failed' WHEN 'r' THEN 'retry' ELSE 'pending' END::varchar(20) AS status
                                         FROM zentry_notify.delivery d) l WHERE %1$s %2$s)
                     UNION ALL
                    (SELECT l.id FROM %4$s l WHERE %1$s %2$s)) l
             ORDER BY l.id %3$s LIMIT $6$q$, which, page, direction, waiting)
               USING webhook_ids, event_type, status, coalesce(before_id, 9223372036854775807), coalesce(after_id, -9223372036854775808), most;
        RETURN;
    END IF;
    IF status = 'failed' OR webhook_ids IS NULL AND event_type IS NULL THEN
        RETURN QUERY EXECUTE format('SELECT l.id FROM zentry_notify.notification_log l WHERE %s %s', which, page)
               USING webhook_ids, event_type, status, coalesce(before_id, 9223372036854775807), coalesce(after_id, -9223372036854775808), most;
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format($q$%1$s
        SELECT l.id
          FROM (SELECT l.id
                  FROM run
                  -- Row comparisons keep to the whole order of the index. By id alone, the planner would scan the primary key for a run
                  -- that it estimates as an average one.
                  CROSS JOIN LATERAL (SELECT l.id FROM zentry_notify.delivery l
                                       WHERE (l.webhook_integration_id, l.event_type, l.id) < (run.webhook_id, run.event_type, $4)
                                         AND (l.webhook_integration_id, l.event_type, l.id) > (run.webhook_id, run.event_type, $5)
                                         AND ($3 IS NULL OR l.status = 's')
                                       ORDER BY l.webhook_integration_id %4$s, l.event_type %4$s, l.id %4$s LIMIT $6) l
                 UNION ALL
                %5$s
                 UNION ALL
                (SELECT l.id FROM %6$s l WHERE %3$s %2$s)) l
         ORDER BY l.id %4$s LIMIT $6$q$, runs, page, which, direction, legacy, waiting)
           USING webhook_ids, event_type, status, coalesce(before_id, 9223372036854775807), coalesce(after_id, -9223372036854775808), most;
END
$$;
COMMENT ON FUNCTION zentry_notify.log_ids(bigint[], text, text, bigint, bigint, bigint) IS
    'Returns the ids of the newest deliveries with these webhooks, event type and status (null: any) below before_id; with after_id, of the oldest above it. most: maximum number of ids; null: all';

CREATE OR REPLACE FUNCTION @extschema@.zentry_logs(
    webhook_id bigint DEFAULT NULL, event_type text DEFAULT NULL, status text DEFAULT NULL, before_id bigint DEFAULT NULL, most integer DEFAULT 20)
    RETURNS SETOF zentry_notify.logs
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ids bigint[];
BEGIN
    IF status <> ALL ('{pending,retry,sent,failed}') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('unknown status "%s"', left(status, 20)),
            'It is pending, retry, sent or failed; null: all of them.', 'status');
    END IF;
    IF most IS NULL OR most NOT BETWEEN 1 AND 1000 THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('most must be 1 to 1000, not %s', coalesce(most::text, 'null')),
            'For more than that, ask again with before_id: the last id that came.', 'most');
    END IF;
    ids := ARRAY(SELECT zentry_notify.log_ids(CASE WHEN webhook_id IS NOT NULL THEN ARRAY[webhook_id] END, event_type, status, before_id, NULL, most));
    RETURN QUERY SELECT l.* FROM zentry_notify.logs l WHERE l.id = ANY (ids) ORDER BY l.id DESC;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_logs(bigint, text, text, bigint, integer) IS
    'Returns the newest deliveries of one webhook, event type or status (null: all) whose ids are below before_id. It reads indexes only, so its time does not depend on the length of the log';
-- ---- 22_attach.sql ----

-- Attaching: which tables fire which events. src/attach does the work.
--
-- These functions run with the rights of the caller, so that PostgreSQL itself checks the current role. The session's user would be the wrong role
-- to check where code of another role runs, such as an index function in a superuser's REINDEX. They write the extension's tables, on which no
-- role has privileges, as the extension's owner.

CREATE OR REPLACE FUNCTION zentry_notify.owns(relation regclass) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT bool_and(pg_has_role(c.relowner, 'USAGE'))
      FROM pg_class c
     WHERE c.oid = coalesce((SELECT t.oid FROM pg_class t WHERE t.oid = relation), 'zentry_notify.event_source'::regclass)
$$;
COMMENT ON FUNCTION zentry_notify.owns(regclass) IS 'Returns whether the current role owns the table, as PostgreSQL checks it. Event sources of dropped tables belong to the owner of the extension';

CREATE OR REPLACE FUNCTION zentry_notify.require_owner(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT zentry_notify.owns(relation) THEN
        RAISE EXCEPTION 'must be owner of table %', relation USING ERRCODE = 'insufficient_privilege',
            HINT = 'Let the table''s owner or a superuser do it.'; -- whoever comes here may call nothing of ours
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_owner(regclass) IS 'Raises an error unless the current role owns the table';

-- Zentry's own tables, as its Django migrations create them.
CREATE OR REPLACE VIEW zentry_notify.zentry_source AS
SELECT *
  FROM (VALUES
    ('task_completed', 'public.tasks_task',
     '{"task_id": "id", "task_title": "title", "task_description": "description",
       "user_name": {"from": "public.users_user", "match": "id", "key": "assigned_to_id", "column": "username"},
       "user_id": "assigned_to_id",
       "project_name": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "name"},
       "project_id": "project_id", "points": "experience_reward", "completed_at": "completed_at"}'::jsonb,
     '{"project": "project_id"}'::jsonb,
     NULL::jsonb,
     -- For display: the trigger function checks transition and progress instead.
     'NEW.status = ''completed''', '(NEW.status = ''completed'') AND (OLD.status = ''completed'') IS NOT TRUE', NULL,
     'milestone_reached', '{"column": "status", "to": "completed"}'::jsonb, 1),
    ('badge_earned', 'public.achievements_userbadge',
     '{"badge_id": "badge_id",
       "badge_name": {"from": "public.achievements_badge", "match": "id", "key": "badge_id", "column": "name"},
       "badge_description": {"from": "public.achievements_badge", "match": "id", "key": "badge_id", "column": "description"},
       "user_name": {"from": "public.users_user", "match": "id", "key": "user_id", "column": "username"},
       "user_id": "user_id", "earned_at": "earned_at"}',
     '{"person": "user_id", "projects": [
        {"from": "public.tasks_project", "match": "created_by_id", "column": "id"},
        {"from": "public.tasks_project_members", "match": "user_id", "column": "project_id"},
        {"from": "public.tasks_task", "match": "assigned_to_id", "column": "project_id"}]}',
     NULL, 'true', NULL, NULL, NULL, NULL, 2),
    ('project_created', 'public.tasks_project',
     '{"project_id": "id", "project_name": "name", "project_description": "description",
       "user_name": {"from": "public.users_user", "match": "id", "key": "created_by_id", "column": "username"},
       "user_id": "created_by_id", "created_at": "created_at"}',
     '{"all": true}', NULL, 'true', NULL, NULL, NULL, NULL, 3),
    ('milestone_reached', 'public.tasks_task',
     '{"project_id": "project_id",
       "project_name": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "name"},
       "user_id": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"},
       "user_name": {"from": "public.users_user", "match": "id", "column": "username",
                     "key": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"}}}',
     '{"project": "project_id"}',
     '{"group": "project_id", "status": "status", "done": "completed"}',
     NULL, NULL, 'OLD.status IS DISTINCT FROM ''completed''', NULL, NULL, 4),
    ('daily_streak', 'public.users_user',
     '{"user_name": "username", "user_id": "id", "streak_days": "current_streak",
       "streak_type": {"value": "Daily task completion"}}',
     '{"person": "user_id", "projects": [
        {"from": "public.tasks_project", "match": "created_by_id", "column": "id"},
        {"from": "public.tasks_project_members", "match": "user_id", "column": "project_id"},
        {"from": "public.tasks_task", "match": "assigned_to_id", "column": "project_id"}]}',
     NULL, NULL, 'NEW.current_streak > OLD.current_streak', NULL, NULL, '{"column": "current_streak", "rises": true}', 5)
  ) AS s (event_type, relation, columns, audience, progress, insert_when, update_when, delete_when, rider, transition, place);
COMMENT ON VIEW zentry_notify.zentry_source IS 'How Zentry''s own tables become events, as zentry_attach() attaches them';

COMMENT ON COLUMN zentry_notify.zentry_source.event_type IS 'The event type';
COMMENT ON COLUMN zentry_notify.zentry_source.relation IS 'Zentry''s table';
COMMENT ON COLUMN zentry_notify.zentry_source.columns IS 'As event_source.columns';
COMMENT ON COLUMN zentry_notify.zentry_source.audience IS 'As event_source.audience';
COMMENT ON COLUMN zentry_notify.zentry_source.progress IS 'As event_source.progress';
COMMENT ON COLUMN zentry_notify.zentry_source.insert_when IS 'The condition of the insert trigger, in words for people; null: there is no such trigger';
COMMENT ON COLUMN zentry_notify.zentry_source.update_when IS 'The condition of the update trigger, in words for people; null: there is no such trigger';
COMMENT ON COLUMN zentry_notify.zentry_source.delete_when IS 'The condition of the delete trigger, in words for people; null: there is no such trigger';
COMMENT ON COLUMN zentry_notify.zentry_source.rider IS 'Another event type of the table that the same triggers write';
COMMENT ON COLUMN zentry_notify.zentry_source.transition IS 'As event_source.transition';
COMMENT ON COLUMN zentry_notify.zentry_source.place IS 'The order in which they are attached';

CREATE OR REPLACE FUNCTION @extschema@.zentry_attach() RETURNS TABLE (event_type text, relation text, state text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_attach_all_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_attach() IS
    'Attaches Zentry''s own tables, those that exist and fit, for the five events, and resumes suspended sources of these and of all tables that were attached by hand. Returns a row for each. Tables of other owners are left as they are';

CREATE OR REPLACE FUNCTION @extschema@.zentry_attach(
    event_type text, relation regclass, columns jsonb DEFAULT '{}', condition text DEFAULT NULL, operation text DEFAULT NULL,
    audience jsonb DEFAULT NULL, done text DEFAULT NULL) RETURNS TABLE (item text, value text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_attach_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_attach(text, regclass, jsonb, text, text, jsonb, text) IS
    'Attaches a table, so that its writes fire an event, and returns the event source that was made. columns: where the data come from ("key": column, path along foreign keys, SQL expression, look-up, constant, or null for none), for what is not guessed by usual names; condition: SQL over OLD and NEW; operation: insert, update, delete; audience: who hears; done: the status that means completed';

-- A condition is parsed when it is given. Its stored text is never parsed by the extension; the table's owner or a superuser may pass it to
-- zentry_attach again, and then it is parsed as that role.
CREATE OR REPLACE FUNCTION zentry_notify.given_columns(source zentry_notify.event_source) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- A null keeps zentry_attach from guessing a column for a key that has none.
    SELECT (SELECT jsonb_object_agg(k.key, NULL::text)
              FROM (SELECT 'project_id' AS key
                     UNION
                    SELECT jsonb_object_keys(t.sample) FROM zentry_notify.event_type t WHERE t.name = source.event_type
                     UNION
                    SELECT jsonb_object_keys(zentry_notify.placeholder_event(d.definition)) FROM zentry_notify.event_definition d
                     WHERE d.event_type = source.event_type AND d.webhook_integration_id IS NULL) k)
           || coalesce((SELECT jsonb_object_agg(c.key, CASE WHEN jsonb_typeof(c.value) = 'object' AND c.value ? 'expression' THEN c.value - 'columns' ELSE c.value END)
                          FROM jsonb_each(source.columns) c), '{}')
$$;
COMMENT ON FUNCTION zentry_notify.given_columns(zentry_notify.event_source) IS 'Returns the argument columns with which zentry_attach creates this event source again';

CREATE OR REPLACE FUNCTION zentry_notify.attach_again(source zentry_notify.event_source) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given   jsonb := zentry_notify.given_columns(source);
    written text := coalesce(source.insert_when, source.update_when, source.delete_when);
BEGIN
    RETURN format('SELECT * FROM @extschema@.zentry_attach(%L, %L, columns => %L, condition => %L, operation => %L, audience => %L);',
                  source.event_type, source.relation::text, given, written,
                  concat_ws(', ', CASE WHEN source.insert_when IS NOT NULL THEN 'insert' END, CASE WHEN source.update_when IS NOT NULL THEN 'update' END,
                            CASE WHEN source.delete_when IS NOT NULL THEN 'delete' END), source.audience);
END
$$;
COMMENT ON FUNCTION zentry_notify.attach_again(zentry_notify.event_source) IS 'Returns the call of zentry_attach that creates the event source and its triggers again';

CREATE OR REPLACE FUNCTION zentry_notify.has_own_condition(source zentry_notify.event_source) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT source.transition IS NULL AND source.progress IS NULL
       AND EXISTS (SELECT FROM unnest(ARRAY[source.insert_when, source.update_when, source.delete_when]) w WHERE w NOT IN ('true', 'OLD.* *<> NEW.*'))
$$;
COMMENT ON FUNCTION zentry_notify.has_own_condition(zentry_notify.event_source) IS 'Returns whether the triggers have a condition that was given as SQL, which zentry_attach() does not parse again';

CREATE OR REPLACE FUNCTION zentry_notify.source_arguments()
    RETURNS TABLE (event_type text, relation oid, table_name text, built_in boolean, columns jsonb, condition text, operation text, audience jsonb, done text, omit text[])
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.event_type, c.oid, format('%I.%I', n.nspname, c.relname), NOT s.by_hand, zentry_notify.given_columns(s),
           CASE WHEN zentry_notify.has_own_condition(s) THEN coalesce(s.insert_when, s.update_when, s.delete_when) END,
           -- Milestones take no condition.
           CASE WHEN s.progress IS NULL THEN
               concat_ws(', ', CASE WHEN s.insert_when IS NOT NULL THEN 'insert' END, CASE WHEN s.update_when IS NOT NULL THEN 'update' END,
                         CASE WHEN s.delete_when IS NOT NULL THEN 'delete' END) END,
           s.audience, coalesce(s.transition ->> 'to', s.progress ->> 'done'), s.omit
      FROM zentry_notify.event_source s
      JOIN pg_class c ON c.oid = s.relation
      JOIN pg_namespace n ON n.oid = c.relnamespace
$$;
COMMENT ON FUNCTION zentry_notify.source_arguments() IS
    'Returns the event sources of existing tables as arguments of zentry_attach; built_in: zentry_attach() without arguments creates it';

CREATE OR REPLACE FUNCTION @extschema@.zentry_detach(relation regclass, event_type text DEFAULT NULL) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_detach_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_detach(regclass, text) IS 'Detaches a table, from all event types or from one: its triggers are removed, and it fires them no more. Needs the table''s owner';

CREATE OR REPLACE FUNCTION @extschema@.zentry_omit(event_type text, relation regclass, keys text[]) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_omit_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_omit(text, regclass, text[]) IS 'Sets the keys of an event''s data that are left out for every webhook, such as {task_description}: their columns are not read. Attaching again keeps them. Needs the table''s owner';
-- ---- 23_route_cursor.sql ----

-- The route cursor: restoring it from a dump, and what is not routed yet.

-- Restored events look unrouted until the dump's cursor is restored as well. Whether a session restores a dump is recognized by its role and the
-- settings that a dump begins with. Other sessions may have these settings too; so the worker and the triggers write events as the agent, and
-- functions that write events pin the settings.
CREATE OR REPLACE FUNCTION zentry_notify.await_cursor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE zentry_notify.route_cursor c SET restored = 'awaited' WHERE c.restored = 'no';
    -- A dump may contain deliveries before their events.
    PERFORM zentry_notify.wake('{}');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.await_cursor() IS 'Trigger: stops the routing of events that a dump brings until the dump''s cursor is restored';

CREATE OR REPLACE FUNCTION zentry_notify.restore_cursor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.route_cursor;
    NEW.restored := 'yes';
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.restore_cursor() IS 'Trigger: replaces the route cursor by the one that a dump brings';

-- The events that are not routed yet.
CREATE OR REPLACE FUNCTION zentry_notify.unrouted_events() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    -- The gaps of the cursor and the ids above it, each by the primary key.
    SELECT count(*)
      FROM (SELECT FROM unnest('{(,)}'::int8multirange - coalesce((SELECT c.routed FROM zentry_notify.route_cursor c), '{}')) AS gap
              CROSS JOIN LATERAL (
                   SELECT FROM zentry_notify.event e
                    WHERE e.id >= coalesce(lower(gap), -9223372036854775808) AND e.id < coalesce(upper(gap), 9223372036854775807)
                    LIMIT 100000) e
             LIMIT 100000) waiting
$$;
COMMENT ON FUNCTION zentry_notify.unrouted_events() IS
    'Returns the number of events that are not routed yet; 100000: at least so many';

CREATE OR REPLACE FUNCTION zentry_notify.unrouted_since() RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (SELECT e.created_at FROM zentry_notify.event e
             WHERE e.id >= coalesce(lower(gap), -9223372036854775808) AND e.id < coalesce(upper(gap), 9223372036854775807)
             ORDER BY e.id LIMIT 1) AS created_at
      FROM unnest('{(,)}'::int8multirange - coalesce((SELECT c.routed FROM zentry_notify.route_cursor c), '{}')) AS gap
     ORDER BY created_at LIMIT 1
$$;
COMMENT ON FUNCTION zentry_notify.unrouted_since() IS 'Returns when the first event that is not routed yet happened; null: all are routed';

CREATE OR REPLACE FUNCTION zentry_notify.route_from_now() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
BEGIN
    -- As a restored cursor, it replaces the one that is there (restore_cursor).
    INSERT INTO zentry_notify.route_cursor (routed)
    SELECT int8multirange(int8range(NULL, coalesce(max(e.id), 0) + 1)) FROM zentry_notify.event e;
    PERFORM zentry_notify.wake('{}');
END
$$;
COMMENT ON FUNCTION zentry_notify.route_from_now() IS 'Marks all present events as routed. For a database that was restored from a dump with events and without a route cursor';
-- ---- 24_replication.sql ----

-- What logical replication and TRUNCATE do to the extension's tables, and how a subscriber takes over.

-- Events and deliveries of the publisher are processed by its own worker; here they would be sent a second time. OIDs of an event source's table and
-- of a token's role may mean other objects here, or none.
CREATE OR REPLACE FUNCTION zentry_notify.drop_replicated() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN NULL; END $$;
COMMENT ON FUNCTION zentry_notify.drop_replicated() IS 'Trigger: drops rows that logical replication brings into events, deliveries, counters, event sources, tokens and the audit log';

-- Both sides have the built-in types, and may have wordings of the same event: the replicated row wins. It is inserted here, because
-- pglogical would update the row that it found in its place.
CREATE OR REPLACE FUNCTION zentry_notify.replace_event_type() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.event_type t WHERE t.name = NEW.name;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    INSERT INTO zentry_notify.event_type SELECT NEW.*;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.replace_event_type() IS 'Trigger: replaces an event type by the one that logical replication brings';

CREATE OR REPLACE FUNCTION zentry_notify.replace_event_wording() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.event_wording w
     WHERE w.id = NEW.id OR w.event_type = NEW.event_type AND w.webhook_integration_id IS NOT DISTINCT FROM NEW.webhook_integration_id;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    INSERT INTO zentry_notify.event_wording SELECT NEW.*;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.replace_event_wording() IS 'Trigger: replaces a wording by the one that logical replication brings';

CREATE OR REPLACE FUNCTION zentry_notify.sequences_behind() RETURNS TABLE (sequence text, highest bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.sequence, s.highest
      FROM (SELECT 'zentry_notify.webhook_integration_id_seq' AS sequence, (SELECT max(w.id) FROM zentry_notify.webhook w) AS highest
             UNION ALL SELECT 'zentry_notify.event_id_seq', (SELECT max(e.id) FROM zentry_notify.event e)
             UNION ALL SELECT 'zentry_notify.delivery_id_seq', greatest((SELECT max(d.id) FROM zentry_notify.delivery d),
                                                                        (SELECT max(d.id) FROM zentry_notify.legacy_delivery d))
             UNION ALL SELECT 'zentry_notify.event_source_id_seq', (SELECT max(s.id) FROM zentry_notify.event_source s)
             UNION ALL SELECT 'zentry_notify.event_wording_id_seq', (SELECT max(w.id) FROM zentry_notify.event_wording w)) s
     WHERE s.highest > coalesce(pg_sequence_last_value(s.sequence::regclass), 0)
$$;
COMMENT ON FUNCTION zentry_notify.sequences_behind() IS 'Returns the sequences that are behind the ids in their tables, with the highest id';

-- Sequences are not replicated, and what follows another server cannot be written to. Only subscriptions to this publisher are touched: the
-- database may subscribe to others.
CREATE OR REPLACE FUNCTION @extschema@.zentry_promote() RETURNS TABLE (item text, state text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
#variable_conflict use_variable
DECLARE
    replicated oid[] := ARRAY(SELECT m.objid FROM zentry_notify.members() m WHERE m.classid = 'pg_class'::regclass
                              UNION SELECT s.relation::oid FROM zentry_notify.event_source s);
    name       text;
    highest    bigint;
BEGIN
    FOR name IN SELECT quote_ident(s.subname) FROM pg_subscription s
                 WHERE s.subenabled AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                   AND EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srrelid = ANY (replicated))
                 ORDER BY 1 LOOP
        EXECUTE format('ALTER SUBSCRIPTION %s DISABLE', name);
        RETURN QUERY SELECT format('subscription %s', name), 'disabled';
    END LOOP;
    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pglogical' AND e.extnamespace = to_regnamespace('pglogical')) THEN
        FOR name IN EXECUTE 'SELECT s.sub_name FROM pglogical.subscription s
                              WHERE s.sub_enabled
                                AND EXISTS (SELECT FROM pglogical.local_sync_status l
                                             WHERE l.sync_subid = s.sub_id
                                               AND (l.sync_relname IS NULL OR to_regclass(format(''%I.%I'', l.sync_nspname, l.sync_relname)) = ANY ($1)))
                              ORDER BY 1' USING replicated LOOP
            -- Not immediately, which pglogical refuses in a transaction block: its process ends at the commit.
            EXECUTE 'SELECT pglogical.alter_subscription_disable($1, false)' USING name::name;
            RETURN QUERY SELECT format('subscription %I of pglogical', name), 'disabled';
        END LOOP;
    END IF;
    FOR name, highest IN SELECT b.sequence, b.highest FROM zentry_notify.sequences_behind() b LOOP
        PERFORM setval(name, highest);
        RETURN QUERY SELECT format('sequence %s', name), format('goes on after %s', highest);
    END LOOP;
    RETURN QUERY SELECT format('event %s of %s', a.event_type, a.relation), a.state FROM @extschema@.zentry_attach() a;
    PERFORM zentry_notify.wake('{}');
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_promote() IS
    'Makes a subscriber of logical replication (built-in or pglogical''s) the server that is written to: disables the subscriptions to the attached tables and to the extension''s, sets the extension''s sequences above what was replicated, attaches Zentry''s tables, and returns what was done. For superusers';

-- Ids must not be reused: the worker's memory, the route cursor and receivers would take the new row for the old one.
CREATE OR REPLACE FUNCTION zentry_notify.keep_numbering() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'webhook' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.webhook_integration_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.webhook_integration_id_seq'), 0) + 1);
        INSERT INTO zentry_notify.deleted_webhook SELECT w.id FROM zentry_notify.webhook w ON CONFLICT DO NOTHING;
        DELETE FROM zentry_notify.webhook_secret;
        DELETE FROM zentry_notify.webhook_circuit;
        DELETE FROM zentry_notify.webhook_state;
        DELETE FROM zentry_notify.webhook_count;
        DELETE FROM zentry_notify.delivery_stat;
        DELETE FROM zentry_notify.event_wording w WHERE w.webhook_integration_id IS NOT NULL;
    ELSIF TG_TABLE_NAME = 'delivery' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.delivery_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.delivery_id_seq'), 0) + 1);
        DELETE FROM zentry_notify.delivery_attempt;
    ELSIF TG_TABLE_NAME = 'event' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.event_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.event_id_seq'), 0) + 1);
        -- Without their events, waiting deliveries cannot be sent.
        WITH gone AS (DELETE FROM zentry_notify.delivery d WHERE d.status IN ('p', 'r') RETURNING d.id)
        DELETE FROM zentry_notify.delivery_attempt a USING gone g WHERE a.delivery_id = g.id;
    ELSIF TG_TABLE_NAME = 'event_source' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.event_source_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.event_source_id_seq'), 0) + 1);
        DELETE FROM zentry_notify.project_progress;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.keep_numbering() IS 'Trigger: makes TRUNCATE ... RESTART IDENTITY continue above the ids that were used, and deletes what depends on the rows';
-- ---- 25_audit.sql ----

-- The audit log: triggers on the tables of the configuration write who changed what into audit_entry.

-- The function that the triggers below call. A definer function does not see its caller, so the entry has the role that logged in and the role
-- that SET ROLE has set. The server names its token in a setting, which counts if the session may look tokens up and acts as the token's role. No
-- statement here contains a secret, since statements, plans and their parameters can be logged. Sequential scans are disabled, because a
-- session keeps the plans that it made while the tables were small, and may then register thousands of webhooks. JIT is off, because the cost
-- that the planner adds to a disabled scan would trigger it.
CREATE OR REPLACE FUNCTION zentry_notify.audit_change(
    tg_op text, relation regclass, before jsonb, after jsonb, object_type text, object_key text DEFAULT NULL, object_name text DEFAULT NULL,
    webhook_id bigint DEFAULT NULL, changed text[] DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    acting     name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    -- Null: the table has been renamed meanwhile.
    acting_oid oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = acting);
    is_secret  boolean := relation = 'zentry_notify.webhook_secret'::regclass;
    changes    jsonb := '{}';
    known      record;
BEGIN
    IF tg_op <> 'TRUNCATE' THEN
        -- Rows that a dump restores and rows of the extension's script are not logged. This holds only for sessions that have the owner's
        -- privileges, which both need.
        IF zentry_notify.is_restoring() AND pg_has_role(acting_oid, (SELECT c.relowner FROM pg_class c WHERE c.oid = relation), 'USAGE')
           AND (tg_op = 'INSERT' AND pg_trigger_depth() = 1 OR object_type = 'event_source' AND pg_trigger_depth() = 2) THEN
            RETURN;
        END IF;
        -- Columns that triggers or the worker set are not configuration.
        SELECT coalesce(jsonb_object_agg(c.key, jsonb_build_object('old', c.old, 'new', c.new)), '{}') INTO changes
          FROM (SELECT coalesce(o.key, n.key) AS key, nullif(o.value, 'null') AS old, nullif(n.value, 'null') AS new
                  FROM jsonb_each(CASE tg_op WHEN 'INSERT' THEN '{}' ELSE before END) o
                  FULL JOIN jsonb_each(CASE tg_op WHEN 'DELETE' THEN '{}' ELSE after END) n ON n.key = o.key) c
         WHERE (c.old IS DISTINCT FROM c.new OR c.key = ANY (changed))
           AND c.key <> ALL ('{created_at,updated_at,activated_at,switched_off_at,suspended_at,suspended_reason,written_by_oid}')
           AND (c.key <> 'id' OR object_type = 'webhook');
        IF changes = '{}' THEN
            RETURN;
        END IF;
        IF object_name IS NULL AND webhook_id IS NOT NULL THEN
            object_name := (SELECT w.name FROM zentry_notify.webhook w WHERE w.id = webhook_id);
        END IF;
        -- A URL that was set as a title or a name by mistake is redacted, so that it is gone once that is corrected. webhook_url is redacted already.
        IF strpos(concat(CASE WHEN is_secret THEN changes - 'webhook_url' ELSE changes END, object_name), '://') > 0 THEN
            FOR known IN SELECT s.webhook_url AS url, zentry_notify.redact_url(s.webhook_url) AS shown
                           FROM zentry_notify.webhook_secret s WHERE strpos(changes::text, s.webhook_url) > 0 LOOP
                changes := replace(changes::text, known.url, known.shown);
                object_name := replace(object_name, known.url, known.shown);
            END LOOP;
        END IF;
        -- A webhook and its secrets are logged as one object: a statement that writes both creates one entry.
        IF is_secret THEN
            UPDATE zentry_notify.audit_entry e
               SET changes = e.changes || (SELECT jsonb_object_agg(c.key, c.value || jsonb_build_object('old', coalesce(e.changes -> c.key, c.value) -> 'old'))
                                             FROM jsonb_each(changes) c)
             WHERE e.id = (SELECT l.id FROM zentry_notify.audit_entry l
                            WHERE l.changed_at >= statement_timestamp() AND l.object_type = 'webhook' AND l.webhook_id = audit_change.webhook_id
                              AND l.transaction = pg_current_xact_id() AND l.role_name = acting
                            ORDER BY l.changed_at DESC LIMIT 1);
            IF FOUND THEN
                RETURN;
            END IF;
        END IF;
    END IF;
    INSERT INTO zentry_notify.audit_entry (session_role, role_name, api_token, object_type, object_key, object_name, webhook_id, operation, changes)
    VALUES (session_user,
            CASE WHEN EXISTS (SELECT FROM pg_stat_get_activity(pg_backend_pid()) a WHERE a.backend_type = 'zentry_notify worker')
                 THEN 'zentry_notify_agent' ELSE acting END,
            (SELECT t.name FROM zentry_notify.api_token t
              WHERE t.token_key = current_setting('zentry_notify.api_token_key', true) AND current_setting('role') <> 'none'
                AND t.role_oid = acting_oid
                AND has_function_privilege(session_user, 'zentry_notify.find_api_token(text)', 'EXECUTE')),
            object_type, object_key, object_name, webhook_id,
            CASE WHEN is_secret AND tg_op <> 'TRUNCATE' THEN 'update' ELSE lower(tg_op) END, changes);
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_change(text, regclass, jsonb, jsonb, text, text, text, bigint, text[]) IS
    'Writes the changed values of a row, old and new, into audit_entry; changed: keys that have changed although their values look the same (secrets)';

-- There is one trigger function for each table: it says which columns are logged, and the name of the object.
CREATE OR REPLACE FUNCTION zentry_notify.audit_webhook() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'webhook', coalesce(NEW.id, OLD.id)::text, coalesce(NEW.name, OLD.name),
                                       coalesce(NEW.id, OLD.id));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_webhook() IS 'Trigger: records changes of a webhook in audit_entry';

-- Secrets are only used in simple expressions, which PL/pgSQL evaluates without a statement that could be logged.
CREATE OR REPLACE FUNCTION zentry_notify.audit_webhook_secret() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
DECLARE
    id      bigint := coalesce(NEW.webhook_integration_id, OLD.webhook_integration_id);
    before  jsonb := jsonb_build_object('webhook_url', zentry_notify.redact_url(OLD.webhook_url),
                                        'signing_secret', CASE WHEN OLD.signing_secret IS NOT NULL THEN '***' END,
                                        'headers', jsonb_path_query_array(OLD.headers, '$.keyvalue().key'));
    after   jsonb := jsonb_build_object('webhook_url', zentry_notify.redact_url(NEW.webhook_url),
                                        'signing_secret', CASE WHEN NEW.signing_secret IS NOT NULL THEN '***' END,
                                        'headers', jsonb_path_query_array(NEW.headers, '$.keyvalue().key'));
    changed text[] := array_remove(ARRAY[CASE WHEN OLD.webhook_url IS DISTINCT FROM NEW.webhook_url THEN 'webhook_url' END,
                                         CASE WHEN OLD.signing_secret IS DISTINCT FROM NEW.signing_secret THEN 'signing_secret' END,
                                         CASE WHEN OLD.headers IS DISTINCT FROM NEW.headers THEN 'headers' END], NULL);
BEGIN
    -- The row was deleted with its webhook, which is logged.
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, before, after, 'webhook', id::text, webhook_id => id, changed => changed);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_webhook_secret() IS 'Trigger: records in audit_entry, as changes of the webhook, that a URL, a signing secret or headers have changed';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'event_type', coalesce(NEW.name, OLD.name), coalesce(NEW.name, OLD.name));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_type() IS 'Trigger: records changes of an event type in audit_entry';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_source() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'event_source', coalesce(NEW.event_type, OLD.event_type),
                                       coalesce(NEW.relation, OLD.relation)::text);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_source() IS 'Trigger: records changes of an event source in audit_entry';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_wording() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'wording', coalesce(NEW.event_type, OLD.event_type),
                                       webhook_id => coalesce(NEW.webhook_integration_id, OLD.webhook_integration_id));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_wording() IS 'Trigger: records changes of a wording in audit_entry';

CREATE OR REPLACE FUNCTION zentry_notify.audit_api_token() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
DECLARE
    before  jsonb := to_jsonb(OLD) - '{token_hash,last_used_at,role_oid}'::text[];
    after   jsonb := to_jsonb(NEW) - '{token_hash,last_used_at,role_oid}'::text[];
    changed text[] := '{}';
BEGIN
    IF OLD.token_hash IS DISTINCT FROM NEW.token_hash THEN
        before := before || '{"token_hash": "***"}';
        after := after || '{"token_hash": "***"}';
        changed := '{token_hash}';
    END IF;
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, before, after, 'api_token', coalesce(NEW.token_key, OLD.token_key), coalesce(NEW.name, OLD.name),
                                       changed => changed);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_api_token() IS 'Trigger: records changes of an API token in audit_entry';

CREATE OR REPLACE FUNCTION zentry_notify.audit_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, NULL, NULL,
        CASE TG_TABLE_NAME WHEN 'webhook_secret' THEN 'webhook' WHEN 'event_wording' THEN 'wording' ELSE TG_TABLE_NAME END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_truncate() IS 'Trigger: records a TRUNCATE of a table of the configuration in audit_entry';
-- ---- 26_api.sql ----

-- What the server and the clients of the REST API need in the database: tokens, and names for ids.

CREATE OR REPLACE VIEW zentry_notify.api_tokens AS
SELECT t.token_key,
       t.name,
       coalesce(r.rolname, t.role_name) AS role_name,
       CASE WHEN t.expires_at <= now() THEN 'expired'
            WHEN r.oid IS NULL THEN 'role is gone'
            WHEN r.rolsuper THEN 'role is a superuser'
            ELSE 'good' END AS state,
       t.created_by,
       t.created_at,
       t.expires_at,
       t.last_used_at
  FROM zentry_notify.api_token t
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = t.role_oid;
COMMENT ON VIEW zentry_notify.api_tokens IS 'Tokens of the REST API, without their hashes';
COMMENT ON COLUMN zentry_notify.api_tokens.token_key IS 'The token''s first part, after "zentry_"';
COMMENT ON COLUMN zentry_notify.api_tokens.name IS 'What the token is for';
COMMENT ON COLUMN zentry_notify.api_tokens.role_name IS 'The role that requests with the token run as';
COMMENT ON COLUMN zentry_notify.api_tokens.state IS 'good, or why the token is refused';
COMMENT ON COLUMN zentry_notify.api_tokens.created_by IS 'The role that created it';
COMMENT ON COLUMN zentry_notify.api_tokens.created_at IS 'When it was created';
COMMENT ON COLUMN zentry_notify.api_tokens.expires_at IS 'When it expires; null: when it is revoked';
COMMENT ON COLUMN zentry_notify.api_tokens.last_used_at IS 'When a request last used it, to the minute';

CREATE OR REPLACE FUNCTION zentry_notify.check_api_token() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    role oid := CASE TG_OP WHEN 'INSERT' THEN (SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.role_name) ELSE OLD.role_oid END;
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- Also for restored rows, since the OID in a dump is another cluster's.
        NEW.role_oid := role;
    END IF;
    -- Functions of the extension write as its owner after they have checked the caller. Other roles can write here by pg_write_all_data.
    IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        IF TG_OP = 'UPDATE' THEN
            RAISE EXCEPTION 'a token cannot be changed' USING ERRCODE = 'insufficient_privilege', HINT = 'Revoke it, and make another one.'; -- as in require_owner
        END IF;
        -- A token whose role no longer exists may be deleted by every role that can write here.
        IF TG_OP = 'INSERT' OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = role) THEN
            PERFORM zentry_notify.require_membership(role);
        END IF;
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_api_token() IS 'Trigger: only roles with the privileges of a token''s role can create or revoke it, and nobody can change it';

CREATE OR REPLACE FUNCTION zentry_notify.require_membership(role oid) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF role IS NULL OR NOT pg_has_role(role, 'USAGE') THEN
        PERFORM zentry_notify.refuse('insufficient_privilege',
            format('role "%s" does not have the privileges of role "%s"', current_user, coalesce(pg_get_userbyid(role), '(none)')),
            'A token passes on rights that its maker has: let a member of that role, or a superuser, do it.');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_membership(oid) IS 'Raises an error unless the current role has the privileges of the given one';

-- These two run with the rights of the caller. A definer function would only see the session's user, who may be a superuser while a manager's
-- function runs, and would create tokens for that user's roles. put_api_token and drop_api_token, in Rust, check the caller and write as the
-- owner.
CREATE OR REPLACE FUNCTION @extschema@.zentry_create_api_token(name text, role name, expires_at timestamptz DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    superuser boolean;
    random    bytea;
    token_key text;
    token     text;
    latest    timestamptz;
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    IF btrim(name) = '' OR name IS NULL THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'the name of a token must not be empty',
            'Say who or what uses it, such as ''front end''.', 'name');
    END IF;
    SELECT r.rolsuper INTO superuser FROM pg_roles r WHERE r.rolname = role;
    IF NOT FOUND THEN
        PERFORM zentry_notify.refuse('undefined_object', format('role "%s" does not exist', coalesce(role, '(null)')),
            'Make a role for it: CREATE ROLE ... NOLOGIN; SELECT @extschema@.zentry_grant(''...'', ''reader'').', 'role');
    END IF;
    IF superuser THEN
        PERFORM zentry_notify.refuse('invalid_role_specification', format('role "%s" is a superuser', role),
            'Make a role for it that can do no more than it has to: CREATE ROLE ... NOLOGIN; SELECT @extschema@.zentry_grant(''...'', ''manager'').', 'role');
    END IF;
    PERFORM zentry_notify.require_membership(to_regrole(quote_ident(role)));
    IF expires_at <= now() THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'a token must not have expired already',
            'Give a time that is still to come, or null.', 'expires_at');
    END IF;
    -- A stolen token must not create one that is valid for longer.
    SELECT t.expires_at INTO latest FROM zentry_notify.api_tokens t WHERE t.token_key = current_setting('zentry_notify.api_token_key', true);
    IF expires_at > latest OR expires_at IS NULL AND latest IS NOT NULL THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'a token must not outlive the one that it is made by',
            format('That one expires at %s. Give an earlier time.', to_char(latest AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')), 'expires_at');
    END IF;

    -- A random UUID has 122 bits from pg_strong_random. Three have more than the 256 that the hash keeps.
    random := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    token_key := left(md5(gen_random_uuid()::text), 8);
    token := format('zentry_%s_%s', token_key, rtrim(translate(encode(random, 'base64'), '+/', '-_'), '='));
    BEGIN
        PERFORM zentry_notify.put_api_token(token_key, name, to_regrole(quote_ident(role)), sha256(convert_to(token, 'UTF8')), expires_at);
    EXCEPTION WHEN unique_violation THEN
        PERFORM zentry_notify.refuse('unique_violation', format('there is a token named "%s" already', name),
            'Choose another name, or revoke that one: SELECT @extschema@.zentry_revoke_api_token(''...'').', 'name');
    END;
    RETURN token;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_create_api_token(text, name, timestamptz) IS
    'Creates a token for the REST API whose requests run as the role, and returns it: it is not shown again. Needs the privileges of the role';

CREATE OR REPLACE FUNCTION @extschema@.zentry_revoke_api_token(name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF name IS NULL OR NOT coalesce(zentry_notify.drop_api_token(name), false) THEN
        PERFORM zentry_notify.refuse('no_data_found', format('there is no token named "%s"', coalesce(name, '(null)')),
            'SELECT name, role_name FROM zentry_notify.api_tokens lists them.', 'name');
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_revoke_api_token(text) IS 'Revokes a token: the next request with it is refused. Needs the privileges of its role';

CREATE OR REPLACE FUNCTION zentry_notify.find_api_token(token_key text, OUT role_name name, OUT token_hash bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.rolname, t.token_hash
      FROM zentry_notify.api_token t
      JOIN pg_roles r ON r.oid = t.role_oid AND NOT r.rolsuper
     WHERE t.token_key = find_api_token.token_key AND (t.expires_at > now() OR t.expires_at IS NULL);
$$;
COMMENT ON FUNCTION zentry_notify.find_api_token(text) IS
    'For the server: returns role and hash of a valid token; nulls if there is none. The server compares the hash';

CREATE OR REPLACE FUNCTION zentry_notify.note_api_token_use(token_key text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
    UPDATE zentry_notify.api_token t SET last_used_at = now()
     WHERE t.token_key = note_api_token_use.token_key AND NOT pg_is_in_recovery();
$$;
COMMENT ON FUNCTION zentry_notify.note_api_token_use(text) IS 'For the server: records that the token was used now';

CREATE OR REPLACE FUNCTION zentry_notify.lookup_of(data_key text) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.columns -> data_key
      FROM zentry_notify.event_source s
     WHERE jsonb_typeof(s.columns -> data_key) = 'object'
       AND s.columns -> data_key ?& ARRAY['from', 'match', 'column']
     ORDER BY s.id LIMIT 1;
$$;
COMMENT ON FUNCTION zentry_notify.lookup_of(text) IS 'Returns the table and columns of the lookup that gives this key of an attached table''s data; null: there is none';

CREATE OR REPLACE FUNCTION zentry_notify.look_up_in(relation oid, key text, shown text, ids bigint[]) RETURNS TABLE (id bigint, shown_as text)
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'look_up_in_wrapper';
COMMENT ON FUNCTION zentry_notify.look_up_in(oid, text, text, bigint[]) IS
    'Returns the values of a table for these ids, as far as the caller may read it. It is read as the table''s owner, in restricted mode';

-- Names that Zentry's clients expect beside ids. Callers that cannot read the application's table get none.
CREATE OR REPLACE FUNCTION zentry_notify.look_up(data_key text, ids bigint[]) RETURNS TABLE (id bigint, shown text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT l.id, l.shown_as
      FROM zentry_notify.lookup_of(data_key) s (lookup)
      CROSS JOIN LATERAL zentry_notify.look_up_in(to_regclass(s.lookup ->> 'from'), s.lookup ->> 'match', s.lookup ->> 'column', ids) l
$$;
COMMENT ON FUNCTION zentry_notify.look_up(text, bigint[]) IS
    'Returns the values that the attached tables'' lookups (project_name, user_name) give for these ids, as far as the caller may read the table';
-- ---- 27_sender_sessions.sql ----

-- The sessions of zentry-notify send. It calls the functions of this file and the next two, and no others. Each call names a sender, which must belong to
-- the calling session. A session that has ended cannot write, so its queues are free from that moment on, whatever the clocks of the machines say. No
-- function executes stored text.

CREATE OR REPLACE FUNCTION zentry_notify.sender_signal() RETURNS name
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'zentry_notify_senders'::name
$$;
COMMENT ON FUNCTION zentry_notify.sender_signal() IS
    'Returns the name of the channel that senders LISTEN on. Its payloads (queues, settings, or ids of webhooks) are hints only, since every role can NOTIFY';

-- A pooler in session mode resets a session and gives it to another client when its client disconnects. The reset also removes this application_name.
CREATE OR REPLACE FUNCTION zentry_notify.sender_mark(sender bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'zentry-notify send ' || sender
$$;
COMMENT ON FUNCTION zentry_notify.sender_mark(bigint) IS 'Returns the application_name that a session has while it is this sender''s';

-- Rows are read before the list of processes, so a sender with a row and without a process has ended.
CREATE OR REPLACE FUNCTION zentry_notify.gone_senders() RETURNS SETOF bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.id
      FROM zentry_notify.sender s
     WHERE NOT EXISTS (SELECT FROM pg_stat_get_activity(s.process) a
                        WHERE a.pid = s.process AND a.backend_start = s.session_started AND a.application_name = zentry_notify.sender_mark(s.id))
$$;
COMMENT ON FUNCTION zentry_notify.gone_senders() IS 'Returns the senders whose sessions have ended';

CREATE OR REPLACE FUNCTION zentry_notify.forget_gone_senders() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint[];
BEGIN
    PERFORM pg_stat_clear_snapshot();
    gone := ARRAY(SELECT zentry_notify.gone_senders());
    IF gone <> '{}' THEN
        -- Locked rows are left to the next call: a sender that keeps a transaction open must not block the others.
        WITH free AS (SELECT q.webhook_integration_id AS id FROM zentry_notify.sender_queue q WHERE q.sender_id = ANY (gone) FOR UPDATE SKIP LOCKED)
        UPDATE zentry_notify.sender_queue q SET sender_id = NULL FROM free f WHERE q.webhook_integration_id = f.id;
        WITH free AS (SELECT s.id FROM zentry_notify.sender s WHERE s.id = ANY (gone) FOR UPDATE SKIP LOCKED)
        DELETE FROM zentry_notify.sender s USING free f
         WHERE s.id = f.id AND NOT EXISTS (SELECT FROM zentry_notify.sender_queue q WHERE q.sender_id = s.id);
        PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_gone_senders() IS 'Releases the queues of senders whose sessions have ended, and deletes those senders';

CREATE OR REPLACE FUNCTION zentry_notify.check_sender(sender bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM zentry_notify.sender s WHERE s.id = check_sender.sender AND s.process = pg_backend_pid()) THEN
        PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('sender %s does not belong to this session', coalesce(sender::text, 'null')),
            'A sender needs one session for as long as it runs: connect it to the server itself, or to a pooler in session mode. A pooler in transaction mode gives each transaction another session.');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_sender(bigint) IS 'Raises an error unless the sender belongs to this session';

-- The server's timeouts end the session when it hears nothing of the sender. So the server alone decides when a queue is free, by elapsed time.
CREATE OR REPLACE FUNCTION zentry_notify.begin_sending(name text, patience interval) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sender       bigint;
    milliseconds text;
    setting      text;
BEGIN
    IF name IS NULL OR length(name) NOT BETWEEN 1 AND 100 THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'name must have 1 to 100 characters', 'Name the machine that sends.', 'name');
    END IF;
    IF patience IS NULL OR patience NOT BETWEEN '1 second' AND '10 minutes' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('patience must be 1 second to 10 minutes, not %s', coalesce(patience::text, 'null')),
            'It is how long the server waits for a sign of life from the sender, such as 30 seconds.', 'patience');
    END IF;
    milliseconds := ceil(extract(epoch FROM patience) * 1000)::integer::text;
    FOREACH setting IN ARRAY '{idle_session_timeout,idle_in_transaction_session_timeout,statement_timeout,lock_timeout,tcp_user_timeout}'::text[] LOOP
        PERFORM set_config(setting, milliseconds, false);
    END LOOP;
    -- As in the worker: reports of a sender do not wait for a standby.
    PERFORM set_config('synchronous_commit', 'local', false);
    PERFORM zentry_notify.forget_gone_senders();
    PERFORM zentry_notify.end_session();
    INSERT INTO zentry_notify.sender AS s (name, process, session_started, patience)
    SELECT begin_sending.name, a.pid, a.backend_start, begin_sending.patience FROM pg_stat_get_activity(pg_backend_pid()) a
    RETURNING s.id INTO sender;
    PERFORM set_config('application_name', zentry_notify.sender_mark(sender), false);
    PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    -- Wakes the worker, which offers queues.
    PERFORM zentry_notify.wake_for_senders();
    RETURN sender;
END
$$;
COMMENT ON FUNCTION zentry_notify.begin_sending(text, interval) IS
    'Makes this session a sender''s, and returns the sender''s id. The server ends the session when it has heard nothing of the sender for the time patience';

CREATE OR REPLACE FUNCTION zentry_notify.end_session() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mine bigint[] := ARRAY(SELECT s.id FROM zentry_notify.sender s WHERE s.process = pg_backend_pid());
BEGIN
    IF mine <> '{}' THEN
        UPDATE zentry_notify.sender_queue q SET sender_id = NULL WHERE q.sender_id = ANY (mine);
        DELETE FROM zentry_notify.sender s WHERE s.id = ANY (mine);
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.end_session() IS 'Releases the queues of this session''s senders, and deletes those senders';

CREATE OR REPLACE FUNCTION zentry_notify.end_sending(sender bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    PERFORM zentry_notify.end_session();
    PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    PERFORM zentry_notify.wake_for_senders();
END
$$;
COMMENT ON FUNCTION zentry_notify.end_sending(bigint) IS 'Ends what begin_sending began: releases all queues of the sender';
-- ---- 28_sender_queues.sql ----

-- Who holds which queue: how zentry-notify send takes and releases queues, and how the worker offers and recalls them and notifies senders.

-- Discord's queues are distributed separately from the others, over the senders whose addresses Discord does not block. Each sender's share is the total
-- divided by the number of senders, and the remainder goes to some of them, one each.
CREATE OR REPLACE FUNCTION zentry_notify.take_queues(sender bigint, busy bigint[], banned_until timestamptz) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    of_discord boolean;
    senders    bigint[];
    place      integer;
    held       integer;
    total      integer;
    share      integer;
    taken      jsonb := '[]';
    let_go     bigint[];
    asked      jsonb := '[]';
    more       jsonb;
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    PERFORM zentry_notify.forget_gone_senders();
    UPDATE zentry_notify.sender s SET banned_until = banned_until WHERE s.id = sender AND s.banned_until IS DISTINCT FROM banned_until;
    IF FOUND THEN
        PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    END IF;
    let_go := ARRAY(SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q WHERE q.sender_id = sender AND q.recalled);
    FOREACH of_discord IN ARRAY '{true,false}'::boolean[] LOOP
        senders := ARRAY(SELECT s.id FROM zentry_notify.sender s WHERE NOT of_discord OR s.banned_until IS NULL OR s.banned_until <= now()
                          -- The first senders get the remainder of Discord's queues, and the last ones that of the others.
                          ORDER BY CASE WHEN of_discord THEN s.id ELSE -s.id END);
        IF senders = '{}' THEN
            senders := ARRAY(SELECT s.id FROM zentry_notify.sender s ORDER BY s.id);
        END IF;
        SELECT count(*), count(*) FILTER (WHERE q.sender_id = sender) INTO total, held
          FROM zentry_notify.sender_queue q
          JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id
         WHERE NOT q.recalled AND (w.webhook_type = 'discord') = of_discord;
        place := array_position(senders, sender) - 1;
        share := CASE WHEN place IS NULL THEN 0 ELSE total / cardinality(senders) + (place < total % cardinality(senders))::integer END;
        IF held < share THEN
            WITH free AS (
                SELECT q.webhook_integration_id AS id
                  FROM zentry_notify.sender_queue q
                  JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id
                 WHERE q.sender_id IS NULL AND NOT q.recalled AND (w.webhook_type = 'discord') = of_discord AND q.webhook_integration_id <> ALL (busy)
                 ORDER BY q.webhook_integration_id LIMIT share - held
                   FOR UPDATE OF q SKIP LOCKED),
            took AS (
                UPDATE zentry_notify.sender_queue q
                   SET sender_id = sender, asked = NULL,
                       -- A random increment, so that a promoted standby that lacks the last epochs does not give the same ones again.
                       epoch = q.epoch + 1 + (random() * 1000000000)::bigint
                  FROM free f WHERE q.webhook_integration_id = f.id AND q.sender_id IS NULL
                RETURNING q.webhook_integration_id AS id, q.epoch)
            SELECT coalesce(jsonb_agg(jsonb_build_array(t.id, t.epoch)), '[]') INTO more FROM took t;
            taken := taken || more;
        ELSIF held > share THEN
            let_go := let_go || ARRAY(
                SELECT q.webhook_integration_id
                  FROM zentry_notify.sender_queue q
                  JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id
                 WHERE q.sender_id = sender AND NOT q.recalled AND (w.webhook_type = 'discord') = of_discord
                 ORDER BY q.webhook_integration_id DESC LIMIT held - share);
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM zentry_notify.sender_queue q WHERE q.sender_id = sender AND q.asked IS NOT NULL) THEN
        WITH found AS (
            SELECT q.webhook_integration_id AS id, q.asked FROM zentry_notify.sender_queue q WHERE q.sender_id = sender AND q.asked IS NOT NULL FOR UPDATE SKIP LOCKED),
        heard AS (
            UPDATE zentry_notify.sender_queue q SET asked = NULL FROM found f WHERE q.webhook_integration_id = f.id)
        SELECT coalesce(jsonb_agg(jsonb_build_array(f.id, f.asked)), '[]') INTO asked FROM found f;
    END IF;
    RETURN jsonb_build_object('taken', taken, 'let_go', to_jsonb(let_go), 'asked', asked);
END
$$;
COMMENT ON FUNCTION zentry_notify.take_queues(bigint, bigint[], timestamptz) IS
    'Called by a sender from time to time: takes free queues up to its share, except those in busy, and returns JSON with taken (ids and epochs), let_go (queues that it must release) and asked (users'' requests). banned_until: until when Discord blocks its address';

CREATE OR REPLACE FUNCTION zentry_notify.release_queues(sender bigint, webhook_ids bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    UPDATE zentry_notify.sender_queue q SET sender_id = NULL
     WHERE q.sender_id = release_queues.sender AND q.webhook_integration_id = ANY (webhook_ids);
    IF EXISTS (SELECT FROM zentry_notify.sender_queue q WHERE q.webhook_integration_id = ANY (webhook_ids) AND q.recalled) THEN
        PERFORM zentry_notify.wake_for_senders();
    END IF;
    PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
END
$$;
COMMENT ON FUNCTION zentry_notify.release_queues(bigint, bigint[]) IS 'Releases queues that have no request in flight and whose outcomes are all recorded';

-- What the worker calls, as the agent.
CREATE OR REPLACE FUNCTION zentry_notify.offer_queues(webhook_ids bigint[]) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM zentry_notify.sender) AND NOT EXISTS (SELECT FROM zentry_notify.sender_queue) AND webhook_ids = '{}' THEN
        RETURN;
    END IF;
    PERFORM zentry_notify.forget_gone_senders();
    -- Rows that a sender has locked are skipped; they count as held until the worker calls again.
    WITH free AS (
        SELECT q.webhook_integration_id AS id FROM zentry_notify.sender_queue q
         WHERE q.sender_id IS NULL AND q.webhook_integration_id <> ALL (webhook_ids) FOR UPDATE SKIP LOCKED)
    DELETE FROM zentry_notify.sender_queue q USING free f WHERE q.webhook_integration_id = f.id;
    WITH free AS (
        SELECT q.webhook_integration_id AS id FROM zentry_notify.sender_queue q
         WHERE q.recalled <> (q.webhook_integration_id <> ALL (webhook_ids)) FOR UPDATE SKIP LOCKED)
    UPDATE zentry_notify.sender_queue q SET recalled = NOT q.recalled FROM free f WHERE q.webhook_integration_id = f.id;
    INSERT INTO zentry_notify.sender_queue (webhook_integration_id)
    SELECT DISTINCT o.id FROM unnest(webhook_ids) o (id)
     WHERE o.id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.sender_queue q WHERE q.webhook_integration_id = o.id);
    PERFORM pg_notify(zentry_notify.sender_signal(), 'queues') WHERE EXISTS (SELECT FROM zentry_notify.sender);
    RETURN QUERY SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q WHERE q.recalled OR q.webhook_integration_id <> ALL (webhook_ids);
END
$$;
COMMENT ON FUNCTION zentry_notify.offer_queues(bigint[]) IS
    'Called by the worker: offers exactly these queues to senders, and recalls all others. Returns those that the worker may not send yet, because they are held or being changed';

CREATE OR REPLACE FUNCTION zentry_notify.tell_senders(what text, retried bigint[], resumed bigint[]) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    told bigint[] := '{}';
BEGIN
    IF retried <> '{}' OR resumed <> '{}' THEN
        -- Locked rows are skipped, because a sender could keep the lock for any time.
        WITH free AS (
            SELECT q.webhook_integration_id AS id FROM zentry_notify.sender_queue q
             WHERE q.webhook_integration_id = ANY (retried || resumed) FOR UPDATE SKIP LOCKED),
        asked AS (
            UPDATE zentry_notify.sender_queue q
               SET asked = CASE WHEN q.webhook_integration_id = ANY (resumed) OR q.asked = 'resume' THEN 'resume' ELSE 'retry' END
              FROM free f WHERE q.webhook_integration_id = f.id AND q.sender_id IS NOT NULL)
        SELECT coalesce(array_agg(f.id), '{}') INTO told FROM free f;
    END IF;
    PERFORM pg_notify(zentry_notify.sender_signal(), what) WHERE EXISTS (SELECT FROM zentry_notify.sender);
    RETURN QUERY SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q
                  WHERE q.webhook_integration_id = ANY (retried || resumed) AND q.webhook_integration_id <> ALL (told);
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_senders(text, bigint[], bigint[]) IS
    'Called by the worker: notifies senders, if there are any, of what: queues, settings, or ids of webhooks with new deliveries. retried, resumed: webhooks for which a user has called zentry_retry or zentry_resume. Returns those of them for which this could not be noted because the row is locked';
-- ---- 29_sender_deliveries.sql ----

-- What zentry-notify send reads of the queues that it holds, and how it records the outcomes of their deliveries.

CREATE OR REPLACE FUNCTION zentry_notify.sending_settings() RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_object_agg(substr(s.name, length('zentry_notify.') + 1), s.setting)
      FROM pg_settings s
     WHERE s.name = ANY ('{zentry_notify.sending,zentry_notify.username,zentry_notify.avatar_url,zentry_notify.link_base,zentry_notify.allowed_hosts,zentry_notify.allow_http,zentry_notify.allow_private_addresses,zentry_notify.request_timeout,zentry_notify.connect_timeout,zentry_notify.max_attempts,zentry_notify.max_age,zentry_notify.discord_rate,zentry_notify.teams_rate,zentry_notify.log_payloads}')
$$;
COMMENT ON FUNCTION zentry_notify.sending_settings() IS
    'Returns the settings that apply to senders, as this session has them; a new session has the current ones. proxy and ca_file are not among them, because they depend on the sender''s machine';

CREATE OR REPLACE FUNCTION zentry_notify.sending_webhooks(sender bigint) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    RETURN jsonb_build_object(
        'webhooks', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'id', w.id, 'webhook_type', w.webhook_type, 'webhook_url', u.webhook_url, 'max_events_per_message', w.max_events_per_message,
                       'min_interval', extract(epoch FROM w.min_interval), 'max_age', CASE WHEN w.max_age IS NOT NULL THEN extract(epoch FROM least(w.max_age, '1 year')) END,
                       'activated_at', w.activated_at, 'quiet_hours', w.quiet_hours, 'mention', w.mention, 'omit_keys', w.omit_keys,
                       'rate_limit', w.rate_limit, 'rate_group', w.rate_group, 'appearance', to_jsonb(w),
                       'last_sent_at', n.last_sent_at, 'last_failed_at', n.last_failed_at,
                       'circuit', CASE WHEN c.failures IS NOT NULL
                           THEN jsonb_build_object('failures', greatest(c.failures, 0), 'since', c.opened_at, 'next_try', c.next_try_at) END,
                       'failures', greatest(s.failures, 0), 'refusals', greatest(s.refusals, 0), 'limits', greatest(s.limits, 0),
                       'posts', ARRAY(SELECT p.at FROM unnest(s.posted_at) p (at) WHERE isfinite(p.at) ORDER BY p.at),
                       'secret', u.signing_secret, 'previous_secret', u.previous_secret, 'previous_until', u.previous_until, 'headers', u.headers::text)), '[]')
              FROM zentry_notify.sender_queue q
              JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id AND w.is_active
              JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id
              LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
              LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id
              LEFT JOIN zentry_notify.webhook_state s ON s.webhook_integration_id = w.id
             WHERE q.sender_id = sending_webhooks.sender),
        'wordings', (
            SELECT coalesce(jsonb_agg(jsonb_build_array(d.webhook_integration_id, d.definition::text)
                                      ORDER BY d.webhook_integration_id NULLS FIRST, d.event_type), '[]')
              FROM zentry_notify.event_definition d
             WHERE d.webhook_integration_id IS NULL
                OR d.webhook_integration_id IN (SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q WHERE q.sender_id = sending_webhooks.sender)));
END
$$;
COMMENT ON FUNCTION zentry_notify.sending_webhooks(bigint) IS
    'Returns the webhooks whose queues the sender holds, with their URLs and secrets, and the wordings that apply to them';

-- As the worker claims (src/worker/statements/deliveries.rs).
CREATE OR REPLACE FUNCTION zentry_notify.claim_deliveries(sender bigint, webhook_ids bigint[], pages integer[], cursors bigint[], shown integer[])
    RETURNS TABLE (id bigint, webhook_id bigint, event_type text, data text, detail text, attempts smallint, created_at timestamptz,
                   next_attempt_at timestamptz, event_id bigint, has_event boolean, traceparent text, unrouted_since timestamptz, asked_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    RETURN QUERY
    SELECT l.id, c.queue, l.event_type,
           CASE WHEN l.last <= c.shown THEN e.data::text
                WHEN e.context::text = '{"routed": true, "sample": true}' THEN '{"zentry_sample": true}' END,
           CASE WHEN l.last <= c.shown THEN
                CASE WHEN e.context::text = '{"routed": true, "sample": true}' THEN coalesce(x.data, '{}') || '{"zentry_sample": true}' ELSE x.data END::text END,
           -- Brought within the range of times that a sender can represent.
           l.attempts, greatest(least(e.created_at, '9000-01-01'), '0001-01-01'),
           CASE WHEN l.next_attempt_at IS NOT NULL THEN greatest(least(l.next_attempt_at, '9000-01-01'), '0001-01-01') END, l.event_id,
           e.id IS NOT NULL OR EXISTS (SELECT FROM zentry_notify.event later WHERE later.id > l.event_id),
           CASE WHEN e.id IS NOT NULL THEN l.traceparent END,
           -- A digest holds all events before its time, which may include some that are not routed yet.
           CASE WHEN c.shown < c.page THEN (SELECT zentry_notify.unrouted_since()) END, clock_timestamp()
      FROM unnest(claim_deliveries.webhook_ids, claim_deliveries.pages, claim_deliveries.cursors, claim_deliveries.shown) c (queue, page, cursor, shown)
      JOIN zentry_notify.sender_queue q ON q.webhook_integration_id = c.queue AND q.sender_id = claim_deliveries.sender
      CROSS JOIN LATERAL (
        SELECT p.*, row_number() OVER (ORDER BY p.id DESC) AS last
          FROM (SELECT l.id, l.event_type::text, l.event_id, l.attempts, l.next_attempt_at, l.traceparent
                  FROM zentry_notify.delivery l
                 WHERE l.webhook_integration_id = c.queue AND l.id >= c.cursor AND l.status IN ('p', 'r')
                 ORDER BY l.id LIMIT c.page) p) l
      LEFT JOIN zentry_notify.event e ON e.id = l.event_id
      LEFT JOIN zentry_notify.event_detail x ON x.event_id = l.event_id AND l.last <= c.shown
     ORDER BY c.queue, l.id;
END
$$;
COMMENT ON FUNCTION zentry_notify.claim_deliveries(bigint, bigint[], integer[], bigint[], integer[]) IS
    'Returns the first waiting deliveries of queues that the sender holds: for each webhook at most pages, with ids from cursors on, and the data of the last shown of them only. unrouted_since, for digests: when the first event that is not routed yet happened; null: all are routed';

-- As the worker records (src/worker/statements/deliveries.rs), for the queues that still have the reported epochs. Reported values are limited to plausible
-- ranges, so that the worker and other senders can read them.
CREATE OR REPLACE FUNCTION zentry_notify.record_outcomes(sender bigint, report jsonb) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Queues whose outcomes are accepted.
    held     bigint[];
    refused  bigint[];
    earliest timestamptz := now() - interval '1 year';
    -- No endpoint may ask for more than a day.
    latest   timestamptz := now() + interval '2 days';
    most     bigint := 1000000000;
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    -- As in the worker: the outcomes fail if a row stays locked, and the sender reports them again.
    PERFORM set_config('lock_timeout', '500ms', true);
    -- No other session takes queues that this one holds. Queues that it no longer holds may be taken at the same time, so they are locked.
    PERFORM FROM zentry_notify.sender_queue q
            JOIN jsonb_to_recordset(report->'epochs') c (webhook_id bigint, epoch bigint) ON c.webhook_id = q.webhook_integration_id
           WHERE q.sender_id IS DISTINCT FROM record_outcomes.sender AND q.epoch = c.epoch
           ORDER BY q.webhook_integration_id FOR SHARE OF q;
    SELECT coalesce(array_agg(c.webhook_id) FILTER (WHERE m.mine), '{}'), coalesce(array_agg(c.webhook_id) FILTER (WHERE NOT m.mine), '{}')
      INTO held, refused
      FROM jsonb_to_recordset(report->'epochs') c (webhook_id bigint, epoch bigint)
      LEFT JOIN zentry_notify.sender_queue q ON q.webhook_integration_id = c.webhook_id
     CROSS JOIN LATERAL (
           -- An epoch is not a secret, so it does not suffice for a queue that a session of another role holds.
           SELECT q.epoch IS NOT DISTINCT FROM c.epoch AND q.epoch IS NOT NULL AND CASE WHEN q.sender_id <> record_outcomes.sender THEN NOT EXISTS (
                      SELECT FROM zentry_notify.sender s
                       CROSS JOIN LATERAL pg_stat_get_activity(s.process) a
                       WHERE s.id = q.sender_id AND a.backend_start = s.session_started
                         AND a.usesysid <> (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user)) ELSE true END AS mine) m;

    WITH done AS (
        UPDATE zentry_notify.delivery l
           SET status = o.status::"char", attempts = greatest(o.attempts, 0), response_status_code = o.code, response_body = left(o.body, 1000),
               error_message = left(o.error, 1000),
               finished_at = CASE WHEN o.status <> 'r' THEN greatest(least(coalesce(o.finished_at, now()), latest), earliest) END,
               -- If the webhook was reactivated since the attempt, its result does not delay the next one.
               next_attempt_at = CASE WHEN o.status = 'r' THEN greatest(least(o.next_attempt_at,
                   CASE WHEN o.webhook_since <> (SELECT w.activated_at FROM zentry_notify.webhook w WHERE w.id = l.webhook_integration_id)
                        THEN now() ELSE latest END), earliest) END
          FROM jsonb_to_recordset(report->'deliveries') o (
                   id bigint, webhook_id bigint, status text, attempts smallint, code smallint, body text, error text, finished_at timestamptz,
                   next_attempt_at timestamptz, webhook_since timestamptz)
         -- By the primary key, as in the worker's statement.
         WHERE l.id = o.id AND coalesce(l.status, ' ') IN ('p', 'r') AND l.webhook_integration_id = o.webhook_id AND o.webhook_id = ANY (held)
           AND o.status IN ('s', 'r', 'f')
        RETURNING l.webhook_integration_id AS webhook_id, l.status, l.finished_at, l.error_message),
    ends AS (
        SELECT d.webhook_id, count(*) FILTER (WHERE d.status = 's') AS sent, count(*) FILTER (WHERE d.status = 'f') AS failed,
               max(d.finished_at) FILTER (WHERE d.status = 's') AS last_sent_at, max(d.finished_at) FILTER (WHERE d.status = 'f') AS last_failed_at,
               (array_agg(d.error_message ORDER BY d.finished_at DESC) FILTER (WHERE d.status = 'f'))[1] AS last_error
          FROM done d WHERE d.status IN ('s', 'f') GROUP BY d.webhook_id),
    counted AS (
        UPDATE zentry_notify.webhook_count n
           SET sent = n.sent + e.sent, failed = n.failed + e.failed, last_sent_at = coalesce(e.last_sent_at, n.last_sent_at),
               last_failed_at = coalesce(e.last_failed_at, n.last_failed_at), last_error = coalesce(e.last_error, n.last_error)
          FROM ends e WHERE n.webhook_integration_id = e.webhook_id
        RETURNING n.webhook_integration_id)
    -- If the worker inserts the row at the same time, a trigger adds both.
    INSERT INTO zentry_notify.webhook_count (webhook_integration_id, sent, failed, last_sent_at, last_failed_at, last_error)
    SELECT e.* FROM ends e
     WHERE e.webhook_id NOT IN (SELECT c.webhook_integration_id FROM counted c) AND EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = e.webhook_id);

    INSERT INTO zentry_notify.delivery_attempt (delivery_id, attempted_at, next_attempt_at, response_status_code, attempt, error_message)
    SELECT a.id, greatest(least(a.at, latest), earliest), CASE WHEN a.next_attempt_at IS NOT NULL THEN greatest(least(a.next_attempt_at, latest), earliest) END, a.code,
           greatest(a.attempt, 0), left(a.error, 1000)
      FROM (SELECT m.*, row_number() OVER (PARTITION BY m.id ORDER BY m.at)
              FROM jsonb_to_recordset(report->'misses') m (
                   id bigint, webhook_id bigint, at timestamptz, next_attempt_at timestamptz, code smallint, attempt smallint, error text)
             WHERE m.webhook_id = ANY (held)) a
     WHERE (SELECT true FROM zentry_notify.delivery l WHERE l.id = a.id AND l.webhook_integration_id = a.webhook_id)
       -- A delivery that is re-sent by hand may fail for good again.
       AND a.row_number + (SELECT count(*) FROM (SELECT FROM zentry_notify.delivery_attempt k WHERE k.delivery_id = a.id LIMIT 100) known)
           <= CASE WHEN a.next_attempt_at IS NULL THEN 100 ELSE 50 END
    ON CONFLICT DO NOTHING;

    -- Webhooks that were reactivated since the sender read them are left as they are.
    UPDATE zentry_notify.webhook w SET is_active = false, switched_off_at = greatest(least(o.at, latest), earliest), switched_off_reason = left(o.reason, 1000)
      FROM jsonb_to_recordset(report->'switched_off') o (webhook_id bigint, since timestamptz, at timestamptz, reason text)
     WHERE w.id = o.webhook_id AND w.is_active AND w.activated_at = o.since AND w.id = ANY (held);
    DELETE FROM zentry_notify.webhook_circuit c
     USING jsonb_to_recordset(report->'closed') o (webhook_id bigint)
     WHERE c.webhook_integration_id = o.webhook_id AND o.webhook_id = ANY (held);
    INSERT INTO zentry_notify.webhook_circuit AS c (webhook_integration_id, failures, opened_at, next_try_at, error_message)
    SELECT w.id, greatest(o.failures, 0), greatest(least(o.since, latest), earliest), greatest(least(o.next_try, latest), earliest), coalesce(left(o.error, 1000), '')
      FROM jsonb_to_recordset(report->'opened') o (
               webhook_id bigint, failures integer, since timestamptz, next_try timestamptz, error text, webhook_since timestamptz)
      JOIN zentry_notify.webhook w ON w.id = o.webhook_id
     WHERE w.id = ANY (held) AND w.activated_at IS NOT DISTINCT FROM coalesce(o.webhook_since, w.activated_at)
    ON CONFLICT (webhook_integration_id) DO UPDATE
       SET failures = EXCLUDED.failures, opened_at = EXCLUDED.opened_at, next_try_at = EXCLUDED.next_try_at,
           error_message = coalesce(nullif(EXCLUDED.error_message, ''), c.error_message);

    INSERT INTO zentry_notify.webhook_state AS s (webhook_integration_id, failures, refusals, limits, posted_at)
    SELECT o.webhook_id, greatest(o.failures, 0), greatest(o.refusals, 0), greatest(o.limits, 0),
           -- No rate limit counts more than these.
           ARRAY(SELECT k.at FROM (SELECT p.at FROM unnest(o.posts) p (at) WHERE p.at BETWEEN earliest AND latest ORDER BY p.at DESC LIMIT 10000) k ORDER BY k.at)
      FROM jsonb_to_recordset(report->'in_a_row') o (
               webhook_id bigint, since timestamptz, failures integer, refusals integer, limits integer, posts timestamptz[])
      JOIN zentry_notify.webhook w ON w.id = o.webhook_id AND w.activated_at = o.since
     WHERE w.id = ANY (held)
    ON CONFLICT (webhook_integration_id) DO UPDATE
       SET failures = EXCLUDED.failures, refusals = EXCLUDED.refusals, limits = EXCLUDED.limits, posted_at = EXCLUDED.posted_at;
    INSERT INTO zentry_notify.webhook_state AS s (webhook_integration_id, expired_at)
    SELECT w.id, now()
      FROM jsonb_array_elements_text(report->'expired') o (webhook_id)
      JOIN zentry_notify.webhook w ON w.id = o.webhook_id::bigint
     WHERE w.id = ANY (held)
    ON CONFLICT (webhook_integration_id) DO UPDATE SET expired_at = EXCLUDED.expired_at
     WHERE s.expired_at IS NULL
        OR s.expired_at < (SELECT n.last_sent_at FROM zentry_notify.webhook_count n WHERE n.webhook_integration_id = s.webhook_integration_id);

    -- Counters are accepted whichever sender holds the queue now, since the requests were made.
    INSERT INTO zentry_notify.delivery_stat AS s
           (span, since, webhook_integration_id, event_type, sent, failed, retried, requests, messages, rate_limited, latency_sum, latency)
    SELECT p.span, p.since, t.webhook_id, t.event_type, least(greatest(t.sent, 0), most), least(greatest(t.failed, 0), most), least(greatest(t.retried, 0), most),
           least(greatest(t.requests, 0), most), least(greatest(t.messages, 0), most), least(greatest(t.rate_limited, 0), most),
           least(greatest(t.latency_sum, 0), 1e12), zentry_notify.add_histograms('{}', t.latency)
      FROM jsonb_to_recordset(report->'tally') t (
               webhook_id bigint, event_type text, sent bigint, failed bigint, retried bigint, requests bigint, messages bigint, rate_limited bigint,
               latency_sum double precision, latency bigint[])
     CROSS JOIN (VALUES ('minute', date_trunc('minute', now(), 'UTC')), ('ever', '-infinity')) p (span, since)
     WHERE EXISTS (SELECT FROM zentry_notify.sender_queue q JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id WHERE w.id = t.webhook_id)
       AND (t.event_type = '*' OR EXISTS (SELECT FROM zentry_notify.event_type y WHERE y.name = t.event_type))
    ON CONFLICT (span, since, webhook_integration_id, event_type) DO UPDATE
       SET sent = s.sent + EXCLUDED.sent, failed = s.failed + EXCLUDED.failed, retried = s.retried + EXCLUDED.retried,
           requests = s.requests + EXCLUDED.requests, messages = s.messages + EXCLUDED.messages, rate_limited = s.rate_limited + EXCLUDED.rate_limited,
           latency_sum = s.latency_sum + EXCLUDED.latency_sum, latency = zentry_notify.add_histograms(s.latency, EXCLUDED.latency);
    IF NOT current_setting('zentry_notify.log_payloads')::boolean THEN
        -- The worker removes data that are not to be stored.
        PERFORM zentry_notify.wake('{}');
    END IF;
    RETURN refused;
END
$$;
COMMENT ON FUNCTION zentry_notify.record_outcomes(bigint, jsonb) IS
    'Writes the outcomes of deliveries whose queues still have the reported epochs. Returns the webhooks whose outcomes are refused';
-- ---- 30_statistics.sql ----

-- Statistics: counters for people and for collectors of metrics.

CREATE OR REPLACE FUNCTION zentry_notify.latency_bounds() RETURNS double precision[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'latency_bounds_wrapper';
COMMENT ON FUNCTION zentry_notify.latency_bounds() IS 'Returns the upper bounds of the buckets of delivery_stat.latency, in seconds';

CREATE OR REPLACE FUNCTION zentry_notify.add_histograms(a bigint[], b bigint[]) RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'add_histograms_wrapper';
COMMENT ON FUNCTION zentry_notify.add_histograms(bigint[], bigint[]) IS 'Adds two histograms, bucket by bucket';

CREATE OR REPLACE AGGREGATE zentry_notify.sum_histogram(bigint[]) (
    SFUNC = zentry_notify.add_histograms, STYPE = bigint[], INITCOND = '{}',
    COMBINEFUNC = zentry_notify.add_histograms, PARALLEL = SAFE);
COMMENT ON AGGREGATE zentry_notify.sum_histogram(bigint[]) IS 'Adds histograms, bucket by bucket';

CREATE OR REPLACE FUNCTION zentry_notify.quantile(histogram bigint[], share double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'quantile_wrapper';
COMMENT ON FUNCTION zentry_notify.quantile(bigint[], double precision) IS
    'Returns the quantile (0 to 1) of a histogram, in seconds, as exactly as the buckets allow; null when it is empty';

-- While several jobs restore a dump, the worker may send something and count it before the dump's own row is restored.
CREATE OR REPLACE FUNCTION zentry_notify.add_count() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO zentry_notify.webhook_count AS n VALUES (NEW.*)
    ON CONFLICT (webhook_integration_id) DO UPDATE
       SET sent = n.sent + EXCLUDED.sent, failed = n.failed + EXCLUDED.failed,
           last_sent_at = greatest(n.last_sent_at, EXCLUDED.last_sent_at),
           last_failed_at = greatest(n.last_failed_at, EXCLUDED.last_failed_at),
           last_error = coalesce(n.last_error, EXCLUDED.last_error);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.add_count() IS 'Trigger: adds a restored count to what the worker has counted meanwhile';

-- While a dump is restored, the worker may send something and count it before the dump's own rows are restored.
CREATE OR REPLACE FUNCTION zentry_notify.add_delivery_stat() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO zentry_notify.delivery_stat AS s VALUES (NEW.*)
    ON CONFLICT ON CONSTRAINT delivery_stat_pkey DO UPDATE
       SET sent = s.sent + EXCLUDED.sent, failed = s.failed + EXCLUDED.failed, retried = s.retried + EXCLUDED.retried,
           requests = s.requests + EXCLUDED.requests, messages = s.messages + EXCLUDED.messages,
           rate_limited = s.rate_limited + EXCLUDED.rate_limited, latency_sum = s.latency_sum + EXCLUDED.latency_sum,
           latency = zentry_notify.add_histograms(s.latency, EXCLUDED.latency);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.add_delivery_stat() IS 'Trigger: adds restored counts to what the worker has counted meanwhile';

CREATE OR REPLACE VIEW zentry_notify.delivery_totals AS
SELECT s.webhook_integration_id, w.name AS webhook_integration_name, w.webhook_type, s.event_type,
       s.sent, s.failed, s.retried, s.requests, s.messages, s.rate_limited, s.latency_sum, s.latency
  FROM zentry_notify.delivery_stat s
  JOIN zentry_notify.webhook w ON w.id = s.webhook_integration_id
 WHERE s.span = 'ever';
COMMENT ON VIEW zentry_notify.delivery_totals IS
    'Counters for a collector of metrics, which only grow, also over restarts and when rows are removed from the log. The rows of event type * have the sums for a webhook; a request counts for each event type in its message, so requests cannot be summed up otherwise';
COMMENT ON COLUMN zentry_notify.delivery_totals.webhook_integration_name IS 'The webhook''s name';
COMMENT ON COLUMN zentry_notify.delivery_totals.webhook_type IS 'The webhook''s type: zentry_webhook_types() lists them';

-- The other columns are the table's own, and are described there.
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT v.attname, pg_catalog.col_description(t.attrelid, t.attnum) AS text
               FROM pg_catalog.pg_attribute t
               JOIN pg_catalog.pg_attribute v ON v.attname OPERATOR(pg_catalog.=) t.attname
              WHERE t.attrelid OPERATOR(pg_catalog.=) 'zentry_notify.delivery_stat'::pg_catalog.regclass
                AND v.attrelid OPERATOR(pg_catalog.=) 'zentry_notify.delivery_totals'::pg_catalog.regclass
                AND t.attnum OPERATOR(pg_catalog.>) 0
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN zentry_notify.delivery_totals.%I IS %L', c.attname, c.text);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.zentry_stats(since interval DEFAULT '1 day')
    RETURNS TABLE (webhook_id bigint, name text, event_type text, sent bigint, failed bigint, retried bigint, requests bigint,
                   events_per_message numeric, p50 numeric, p95 numeric, p99 numeric)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    ever  boolean := zentry_stats.since IS NULL;
    start timestamptz;
BEGIN
    IF NOT (zentry_stats.since > '0' AND zentry_stats.since <= '1000 years') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('since must be longer than 0 and at most 1000 years, not %s', zentry_stats.since),
            'For example ''1 hour''; null counts from the registration on.', 'since');
    END IF;
    start := now() - zentry_stats.since;
    RETURN QUERY
    SELECT w.id, w.name::text, s.event_type::text, sum(s.sent)::bigint, sum(s.failed)::bigint, sum(s.retried)::bigint,
           sum(s.requests)::bigint, round(sum(s.sent) / nullif(sum(s.messages), 0), 1),
           round(zentry_notify.quantile(zentry_notify.sum_histogram(s.latency), 0.5)::numeric, 3),
           round(zentry_notify.quantile(zentry_notify.sum_histogram(s.latency), 0.95)::numeric, 3),
           round(zentry_notify.quantile(zentry_notify.sum_histogram(s.latency), 0.99)::numeric, 3)
      FROM zentry_notify.delivery_stat s
      JOIN zentry_notify.webhook w ON w.id = s.webhook_integration_id
     WHERE ever AND s.span = 'ever'
        OR NOT ever AND s.span = 'minute' AND s.since >= date_trunc('minute', start, 'UTC')
        OR NOT ever AND s.span = 'hour' AND s.since >= date_trunc('hour', start, 'UTC')
     GROUP BY w.id, s.event_type
     ORDER BY w.id, s.event_type;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_stats(interval) IS
    'Returns counts of deliveries within the interval (null: since the registration) by webhook and event type, with a row * for each webhook. p50, p95 and p99 are seconds from the event to the answer. Counts older than two hours are by the full hour';

CREATE OR REPLACE FUNCTION @extschema@.zentry_stats_by_hour(hours integer DEFAULT 24, webhook_id bigint DEFAULT NULL)
    RETURNS TABLE (hour timestamptz, sent bigint, failed bigint, retried bigint, p50 numeric, p95 numeric, p99 numeric)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Hours are in UTC, as the worker cuts them, whatever the session's time zone is.
    last timestamptz := date_trunc('hour', now(), 'UTC');
BEGIN
    IF hours IS NULL OR hours NOT BETWEEN 1 AND 2160 THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('hours must be 1 to 2160, not %s', coalesce(hours::text, 'null')),
            '24 is a day, 168 a week.', 'hours');
    END IF;
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    RETURN QUERY
    SELECT h.hour, coalesce(s.sent, 0), coalesce(s.failed, 0), coalesce(s.retried, 0),
           round(zentry_notify.quantile(s.latency, 0.5)::numeric, 3), round(zentry_notify.quantile(s.latency, 0.95)::numeric, 3),
           round(zentry_notify.quantile(s.latency, 0.99)::numeric, 3)
      FROM (SELECT last - n * interval '1 hour' AS hour FROM generate_series(0, hours - 1) AS n) h
      LEFT JOIN (SELECT date_trunc('hour', s.since, 'UTC') AS hour, sum(s.sent)::bigint AS sent, sum(s.failed)::bigint AS failed,
                        sum(s.retried)::bigint AS retried, zentry_notify.sum_histogram(s.latency) AS latency
                   FROM zentry_notify.delivery_stat s
                  WHERE s.span IN ('minute', 'hour') AND s.since >= last - (hours - 1) * interval '1 hour'
                    AND s.event_type = '*' AND (webhook_id IS NULL OR s.webhook_integration_id = webhook_id)
                  GROUP BY 1) s ON s.hour = h.hour
     ORDER BY h.hour;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_stats_by_hour(integer, bigint) IS
    'Returns counts of deliveries in each of the last hours, the current one last, of one webhook or (null) of all. Hours without a delivery have a row too. p50, p95 and p99 are seconds from the event to the answer';
-- ---- 31_own_objects.sql ----

-- The extension's tables, indexes and triggers, in one list each, so that zentry_status() can tell what is missing.

CREATE OR REPLACE FUNCTION zentry_notify.members() RETURNS TABLE (classid oid, objid oid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.classid, d.objid
      FROM pg_depend d
      JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify'
     WHERE d.deptype = 'e'
$$;
COMMENT ON FUNCTION zentry_notify.members() IS 'Returns the objects that belong to the extension';

CREATE OR REPLACE FUNCTION zentry_notify.own_tables() RETURNS name[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{webhook,webhook_secret,webhook_circuit,webhook_state,webhook_count,deleted_webhook,event,event_detail,event_type,event_wording,event_source,route_cursor,
             delivery,delivery_attempt,legacy_delivery,delivery_stat,project_progress,progress_note,api_token,audit_entry,sender,sender_queue}'::name[];
$$;
COMMENT ON FUNCTION zentry_notify.own_tables() IS 'Returns the names of the extension''s tables';

CREATE OR REPLACE FUNCTION zentry_notify.own_indexes() RETURNS TABLE (relation name, name name, definition text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('webhook'::name, 'webhook_pkey'::name, 'PRIMARY KEY (id)'),
           ('webhook', 'webhook_notify', 'CREATE INDEX webhook_notify ON zentry_notify.webhook (notify_webhook_id) WHERE notify_webhook_id IS NOT NULL'),
           ('webhook_secret', 'webhook_secret_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('webhook_secret', 'webhook_secret_url', 'CREATE INDEX webhook_secret_url ON zentry_notify.webhook_secret USING hash (webhook_url)'),
           ('webhook_circuit', 'webhook_circuit_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('webhook_state', 'webhook_state_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('webhook_count', 'webhook_count_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('deleted_webhook', 'deleted_webhook_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('event', 'event_pkey', 'PRIMARY KEY (id)'),
           ('event_detail', 'event_detail_pkey', 'PRIMARY KEY (event_id)'),
           ('event_type', 'event_type_pkey', 'PRIMARY KEY (name)'),
           ('event_wording', 'event_wording_pkey', 'PRIMARY KEY (id)'),
           ('event_wording', 'event_wording_of',
            'CREATE UNIQUE INDEX event_wording_of ON zentry_notify.event_wording (event_type, (coalesce(webhook_integration_id, 0)))'),
           ('event_source', 'event_source_pkey', 'PRIMARY KEY (id)'),
           ('event_source', 'event_source_relation_event_type_key', 'UNIQUE (relation, event_type)'),
           ('project_progress', 'project_progress_pkey', 'PRIMARY KEY (event_source_id, project_key)'),
           ('progress_note', 'progress_note_pkey', 'PRIMARY KEY (event_source_id, project_key)'),
           ('route_cursor', 'route_cursor_pkey', 'PRIMARY KEY (singleton)'),
           ('delivery_stat', 'delivery_stat_pkey', 'PRIMARY KEY (span, since, webhook_integration_id, event_type)'),
           ('api_token', 'api_token_pkey', 'PRIMARY KEY (token_key)'),
           ('api_token', 'api_token_name_key', 'UNIQUE (name)'),
           ('audit_entry', 'audit_entry_pkey', 'PRIMARY KEY (id)'),
           ('sender', 'sender_pkey', 'PRIMARY KEY (id)'),
           ('sender_queue', 'sender_queue_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('audit_entry', 'audit_entry_age', 'CREATE INDEX audit_entry_age ON zentry_notify.audit_entry (changed_at)'),
           ('delivery', 'delivery_pkey', 'PRIMARY KEY (id)'),
           ('delivery_attempt', 'delivery_attempt_pkey', 'PRIMARY KEY (delivery_id, attempted_at)'),
           ('delivery', 'delivery_log', 'CREATE INDEX delivery_log ON zentry_notify.delivery (webhook_integration_id, event_type, id)'),
           ('delivery', 'delivery_waiting',
            'CREATE INDEX delivery_waiting ON zentry_notify.delivery (webhook_integration_id, id) WHERE status IN (''p'', ''r'')'),
           ('delivery', 'delivery_failed', 'CREATE INDEX delivery_failed ON zentry_notify.delivery (id) WHERE '
            'CASE status WHEN ''s'' THEN ''sent'' WHEN ''f'' THEN ''failed'' WHEN ''r'' THEN ''retry'' ELSE ''pending'' END::varchar(20) = ''failed'''),
           ('delivery', 'delivery_queue', 'CREATE INDEX delivery_queue ON zentry_notify.delivery (id) WHERE '
            'CASE status WHEN ''s'' THEN ''sent'' WHEN ''f'' THEN ''failed'' WHEN ''r'' THEN ''retry'' ELSE ''pending'' END::varchar(20) IN (''pending'', ''retry'')'),
           ('delivery', 'delivery_retry_of', 'CREATE INDEX delivery_retry_of ON zentry_notify.delivery (retry_of) WHERE retry_of IS NOT NULL'),
           ('delivery', 'delivery_traced', 'CREATE INDEX delivery_traced ON zentry_notify.delivery (finished_at, id) WHERE traceparent IS NOT NULL'),
           ('legacy_delivery', 'legacy_delivery_pkey', 'PRIMARY KEY (id)'),
           ('legacy_delivery', 'legacy_delivery_waiting',
            'CREATE INDEX legacy_delivery_waiting ON zentry_notify.legacy_delivery (webhook_integration_id, id) WHERE status IN (''pending'', ''retry'')'),
           ('legacy_delivery', 'legacy_delivery_finished',
            'CREATE INDEX legacy_delivery_finished ON zentry_notify.legacy_delivery (webhook_integration_id, id) WHERE status IN (''sent'', ''failed'')'),
           ('legacy_delivery', 'legacy_delivery_events',
            'CREATE INDEX legacy_delivery_events ON zentry_notify.legacy_delivery (event_type, id) WHERE status IN (''sent'', ''failed'')'),
           ('legacy_delivery', 'legacy_delivery_failed',
            'CREATE INDEX legacy_delivery_failed ON zentry_notify.legacy_delivery (id) WHERE status = ''failed''')
$$;
COMMENT ON FUNCTION zentry_notify.own_indexes() IS
    'Returns the indexes of the extension''s tables: an index of a constraint with what pg_get_constraintdef returns, others with the statement that creates them';

-- The only list of the triggers: put_own_triggers() creates them, and zentry_status() says which are missing. Each consists of the
-- beginning of its definition, as pg_get_triggerdef shows it, and its function; %s stands for the relation. The function's comment says
-- what it is for.
CREATE OR REPLACE FUNCTION zentry_notify.own_triggers() RETURNS TABLE (relation name, name name, mode text, definition text)
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.relation, t.name, t.mode, format('%s ON zentry_notify.%s %s EXECUTE FUNCTION zentry_notify.%s()', t.moment, r.relation, t.each, format(t.function, r.relation))
      FROM (VALUES
           -- Checks of rows.
           ('check_api_token'::name, '{api_token}'::name[], '', 'BEFORE INSERT OR DELETE OR UPDATE', 'FOR EACH ROW', 'check_api_token'),
           ('check_event_type', '{event_type}', '', 'BEFORE INSERT OR UPDATE', 'FOR EACH ROW', 'check_event_type'),
           ('check_event_wording', '{event_wording}', '', 'BEFORE INSERT OR UPDATE', 'FOR EACH ROW', 'check_event_wording'),
           ('check_source', '{event_source}', '', 'BEFORE INSERT OR DELETE OR UPDATE', 'FOR EACH ROW', 'check_source'),
           ('check_source_omit', '{event_source}', '', 'BEFORE INSERT OR UPDATE OF omit', 'FOR EACH ROW WHEN ((new.omit <> ''{}''::text[]))', 'check_source_omit'),
           ('check_webhook', '{webhook}', '', 'BEFORE INSERT OR UPDATE', 'FOR EACH ROW', 'check_webhook'),
           -- Views that are written to.
           ('write_integration', '{webhook_integration}', '', 'INSTEAD OF INSERT OR DELETE OR UPDATE', 'FOR EACH ROW', 'write_integration'),
           ('write_log', '{notification_log}', '', 'INSTEAD OF INSERT OR DELETE OR UPDATE', 'FOR EACH ROW', 'write_log'),
           -- Every session and the worker keep the configuration in memory; these triggers tell them to read it again. They are by row and
           -- ALWAYS, as is what belongs to a webhook: what logical replication applies fires no trigger of a statement, and has to be
           -- noticed too.
           ('configuration_changed', '{event_source,event_type,event_wording,webhook,webhook_secret}', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE', 'FOR EACH ROW',
            'configuration_changed'),
           ('configuration_emptied', '{event_source,event_type,event_wording,webhook,webhook_secret}', 'ALWAYS ', 'AFTER TRUNCATE', 'FOR EACH STATEMENT',
            'configuration_changed'),
           ('forget_webhook', '{webhook}', 'ALWAYS ', 'AFTER DELETE', 'FOR EACH ROW', 'forget_webhook'),
           -- These are not ALWAYS: what replication brings, or pg_restore --disable-triggers, nobody has changed here.
           ('audit', '{api_token,event_source,event_type,event_wording,webhook,webhook_secret}', '', 'AFTER INSERT OR DELETE OR UPDATE', 'FOR EACH ROW', 'audit_%s'),
           ('audit_emptied', '{api_token,event_source,event_type,event_wording,webhook,webhook_secret}', '', 'AFTER TRUNCATE', 'FOR EACH STATEMENT', 'audit_truncate'),
           -- Notices. A circuit that a person has resumed begins without a failure (zentry_resume).
           ('tell_of_trouble', '{webhook}', '', 'AFTER UPDATE OF switched_off_at',
            'FOR EACH ROW WHEN (((old.switched_off_at IS NULL) AND (new.switched_off_at IS NOT NULL)))', 'tell_of_switching_off'),
           ('tell_of_trouble', '{webhook_circuit}', '', 'AFTER INSERT', 'FOR EACH ROW WHEN ((new.failures > 0))', 'tell_of_failing'),
           ('tell_of_trouble_again', '{webhook_circuit}', '', 'AFTER UPDATE', 'FOR EACH ROW WHEN (((old.failures = 0) AND (new.failures > 0)))', 'tell_of_failing'),
           ('tell_of_trouble', '{webhook_state}', '', 'AFTER INSERT OR UPDATE OF expired_at', 'FOR EACH ROW WHEN ((new.expired_at IS NOT NULL))', 'tell_of_expiry'),
           -- Rows of a dump. The worker writes as the agent; rows that such a trigger inserts itself do not go through it again.
           ('add_count', '{webhook_count}', '', 'BEFORE INSERT',
            'FOR EACH ROW WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (pg_trigger_depth() = 0)))', 'add_count'),
           ('add_delivery_stat', '{delivery_stat}', '', 'BEFORE INSERT',
            'FOR EACH ROW WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (pg_trigger_depth() = 0)))', 'add_delivery_stat'),
           ('await_cursor', '{event}', '', 'BEFORE INSERT',
            'FOR EACH STATEMENT WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (NOT (current_setting(''check_function_bodies''::text))::boolean)))', 'await_cursor'),
           ('restore_cursor', '{route_cursor}', '', 'BEFORE INSERT', 'FOR EACH ROW WHEN ((CURRENT_USER <> ''zentry_notify_agent''::name))', 'restore_cursor'),
           ('replace_source', '{event_source}', '', 'BEFORE INSERT', 'FOR EACH ROW', 'replace_source'),
           ('keep_numbering', '{delivery,event,event_source,webhook}', '', 'BEFORE TRUNCATE', 'FOR EACH STATEMENT', 'keep_numbering'),
           -- Rows that logical replication brings. ENABLE TRIGGER ALL, which pg_restore --disable-triggers ends with, resets REPLICA; the
           -- condition stays.
           ('drop_replicated', '{api_token,audit_entry,deleted_webhook,delivery,delivery_attempt,delivery_stat,event,event_detail,event_source,legacy_delivery,progress_note,project_progress,route_cursor,sender,sender_queue,webhook_circuit,webhook_count,webhook_state}',
            'REPLICA ', 'BEFORE INSERT OR DELETE OR UPDATE', 'FOR EACH ROW WHEN ((current_setting(''session_replication_role''::text) = ''replica''::text))', 'drop_replicated'),
           ('replace_replicated', '{event_type,event_wording}', 'REPLICA ', 'BEFORE INSERT',
            'FOR EACH ROW WHEN ((current_setting(''session_replication_role''::text) = ''replica''::text))', 'replace_%s')
           ) t (name, relations, mode, moment, each, function),
           unnest(t.relations) r (relation)
$$;
COMMENT ON FUNCTION zentry_notify.own_triggers() IS
    'Returns the triggers of the extension''s tables and views: the word between ENABLE and TRIGGER, and the definition after CREATE TRIGGER and the name';

-- Conditions are parsed with the pinned search_path.
CREATE OR REPLACE FUNCTION zentry_notify.put_own_triggers() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own record;
BEGIN
    FOR own IN SELECT * FROM zentry_notify.own_triggers() LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON zentry_notify.%I', own.name, own.relation);
        EXECUTE format('CREATE TRIGGER %I %s', own.name, own.definition);
        IF own.mode <> '' THEN
            EXECUTE format('ALTER TABLE zentry_notify.%I ENABLE %sTRIGGER %I', own.relation, own.mode, own.name);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.put_own_triggers() IS 'Creates the triggers of own_triggers(), and replaces those that exist';

SELECT zentry_notify.put_own_triggers();
-- ---- 32_status_server.sql ----

-- The parts of zentry_status() about the cluster (library, launcher, databases, ways out) and about settings.

CREATE OR REPLACE FUNCTION zentry_notify.server_state()
    RETURNS TABLE (library_version text, fits boolean, preloaded boolean, worker_died boolean, refused_since timestamptz, databases_waiting integer,
                   short_of_workers_since timestamptz, discord_parked_until timestamptz)
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'server_state_wrapper';
COMMENT ON FUNCTION zentry_notify.server_state() IS 'Returns what the library and its shared memory know, in one row';

CREATE OR REPLACE FUNCTION zentry_notify.ways_out()
    RETURNS TABLE (number integer, way text, requests bigint, unreached bigint, refused bigint, discord_parked_until timestamptz, down_until timestamptz)
    LANGUAGE c ROWS 2 AS 'MODULE_PATHNAME', 'ways_out_wrapper';
COMMENT ON FUNCTION zentry_notify.ways_out() IS
    'Returns the ways out of zentry_notify.proxy, without logins. requests, unreached (no connection could be made) and refused (Discord answered 401, 403 or 429) are counts since the server started; discord_parked_until: until when nothing is sent to Discord by it, because Discord has banned its address; down_until: when it is tried again, because no endpoint could be reached by it';

CREATE OR REPLACE FUNCTION zentry_notify.databases_with_work() RETURNS SETOF oid
    LANGUAGE c ROWS 10 AS 'MODULE_PATHNAME', 'databases_with_work_wrapper';
COMMENT ON FUNCTION zentry_notify.databases_with_work() IS 'Returns the databases that may have work and have no worker';

CREATE OR REPLACE FUNCTION zentry_notify.stuck_workers() RETURNS TABLE (database oid, pid integer, since timestamptz, replaced boolean)
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'stuck_workers_wrapper';
COMMENT ON FUNCTION zentry_notify.stuck_workers() IS
    'Returns the workers of all databases that were told to end, because a look-up took too long, and have not; replaced: another worker does their work';

-- The launcher (launcher.rs) starts no worker in a template and where connections are not allowed.
CREATE OR REPLACE FUNCTION zentry_notify.closed_databases() RETURNS TABLE (database oid, name name, why text, remedy text)
    LANGUAGE sql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.oid, d.datname, CASE WHEN d.datallowconn THEN 'is a template' ELSE 'allows no connections' END,
           concat_ws(' ', CASE WHEN d.datistemplate THEN format('ALTER DATABASE %I IS_TEMPLATE false;', d.datname) END,
                     CASE WHEN NOT d.datallowconn THEN format('ALTER DATABASE %I ALLOW_CONNECTIONS true;', d.datname) END)
      FROM pg_database d
     WHERE (d.datistemplate OR NOT d.datallowconn) AND d.datconnlimit <> -2
$$;
COMMENT ON FUNCTION zentry_notify.closed_databases() IS 'Returns the databases that have no worker because of their attributes, the reason, and the statement that changes it';

-- Names within a comment may contain a line break, and what follows that would not be a comment.
CREATE OR REPLACE FUNCTION zentry_notify.one_comment(remedy text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN remedy LIKE '--%' THEN translate(remedy, E'\n\r', '  ') ELSE remedy END $$;
COMMENT ON FUNCTION zentry_notify.one_comment(text) IS 'Returns the remedy; one that begins with a comment has no line breaks, so that all of it is a comment';

CREATE OR REPLACE FUNCTION zentry_notify.moment(at timestamptz) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN isfinite(at) THEN to_char(at, CASE WHEN at::date = current_date THEN 'HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI' END) ELSE at::text END $$;
COMMENT ON FUNCTION zentry_notify.moment(timestamptz) IS 'Returns a time as text for people, without the date if it is today';

CREATE OR REPLACE FUNCTION zentry_notify.background_workers() RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FROM pg_stat_activity a
     WHERE a.backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer', 'walwriter',
                                  'archiver', 'logger', 'startup', 'walreceiver', 'walsender', 'walsummarizer', 'slotsync worker', 'io worker');
$$;
COMMENT ON FUNCTION zentry_notify.background_workers() IS 'Returns the number of processes that count towards max_worker_processes';

CREATE OR REPLACE FUNCTION zentry_notify.more_workers() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('ALTER SYSTEM SET max_worker_processes = %s; -- then restart the server',
                  current_setting('max_worker_processes')::int + current_setting('zentry_notify.max_workers')::int + 1);
$$;
COMMENT ON FUNCTION zentry_notify.more_workers() IS 'Returns the remedy for too low a max_worker_processes';

CREATE OR REPLACE FUNCTION zentry_notify.status_server() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    server    record;
    launcher  record;
    invalid   record;
    installed text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'zentry_notify');
    preload   text := (SELECT string_agg(quote_literal(l), ', ')
                         FROM (SELECT btrim(s, ' "') FROM regexp_split_to_table(current_setting('shared_preload_libraries'), ',') s
                                UNION ALL SELECT 'zentry_notify') AS libraries (l) WHERE l <> '');
BEGIN
    BEGIN
        SELECT * INTO server FROM zentry_notify.server_state();
    EXCEPTION WHEN OTHERS THEN
        RETURN QUERY SELECT 'library', 'broken', SQLERRM, '-- install the files of zentry_notify ' || installed || ', then restart the server';
        RETURN;
    END;
    IF NOT server.preloaded THEN
        RETURN QUERY SELECT 'library', 'broken', 'not preloaded: deliveries are written, and nothing is sent',
            format('ALTER SYSTEM SET shared_preload_libraries = %s; -- then restart the server', preload);
    ELSIF server.fits THEN
        RETURN QUERY SELECT 'library', 'ok', 'version ' || installed || ', preloaded', '';
    ELSIF string_to_array(server.library_version, '.')::int[] > string_to_array(installed, '.')::int[] THEN
        RETURN QUERY SELECT 'library', 'broken', format('version %s, but the SQL is of %s: nothing is sent', server.library_version, installed),
            'ALTER EXTENSION zentry_notify UPDATE;';
    ELSE
        RETURN QUERY SELECT 'library', 'broken', format('version %s, but the SQL is of %s: nothing is sent', server.library_version, installed),
            '-- restart the server: it still has the previous library';
    END IF;
    IF pg_is_in_recovery() THEN
        RETURN QUERY SELECT 'launcher', 'ok', 'none on a standby: nothing is sent before it is promoted', '';
        RETURN;
    END IF;

    SELECT a.pid, a.backend_start INTO launcher FROM pg_stat_activity a WHERE a.backend_type = 'zentry_notify launcher';
    IF FOUND THEN
        RETURN QUERY SELECT 'launcher', 'ok', format('pid %s, since %s', launcher.pid, zentry_notify.moment(launcher.backend_start)), '';
    ELSE
        RETURN QUERY SELECT 'launcher', 'broken', 'not there: no worker is started',
            CASE WHEN NOT server.preloaded THEN '-- comes with the library'
                 WHEN zentry_notify.background_workers() >= current_setting('max_worker_processes')::int THEN zentry_notify.more_workers()
                 ELSE '-- the server log says why it ends; it is started again every second' END;
    END IF;
    FOR invalid IN SELECT d.oid, d.datname FROM pg_database d WHERE d.datconnlimit = -2 ORDER BY d.datname LOOP
        -- While DROP DATABASE runs, the database is marked invalid too, and locked.
        IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.classid = 'pg_database'::regclass AND l.objid = invalid.oid AND l.mode = 'AccessExclusiveLock' AND l.granted)
           AND has_database_privilege(invalid.oid, 'CONNECT') IS NOT NULL THEN
            RETURN QUERY SELECT 'database ' || quote_ident(invalid.datname), 'attention',
                'a DROP DATABASE of it was interrupted: nobody can connect to it, and nothing of it is sent', format('DROP DATABASE %I;', invalid.datname);
        END IF;
    END LOOP;
    -- (The line of the worker is about this database.)
    RETURN QUERY SELECT 'database ' || quote_ident(c.name), 'attention', c.why || ' and is not served: what is due there waits until it is opened', c.remedy
                   FROM zentry_notify.closed_databases() c
                   JOIN zentry_notify.databases_with_work() w ON w = c.database
                  WHERE c.name <> current_database() ORDER BY c.name;
    IF (SELECT count(*) > 1 FROM zentry_notify.ways_out()) THEN
        RETURN QUERY
            SELECT format('way out %s', o.number),
                   CASE WHEN o.down_until IS NULL AND o.discord_parked_until IS NULL THEN 'ok' ELSE 'attention' END,
                   concat_ws('; ', format('%s: %s requests', o.way, o.requests),
                             CASE WHEN o.unreached > 0 THEN format('%s did not come through', o.unreached) END,
                             CASE WHEN o.refused > 0 THEN format('%s were refused by Discord', o.refused) END,
                             'no endpoint could be reached by it, and it is tried again at ' || zentry_notify.moment(o.down_until),
                             'Discord has banned its address until ' || zentry_notify.moment(o.discord_parked_until)),
                   CASE WHEN o.down_until IS NOT NULL THEN '-- repair this proxy; meanwhile the other ways out are used'
                        WHEN o.discord_parked_until IS NOT NULL THEN '-- messages to Discord use the other ways out until then; see that nothing else at this address calls Discord too often'
                        ELSE '' END
              FROM zentry_notify.ways_out() o ORDER BY o.number;
    END IF;
    IF server.discord_parked_until > now() THEN
        RETURN QUERY SELECT 'Discord', 'attention', 'has banned this server''s address until ' || zentry_notify.moment(server.discord_parked_until),
            coalesce((SELECT format('SELECT @extschema@.zentry_resume(%s); -- once nothing else at this address calls Discord too often', min(w.id)) FROM zentry_notify.webhook w
                        JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id AND u.webhook_url ~ '^https://([a-z]+[.])?discord(app)?[.]com[/:]'
                       WHERE w.is_active HAVING count(*) > 0),
                     '-- messages to Discord wait until then; see that nothing else at this address calls Discord too often');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_server() IS 'Returns the status of the cluster: library, launcher, databases, ways out';

-- The worker runs as the bootstrap superuser (OID 10), so settings of that role hold for it, and those of the role that calls this do not.
CREATE OR REPLACE FUNCTION zentry_notify.set_for_worker(name text) RETURNS TABLE (value text, change text)
    LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(d.value,
                    CASE WHEN s.source IN ('default', 'configuration file', 'command line', 'environment variable', 'override') THEN s.reset_val
                         ELSE coalesce((SELECT f.setting FROM pg_file_settings f WHERE f.name = s.name AND f.applied ORDER BY f.seqno DESC LIMIT 1), s.boot_val) END),
           coalesce('ALTER ' || d.place, 'ALTER SYSTEM')
      FROM pg_settings s
      LEFT JOIN LATERAL (
           -- The order in which PostgreSQL applies them: role in database, role, database, all roles.
           SELECT substr(c, strpos(c, '=') + 1) AS value,
                  CASE WHEN r.setrole <> 0 THEN 'ROLE ' || quote_ident(pg_get_userbyid(r.setrole)) || CASE WHEN r.setdatabase = 0 THEN '' ELSE ' IN DATABASE ' || quote_ident(current_database()) END
                       WHEN r.setdatabase <> 0 THEN 'DATABASE ' || quote_ident(current_database())
                       ELSE 'ROLE ALL' END AS place
             FROM pg_db_role_setting r
             CROSS JOIN unnest(r.setconfig) c
            WHERE r.setrole IN (0, 10) AND split_part(c, '=', 1) = s.name
              AND r.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
            ORDER BY r.setrole = 0, r.setdatabase = 0 LIMIT 1) d ON true
     WHERE s.name = set_for_worker.name
$$;
COMMENT ON FUNCTION zentry_notify.set_for_worker(text) IS
    'Returns the value of a setting in a worker that starts now, whatever it is in this session, and the beginning of the statement that changes it where it is set';

CREATE OR REPLACE FUNCTION zentry_notify.status_settings() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH switch (name, normal, means) AS (
        VALUES ('zentry_notify.enabled', 'on', 'writes fire nothing'),
               ('session_replication_role', 'origin', 'writes fire nothing')),
    entry AS (
        SELECT v.name, v.normal, r.setrole, r.setdatabase, CASE v.normal WHEN 'on' THEN CASE WHEN c.value::boolean THEN 'on' ELSE 'off' END ELSE c.value END AS value
          FROM switch v
          CROSS JOIN pg_db_role_setting r
          CROSS JOIN LATERAL (SELECT substr(x, strpos(x, '=') + 1) AS value FROM unnest(r.setconfig) x WHERE split_part(x, '=', 1) = v.name) c
         WHERE r.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))),
    -- For each role, and for all: a value for this database takes precedence over one for every database.
    stored AS (
        SELECT DISTINCT ON (e.name, e.setrole) e.* FROM entry e ORDER BY e.name, e.setrole, e.setdatabase = 0),
    setting AS (
        SELECT v.name, v.normal, v.means, s.setting AS here, s.reset_val, d.setdatabase,
               coalesce(d.value,
                        CASE WHEN s.source IN ('default', 'configuration file', 'command line', 'environment variable') THEN s.setting
                             -- The session has a value of its own, so the files say what others have.
                             ELSE (SELECT CASE v.normal WHEN 'on' THEN CASE WHEN f.setting::boolean THEN 'on' ELSE 'off' END ELSE f.setting END
                                     FROM pg_file_settings f WHERE f.name = v.name AND f.applied ORDER BY f.seqno DESC LIMIT 1) END,
                        s.boot_val) AS for_all,
               coalesce(own.value, d.value, v.normal) AS for_role
          FROM switch v
          JOIN pg_settings s ON s.name = v.name
          LEFT JOIN stored d ON d.name = v.name AND d.setrole = 0
          LEFT JOIN stored own ON own.name = v.name AND own.setrole = (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user))
    SELECT 'zentry_notify.sending', 'attention', 'nothing is sent, deliveries wait',
           CASE w.change WHEN 'ALTER SYSTEM' THEN 'ALTER SYSTEM SET zentry_notify.sending = on; SELECT pg_reload_conf();'
                         ELSE w.change || ' RESET zentry_notify.sending;' END
      FROM zentry_notify.set_for_worker('zentry_notify.sending') w
     WHERE NOT w.value::boolean
     UNION ALL
    SELECT s.name, 'attention', s.means,
           CASE WHEN s.setdatabase <> 0 THEN format('ALTER DATABASE %I RESET %s;', current_database(), s.name)
                WHEN s.setdatabase = 0 THEN format('ALTER ROLE ALL RESET %s;', s.name)
                ELSE format('ALTER SYSTEM SET %s = %s; SELECT pg_reload_conf();', s.name, s.normal) END
      FROM setting s
     WHERE s.for_all <> s.normal
     UNION ALL
    -- Probably a mistake for the role of an application; a role that loads data may be meant to have it.
    SELECT e.name, 'attention', format('writes of role %I fire nothing', pg_get_userbyid(e.setrole)),
           format('ALTER ROLE %I%s RESET %s;', pg_get_userbyid(e.setrole), CASE WHEN e.setdatabase = 0 THEN '' ELSE format(' IN DATABASE %I', current_database()) END, e.name)
      FROM stored e
     WHERE e.setrole <> 0 AND e.value <> e.normal
     UNION ALL
    -- Only what the lines above do not report: the value was set in this session or with its connection.
    SELECT s.name, 'attention', s.means || ', in this session', format(CASE WHEN s.reset_val = s.normal THEN 'RESET %s;' ELSE 'SET %s = %s;' END, s.name, s.normal)
      FROM setting s
     WHERE s.here <> s.normal AND s.for_all = s.normal AND s.for_role = s.normal;
$$;
COMMENT ON FUNCTION zentry_notify.status_settings() IS 'Returns the status of settings that switch something off';
-- ---- 33_status_worker.sql ----

-- The parts of zentry_status() about this database's worker and about senders.

-- The worker records in webhook_state.posted_at when it posted, where a rate is so low that a message may have to wait.
CREATE OR REPLACE FUNCTION zentry_notify.pace_of(webhook_id bigint) RETURNS TABLE (until timestamptz, what text)
    LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    WITH own AS (
        SELECT w.id, w.rate_group, w.min_interval, zentry_notify.rate_of(w.webhook_type, u.webhook_url, w.rate_limit) AS rate,
               CASE WHEN w.min_interval > '0' THEN greatest(n.last_sent_at, n.last_failed_at) + w.min_interval END AS next_at
          FROM zentry_notify.webhook w
          JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id
          LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id
         WHERE w.id = pace_of.webhook_id),
    member AS (
        SELECT CASE WHEN m.id = o.id THEN o.rate ELSE zentry_notify.rate_of(m.webhook_type, u.webhook_url, m.rate_limit) END AS rate, s.posted_at
          FROM own o
          JOIN zentry_notify.webhook m ON m.id = o.id OR m.rate_group = o.rate_group AND m.is_active
          JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = m.id
          LEFT JOIN zentry_notify.webhook_state s ON s.webhook_integration_id = m.id
         WHERE o.rate IS NOT NULL),
    shared AS (
        SELECT zentry_notify.lowest_rate(array_agg(m.rate)) AS rate,
               zentry_notify.rate_opens_at(array_agg(m.rate), (SELECT array_agg(p) FROM member x CROSS JOIN unnest(x.posted_at) p WHERE x.rate IS NOT NULL)) AS next_at
          FROM member m WHERE m.rate IS NOT NULL)
    SELECT greatest(s.next_at, o.next_at),
           CASE WHEN s.next_at >= o.next_at OR o.next_at IS NULL
                THEN 'rate of ' || s.rate || CASE WHEN o.rate_group IS NULL THEN '' ELSE format(', which the group "%s" shares', o.rate_group) END
                ELSE format('min_interval of %s', o.min_interval) END
      FROM own o LEFT JOIN shared s ON true
     WHERE greatest(s.next_at, o.next_at) IS NOT NULL
$$;
COMMENT ON FUNCTION zentry_notify.pace_of(bigint) IS
    'Returns until when the settings of a webhook (its rate, that of its group, min_interval) hold back its next message, and which of them does. The time may be past';

CREATE OR REPLACE VIEW zentry_notify.due_delivery AS
SELECT d.id, w.id AS webhook_integration_id, greatest(d.due_at, p.until) AS due_at
  FROM zentry_notify.webhook w
  CROSS JOIN LATERAL (
       (SELECT l.id, coalesce(l.next_attempt_at, l.created_at) AS due_at FROM zentry_notify.legacy_delivery l
         WHERE l.webhook_integration_id = w.id AND l.status IN ('pending', 'retry') ORDER BY l.id LIMIT 1)
        UNION ALL
       (SELECT l.id, greatest(l.next_attempt_at,
                              (SELECT coalesce(zentry_notify.digest_due(w.digest, w.quiet_hours, e.created_at), e.created_at)
                                 FROM zentry_notify.event e WHERE e.id = l.event_id)) FROM zentry_notify.delivery l
         WHERE l.webhook_integration_id = w.id AND l.status IN ('p', 'r') ORDER BY l.id LIMIT 1)
       LIMIT 1) d
  LEFT JOIN LATERAL zentry_notify.pace_of(w.id) p ON true
 WHERE w.is_active
   AND d.due_at <= now()
   AND (p.until <= now()) IS NOT FALSE
   AND zentry_notify.quiet_until(w.quiet_hours) IS NULL
   AND EXISTS (SELECT FROM zentry_notify.webhook_secret u WHERE u.webhook_integration_id = w.id)
   AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id);
COMMENT ON VIEW zentry_notify.due_delivery IS
    'The first delivery of each webhook for which the worker should send it now: neither quiet hours, digest, rate nor circuit hold it back. Later deliveries of the webhook wait for it';
COMMENT ON COLUMN zentry_notify.due_delivery.id IS 'The delivery''s id';
COMMENT ON COLUMN zentry_notify.due_delivery.webhook_integration_id IS 'The webhook that it goes to';
COMMENT ON COLUMN zentry_notify.due_delivery.due_at IS 'Since when it is due';

CREATE OR REPLACE FUNCTION zentry_notify.status_worker() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    server record;
    worker record;
    stuck  record;
    closed record;
    log_it constant text := '-- the server log says why, in a line that begins with zentry_notify';
    end_it constant text := '-- pg_terminate_backend() does not end it: wait, or restart the server in immediate mode (pg_ctl restart -m immediate)';
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN;
    END IF;
    BEGIN
        SELECT * INTO server FROM zentry_notify.server_state();
    EXCEPTION WHEN OTHERS THEN
        RETURN; -- the line of the library has the reason
    END;
    FOR stuck IN SELECT s.pid, s.since, s.replaced FROM zentry_notify.stuck_workers() s
                   JOIN pg_database d ON d.oid = s.database AND d.datname = current_database() ORDER BY s.since LOOP
        -- Another worker takes its place after three seconds.
        IF stuck.replaced THEN
            RETURN QUERY SELECT 'stuck worker', 'attention',
                format('pid %s does not end, since %s: what is looked up in it heeds no interrupts. Another one has its work. Until it ends, VACUUM keeps dead rows, '
                       'and it is waited for by DROP EXTENSION, DROP DATABASE, a fast shutdown and whatever locks the tables that it reads', stuck.pid, zentry_notify.moment(stuck.since)), end_it;
        ELSIF stuck.since < clock_timestamp() - interval '5 seconds' THEN
            RETURN QUERY SELECT 'worker', 'broken',
                format('pid %s does not end, since %s: what is looked up in it heeds no interrupts. Other workers (pid %s) do not either: none takes its place until one of them has ended',
                       stuck.pid, zentry_notify.moment(stuck.since), (SELECT coalesce(string_agg(s.pid::text, ', ' ORDER BY s.since), '?') FROM zentry_notify.stuck_workers() s WHERE s.replaced)),
                end_it;
            RETURN;
        END IF;
    END LOOP;
    SELECT a.pid, a.backend_start INTO worker FROM pg_stat_activity a
     WHERE a.backend_type = 'zentry_notify worker' AND a.datname = current_database()
       AND a.pid NOT IN (SELECT s.pid FROM zentry_notify.stuck_workers() s WHERE s.replaced);
    IF FOUND THEN
        IF server.refused_since IS NULL THEN
            RETURN QUERY SELECT 'worker', 'ok', format('pid %s, since %s', worker.pid, zentry_notify.moment(worker.backend_start)), '';
        ELSE
            RETURN QUERY SELECT 'worker', 'broken', format('pid %s; the database refuses its statements since %s', worker.pid, zentry_notify.moment(server.refused_since)), log_it;
        END IF;
        RETURN;
    END IF;
    SELECT * INTO closed FROM zentry_notify.closed_databases() c WHERE c.name = current_database();
    IF FOUND THEN
        IF zentry_notify.unrouted_since() IS NOT NULL OR EXISTS (SELECT FROM zentry_notify.due_delivery) THEN
            RETURN QUERY SELECT 'worker', 'broken', format('this database %s and is not served: what is due waits until it is opened', closed.why), closed.remedy;
        ELSE
            RETURN QUERY SELECT 'worker', 'ok', format('none: this database %s and is not served; nothing is due', closed.why), '';
        END IF;
    ELSIF server.worker_died THEN
        RETURN QUERY SELECT 'worker', 'broken', 'has died, and is started again after a pause', log_it;
    ELSIF EXISTS (SELECT FROM zentry_notify.unrouted_since() s
                   WHERE s < now() - CASE WHEN server.databases_waiting > 0 THEN interval '5 seconds' ELSE interval '30 seconds' END)
          OR (SELECT w.value::boolean FROM zentry_notify.set_for_worker('zentry_notify.sending') w)
             AND EXISTS (SELECT FROM zentry_notify.due_delivery d
                          WHERE d.due_at < now() - interval '5 seconds'
                            AND d.webhook_integration_id NOT IN (SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q)) THEN
        IF server.short_of_workers_since IS NOT NULL THEN
            RETURN QUERY SELECT 'worker', 'broken', format('no background worker is free, since %s (max_worker_processes is %s)',
                                                           zentry_notify.moment(server.short_of_workers_since), current_setting('max_worker_processes')),
                zentry_notify.more_workers();
        ELSIF server.databases_waiting > 0 THEN
            RETURN QUERY SELECT 'worker', 'attention', format('waits for its turn: %s workers may run, %s databases wait',
                                                              current_setting('zentry_notify.max_workers'), server.databases_waiting),
                format('ALTER SYSTEM SET zentry_notify.max_workers = %s; SELECT pg_reload_conf();',
                       least(64, current_setting('zentry_notify.max_workers')::int + server.databases_waiting));
        ELSE
            RETURN QUERY SELECT 'worker', 'broken', 'not there, although there is something to do', '-- see the line of the launcher';
        END IF;
    ELSE
        RETURN QUERY SELECT 'worker', 'ok', 'none is needed now', '';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_worker() IS 'Returns the status of this database''s worker';

CREATE OR REPLACE FUNCTION zentry_notify.status_senders() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH who AS (
        SELECT coalesce((SELECT w.value FROM zentry_notify.set_for_worker('zentry_notify.senders') w), 'local') AS sends,
               (SELECT count(*) FROM zentry_notify.sender s WHERE s.id NOT IN (SELECT zentry_notify.gone_senders())) AS senders,
               (SELECT count(*) FROM zentry_notify.sender_queue q) AS queues,
               (SELECT count(*) FROM zentry_notify.sender s WHERE s.banned_until > now()) AS banned)
    SELECT 'senders', CASE WHEN w.sends = 'remote' AND w.senders = 0 THEN 'broken' WHEN w.sends = 'local' OR w.banned > 0 THEN 'attention' ELSE 'ok' END,
           concat_ws('; ', format('zentry_notify.senders is %s, and connected are %s', w.sends, w.senders),
                     CASE WHEN w.sends = 'remote' AND w.senders = 0 THEN format('%s webhooks have no sender', w.queues)
                          WHEN w.sends <> 'local' THEN format('they send to %s webhooks', w.queues) END,
                     CASE WHEN w.banned > 0 THEN format('Discord has banned the addresses of %s', w.banned) END),
           CASE WHEN w.sends = 'remote' AND w.senders = 0 THEN '-- start zentry-notify send on a machine that may call out, as a role with SELECT @extschema@.zentry_grant(role, ''sender'')'
                WHEN w.sends = 'local' THEN '-- they have nothing to send: end them, or set zentry_notify.senders to remote'
                WHEN w.banned > 0 THEN '-- the other senders, if there are any, send to their webhooks of Discord until then' ELSE '' END
      FROM who w
     WHERE w.sends <> 'local' OR w.senders > 0
$$;
COMMENT ON FUNCTION zentry_notify.status_senders() IS 'Returns the status of senders on other machines; no row if there are none and the worker sends';
-- ---- 34_status_tables.sql ----

-- The parts of zentry_status() about the extension's tables: privileges, what others have changed, locks, replication.

CREATE OR REPLACE FUNCTION zentry_notify.status_privileges() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- pg_init_privs has what CREATE EXTENSION granted: what is missing now was revoked since.
    WITH granted AS (
        SELECT i.classoid, i.objoid, a.privilege_type
          FROM pg_init_privs i
          CROSS JOIN aclexplode(i.initprivs) a
          JOIN pg_roles r ON r.oid = a.grantee AND r.rolname = 'zentry_notify_agent'
          JOIN pg_depend d ON d.classid = i.classoid AND d.objid = i.objoid AND d.deptype = 'e'
          JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify'
         WHERE i.objsubid = 0),
    lost AS (
        SELECT format('%s ON %s %s', string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type),
                      CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) AS privilege
          FROM granted g
          JOIN pg_class c ON c.oid = g.objoid AND g.classoid = 'pg_class'::regclass
         WHERE CASE c.relkind WHEN 'S' THEN NOT has_sequence_privilege('zentry_notify_agent', c.oid, g.privilege_type)
                              ELSE NOT has_table_privilege('zentry_notify_agent', c.oid, g.privilege_type) END
         GROUP BY c.oid, c.relkind
        UNION ALL
        SELECT format('EXECUTE ON FUNCTION %s', g.objoid::regprocedure)
          FROM granted g
         WHERE CASE g.classoid WHEN 'pg_proc'::regclass THEN NOT has_function_privilege('zentry_notify_agent', g.objoid, 'EXECUTE') END
        UNION ALL
        SELECT format('USAGE ON SCHEMA %s', g.objoid::regnamespace)
          FROM granted g
         WHERE CASE g.classoid WHEN 'pg_namespace'::regclass THEN NOT has_schema_privilege('zentry_notify_agent', g.objoid, 'USAGE') END)
    SELECT 'privileges', 'broken', 'zentry_notify_agent has lost ' || l.privilege, format('GRANT %s TO zentry_notify_agent;', l.privilege)
      FROM lost l
     UNION ALL
    SELECT 'privileges', 'broken', 'there is no role zentry_notify_agent: nothing is captured, nothing is sent', '-- it was renamed: give it its name back'
     WHERE to_regrole('zentry_notify_agent') IS NULL
     UNION ALL
    -- (CREATE EXTENSION refuses a role that has one.)
    SELECT 'privileges', 'attention', 'zentry_notify_agent, which must have no attribute, has ' || string_agg(a.attribute, ', '),
           format('ALTER ROLE zentry_notify_agent %s;', string_agg('NO' || a.attribute, ' '))
      FROM pg_roles r
      CROSS JOIN LATERAL (VALUES ('LOGIN', r.rolcanlogin), ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb),
                                 ('REPLICATION', r.rolreplication), ('BYPASSRLS', r.rolbypassrls)) a (attribute, has)
     WHERE r.rolname = 'zentry_notify_agent' AND a.has
    HAVING count(*) > 0
     UNION ALL
    SELECT 'privileges', 'attention',
           CASE m.roleid WHEN to_regrole('zentry_notify_agent') THEN format('%s is a member of zentry_notify_agent, and reads the webhooks'' URLs', m.member::regrole)
                         ELSE format('zentry_notify_agent is a member of %s', m.roleid::regrole) END,
           -- From PostgreSQL 16 on, each grantor has a grant of its own.
           format('REVOKE %s FROM %s%s;', m.roleid::regrole, m.member::regrole,
                  CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' GRANTED BY ' || m.grantor::regrole END)
      FROM pg_auth_members m
     WHERE to_regrole('zentry_notify_agent') IN (m.roleid, m.member)
     UNION ALL
    -- Whoever makes a partition of a table needs EXECUTE on the functions of the triggers of that table.
    SELECT 'privileges', 'attention', 'PUBLIC may not call zentry_notify.capture(): only superusers can attach tables, and make partitions of those that are attached',
           'GRANT EXECUTE ON FUNCTION zentry_notify.capture() TO PUBLIC;'
     WHERE NOT has_function_privilege('public', 'zentry_notify.capture()', 'EXECUTE')
     UNION ALL
    -- Functions that came with an update. Its script cannot grant them: pg_dump leaves out what the script of an extension has granted.
    SELECT 'privileges', 'attention', format('%s may not call %s', g.grantee, min(f::text)),
           format('SELECT @extschema@.zentry_grant(%L, %L);', g.grantee, g.privilege)
      FROM zentry_notify.grants() g
      CROSS JOIN zentry_notify.functions_of(g.privilege) f
     WHERE NOT has_function_privilege(g.grantee, f, 'EXECUTE')
     GROUP BY g.grantee, g.privilege;
$$;
COMMENT ON FUNCTION zentry_notify.status_privileges() IS 'Returns the status of the privileges that the agent needs, and of those that zentry_grant gave';

CREATE OR REPLACE FUNCTION zentry_notify.status_tables() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'tables', 'broken', format('%s has row-level security: the worker does not see its rows', c.oid::regclass),
           format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY;', c.oid::regclass)
      FROM pg_class c
     WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
     UNION ALL
    -- pg_restore --disable-triggers disables triggers and enables them again, but not in the modes that they had.
    SELECT 'tables', CASE t.tgenabled WHEN 'D' THEN 'broken' ELSE 'attention' END,
           format(CASE t.tgenabled WHEN 'D' THEN 'trigger %s on %s is disabled' ELSE 'trigger %s on %s does not fire when it has to' END,
                  quote_ident(t.tgname), t.tgrelid::regclass),
           format('ALTER TABLE %s ENABLE %sTRIGGER %I;', t.tgrelid::regclass, meant.mode, t.tgname)
      FROM pg_trigger t
      JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
      JOIN zentry_notify.own_triggers() meant ON meant.relation = c.relname AND meant.name = t.tgname
     WHERE (t.tgenabled = 'D' OR meant.mode = 'REPLICA ' AND t.tgenabled <> 'R' OR meant.mode = 'ALWAYS ' AND t.tgenabled <> 'A')
     UNION ALL
    -- As after a switch-over of logical replication, which does not replicate sequences: the next id exists already.
    SELECT 'tables', 'broken', format('%s is behind its table', b.sequence), format('SELECT setval(%L, %s);', b.sequence, b.highest)
      FROM zentry_notify.sequences_behind() b
     UNION ALL
    -- Somebody has renamed a table and made another one of its name. Sessions and the worker find tables by name.
    SELECT 'tables', 'broken', format('%s is not the extension''s table, which was renamed', c.oid::regclass),
           CASE count(m.oid) WHEN 1 THEN format('ALTER TABLE %s RENAME TO %I; ALTER TABLE %s RENAME TO %I;', c.oid::regclass, left(c.relname, 50) || '_other',
                                                min(m.oid)::regclass, c.relname)
                             ELSE '-- give the extension''s tables their names back' END
      FROM pg_class c
      LEFT JOIN (SELECT r.oid::oid, r.relname
                   FROM pg_class r JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype = 'e'
                   JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify'
                  WHERE r.relkind = 'r' AND r.relname <> ALL (zentry_notify.own_tables())) m ON true
     WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relname = ANY (zentry_notify.own_tables())
       AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
     GROUP BY c.oid, c.relname
     UNION ALL
    SELECT 'tables', 'broken', format('rule %I on %s does something else with what is written', w.rulename, w.ev_class::regclass),
           format('DROP RULE %I ON %s;', w.rulename, w.ev_class::regclass)
      FROM pg_rewrite w JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = w.ev_class
     WHERE w.ev_type <> '1'
     UNION ALL
    -- What reads the log of 0.2.0 followed its table when the update renamed it.
    SELECT 'tables', 'attention', format('%s %s reads zentry_notify.legacy_delivery, the log of 0.2.0, and sees no new delivery', i.type, i.identity),
           zentry_notify.one_comment(format('-- make the %s %s again, to read zentry_notify.notification_log', i.type, i.identity))
      FROM (SELECT DISTINCT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS classid, coalesce(w.ev_class, d.objid) AS objid
              FROM pg_depend d
              LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
             WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass('zentry_notify.legacy_delivery')
               AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass)) r
     CROSS JOIN LATERAL pg_identify_object(r.classid, r.objid, 0) i
     WHERE NOT EXISTS (SELECT FROM zentry_notify.members() m WHERE m.classid = r.classid AND m.objid = r.objid)
     UNION ALL
    SELECT 'tables', 'attention', format('%s is UNLOGGED: after a crash it is empty, and a standby does not have it', c.oid::regclass),
           format('ALTER TABLE %s SET LOGGED;', c.oid::regclass)
      FROM pg_class c JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
     WHERE c.relkind = 'r' AND c.relpersistence = 'u'
     UNION ALL
    SELECT 'tables', 'broken', format('%s of %s is gone', i.name, c.oid::regclass),
           CASE WHEN i.definition LIKE 'CREATE %' THEN i.definition || ';'
                ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s;', c.oid::regclass, i.name, i.definition) END
      FROM zentry_notify.own_indexes() i
      JOIN pg_class c ON c.relnamespace = 'zentry_notify'::regnamespace AND c.relname = i.relation AND c.relkind = 'r'
      JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
     WHERE NOT EXISTS (SELECT FROM pg_index x
                         JOIN pg_class n ON n.oid = x.indexrelid
                         LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u')
                        WHERE x.indrelid = c.oid AND (n.relname = i.name OR pg_get_constraintdef(k.oid) = i.definition))
     UNION ALL
    SELECT 'tables', 'broken', format('trigger %s on %s is gone', quote_ident(o.name), c.oid::regclass),
           format('CREATE TRIGGER %I %s;', o.name, o.definition) || CASE o.mode WHEN '' THEN '' ELSE format(' ALTER TABLE %s ENABLE %sTRIGGER %I;', c.oid::regclass, o.mode, o.name) END
      FROM zentry_notify.own_triggers() o
      JOIN pg_class c ON c.relnamespace = 'zentry_notify'::regnamespace AND c.relname = o.relation
      JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
     WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = o.name)
     UNION ALL
    SELECT 'tables', 'broken', format('index %s is not valid', x.indexrelid::regclass), format('REINDEX INDEX %s;', x.indexrelid::regclass)
      FROM pg_index x JOIN zentry_notify.members() m ON m.classid = 'pg_class'::regclass AND m.objid = x.indrelid
     WHERE NOT (x.indisvalid AND x.indisready AND x.indislive)
     UNION ALL
    -- The owner of a table may put triggers on it, which run with the rights of the role that writes it. (A sequence has the owner of its table.)
    SELECT 'tables', 'attention', format('%s belongs to %s, and not to the owner of the extension', o.name, o.owner::regrole),
           format('ALTER %s OWNER TO %s;', o.name, e.extowner::regrole)
      FROM zentry_notify.members() m
      JOIN pg_extension e ON e.extname = 'zentry_notify'
      CROSS JOIN LATERAL (
           SELECT CASE c.relkind WHEN 'v' THEN 'VIEW ' ELSE 'TABLE ' END || c.oid::regclass, c.relowner FROM pg_class c
            WHERE m.classid = 'pg_class'::regclass AND c.oid = m.objid AND c.relkind IN ('r', 'v')
            UNION ALL
           SELECT 'FUNCTION ' || p.oid::regprocedure, p.proowner FROM pg_proc p WHERE m.classid = 'pg_proc'::regclass AND p.oid = m.objid
            UNION ALL
           SELECT 'SCHEMA ' || quote_ident(n.nspname), n.nspowner FROM pg_namespace n WHERE m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
           ) o (name, owner)
     WHERE o.owner <> e.extowner
     UNION ALL
    -- The tables that capture, the worker and senders write. On the others an application may have triggers of its own.
    SELECT 'tables', 'attention', format('trigger %I on %s is not the extension''s: it runs within what writes there, and an error of it loses events or holds them up',
                                         t.tgname, t.tgrelid::regclass),
           format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass)
      FROM pg_trigger t
      JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
     WHERE NOT t.tgisinternal
       AND c.relname IN ('event', 'event_detail', 'delivery', 'delivery_attempt', 'route_cursor', 'webhook_circuit', 'webhook_state', 'webhook_count', 'delivery_stat',
                         'project_progress', 'progress_note', 'sender', 'sender_queue')
       AND NOT EXISTS (SELECT FROM zentry_notify.members() m WHERE m.classid = 'pg_proc'::regclass AND m.objid = t.tgfoid)
     UNION ALL
    -- Events and deliveries are sent in the order of their ids.
    SELECT 'tables', 'attention', format('%s gives each session %s numbers at a time: a later event may have a lower one', q.seqrelid::regclass, q.seqcache),
           format('ALTER SEQUENCE %s CACHE 1;', q.seqrelid::regclass)
      FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid AND c.relnamespace = 'zentry_notify'::regnamespace
     WHERE q.seqcache > 1
     UNION ALL
    SELECT 'tables', 'broken', format('%s counts by %s: a later event has a lower number', q.seqrelid::regclass, q.seqincrement),
           format('ALTER SEQUENCE %s INCREMENT BY 1;', q.seqrelid::regclass)
      FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid AND c.relnamespace = 'zentry_notify'::regnamespace
     WHERE q.seqincrement < 1
     UNION ALL
    -- No privilege of zentry_grant includes writing, locking or TRIGGER on a table. SELECT is not reported: a role that makes dumps needs it.
    SELECT 'tables', 'attention', format('%s may %s on %s, which is the extension''s alone', coalesce(r.name, 'PUBLIC'), string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), c.oid::regclass),
           format('REVOKE ALL ON %s FROM %s;', c.oid::regclass, coalesce(r.name, 'PUBLIC'))
      FROM pg_class c
      CROSS JOIN LATERAL aclexplode(c.relacl) a
      LEFT JOIN LATERAL (SELECT quote_ident(g.rolname) AS name, g.rolname FROM pg_roles g WHERE g.oid = a.grantee) r ON true
     WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relname = ANY (zentry_notify.own_tables())
       AND a.grantee <> c.relowner AND r.rolname IS DISTINCT FROM 'zentry_notify_agent' AND a.privilege_type <> 'SELECT'
     GROUP BY c.oid, r.name
     UNION ALL
    SELECT 'tables', 'attention', format('%s may create objects in the schema zentry_notify', coalesce(quote_ident(r.rolname), 'PUBLIC')),
           format('REVOKE CREATE ON SCHEMA zentry_notify FROM %s;', coalesce(quote_ident(r.rolname), 'PUBLIC'))
      FROM pg_namespace n
      CROSS JOIN LATERAL aclexplode(n.nspacl) a
      LEFT JOIN pg_roles r ON r.oid = a.grantee
     WHERE n.nspname = 'zentry_notify' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner;
$$;
COMMENT ON FUNCTION zentry_notify.status_tables() IS 'Returns the status of the extension''s tables: what others have added, removed or changed';

-- A process that waits for an ACCESS EXCLUSIVE lock is reported as well, because later requests for the table queue behind it.
CREATE OR REPLACE FUNCTION zentry_notify.status_locks() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'tables', 'broken',
           CASE WHEN l.pid IS NULL THEN format('%s is locked by the prepared transaction %L: what reads it waits', l.name, p.gid)
                WHEN l.granted THEN format('%s is locked by process %s (%s): what reads it waits', l.name, l.pid, a.who)
                ELSE format('%s is waited for by process %s (%s), and what reads it waits behind', l.name, l.pid, a.who) END,
           CASE WHEN l.pid IS NULL THEN format('-- COMMIT PREPARED %L; or ROLLBACK PREPARED %1$L;', p.gid)
                ELSE format('SELECT pg_terminate_backend(%s); -- if what it does cannot be waited for', l.pid) END
      FROM (SELECT DISTINCT ON (c.oid) c.oid::regclass AS name, l.pid, l.granted, l.virtualtransaction
              FROM pg_locks l
              JOIN pg_class c ON c.oid = l.relation AND c.relnamespace = 'zentry_notify'::regnamespace
             WHERE l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
               AND l.pid IS DISTINCT FROM pg_backend_pid()
               AND (l.mode = 'AccessExclusiveLock' OR c.relkind = 'S' AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock'))
             ORDER BY c.oid, l.granted DESC, l.pid) l
      LEFT JOIN LATERAL (
           SELECT concat_ws(', ', x.usename, CASE WHEN x.xact_start IS NOT NULL THEN 'in a transaction since ' || zentry_notify.moment(x.xact_start) END) AS who
             FROM pg_stat_activity x WHERE x.pid = l.pid) a ON true
      LEFT JOIN pg_locks t ON l.pid IS NULL AND t.locktype = 'transactionid' AND t.granted AND t.virtualtransaction = l.virtualtransaction
      LEFT JOIN pg_prepared_xacts p ON p.transaction = t.transactionid
     ORDER BY l.name::text;
$$;
COMMENT ON FUNCTION zentry_notify.status_locks() IS 'Returns the status of the extension''s tables: which processes and prepared transactions lock them';

CREATE OR REPLACE FUNCTION zentry_notify.subscribed_tables() RETURNS TABLE (subscription text, relation oid)
    LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT s.subname::text, r.srrelid
                   FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
                  WHERE s.subenabled AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pglogical' AND e.extnamespace = to_regnamespace('pglogical')) THEN
        RETURN QUERY EXECUTE 'SELECT s.sub_name::text, c.oid
                                FROM pglogical.subscription s
                                JOIN pglogical.local_sync_status l ON l.sync_subid = s.sub_id
                                JOIN pg_namespace n ON n.nspname = l.sync_nspname
                                JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = l.sync_relname
                               WHERE s.sub_enabled';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.subscribed_tables() IS 'Returns the tables of this database that logical replication, built-in or pglogical''s, writes to';

-- If the publisher has the extension, it sends the events of the rows that are applied here. Whether it has can be seen only if some of the extension's
-- tables are replicated too.
CREATE OR REPLACE FUNCTION zentry_notify.status_replication() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
    WITH brought AS MATERIALIZED (
        SELECT b.subscription, b.relation, CASE WHEN c.relnamespace = 'zentry_notify'::regnamespace THEN c.relname END AS ours
          FROM zentry_notify.subscribed_tables() b JOIN pg_class c ON c.oid = b.relation),
    keeps AS MATERIALIZED (
        SELECT o.relation, EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
                                    WHERE c.relname = o.relation AND t.tgname = o.name AND t.tgenabled IN ('R', 'A')) AS out
          FROM zentry_notify.own_triggers() o WHERE o.name = 'drop_replicated'),
    sending AS MATERIALIZED (
        SELECT w.value::boolean AS is_on FROM zentry_notify.set_for_worker('zentry_notify.sending') w)
    SELECT 'subscription ' || quote_ident(b.subscription), 'broken',
           format('what it brings of zentry_notify.%s is stored, because the trigger drop_replicated does not fire for it: messages go out twice, from its publisher and from here', b.ours),
           format('ALTER TABLE zentry_notify.%I ENABLE REPLICA TRIGGER drop_replicated;', b.ours)
      FROM brought b JOIN keeps k ON k.relation = b.ours AND NOT k.out
     WHERE b.ours IN ('event', 'delivery', 'legacy_delivery', 'route_cursor', 'event_detail') AND (SELECT s.is_on FROM sending s)
     UNION ALL
    SELECT 'subscription ' || quote_ident(f.subscription), CASE WHEN f.both THEN 'broken' ELSE 'attention' END,
           format('trigger %I on %s fires for what it brings: ', f.tgname, f.relation)
               || CASE WHEN f.both THEN 'its publisher, which has the extension too, sends the same, and messages go out twice'
                       ELSE 'if its publisher has the extension too, messages go out twice' END,
           format('ALTER TABLE %s ENABLE TRIGGER %I;', f.relation, f.tgname)
      FROM (SELECT DISTINCT b.subscription, t.tgname, t.tgrelid::regclass AS relation,
                   EXISTS (SELECT FROM brought o WHERE o.subscription = b.subscription AND o.ours IS NOT NULL) AS both
              FROM pg_trigger t
              JOIN brought b ON b.relation = t.tgrelid OR b.relation IN (SELECT a.relid FROM pg_partition_ancestors(t.tgrelid) a)
             WHERE t.tgfoid = 'zentry_notify.capture()'::regprocedure AND t.tgenabled IN ('A', 'R')) f
     WHERE (SELECT s.is_on FROM sending s)
     UNION ALL
    -- A publication FOR ALL TABLES includes these.
    SELECT 'subscription ' || quote_ident(b.subscription), 'attention',
           format('brings what its publisher''s worker keeps for itself (%s), and of which nothing is stored here: both servers have the extension and send, each what is written to it',
                  string_agg(DISTINCT b.ours, ', ' ORDER BY b.ours)),
           format('ALTER DATABASE %I SET zentry_notify.sending = off; -- until this server takes over: see docs/guide/change-capture.md', current_database())
      FROM brought b JOIN keeps k ON k.relation = b.ours AND k.out
     WHERE (SELECT s.is_on FROM sending s)
     GROUP BY b.subscription
     UNION ALL
    SELECT 'publication ' || quote_ident(p.pubname), 'attention',
           format('%s: who subscribes gets the webhooks'' URLs and keys, which are secrets', CASE WHEN p.puballtables THEN 'is FOR ALL TABLES' ELSE 'has all tables of the schema zentry_notify' END),
           CASE WHEN p.puballtables THEN '-- publish tables by name, and of ours zentry_notify.event for one: see docs/guide/change-capture.md'
                ELSE format('ALTER PUBLICATION %I DROP TABLES IN SCHEMA zentry_notify;', p.pubname) END
      FROM pg_publication p
     WHERE p.puballtables OR EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = p.oid AND n.pnnspid = 'zentry_notify'::regnamespace)
     ORDER BY 1, 2 DESC, 3;
$$;
COMMENT ON FUNCTION zentry_notify.status_replication() IS 'Returns the status of logical replication: what would send messages twice or publish secrets';
-- ---- 35_status_events.sql ----

-- The parts of zentry_status() about events: attached tables, routing, webhooks, the queue, failures.

-- jit is off, because the planner expects far more rows than there are, and JIT compilation would take seconds.
CREATE OR REPLACE FUNCTION zentry_notify.status_sources() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
    WITH RECURSIVE family (source, oid) AS (
        SELECT s.id, s.relation::oid FROM zentry_notify.event_source s
         UNION
        SELECT f.source, i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid),
    trigger AS (
        -- The triggers that each attached table should have. For a source that 0.1.0 attached they are not known until it is attached again. The triggers
        -- of partitions are made by PostgreSQL and cannot be dropped.
        SELECT s.id, c.oid AS relation, c.oid = s.relation AS itself, t.name, t.present, t.live, t.made
          FROM zentry_notify.event_source s
          JOIN family f ON f.source = s.id
          JOIN pg_class c ON c.oid = f.oid
          CROSS JOIN LATERAL (
               SELECT format('zentry_notify_%s_%s', s.event_type, o.operation) AS name
                 FROM (VALUES ('insert', s.insert_when), ('update', s.update_when), ('delete', s.delete_when)) o (operation, condition)
                WHERE o.condition IS NOT NULL
                UNION ALL
               SELECT NULL WHERE coalesce(s.insert_when, s.update_when, s.delete_when) IS NULL) wanted
          CROSS JOIN LATERAL (
               SELECT coalesce(wanted.name, min(t.tgname::text)) AS name, count(*) > 0 AS present, coalesce(bool_and(t.tgenabled IN ('O', 'A')), false) AS live,
                      -- Whether zentry_attach made it, which makes it depend on the extension, or PostgreSQL, on a partition.
                      wanted.name IS NULL
                      OR bool_and(t.tgparentid <> 0 OR EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
                                                               WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
                                                                 AND d.refclassid = 'pg_extension'::regclass)) IS NOT FALSE AS made
                 FROM pg_trigger t
                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgfoid = 'zentry_notify.capture()'::regprocedure
                  AND CASE WHEN wanted.name IS NULL THEN t.tgname <> 'zentry_notify_moved' ELSE t.tgname = wanted.name END) t
         WHERE t.present OR c.oid = s.relation OR NOT c.relispartition),
    swapped AS (
        -- The attached table was renamed, and another one has its name.
        SELECT s.id, z.relation
          FROM zentry_notify.event_source s
          JOIN zentry_notify.zentry_source z ON z.event_type = s.event_type
         WHERE NOT s.by_hand AND to_regclass(z.relation) <> s.relation
           AND NOT EXISTS (SELECT FROM zentry_notify.event_source o WHERE o.event_type = s.event_type AND o.relation = to_regclass(z.relation))),
    fault AS (
        -- One fault of each source.
        SELECT DISTINCT ON (t.id) t.id, t.itself, t.present, t.live, t.name, t.relation::regclass,
               NOT EXISTS (SELECT FROM trigger o WHERE o.id = t.id AND o.relation = t.relation AND o.present) AS all_gone
          FROM trigger t WHERE NOT (t.live AND t.made)
         ORDER BY t.id, t.itself DESC, t.present DESC, t.relation, t.name)
    SELECT 'event ' || s.event_type,
           CASE WHEN c.oid IS NULL OR s.suspended_at IS NOT NULL OR f.itself OR w.id IS NOT NULL THEN 'broken'
                WHEN f.id IS NOT NULL OR s.suspended_reason IS NOT NULL OR x.strange OR t.name IS NULL THEN 'attention' ELSE 'ok' END,
           CASE WHEN c.oid IS NULL THEN 'its table does not exist any more'
                WHEN w.id IS NOT NULL THEN format('%s is another table now, and is not attached: %s is, which had its name', w.relation, s.relation)
                WHEN s.suspended_at IS NOT NULL THEN format('%s, suspended since %s: %s', s.relation, zentry_notify.moment(s.suspended_at), s.suspended_reason)
                WHEN f.present AND f.live THEN format('trigger %I on %s was not made by zentry_attach, and may fire for other writes', f.name, f.relation)
                WHEN f.present THEN format('trigger %I on %s is disabled', f.name, f.relation)
                WHEN f.itself AND NOT f.all_gone THEN format('trigger %I on %s is gone', f.name, f.relation)
                WHEN f.itself THEN format('the triggers on %s are gone', f.relation)
                WHEN f.id IS NOT NULL THEN format('%s inherits from %s and has no trigger for it: what is written to it fires nothing', f.relation, s.relation)
                WHEN x.strange THEN format('%s; its expressions were given by %s, and the table belongs to %s now: they are not evaluated, and their keys are null',
                                           s.relation, coalesce(s.written_by, 'an unknown role'), pg_get_userbyid(c.relowner))
                WHEN s.suspended_reason IS NOT NULL THEN format('%s; %s', s.relation, s.suspended_reason)
                WHEN t.name IS NULL THEN format('%s fires an event type that no longer exists: no webhook hears it', s.relation)
                ELSE format('%s', s.relation) END,
           CASE WHEN c.oid IS NULL THEN format('SELECT @extschema@.zentry_detach(%s, %L);', s.relation::oid, s.event_type)
                WHEN w.id IS NOT NULL THEN 'SELECT * FROM @extschema@.zentry_attach();'
                WHEN f.present AND NOT f.live AND s.suspended_at IS NULL THEN format('ALTER TABLE %s ENABLE TRIGGER %I;', f.relation, f.name)
                -- A comment and not a call, which would let the SQL of another role run as the owner.
                WHEN x.strange THEN format('-- look at its columns in zentry_notify.event_sources, and attach it again with those expressions that are to run as %s: zentry_attach(%L, %L, columns => ...)',
                                           pg_get_userbyid(c.relowner), s.event_type, s.relation::text)
                WHEN f.id IS NOT NULL AND NOT (f.present AND NOT f.live) AND zentry_notify.has_own_condition(s) THEN zentry_notify.attach_again(s)
                -- Attached again unchanged, it would end a worker again.
                WHEN s.suspended_reason ~ 'reading a table of its owner has ended a worker' THEN
                     '-- let the owner of that table drop what does not end (an index with a predicate, a check, statistics), and an hour later: SELECT * FROM @extschema@.zentry_attach();'
                WHEN s.suspended_reason ~ 'were killed or crashed$' THEN
                     format('-- see in the server log how they ended, let the expression take less memory, or leave out what crashes, and an hour after the last one let its owner attach it again: zentry_attach(%L, %L, columns => ...)',
                            s.event_type, s.relation::text)
                WHEN s.suspended_reason ~ 'goes on when it is cancelled|has ended a worker$' THEN
                     format('-- let the functions that it calls end when they are cancelled (no handler of query_canceled), and an hour after the last one that did not, let its owner attach it again: zentry_attach(%L, %L, columns => ...)',
                            s.event_type, s.relation::text)
                WHEN s.suspended_reason ~ ' is a (view|foreign table), which is not looked into' THEN
                     format('-- give it a table to look into: zentry_attach(%L, %L, columns => ...); or with a table of that name, SELECT * FROM @extschema@.zentry_attach();',
                            s.event_type, s.relation::text)
                -- Attaching it again is not enough: the owner needs a privilege. What PostgreSQL says of that is in the language of lc_messages.
                WHEN b.remedy IS NOT NULL THEN b.remedy || ' SELECT * FROM @extschema@.zentry_attach();'
                WHEN s.suspended_reason IS NOT NULL OR s.suspended_at IS NOT NULL OR f.id IS NOT NULL THEN 'SELECT * FROM @extschema@.zentry_attach();'
                ELSE '' END
      FROM zentry_notify.event_source s
      LEFT JOIN pg_class c ON c.oid = s.relation
      LEFT JOIN zentry_notify.event_type t ON t.name = s.event_type
      LEFT JOIN LATERAL (
           -- The tables of its look-ups that the owner of the attached table may not read.
           SELECT string_agg(zentry_notify.one_comment(m.statement), ' ' ORDER BY m.statement COLLATE "C" DESC) AS remedy
             FROM (SELECT DISTINCT n.oid AS schema, n.nspname, l.oid, l.relowner, l.relrowsecurity, l.relforcerowsecurity
                     -- (Constants are left out, which may have a key "from" too.)
                     FROM jsonb_path_query(jsonb_build_array(s.columns, s.audience), '$[*].* ? (!exists(@.value)).**.from') f (name)
                     JOIN pg_class l ON l.relkind IN ('r', 'p', 'm')
                     JOIN pg_namespace n ON n.oid = l.relnamespace AND format('%I.%I', n.nspname, l.relname) = f.name #>> '{}') l
             JOIN pg_roles o ON o.oid = c.relowner
            CROSS JOIN LATERAL (
                  -- A comment and not a call: a superuser should not grant the owner whatever table the owner has named.
                  SELECT format('-- if %I may read %s: %sGRANT SELECT ON %2$s TO %1$I;', o.rolname, l.oid::regclass,
                                CASE WHEN NOT has_schema_privilege(o.oid, l.schema, 'USAGE') THEN format('GRANT USAGE ON SCHEMA %I TO %I; ', l.nspname, o.rolname) END)
                   WHERE NOT (has_schema_privilege(o.oid, l.schema, 'USAGE') AND has_table_privilege(o.oid, l.oid, 'SELECT'))
                   UNION ALL
                  SELECT CASE WHEN pg_has_role(o.oid, l.relowner, 'USAGE') THEN format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', l.oid::regclass)
                              ELSE format('-- policies of %s hold for %I: make it the table''s owner, or ALTER ROLE %2$I BYPASSRLS, or attach without that look-up; then', l.oid::regclass, o.rolname) END
                   WHERE l.relrowsecurity AND NOT (o.rolsuper OR o.rolbypassrls)
                     AND (l.relforcerowsecurity OR NOT pg_has_role(o.oid, l.relowner, 'USAGE'))) m (statement)) b ON s.suspended_reason IS NOT NULL
      CROSS JOIN LATERAL (
           SELECT jsonb_path_exists(s.columns, '$.*.expression') AND s.written_by_oid IS DISTINCT FROM c.relowner AS strange) x
      LEFT JOIN fault f ON f.id = s.id
      LEFT JOIN swapped w ON w.id = s.id
     UNION ALL
    SELECT 'events', 'attention', 'no table is attached: no write fires anything', 'SELECT * FROM @extschema@.zentry_attach();'
     WHERE NOT EXISTS (SELECT FROM zentry_notify.event_source)
     ORDER BY 1;
$$;
COMMENT ON FUNCTION zentry_notify.status_sources() IS 'Returns the status of the attached tables';

CREATE OR REPLACE FUNCTION zentry_notify.status_events() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH cursor AS (
        SELECT s.since, c.restored IS NULL OR c.restored = 'awaited' AS awaited,
               -- Ids that no event can have yet.
               coalesce(upper_inf(c.routed) OR upper(c.routed)::numeric > greatest((SELECT q.last_value FROM zentry_notify.event_id_seq q),
                                                                                 (SELECT max(e.id) FROM zentry_notify.event e))::numeric + 1, false) AS ahead
          FROM (SELECT zentry_notify.unrouted_since() AS since) s
          LEFT JOIN zentry_notify.route_cursor c ON true)
    SELECT 'routing',
           CASE WHEN c.awaited OR c.ahead THEN 'broken' WHEN c.since < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
           CASE WHEN c.awaited THEN 'events were restored without the row of zentry_notify.route_cursor: nothing is routed. The remedy marks all events as routed; if they were not sent, UPDATE zentry_notify.route_cursor SET restored = ''no'' routes them'
                WHEN c.ahead THEN 'zentry_notify.route_cursor has ids of future events, which would not be routed'
                WHEN c.since IS NULL THEN 'every event is routed'
                ELSE format('%s events wait for it, the first since %s', zentry_notify.unrouted_events(), zentry_notify.moment(c.since)) END,
           CASE WHEN c.awaited OR c.ahead THEN 'SELECT zentry_notify.route_from_now();'
                WHEN c.since < now() - interval '5 minutes' THEN 'SELECT zentry_notify.wake(''{}''); -- if that does not help, see the line of the worker' ELSE '' END
      FROM cursor c
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', format('the database refuses the outcomes of %s of its deliveries: they stay in memory, and from about 10000 on no more events are routed', count(*)),
            '-- the server log says why, in a line that begins with zentry_notify'
       FROM zentry_notify.route_cursor c
      CROSS JOIN jsonb_each(c.split) e
      CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value ELSE '[]' END) w (id)
      GROUP BY w.id ORDER BY count(*) DESC LIMIT 20)
     UNION ALL
    SELECT 'lost events', 'attention', format('%s since the server started: they could not be written, and no webhook hears them', l.lost),
           '-- the server log has a warning for each, which begins with zentry_notify'
      FROM (SELECT zentry_notify.lost_events() AS lost) l WHERE l.lost > 0;
$$;
COMMENT ON FUNCTION zentry_notify.status_events() IS 'Returns the status of captured events: whether they are routed, and whether any were lost';

CREATE OR REPLACE FUNCTION zentry_notify.status_webhooks() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH setting AS MATERIALIZED (
        -- The worker's values, which may differ from this session's.
        SELECT n.name, v.value, v.change
          FROM unnest('{zentry_notify.allowed_hosts,zentry_notify.allow_http,zentry_notify.allow_private_addresses,zentry_notify.proxy}'::text[]) n (name)
         CROSS JOIN zentry_notify.set_for_worker(n.name) v),
    webhook AS MATERIALIZED (
        SELECT w.id, w.name, u.webhook_url IS NULL AND w.is_active AS without_url,
               CASE WHEN w.switched_off_at IS NOT NULL THEN 'gone' WHEN NOT w.is_active THEN 'off'
                    WHEN u.webhook_url IS NULL THEN 'without a URL'
                    WHEN c.webhook_integration_id IS NOT NULL THEN 'failing' ELSE 'active' END AS state,
               coalesce(w.switched_off_at, c.opened_at) AS since, coalesce(w.switched_off_reason, c.error_message) AS reason, c.next_try_at,
               w.is_active AND c.failures = 0 AS untried, x.lacks, x.remedy AS permission, CASE WHEN w.is_active THEN s.stream_note END AS stream_note
          FROM zentry_notify.webhook w
          LEFT JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id
          LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
          LEFT JOIN zentry_notify.webhook_state s ON s.webhook_integration_id = w.id
          LEFT JOIN LATERAL (
               SELECT string_agg(format(CASE l.setting WHEN 'zentry_notify.allowed_hosts' THEN '%s does not have %s' ELSE '%s is off' END, l.setting, l.needed), ', '
                                 ORDER BY l.place) AS lacks,
                      string_agg(format('%s SET %s = %L; ', s.change, s.name,
                                        CASE l.setting WHEN 'zentry_notify.allowed_hosts' THEN concat_ws(', ', nullif(s.value, ''), l.needed) ELSE l.needed END), ''
                                 ORDER BY l.place) AS remedy
                 FROM zentry_notify.settings_in_the_way(w.webhook_type, u.webhook_url,
                          (SELECT h.value FROM setting h WHERE h.name = 'zentry_notify.allowed_hosts'),
                          (SELECT h.value::boolean FROM setting h WHERE h.name = 'zentry_notify.allow_http'),
                          (SELECT h.value::boolean FROM setting h WHERE h.name = 'zentry_notify.allow_private_addresses')) WITH ORDINALITY l (setting, needed, place)
                 JOIN setting s ON s.name = l.setting) x ON w.is_active)
    SELECT 'webhooks', CASE WHEN coalesce(sum(n.count) FILTER (WHERE n.state = 'active'), 0) = 0 THEN 'attention' ELSE 'ok' END,
           coalesce(string_agg(format('%s %s', n.count, n.state), ', ' ORDER BY n.state), 'none is registered: nothing is sent'),
           CASE WHEN count(*) = 0 THEN 'SELECT @extschema@.zentry_register_webhook(''NAME'', ''discord'', ''URL'');' ELSE '' END
      FROM (SELECT w.state, count(*) FROM webhook w GROUP BY w.state) n
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', 'has no URL, because its row of zentry_notify.webhook_secret was deleted: nothing is sent',
            format('SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL'');', w.id)
       FROM webhook w WHERE w.without_url ORDER BY w.id LIMIT 20)
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', w.lacks || ': nothing is sent there',
            format('%sSELECT pg_reload_conf(); SELECT @extschema@.zentry_resume(%s);', w.permission, w.id)
            || CASE WHEN w.lacks LIKE '%allow_http is off%' THEN format(' -- or better, a URL that begins with https: SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL'');', w.id)
                    ELSE '' END
       FROM webhook w
      WHERE w.lacks IS NOT NULL ORDER BY w.id LIMIT 20)
     UNION ALL
    (SELECT format('webhook %s', w.id), CASE w.state WHEN 'gone' THEN 'broken' ELSE 'attention' END,
            CASE WHEN w.state = 'gone' AND w.reason ~ '^its filter ' THEN format('switched off since %s: %s', zentry_notify.moment(w.since), w.reason)
                 WHEN w.state = 'gone' THEN format('gone since %s: %s', zentry_notify.moment(w.since), w.reason)
                 WHEN w.untried THEN format('resumed at %s, when nothing waited for it; %s', zentry_notify.moment(w.since), w.reason)
                 ELSE format('fails since %s, next try %s: %s', zentry_notify.moment(w.since), zentry_notify.moment(w.next_try_at), w.reason) END,
            CASE WHEN w.untried THEN format('SELECT * FROM @extschema@.zentry_test_webhook(%s);', w.id)
                 -- Faults of threads are corrected by settings of the webhook.
                 WHEN w.reason ~ 'thread_name is for forum|has both thread_name and' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, thread_name => ''''), @extschema@.zentry_resume(%s)', w.id, w.id)
                     || CASE w.state WHEN 'gone' THEN format(', @extschema@.zentry_retry_failed(%s);', w.id) ELSE ';' END
                 WHEN w.reason ~ 'is a forum, whose messages need a thread' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, thread_name => ''NAME''), @extschema@.zentry_resume(%s)', w.id, w.id)
                     || CASE w.state WHEN 'gone' THEN format(', @extschema@.zentry_retry_failed(%s);', w.id) ELSE ';' END
                 WHEN w.reason ~ '^the (webhook has no secret|secret (must|is not))' THEN format('SELECT @extschema@.zentry_new_secret(%s);', w.id)
                 -- Unchanged, it would end a worker again.
                 WHEN w.state = 'gone' AND w.reason ~ '^its filter ' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, filter => ''''), @extschema@.zentry_resume(%s), @extschema@.zentry_retry_failed(%s);', w.id, w.id, w.id)
                 WHEN w.state = 'gone' THEN format('SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL''), @extschema@.zentry_retry_failed(%s);', w.id, w.id)
                 -- The fault is in between, so trying again is not enough.
                 WHEN w.reason ~ 'by way of zentry_notify[.]proxy|a proxy between here and the webhook asks for a login' AND (SELECT s.value <> '' FROM setting s WHERE s.name = 'zentry_notify.proxy') THEN
                     format('-- repair the proxy, or set another one: %s SET zentry_notify.proxy = ''URL''; SELECT pg_reload_conf(); then SELECT @extschema@.zentry_resume(%s);',
                            (SELECT s.change FROM setting s WHERE s.name = 'zentry_notify.proxy'), w.id)
                 WHEN w.reason ~ 'by way of --proxy' THEN
                     format('-- repair the proxy of zentry-notify send, which its option --proxy names; then SELECT @extschema@.zentry_resume(%s);', w.id)
                 WHEN w.reason ~ 'is not a public address' AND NOT (SELECT s.value::boolean FROM setting s WHERE s.name = 'zentry_notify.allow_private_addresses') THEN
                     format('%s SET zentry_notify.allow_private_addresses = on; SELECT pg_reload_conf(); SELECT @extschema@.zentry_resume(%s);',
                            (SELECT s.change FROM setting s WHERE s.name = 'zentry_notify.allow_private_addresses'), w.id)
                 ELSE format('SELECT @extschema@.zentry_resume(%s);', w.id) END
       FROM webhook w WHERE w.state IN ('gone', 'failing') AND w.lacks IS NULL ORDER BY w.state DESC, w.id LIMIT 20)
     UNION ALL
    (SELECT format('stream of webhook %s', w.id), 'attention', w.stream_note,
            '-- configure the stream as docs/guide/nats.md says; this line disappears with the next event'
       FROM webhook w WHERE w.stream_note IS NOT NULL ORDER BY w.id LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_webhooks() IS 'Returns the status of webhooks: how many are in each state, the first 20 that are failing or gone, and the first 20 whose stream is not configured as it should be';

CREATE OR REPLACE FUNCTION zentry_notify.status_queue() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Deliveries that the settings of their webhook hold back are not late.
    WITH held AS MATERIALIZED (
        SELECT w.id, w.pending, w.held_until FROM zentry_notify.webhooks w
         WHERE w.is_active AND (w.digest IS NOT NULL OR w.quiet_hours IS NOT NULL) AND w.held_until > now() AND w.pending > 0)
    SELECT 'queue', CASE WHEN d.due_at < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
           CASE WHEN q.waiting = 0 THEN 'nothing waits'
                WHEN q.first IS NULL THEN format('%s wait for a digest or the end of quiet hours, until %s', h.pending, zentry_notify.moment(h.until))
                ELSE concat(q.waiting - h.pending, ' wait', ', the oldest since ' || zentry_notify.moment(l.created_at))
                     || CASE WHEN h.pending = 0 THEN '' ELSE format(', and %s for a digest or the end of quiet hours', h.pending) END END,
           CASE WHEN d.due_at < now() - interval '5 minutes'
                THEN format('SELECT * FROM zentry_notify.logs WHERE webhook_integration_id = %s AND status IN (''pending'', ''retry'') ORDER BY id LIMIT 20;', d.webhook_integration_id)
                ELSE '' END
      FROM (SELECT count(*) AS waiting, min(l.id) FILTER (WHERE l.webhook_integration_id NOT IN (SELECT h.id FROM held h)) AS first
              FROM zentry_notify.notification_log l WHERE l.status IN ('pending', 'retry')) q
      CROSS JOIN (SELECT coalesce(sum(h.pending), 0) AS pending, min(h.held_until) AS until FROM held h) h
      -- created_at is read for one row only, because for each it is looked up in event.
      LEFT JOIN zentry_notify.notification_log l ON l.id = q.first
      LEFT JOIN (SELECT d.due_at, d.webhook_integration_id FROM zentry_notify.due_delivery d ORDER BY d.due_at LIMIT 1) d ON true
     UNION ALL
    -- Waiting for a rate is normal, unless more deliveries come than the rate permits.
    (SELECT format('webhook %s', p.id), CASE WHEN p.oldest < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
            format('%s wait for its %s: the next message leaves at %s', p.pending, p.what, zentry_notify.moment(p.until)),
            CASE WHEN p.oldest < now() - interval '5 minutes' THEN '-- more deliveries come than it permits: raise it, let the webhook hear fewer events, or set a digest' ELSE '' END
       FROM (SELECT w.id, pace.until, pace.what, waiting.pending,
                    (SELECT e.created_at FROM zentry_notify.event e WHERE e.id = waiting.event_id) AS oldest
               FROM zentry_notify.webhook w
               CROSS JOIN LATERAL (SELECT d.event_id,
                                          (SELECT count(*) FROM zentry_notify.delivery x WHERE x.webhook_integration_id = w.id AND x.status IN ('p', 'r')) AS pending
                                     FROM zentry_notify.delivery d WHERE d.webhook_integration_id = w.id AND d.status IN ('p', 'r') ORDER BY d.id LIMIT 1) waiting
               CROSS JOIN LATERAL zentry_notify.pace_of(w.id) pace
              WHERE w.is_active AND pace.until > now()
                AND w.id NOT IN (SELECT h.id FROM held h)
                AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id)) p
      ORDER BY p.until DESC, p.id LIMIT 20)
     UNION ALL
    (SELECT format('webhook %s', l.webhook_integration_id), 'attention', CASE WHEN bool_or(l.response_status_code = 429) THEN 'rate limited until ' ELSE 'told to wait until ' END || zentry_notify.moment(max(l.next_attempt_at)),
            format('SELECT @extschema@.zentry_resume(%s);', l.webhook_integration_id)
       FROM zentry_notify.notification_log l
      WHERE l.status IN ('pending', 'retry') AND l.next_attempt_at > now() + CASE WHEN l.response_status_code = 429 THEN interval '0' ELSE interval '10 minutes' END
        -- (A failing webhook has a line of its own.)
        AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = l.webhook_integration_id)
      GROUP BY l.webhook_integration_id ORDER BY max(l.next_attempt_at) DESC LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_queue() IS 'Returns the status of deliveries that wait';

CREATE OR REPLACE FUNCTION zentry_notify.mended_failures(since timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- From each re-sent delivery that was sent back to the first one. There are few of these, and they have an index.
    WITH RECURSIVE mended (id) AS (
        SELECT d.retry_of FROM zentry_notify.delivery d WHERE d.retry_of IS NOT NULL AND d.status = 's' AND d.finished_at >= since
         UNION
        SELECT d.retry_of FROM mended m JOIN zentry_notify.delivery d ON d.id = m.id WHERE d.retry_of IS NOT NULL)
    SELECT count(*) FROM mended m JOIN zentry_notify.delivery d ON d.id = m.id AND d.status = 'f' AND d.finished_at >= since;
$$;
COMMENT ON FUNCTION zentry_notify.mended_failures(timestamptz) IS 'Returns how many deliveries that failed since then were re-sent with success';

CREATE OR REPLACE FUNCTION zentry_notify.status_log() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'failures', CASE WHEN f.day > 0 THEN 'attention' ELSE 'ok' END,
           format('%s in 24 hours', f.day) || CASE WHEN f.mended = 0 THEN '' ELSE format(', and %s that were re-sent', f.mended) END
               || CASE WHEN e.last_failed_at IS NULL THEN ''
               ELSE format('; the last, %s: %s', zentry_notify.moment(e.last_failed_at), left(e.last_error, 200)) END,
           CASE WHEN f.day = 0 THEN ''
                -- (f.mended is not known for each webhook, so if it is not 0, some of the rest may be of active ones.)
                WHEN f.day <= f.off AND f.mended = 0 THEN '-- their webhooks are switched off, so they cannot be re-sent'
                ELSE 'SELECT @extschema@.zentry_retry_failed(since => now() - interval ''1 day'');' END
      FROM (SELECT greatest(s.failed - m.mended, 0) AS day, least(m.mended, s.failed) AS mended, s.off
              FROM (SELECT coalesce(sum(s.failed), 0) AS failed, coalesce(sum(s.failed) FILTER (WHERE NOT w.is_active), 0) AS off
                      FROM zentry_notify.delivery_stat s LEFT JOIN zentry_notify.webhook w ON w.id = s.webhook_integration_id
                     WHERE s.event_type = '*' AND s.span IN ('minute', 'hour') AND s.since >= now() - interval '1 day') s
              CROSS JOIN (SELECT zentry_notify.mended_failures(now() - interval '1 day') AS mended) m) f
      LEFT JOIN LATERAL (SELECT n.last_failed_at, n.last_error FROM zentry_notify.webhook_count n
                          WHERE n.last_failed_at IS NOT NULL ORDER BY n.last_failed_at DESC LIMIT 1) e ON true
     UNION ALL
    SELECT 'clock', CASE WHEN l.created_at > clock_timestamp() + interval '1 minute' THEN 'attention' ELSE 'ok' END,
           CASE WHEN l.created_at > clock_timestamp() + interval '1 minute'
                THEN format('the last event is of %s, which is in the future: now it is %s', l.created_at, now()) ELSE date_trunc('second', now())::text END,
           CASE WHEN l.created_at > clock_timestamp() + interval '1 minute' THEN '-- the server''s clock was set back: correct it' ELSE '' END
      FROM (SELECT greatest((SELECT e.created_at FROM zentry_notify.event e ORDER BY e.id DESC LIMIT 1),
                            (SELECT d.created_at FROM zentry_notify.legacy_delivery d ORDER BY d.id DESC LIMIT 1)) AS created_at) l;
$$;
COMMENT ON FUNCTION zentry_notify.status_log() IS 'Returns the status of failed deliveries, and of the server''s clock';
-- ---- 36_status.sql ----

-- zentry_status(), which returns what the functions for its parts return.

CREATE OR REPLACE FUNCTION zentry_notify.status_part(part text) RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE part
        WHEN 'server' THEN RETURN QUERY SELECT * FROM zentry_notify.status_server();
        WHEN 'worker' THEN RETURN QUERY SELECT * FROM zentry_notify.status_worker();
        WHEN 'senders' THEN RETURN QUERY SELECT * FROM zentry_notify.status_senders();
        WHEN 'settings' THEN RETURN QUERY SELECT * FROM zentry_notify.status_settings();
        WHEN 'privileges' THEN RETURN QUERY SELECT * FROM zentry_notify.status_privileges();
        WHEN 'tables' THEN RETURN QUERY SELECT * FROM zentry_notify.status_tables();
        WHEN 'replication' THEN RETURN QUERY SELECT * FROM zentry_notify.status_replication();
        WHEN 'events' THEN RETURN QUERY SELECT * FROM zentry_notify.status_sources();
        WHEN 'webhooks' THEN RETURN QUERY SELECT * FROM zentry_notify.status_webhooks();
        WHEN 'routing' THEN RETURN QUERY SELECT * FROM zentry_notify.status_events();
        WHEN 'queue' THEN RETURN QUERY SELECT * FROM zentry_notify.status_queue();
        WHEN 'failures' THEN RETURN QUERY SELECT * FROM zentry_notify.status_log();
    END CASE;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_part(text) IS 'Returns one part of zentry_status(), with PostgreSQL''s own errors';

-- An error in one part, or a locked table, must not hide the other parts.
CREATE OR REPLACE FUNCTION @extschema@.zentry_status() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
AS $$
DECLARE
    -- The schema may have been renamed since the functions of the parts were created, which contain its former name.
    here      CONSTANT text := (SELECT e.extnamespace::regnamespace FROM pg_extension e WHERE e.extname = 'zentry_notify') || '.zentry_';
    is_locked boolean := false;
    -- Null, as it should be, if the owner is a superuser.
    former    CONSTANT name := (SELECT r.rolname FROM pg_roles r WHERE r.rolname = current_user AND NOT r.rolsuper);
    part      text;
    line      record;
BEGIN
    IF former IS NOT NULL THEN
        subject := 'owner';
        state := 'broken';
        detail := format('%s, to whom the extension belongs, is not a superuser: its functions fail, and parts of this are missing', former);
        -- A comment: either statement does more than a person may want.
        remedy := zentry_notify.one_comment(format('-- as a superuser, make it one again (ALTER ROLE %I SUPERUSER), or give all that it owns to one: REASSIGN OWNED BY %1$I TO %I',
            former, (SELECT r.rolname FROM pg_roles r WHERE r.oid = 10)));
        RETURN NEXT;
    END IF;
    FOREACH part IN ARRAY '{server,worker,senders,settings,privileges,tables,replication,events,webhooks,routing,queue,failures}'::text[] LOOP
        BEGIN
            FOR line IN SELECT * FROM zentry_notify.status_part(part) LOOP
                subject := line.subject;
                state := coalesce(line.state, 'attention');
                detail := coalesce(line.detail, '');
                remedy := zentry_notify.one_comment(replace(coalesce(line.remedy, ''), '@extschema@.zentry_', here));
                RETURN NEXT;
            END LOOP;
        EXCEPTION
            WHEN lock_not_available THEN
                is_locked := true;
                subject := part;
                state := 'attention';
                detail := 'unknown while a table is locked';
                remedy := '-- see the line about the table, or repeat the call';
                RETURN NEXT;
            WHEN OTHERS THEN
                CONTINUE WHEN former IS NOT NULL AND SQLSTATE = '42501';
                -- The message is left out, because it may contain a secret value.
                subject := part;
                state := 'broken';
                detail := format('unknown, because of an error (SQLSTATE %s): the extension''s tables were changed, or have rows that it did not write', SQLSTATE);
                remedy := format('-- as a superuser, SELECT * FROM zentry_notify.status_part(%L); says more', part);
                RETURN NEXT;
        END;
    END LOOP;
    IF is_locked THEN
        RETURN QUERY SELECT l.subject, l.state, l.detail, zentry_notify.one_comment(l.remedy) FROM zentry_notify.status_locks() l;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_status() IS
    'Returns whether everything works: one row or more for each part of the path from the write to the message. state is ok, attention or broken; remedy is SQL that corrects it, or a comment that says what to do';
-- ---- 37_import.sql ----

-- Import of the integrations that an application with notifications of its own has.

-- The table is read with the caller's rights. It must be a plain table with PostgreSQL's own types: a view, a cast, a policy or a virtual generated
-- column would run the code of its author with those rights. pg_dump uses the same settings for the same reason.
CREATE OR REPLACE FUNCTION zentry_notify.rows_of(relation regclass, columns text[]) RETURNS SETOF text
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'rows_of_wrapper';
COMMENT ON FUNCTION zentry_notify.rows_of(regclass, text[]) IS
    'Returns the rows of a table as JSON, read with the caller''s rights; an error where code of another role would run with these (of an index, a check, statistics)';

CREATE OR REPLACE FUNCTION zentry_notify.read_integrations(relation regclass) RETURNS SETOF jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET row_security = off SET restrict_nonsystem_relation_kind = 'view, foreign-table'
AS $$
DECLARE
    first_user_type CONSTANT oid := 16384; -- FirstNormalObjectId: those below come with PostgreSQL
    wanted   CONSTANT name[] := '{id,name,webhook_type,webhook_url,project_id,created_by_id,event_types,is_active,created_at}';
    relation_oid CONSTANT oid := relation;
    known    name[];
    foreign_type text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation) THEN
        PERFORM zentry_notify.refuse('undefined_table', format('there is no table with OID %s', relation::oid),
            'Name the table: SELECT * FROM zentry_import_integrations(''schema.table'');');
    END IF;
    IF (SELECT c.relkind IN ('r', 'p') AND NOT c.relisshared FROM pg_class c WHERE c.oid = relation) IS NOT TRUE THEN
        PERFORM zentry_notify.refuse('wrong_object_type', format('%s is not a table of this database', relation),
            'Copy what it shows into one: CREATE TABLE integrations AS SELECT ...');
    END IF;
    IF NOT has_table_privilege(relation, 'SELECT')
       OR NOT has_schema_privilege((SELECT c.relnamespace FROM pg_class c WHERE c.oid = relation), 'USAGE') THEN
        PERFORM zentry_notify.refuse('insufficient_privilege', format('role "%s" may not read %s', current_user, relation),
            format('Its owner can let it: GRANT USAGE ON SCHEMA ... TO %I; GRANT SELECT ON %s TO %1$I;', current_user, relation));
    END IF;
    IF (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = relation) THEN
        PERFORM zentry_notify.refuse('insufficient_privilege', format('%s has row security', relation),
            'Copy the rows into a table without: CREATE TABLE integrations AS SELECT ...');
    END IF;
    -- The lock keeps the table from being changed. LOCK TABLE takes a name, and the owner may have renamed another table to it while this waited.
    EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', relation);
    IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid() AND l.relation = relation_oid AND l.granted
                                            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) THEN
        PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('%s was changed while it was waited for', relation),
            'Nothing has been read. Look at the table, and try again.');
    END IF;
    SELECT array_agg(a.attname ORDER BY a.attnum),
           min(format('%s of type %s', a.attname, format_type(a.atttypid, a.atttypmod))) FILTER (WHERE a.atttypid >= first_user_type OR a.attgenerated = 'v')
      INTO known, foreign_type
      FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY (wanted);
    IF NOT wanted <@ coalesce(known, '{}') THEN
        PERFORM zentry_notify.refuse('undefined_column', format('%s lacks the columns %s', relation, (SELECT string_agg(w, ', ') FROM unnest(wanted) w WHERE w <> ALL (coalesce(known, '{}')))),
            'The columns needed are those of Zentry''s model WebhookIntegration.');
    END IF;
    IF foreign_type IS NOT NULL THEN
        PERFORM zentry_notify.refuse('datatype_mismatch', format('column %s of %s is not of a built-in type, or is computed when it is read', foreign_type, relation),
            'Copy the rows into a table with plain types: CREATE TABLE integrations AS SELECT ...');
    END IF;
    -- (If the table has row security by now, row_security = off makes this an error.)
    RETURN QUERY SELECT r::jsonb FROM zentry_notify.rows_of(relation, wanted::text[]) r;
END
$$;
COMMENT ON FUNCTION zentry_notify.read_integrations(regclass) IS 'Returns the rows of a table with the columns of notifications_webhookintegration as JSON';

CREATE OR REPLACE FUNCTION @extschema@.zentry_import_integrations(source regclass DEFAULT NULL)
    RETURNS TABLE (id bigint, name text, state text, reason text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    relation regclass := coalesce(source, to_regclass('public.notifications_webhookintegration'));
    entry    jsonb;
BEGIN
    IF relation IS NULL THEN
        PERFORM zentry_notify.refuse('undefined_table', 'there is no table public.notifications_webhookintegration',
            'If the application has its integrations elsewhere: SELECT * FROM zentry_import_integrations(''schema.table'');');
    END IF;
    FOR entry IN SELECT r FROM zentry_notify.read_integrations(relation) r LOOP
        RETURN QUERY SELECT * FROM zentry_notify.import_integration(entry);
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_import_integrations(regclass) IS
    'Registers a webhook for each row of notifications_webhookintegration, or of another table with its columns, under the row''s id. state is imported, there already, or refused, with the reason. May be repeated';

CREATE OR REPLACE FUNCTION zentry_notify.import_integration(entry jsonb) RETURNS TABLE (id bigint, name text, state text, reason text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
#variable_conflict use_column
DECLARE
    old  zentry_notify.webhook_integration;
    same zentry_notify.webhook_integration;
    hint text;
    gone text;
BEGIN
    id := entry ->> 'id';
    name := entry ->> 'name';
    BEGIN
        old := jsonb_populate_record(NULL::zentry_notify.webhook_integration, entry);
        SELECT w.* INTO same FROM zentry_notify.webhook_integration w WHERE w.id = old.id;
        IF FOUND THEN
            -- It is the same webhook, even if it was changed since, if it was created at the same time; where that is unknown, if it has the same URL.
            IF coalesce(same.created_at = old.created_at, (same.webhook_type, same.webhook_url) = (old.webhook_type, old.webhook_url), false) THEN
                state := 'there already';
            ELSE
                state := 'refused';
                reason := format('its id is that of webhook "%s", which was registered here; register it by zentry_register_webhook', same.name);
            END IF;
            RETURN NEXT;
            RETURN;
        END IF;
        IF old.id IS NULL THEN
            PERFORM zentry_notify.refuse('not_null_violation', 'it has no id', 'Give the row one; they are kept.', 'id');
        END IF;
        gone := zentry_notify.ended_service(old.webhook_type, old.webhook_url);
        IF gone IS NULL THEN
            INSERT INTO zentry_notify.webhook_integration AS w
                   (id, name, webhook_type, webhook_url, project_id, created_by_id, event_types, is_active, created_at)
            VALUES (old.id, old.name, old.webhook_type, old.webhook_url, old.project_id, old.created_by_id, old.event_types,
                    coalesce(old.is_active, true), coalesce(old.created_at, now()));
        ELSE
            -- Imported switched off, to keep its name and events; a new URL switches it on.
            PERFORM zentry_notify.require_event_types(old.event_types);
            PERFORM zentry_notify.check_room_for_webhook();
            INSERT INTO zentry_notify.webhook AS w
                   (id, name, webhook_type, project_id, created_by_id, event_types, is_active, created_at, switched_off_at, switched_off_reason)
            VALUES (old.id, old.name, old.webhook_type, old.project_id, old.created_by_id, old.event_types,
                    false, coalesce(old.created_at, now()), CASE WHEN coalesce(old.is_active, true) THEN now() END, gone);
            INSERT INTO zentry_notify.webhook_secret (webhook_integration_id, webhook_url) VALUES (old.id, old.webhook_url);
        END IF;
        -- New webhooks must not get the ids of imported ones.
        PERFORM setval(s.sequence, old.id) FROM pg_get_serial_sequence('zentry_notify.webhook', 'id') AS s (sequence)
          WHERE old.id > coalesce(pg_sequence_last_value(s.sequence::regclass), 0);
        state := 'imported';
        reason := CASE WHEN gone IS NOT NULL THEN 'it is switched off: ' || gone
                       WHEN old.event_types = '[]' THEN 'it hears nothing: its list of event types is empty' END;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR invalid_parameter_value OR object_not_in_prerequisite_state
                OR configuration_limit_exceeded OR insufficient_privilege THEN
        GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        reason := concat_ws('; ', reason, nullif(hint, ''));
        state := 'refused';
    END;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zentry_notify.import_integration(jsonb) IS 'Registers a webhook for one integration, a row of the application''s table as JSON';
-- ---- 38_event_types.sql ----

-- The rows of the built-in event types; functions for event types of users, wordings, languages and previews.

INSERT INTO zentry_notify.event_type AS t (name, title, built_in, text, fields, colour, emoji, footer, time_key, sample)
SELECT d.definition ->> 'name', d.definition ->> 'title', true, d.definition ->> 'text', d.definition -> 'fields', d.definition ->> 'colour',
       d.definition ->> 'emoji', d.definition ->> 'footer', d.definition ->> 'time_key', d.sample
  FROM zentry_notify.built_in_event_types() d
ON CONFLICT (name) DO UPDATE
   SET title = EXCLUDED.title, built_in = true, text = EXCLUDED.text, fields = EXCLUDED.fields, colour = EXCLUDED.colour,
       emoji = EXCLUDED.emoji, footer = EXCLUDED.footer, time_key = EXCLUDED.time_key, sample = EXCLUDED.sample;

CREATE OR REPLACE FUNCTION zentry_notify.require_event_type(event_type text) RETURNS zentry_notify.event_type
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    type zentry_notify.event_type;
BEGIN
    SELECT t.* INTO type FROM zentry_notify.event_type t WHERE t.name = require_event_type.event_type;
    IF NOT FOUND THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('unknown event type "%s"', left(coalesce(require_event_type.event_type, '(null)'), 50)),
            format('The event types are %s.', (SELECT string_agg(t.name, ', ' ORDER BY t.name) FROM zentry_notify.event_type t)));
    END IF;
    RETURN type;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_event_type(text) IS 'Returns the event type, or raises an error that names those that exist';

CREATE OR REPLACE FUNCTION @extschema@.zentry_register_event_type(
    name text, title text, text text DEFAULT NULL, fields json DEFAULT NULL, colour text DEFAULT NULL, emoji text DEFAULT NULL,
    footer text DEFAULT NULL, time_key text DEFAULT NULL, sample jsonb DEFAULT NULL, url text DEFAULT NULL, thumbnail text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    ordered jsonb := zentry_notify.ordered_fields(fields::text);
BEGIN
    IF title IS NULL THEN
        PERFORM zentry_notify.refuse('null_value_not_allowed', 'the title must not be null',
            'It is what the message is called, such as ''Release published''.');
    END IF;
    IF EXISTS (SELECT FROM zentry_notify.event_type t WHERE t.name = name AND t.built_in) THEN
        IF time_key IS NOT NULL OR sample IS NOT NULL THEN
            PERFORM zentry_notify.refuse('feature_not_supported', 'a built-in event type keeps its time_key and its sample',
                'Its words, colour and emoji can be changed.');
        END IF;
        PERFORM zentry_notify.put_wording(name, NULL, title, text, fields, colour, emoji, footer, url, thumbnail);
        RETURN;
    END IF;
    PERFORM zentry_notify.check_length(name, 50, 'name'); -- before the column refuses it, for the name of the parameter
    -- Not ON CONFLICT, for which both triggers run: each warning would come twice.
    UPDATE zentry_notify.event_type t
       SET title = title, text = coalesce(text, ''), fields = coalesce(ordered, '[]'), colour = coalesce(colour, '#808080'),
           emoji = coalesce(emoji, ''), footer = footer, time_key = time_key, sample = sample, url = nullif(url, ''), thumbnail = nullif(thumbnail, '')
     WHERE t.name = name;
    IF NOT FOUND THEN
        INSERT INTO zentry_notify.event_type (name, title, text, fields, colour, emoji, footer, time_key, sample, url, thumbnail)
        VALUES (name, title, coalesce(text, ''), coalesce(ordered, '[]'), coalesce(colour, '#808080'), coalesce(emoji, ''),
                footer, time_key, sample, nullif(url, ''), nullif(thumbnail, ''));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_register_event_type(text, text, text, json, text, text, text, text, jsonb, text, text) IS
    'Adds an event type, or replaces the definition of the one of that name. title, text and the values of fields ({"name": "value"}) are templates over the event''s data. For a built-in type it sets the installation''s wording';

CREATE OR REPLACE FUNCTION @extschema@.zentry_unregister_event_type(name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    type zentry_notify.event_type := zentry_notify.require_event_type(name);
    used text;
BEGIN
    IF type.built_in THEN
        PERFORM zentry_notify.refuse('wrong_object_type', format('event type "%s" is built in', name),
            format('SELECT zentry_reset_event_type(%L) takes back what was changed of it.', name));
    END IF;
    SELECT string_agg(s.relation::text, ', ' ORDER BY s.relation::text) INTO used FROM zentry_notify.event_source s WHERE s.event_type = name;
    IF used IS NOT NULL THEN
        PERFORM zentry_notify.refuse('dependent_objects_still_exist', format('event type "%s" is what %s fires', name, used),
            format('Detach it first: SELECT zentry_detach(''...'', %L);', name));
    END IF;
    SELECT string_agg(format('%s ("%s")', w.id, w.name), ', ' ORDER BY w.id) INTO used FROM zentry_notify.webhook w WHERE w.event_types ? name;
    IF used IS NOT NULL THEN
        PERFORM zentry_notify.refuse('dependent_objects_still_exist', format('webhooks subscribe to event type "%s"', name),
            'Change their event_types first, with zentry_update_webhook.', '', format('They are %s.', used));
    END IF;
    DELETE FROM zentry_notify.event_wording w WHERE w.event_type = name;
    DELETE FROM zentry_notify.event_type t WHERE t.name = name;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_unregister_event_type(text) IS 'Removes an event type that no table fires and no webhook names. Its deliveries stay in the log';

CREATE OR REPLACE FUNCTION zentry_notify.put_wording(
    event_type text, webhook_id bigint, title text, text text, fields json, colour text, emoji text, footer text,
    url text, thumbnail text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    type    zentry_notify.event_type := zentry_notify.require_event_type(event_type);
    ordered jsonb := zentry_notify.ordered_fields(fields::text);
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    -- Not ON CONFLICT, for which both triggers run: each warning would come twice.
    UPDATE zentry_notify.event_wording w
       SET title = coalesce(title, w.title), text = coalesce(text, w.text), fields = coalesce(ordered, w.fields),
           colour = coalesce(colour, w.colour), emoji = coalesce(emoji, w.emoji), footer = coalesce(footer, w.footer),
           url = coalesce(url, w.url), thumbnail = coalesce(thumbnail, w.thumbnail)
     WHERE w.event_type = type.name AND w.webhook_integration_id IS NOT DISTINCT FROM webhook_id;
    IF NOT FOUND THEN
        INSERT INTO zentry_notify.event_wording (event_type, webhook_integration_id, title, text, fields, colour, emoji, footer, url, thumbnail)
        VALUES (type.name, webhook_id, title, text, ordered, colour, emoji, footer, url, thumbnail);
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.put_wording(text, bigint, text, text, json, text, text, text, text, text) IS 'Changes those parts of a wording that are given, and leaves the rest as it is (null)';

CREATE OR REPLACE FUNCTION @extschema@.zentry_set_wording(
    event_type text, webhook_id bigint DEFAULT NULL, title text DEFAULT NULL, text text DEFAULT NULL, fields json DEFAULT NULL,
    colour text DEFAULT NULL, emoji text DEFAULT NULL, footer text DEFAULT NULL, url text DEFAULT NULL, thumbnail text DEFAULT NULL) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
    SELECT zentry_notify.put_wording(event_type, webhook_id, title, text, fields, colour, emoji, footer, url, thumbnail)
$$;
COMMENT ON FUNCTION @extschema@.zentry_set_wording(text, bigint, text, text, json, text, text, text, text, text) IS
    'Sets the wording of an event type (words, colour, emoji, links) in the messages of one webhook or (null) of all. What is null stays as it is';

CREATE OR REPLACE FUNCTION zentry_notify.language_of(webhook_id bigint) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT w.language FROM zentry_notify.event_wording w
     WHERE w.event_type = '*' AND (w.webhook_integration_id = webhook_id OR w.webhook_integration_id IS NULL)
     ORDER BY w.webhook_integration_id NULLS LAST LIMIT 1
$$;
COMMENT ON FUNCTION zentry_notify.language_of(bigint) IS 'Returns the language of a webhook''s messages; null: none is set, which is English';

CREATE OR REPLACE FUNCTION @extschema@.zentry_set_language(language text, webhook_id bigint DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    -- English is what the installation has without a row.
    IF language IS NULL OR language = 'en' AND webhook_id IS NULL THEN
        DELETE FROM zentry_notify.event_wording w WHERE w.event_type = '*' AND w.webhook_integration_id IS NOT DISTINCT FROM webhook_id;
        RETURN;
    END IF;
    UPDATE zentry_notify.event_wording w SET language = language WHERE w.event_type = '*' AND w.webhook_integration_id IS NOT DISTINCT FROM webhook_id;
    IF NOT FOUND THEN
        INSERT INTO zentry_notify.event_wording (event_type, webhook_integration_id, language) VALUES ('*', webhook_id, language);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_set_language(text, bigint) IS
    'Sets the language of the messages of one webhook or (webhook_id null) of all: de, en, es, fr, ja or pt. language null removes the setting: a webhook then has the installation''s language. Wordings stay as they are';

CREATE OR REPLACE FUNCTION @extschema@.zentry_reset_event_type(event_type text, webhook_id bigint DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    type zentry_notify.event_type := zentry_notify.require_event_type(event_type);
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    DELETE FROM zentry_notify.event_wording w
     WHERE w.event_type = type.name AND w.webhook_integration_id IS NOT DISTINCT FROM webhook_id;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_reset_event_type(text, bigint) IS
    'Removes the wording that was set for an event type: that of one webhook or (null) the installation''s';

CREATE OR REPLACE FUNCTION zentry_notify.without_keys(data jsonb, keys text[]) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE jsonb_typeof(data) WHEN 'object' THEN data - keys ELSE data END
$$;
COMMENT ON FUNCTION zentry_notify.without_keys(jsonb, text[]) IS 'Returns the data without these keys';

CREATE OR REPLACE FUNCTION @extschema@.zentry_preview(
    event_type text, webhook_type text DEFAULT 'discord', data jsonb DEFAULT NULL, webhook_id bigint DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    type       zentry_notify.event_type := zentry_notify.require_event_type(event_type);
    definition jsonb;
    omit_keys  text[] := '{}';
    mention    text;
BEGIN
    IF webhook_id IS NOT NULL THEN
        SELECT zentry_notify.webhook_format(w.webhook_type, w.webhook_url), w.omit_keys, w.mention INTO webhook_type, omit_keys, mention
          FROM zentry_notify.webhook_integration w WHERE w.id = webhook_id;
        IF NOT FOUND THEN
            PERFORM zentry_notify.no_such_webhook(webhook_id);
        END IF;
    END IF;
    SELECT d.definition INTO definition FROM zentry_notify.event_definition d
     WHERE d.event_type = type.name AND (d.webhook_integration_id IS NULL OR d.webhook_integration_id = webhook_id)
     ORDER BY d.webhook_integration_id NULLS LAST LIMIT 1;
    RETURN zentry_notify.event_message(definition, left(coalesce(webhook_type, 'discord'), 20),
        -- With the mark of a sample, as zentry_test_event posts it to the webhook.
        zentry_notify.without_keys(coalesce(data, zentry_notify.sample_event(type.name)
                                                    || CASE WHEN webhook_id IS NULL THEN '{}' ELSE '{"zentry_sample": true}' END::jsonb), omit_keys), zentry_notify.appearance_of(webhook_id), mention);
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_preview(text, text, jsonb, bigint) IS
    'Returns the message of an event as it would be posted, made of its sample or of the given data, and sends nothing. webhook_type: a type or a format of zentry_webhook_types(), such as teams (an Adaptive Card for Workflows), teams_connector (a MessageCard) or webhook (the event as JSON); with webhook_id: in the format and the wording of that webhook';
-- PUBLIC may call capture() now, so the grants to managers are superfluous.
DO $$
DECLARE
    grantee pg_catalog.regrole;
BEGIN
    FOR grantee IN
        SELECT a.grantee FROM pg_catalog.pg_proc p CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
         WHERE p.oid OPERATOR(pg_catalog.=) 'zentry_notify.capture()'::pg_catalog.regprocedure AND a.grantee NOT IN (0, p.proowner)
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION zentry_notify.capture() FROM %s', grantee);
    END LOOP;
END
$$;

-- ---- 39_privileges.sql ----

-- Privileges: PUBLIC has EXECUTE on capture() and nothing else, the agent has what capture and delivery need, and zentry_grant gives other roles theirs.

-- Grants only what is missing, and below revokes only what is there: when a script of an extension grants or revokes something, PostgreSQL records all
-- privileges of the object as the extension's own, and pg_dump then leaves out those that zentry_grant has given.
DO $$
DECLARE
    relation  regclass;
    privilege text;
BEGIN
    IF NOT pg_catalog.has_schema_privilege('zentry_notify_agent', 'zentry_notify', 'USAGE') THEN
        GRANT USAGE ON SCHEMA zentry_notify TO zentry_notify_agent;
    END IF;
    FOR relation, privilege IN
        SELECT needed.relation, kind
          FROM (VALUES ('zentry_notify.event'::pg_catalog.regclass, 'SELECT, INSERT, DELETE'),
                       ('zentry_notify.event_detail', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.delivery', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.delivery_attempt', 'SELECT, INSERT, DELETE'),
                       ('zentry_notify.route_cursor', 'SELECT, INSERT, UPDATE'),
                       ('zentry_notify.legacy_delivery', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.notification_log', 'SELECT'),
                       ('zentry_notify.webhook_circuit', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.webhook_state', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.webhook_count', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.deleted_webhook', 'SELECT, DELETE'),
                       ('zentry_notify.project_progress', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.progress_note', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.delivery_stat', 'SELECT, INSERT, UPDATE, DELETE'),
                       ('zentry_notify.webhook', 'SELECT, UPDATE'),
                       ('zentry_notify.webhook_secret', 'SELECT'),
                       ('zentry_notify.webhook_integration', 'SELECT'),
                       ('zentry_notify.event_data', 'SELECT'),
                       ('zentry_notify.event_source', 'SELECT, UPDATE'),
                       ('zentry_notify.event_type', 'SELECT'),
                       ('zentry_notify.event_definition', 'SELECT'),
                       ('zentry_notify.audit_entry', 'SELECT, DELETE'),
                       ('zentry_notify.sender', 'SELECT, UPDATE, DELETE'),
                       ('zentry_notify.sender_queue', 'SELECT, INSERT, UPDATE, DELETE')) AS needed (relation, kinds),
               pg_catalog.regexp_split_to_table(needed.kinds, ', ') AS kind
         WHERE NOT pg_catalog.has_table_privilege('zentry_notify_agent', needed.relation, kind)
    LOOP
        EXECUTE pg_catalog.format('GRANT %s ON %s TO zentry_notify_agent', privilege, relation);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION zentry_notify.functions_of(privilege text) RETURNS SETOF regprocedure
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.oid::regprocedure
      FROM pg_depend d
      JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
      JOIN pg_proc p ON p.oid = d.objid
     WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
       AND CASE WHEN p.proname IN ('find_api_token', 'note_api_token_use') THEN privilege = 'server'
                WHEN p.proname IN ('begin_sending', 'end_sending', 'take_queues', 'release_queues', 'sending_settings', 'sending_webhooks', 'claim_deliveries', 'record_outcomes')
                    THEN privilege = 'sender'
                WHEN privilege IN ('server', 'sender') THEN false
                -- What views and the functions of readers call with the rights of the caller.
                WHEN p.proname IN ('zentry_status', 'zentry_stats', 'zentry_stats_by_hour', 'zentry_preview', 'zentry_webhook_types', 'zentry_logs', 'log_ids', 'latency_bounds', 'redact_url', 'language_words', 'languages',
                                   'look_up', 'look_up_in', 'lookup_of', 'quiet_until', 'digest_due', 'library_version', 'unrouted_events', 'ways_out', 'doubts', 'refuse', 'source_arguments') THEN true
                WHEN p.proname IN ('zentry_grant', 'zentry_revoke', 'zentry_promote') THEN false
                WHEN starts_with(p.proname::text, 'zentry_')
                    -- What functions of managers call with the rights of the caller.
                    OR p.proname IN ('check_length', 'to_interval', 'import_integration', 'read_integrations', 'rows_of', 'require_membership', 'put_api_token', 'drop_api_token')
                    -- Forms check a URL while it is typed.
                    OR p.proname = 'check_webhook_url' THEN privilege IN ('manager', 'application')
                ELSE false END;
$$;
COMMENT ON FUNCTION zentry_notify.functions_of(text) IS 'Returns the functions that a role with this privilege of zentry_grant may call';

CREATE OR REPLACE FUNCTION zentry_notify.check_grantee(grantee regrole, hint text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF grantee IS NULL OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grantee) THEN
        PERFORM zentry_notify.refuse('undefined_object', format('there is no role %s', coalesce(grantee::oid::text, 'null')), hint);
    END IF;
    -- A grant or revoke would take from the worker what it needs.
    IF grantee = to_regrole('zentry_notify_agent') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'the privileges of zentry_notify_agent are the extension''s own',
            'The worker acts as it. Name a role that somebody logs in as, or its group.');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_grantee(regrole, text) IS 'Raises an error unless it is a role other than the agent';

-- zentry_grant calls this one, which is in a schema that only the extension's owner can change; that of zentry_grant may be somebody else's.
CREATE OR REPLACE FUNCTION zentry_notify.grant_privilege(grantee regrole, privilege text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f regprocedure;
BEGIN
    IF privilege IS NULL OR privilege NOT IN ('reader', 'manager', 'application', 'server', 'sender') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value',
            format('unknown privilege "%s"', coalesce(privilege, '(null)')),
            'reader: the views. manager: the views, and register, change, delete, test, retry, attach. application: all of that, and webhook_integration and notification_log, URLs included. server: look up API tokens. sender: send, as zentry-notify send does.');
    END IF;
    PERFORM zentry_notify.revoke_former(grantee);
    EXECUTE format('GRANT USAGE ON SCHEMA zentry_notify TO %s', grantee);
    FOR f IN SELECT * FROM zentry_notify.functions_of(privilege) LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', f, grantee);
    END LOOP;
    IF privilege NOT IN ('server', 'sender') THEN
        EXECUTE format('GRANT SELECT ON zentry_notify.webhooks, zentry_notify.logs, zentry_notify.attempts, zentry_notify.delivery_totals, zentry_notify.delivery_traces, zentry_notify.event_types, zentry_notify.event_definition, zentry_notify.event_wordings, zentry_notify.event_sources, zentry_notify.audit_log TO %s', grantee);
    END IF;
    IF privilege IN ('manager', 'application') THEN
        EXECUTE format('GRANT SELECT ON zentry_notify.api_tokens, zentry_notify.zentry_source TO %s', grantee);
    END IF;
    IF privilege = 'application' THEN
        EXECUTE format('GRANT SELECT ON zentry_notify.notification_log, zentry_notify.webhook_integration TO %s', grantee);
        -- Without the columns that only the extension writes: since when it is active, and why it was switched off.
        EXECUTE (SELECT format('GRANT INSERT (%s), UPDATE (%1$s), DELETE ON zentry_notify.webhook_integration TO %s',
                               string_agg(quote_ident(a.attname), ', '), grantee)
                   FROM pg_attribute a
                  WHERE a.attrelid = 'zentry_notify.webhook_integration'::regclass AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.attname NOT IN ('activated_at', 'switched_off_at', 'switched_off_reason'));
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.grant_privilege(regrole, text) IS 'Does what zentry_grant is called for';

CREATE OR REPLACE FUNCTION @extschema@.zentry_grant(grantee regrole, privilege text) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT zentry_notify.grant_privilege(grantee, privilege)
$$;
COMMENT ON FUNCTION @extschema@.zentry_grant(regrole, text) IS
    'Gives a role a privilege. reader: the views, in which URLs are redacted. manager: also to register, change, delete, test, retry and attach. application: also to read and write webhook_integration, URLs included, and to read notification_log. server: only to look up API tokens. sender: only to send, which includes the URLs and secrets of what it sends. None includes a privilege on a table';

-- A privilege on a table would let a role lock it. Versions before 0.3 granted some, and functions that no privilege includes now.
CREATE OR REPLACE FUNCTION zentry_notify.revoke_former(grantee regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted regclass;
    f       regprocedure;
BEGIN
    PERFORM zentry_notify.check_grantee(grantee, 'Name an existing role: SELECT zentry_grant(''reports'', ''reader'');');
    FOR granted IN SELECT DISTINCT c.oid
                     FROM pg_class c
                     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
                     CROSS JOIN LATERAL (SELECT e.grantee FROM aclexplode(c.relacl) e UNION SELECT e.grantee FROM aclexplode(a.attacl) e) acl
                    WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind IN ('r', 'S') AND acl.grantee = revoke_former.grantee AND c.relowner <> acl.grantee
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', granted, grantee);
    END LOOP;
    FOR f IN SELECT p.oid
               FROM pg_depend d
               JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
               JOIN pg_proc p ON p.oid = d.objid
              WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                AND EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = revoke_former.grantee AND p.proowner <> a.grantee)
             EXCEPT
             SELECT g FROM unnest('{reader,manager,application,server,sender}'::text[]) AS of (privilege), zentry_notify.functions_of(of.privilege) g
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', f, grantee);
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.revoke_former(regrole) IS 'Revokes from a role what no privilege of zentry_grant includes any more';

-- Only what was granted to the role itself, not what it has as a member of another one. (Versions before 0.3 granted applications SELECT on what is the
-- table webhook now.)
CREATE OR REPLACE FUNCTION zentry_notify.grants() RETURNS TABLE (grantee regrole, privilege text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH granted AS (
        SELECT a.grantee, c.relname AS object
          FROM pg_class c, aclexplode(c.relacl) a
         WHERE c.oid IN ('zentry_notify.logs'::regclass, 'zentry_notify.webhook_integration'::regclass, 'zentry_notify.webhook'::regclass)
           AND a.privilege_type = 'SELECT' AND a.grantee NOT IN (0, c.relowner, coalesce(to_regrole('zentry_notify_agent'), 0::oid))
         UNION ALL
        SELECT a.grantee, p.proname
          FROM pg_depend d
          JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
          JOIN pg_proc p ON p.oid = d.objid AND p.proname IN ('zentry_delete_webhook', 'find_api_token', 'begin_sending')
          CROSS JOIN LATERAL aclexplode(p.proacl) a
         WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
           AND a.grantee NOT IN (0, p.proowner))
    SELECT g.grantee, CASE WHEN bool_or(g.object IN ('webhook_integration', 'webhook')) THEN 'application'
                           WHEN bool_or(g.object = 'zentry_delete_webhook') THEN 'manager' ELSE 'reader' END
      FROM granted g GROUP BY g.grantee HAVING bool_or(g.object = 'logs')
     UNION ALL
    SELECT g.grantee, 'server' FROM granted g WHERE g.object = 'find_api_token'
     UNION ALL
    SELECT g.grantee, 'sender' FROM granted g WHERE g.object = 'begin_sending';
$$;
COMMENT ON FUNCTION zentry_notify.grants() IS 'Returns the roles to which zentry_grant has given a privilege: of reader, manager and application the highest, and server and sender';

CREATE OR REPLACE FUNCTION zentry_notify.renew_grants() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT zentry_notify.grant_privilege(g.grantee, g.privilege) FROM zentry_notify.grants() g;
$$;
COMMENT ON FUNCTION zentry_notify.renew_grants() IS
    'Repeats the grants of zentry_grant, so that they include what a new version adds. The library calls it after ALTER EXTENSION UPDATE, because pg_dump leaves out what the script of an update grants';

-- What a role owns it keeps: REVOKE would take an owner's own entry from the object's list, which functions that run with the owner's rights need.
CREATE OR REPLACE FUNCTION @extschema@.zentry_revoke(grantee regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted text;
BEGIN
    PERFORM zentry_notify.check_grantee(grantee, 'Name the role: SELECT zentry_revoke(''reports'');');
    IF grantee = (SELECT e.extowner FROM pg_extension e WHERE e.extname = 'zentry_notify') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('%s owns the extension, and keeps its privileges', grantee),
            'Name a role that zentry_grant has given a privilege: SELECT * FROM zentry_notify.grants();');
    END IF;
    FOR granted IN
        SELECT format('%s', c.oid::regclass)
          FROM pg_class c
         WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relowner <> grantee
         UNION ALL
        SELECT format('SCHEMA %I', n.nspname) FROM pg_namespace n WHERE n.nspname = 'zentry_notify' AND n.nspowner <> grantee
         UNION ALL
        SELECT format('FUNCTION %s', p.oid::regprocedure)
          FROM pg_depend d
          JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
          JOIN pg_proc p ON p.oid = d.objid
         WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND p.proowner <> grantee
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', granted, grantee);
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_revoke(regrole) IS 'Revokes every privilege that zentry_grant gave to the role. The owner of the extension keeps its own';

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT d.objid::pg_catalog.regprocedure
               FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
              WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
                AND d.deptype OPERATOR(pg_catalog.=) 'e'
                AND e.extname OPERATOR(pg_catalog.=) 'zentry_notify'
                AND pg_catalog.has_function_privilege('public', d.objid, 'EXECUTE')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
    -- Whoever makes a partition makes the triggers of its table there, for which PostgreSQL requires EXECUTE on their function. It can be called as a
    -- trigger only, and only a role with USAGE on its schema can name it for a trigger.
    GRANT EXECUTE ON FUNCTION zentry_notify.capture() TO PUBLIC;
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.sum_histogram(bigint[])', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.add_histograms(bigint[], bigint[]), zentry_notify.sum_histogram(bigint[]) TO zentry_notify_agent;
    END IF;
    -- The view event_definition calls it.
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.language_words(text)', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.language_words(text) TO zentry_notify_agent;
    END IF;
    -- The worker takes ids for deliveries before it writes them.
    IF NOT pg_catalog.has_sequence_privilege('zentry_notify_agent', 'zentry_notify.delivery_id_seq', 'USAGE') THEN
        GRANT USAGE ON SEQUENCE zentry_notify.delivery_id_seq TO zentry_notify_agent;
    END IF;
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.forget_deleted(integer)', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.forget_deleted(integer), zentry_notify.forget_deliveries(bigint, integer) TO zentry_notify_agent;
    END IF;
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.has_expired(timestamptz, interval, text, text)', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.has_expired(timestamptz, interval, text, text), zentry_notify.over_age(timestamptz, double precision, text, text)
            TO zentry_notify_agent;
    END IF;
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.offer_queues(bigint[])', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.offer_queues(bigint[]), zentry_notify.tell_senders(text, bigint[], bigint[]), zentry_notify.forget_gone_senders(),
            zentry_notify.gone_senders(), zentry_notify.sender_signal() TO zentry_notify_agent;
    END IF;
END
$$;

-- Revokes what ALTER DEFAULT PRIVILEGES has granted on new relations. (zentry_grant itself revokes what a former version of it has granted.)
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT c.oid::pg_catalog.regclass AS relation, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::pg_catalog.text END AS role
          FROM pg_catalog.pg_class c
          CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
         WHERE c.relnamespace OPERATOR(pg_catalog.=) 'zentry_notify'::pg_catalog.regnamespace
           AND a.grantee NOT IN (c.relowner, 'zentry_notify_agent'::pg_catalog.regrole)
           AND (a.grantee OPERATOR(pg_catalog.=) 0 OR c.relkind OPERATOR(pg_catalog.<>) 'v'
                AND c.relname NOT IN ('webhook', 'legacy_delivery', 'event_source', 'event_type', 'api_token'))
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', given.relation, given.role);
    END LOOP;
END
$$;

-- restrict_nonsystem_relation_kind, set for a role or a database, must not keep the extension's functions from its views. (Functions that read tables of
-- others have a value of their own.) Functions that are called for each row are left out: the functions that call them have the setting.
DO $$
DECLARE
    f regprocedure;
BEGIN
    IF pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NULL THEN
        RETURN; -- a minor version without it
    END IF;
    FOR f IN SELECT p.oid::pg_catalog.regprocedure
               FROM zentry_notify.members() m
               JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) m.objid
               JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
              WHERE m.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.prokind OPERATOR(pg_catalog.=) 'f'
                AND (l.lanname IN ('sql', 'plpgsql') AND p.provolatile OPERATOR(pg_catalog.<>) 'i' AND p.proparallel OPERATOR(pg_catalog.=) 'u'
                     OR pg_catalog.starts_with(p.proname::pg_catalog.text, 'zentry_'))
                AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) c WHERE pg_catalog.starts_with(c, 'restrict_nonsystem_relation_kind='))
    LOOP
        EXECUTE pg_catalog.format('ALTER FUNCTION %s SET restrict_nonsystem_relation_kind = %L', f, '');
    END LOOP;
END
$$;

-- Digests of the files with the structure that this step leads to.
