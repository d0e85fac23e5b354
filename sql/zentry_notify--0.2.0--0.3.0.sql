-- Written by scripts/upgrade-step from sql/steps/0.2.0--0.3.0.sql: change that, or the files that it includes.

-- From 0.2.0 to 0.3.0. What is structural stands here; what can be run again comes from the files of the installation.

-- As in 01_schema.sql: nothing that somebody put into the extension's schema must become part of ours.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('restrict_nonsystem_relation_kind', '', true)
 WHERE pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL;

-- The library that is in memory says its version; a new one on disk is not the one that runs.
DO $$
BEGIN
    IF zentry_notify.library_version() OPERATOR(pg_catalog.<>) '0.3.0' THEN
        RAISE EXCEPTION 'zentry_notify: the server still runs the library of version %', zentry_notify.library_version()
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Restart the server, then repeat the command.';
    END IF;
END
$$;

-- ---- steps/lock.sql ----

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

-- It looks at every trigger that is made.
DROP EVENT TRIGGER zentry_notify_hear_every_update;

-- ---- The log: the table stays as it is, under another name. Its rows are moved by the worker. ----

-- Gives the constraints of a table the names that it would have, had it always been called so.
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
COMMENT ON COLUMN zentry_notify.legacy_delivery.id IS 'Ids of delivery go on above these';
COMMENT ON COLUMN zentry_notify.legacy_delivery.webhook_integration_id IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.event_type IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.payload IS 'The event''s data; JSON null: not kept';
COMMENT ON COLUMN zentry_notify.legacy_delivery.status IS 'pending, retry, sent or failed';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_status_code IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_body IS 'As in delivery; empty: none';
COMMENT ON COLUMN zentry_notify.legacy_delivery.error_message IS 'As in delivery; empty: nothing';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_count IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.attempts IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.created_at IS 'When the event happened';
COMMENT ON COLUMN zentry_notify.legacy_delivery.sent_at IS 'When the endpoint took it';
COMMENT ON COLUMN zentry_notify.legacy_delivery.next_attempt_at IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_of IS 'As in delivery';
COMMENT ON INDEX zentry_notify.legacy_delivery_waiting IS 'What waits, by webhook, in order of delivery';
COMMENT ON INDEX zentry_notify.legacy_delivery_finished IS 'What is finished, by webhook';
COMMENT ON INDEX zentry_notify.legacy_delivery_events IS 'What is finished, by event';
COMMENT ON INDEX zentry_notify.legacy_delivery_failed IS 'What was given up';

-- ---- 04_event.sql ----

-- What was written: a row for each write that somebody wants to hear of, what the worker found out about it, and which of these rows
-- are routed. A row stands for the event alone, however many hear of it.

CREATE TABLE zentry_notify.event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    source_id  bigint,
    event_type text NOT NULL,
    data       json NOT NULL,
    context    json
) WITH (
    -- Rows come in step with the traffic and are never updated.
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.event IS
    'Every event that was captured, written in the application''s own transaction and never changed. Ids are given in the order of the writes, not of the commits';
COMMENT ON COLUMN zentry_notify.event.id IS 'Number of the event';
COMMENT ON COLUMN zentry_notify.event.created_at IS 'When it happened: the time of the transaction that wrote it';
COMMENT ON COLUMN zentry_notify.event.source_id IS 'Number of the event source whose table was written; null: a function made it';
COMMENT ON COLUMN zentry_notify.event.event_type IS 'What happened; project_progress: nobody can hear of it, the worker counts milestones by it';
COMMENT ON COLUMN zentry_notify.event.data IS 'The event''s data as far as the written row has them';
COMMENT ON COLUMN zentry_notify.event.context IS
    'What only the worker needs, a JSON object, or null: columns: values of other columns, by name; progress: how the tasks of projects changed; cut: keys whose value was too long; routed: its deliveries were written with it; partition_owner: number of the role that owns the partition that was written, where another one owns the attached table; traceparent: the place in a trace that it was written at';

CREATE TABLE zentry_notify.event_detail (
    event_id bigint PRIMARY KEY,
    data     jsonb NOT NULL
) WITH (
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.event_detail IS 'What the worker found out about an event: names that were looked up, computed values';
COMMENT ON COLUMN zentry_notify.event_detail.event_id IS 'The event';
COMMENT ON COLUMN zentry_notify.event_detail.data IS 'Goes before the event''s own data, key by key';

CREATE TABLE zentry_notify.route_cursor (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    routed    int8multirange NOT NULL DEFAULT '{}',
    restored  text NOT NULL DEFAULT 'no' CHECK (restored IN ('no', 'awaited', 'yes')),
    split     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(split) = 'object')
) WITH (fillfactor = 20);
COMMENT ON TABLE zentry_notify.route_cursor IS 'Which events are routed: one row, which the worker writes with the deliveries';
COMMENT ON COLUMN zentry_notify.route_cursor.singleton IS 'There is one row';
COMMENT ON COLUMN zentry_notify.route_cursor.routed IS 'Ids of events that are routed, or that no event will ever have; the first range has no lower bound';
COMMENT ON COLUMN zentry_notify.route_cursor.split IS
    'Events that are routed in part: of each, the webhooks whose deliveries the database does not take; the others have theirs';
COMMENT ON COLUMN zentry_notify.route_cursor.restored IS
    'awaited: a dump''s events are here and its cursor is not yet, so nothing is routed; yes: the cursor came from a dump; no: neither';

INSERT INTO zentry_notify.route_cursor DEFAULT VALUES;

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.event_detail', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.route_cursor', '');
-- ---- 05_delivery.sql ----

-- Who gets an event: a narrow row for an event and a webhook, written once as a rule, with its outcome. Queue and log in one.

CREATE TABLE zentry_notify.delivery (
    id                     bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    -- No foreign keys: their checks would lock rows of events and webhooks. What goes takes its deliveries with it.
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
    -- What has to wait is updated: dead rows come in step with the traffic, so vacuum has to as well.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.1
);
COMMENT ON TABLE zentry_notify.delivery IS
    'Deliveries of events to webhooks: what waits, and what became of the rest. zentry_notify.notification_log shows them with their events';
COMMENT ON COLUMN zentry_notify.delivery.id IS 'Deliveries of a webhook leave in this order';
COMMENT ON COLUMN zentry_notify.delivery.event_id IS 'The event';
COMMENT ON COLUMN zentry_notify.delivery.webhook_integration_id IS 'Where it goes';
COMMENT ON COLUMN zentry_notify.delivery.next_attempt_at IS 'When it is tried again';
COMMENT ON COLUMN zentry_notify.delivery.finished_at IS 'When it was sent or given up';
COMMENT ON COLUMN zentry_notify.delivery.retry_of IS 'The failed delivery that this one repeats';
COMMENT ON COLUMN zentry_notify.delivery.response_status_code IS 'HTTP status of the last answer; null: none came';
COMMENT ON COLUMN zentry_notify.delivery.attempts IS 'How many times it was posted; waiting for a rate limit is no attempt';
COMMENT ON COLUMN zentry_notify.delivery.retry_count IS 'How many times this delivery was sent anew by hand (zentry_retry)';
COMMENT ON COLUMN zentry_notify.delivery.status IS 'p: pending, not tried yet; r: retry, waits for next_attempt_at; s: sent; f: failed, error_message says why';
COMMENT ON COLUMN zentry_notify.delivery.event_type IS 'What happened';
COMMENT ON COLUMN zentry_notify.delivery.response_body IS 'First 1000 characters of the last answer; null: none';
COMMENT ON COLUMN zentry_notify.delivery.error_message IS 'What went wrong, for people; null: nothing';
COMMENT ON COLUMN zentry_notify.delivery.traceparent IS
    'Place in a trace that the event was written at (W3C Trace Context); null: it is in none, and captured_at is null too';
COMMENT ON COLUMN zentry_notify.delivery.captured_at IS 'When the event happened, of a delivery with traceparent: its span begins then, and the event may go before it is exported';

CREATE INDEX delivery_log ON zentry_notify.delivery (webhook_integration_id, event_type, id);
COMMENT ON INDEX zentry_notify.delivery_log IS 'The log by webhook and event type';
CREATE INDEX delivery_waiting ON zentry_notify.delivery (webhook_integration_id, id) WHERE status IN ('p', 'r');
COMMENT ON INDEX zentry_notify.delivery_waiting IS 'What waits, by webhook, in order of delivery';
-- With the status as notification_log spells it, so that queries of the view find them. Rows that are written with their outcome are not in the second.
CREATE INDEX delivery_failed ON zentry_notify.delivery (id)
    WHERE CASE status WHEN 's' THEN 'sent' WHEN 'f' THEN 'failed' WHEN 'r' THEN 'retry' ELSE 'pending' END::varchar(20) = 'failed';
COMMENT ON INDEX zentry_notify.delivery_failed IS 'What was given up';
CREATE INDEX delivery_queue ON zentry_notify.delivery (id)
    WHERE CASE status WHEN 's' THEN 'sent' WHEN 'f' THEN 'failed' WHEN 'r' THEN 'retry' ELSE 'pending' END::varchar(20) IN ('pending', 'retry');
COMMENT ON INDEX zentry_notify.delivery_queue IS 'What waits, of all webhooks';
CREATE INDEX delivery_retry_of ON zentry_notify.delivery (retry_of) WHERE retry_of IS NOT NULL;
COMMENT ON INDEX zentry_notify.delivery_retry_of IS 'What repeats another delivery';
CREATE INDEX delivery_traced ON zentry_notify.delivery (finished_at, id) WHERE traceparent IS NOT NULL;
COMMENT ON INDEX zentry_notify.delivery_traced IS 'What belongs to a trace, by when it was finished';

-- Of a delivery that is taken at the first attempt nothing is here.
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
    'Requests for a delivery that came to nothing, one row each: of every delivery the first fifty, and the last when it was given up. The view attempts shows them';
COMMENT ON COLUMN zentry_notify.delivery_attempt.delivery_id IS 'The delivery';
COMMENT ON COLUMN zentry_notify.delivery_attempt.attempted_at IS 'When the answer came, or was not waited for any longer';
COMMENT ON COLUMN zentry_notify.delivery_attempt.next_attempt_at IS 'When it was to be tried again; null: it was given up';
COMMENT ON COLUMN zentry_notify.delivery_attempt.response_status_code IS 'HTTP status of the answer; null: none came';
COMMENT ON COLUMN zentry_notify.delivery_attempt.attempt IS 'Which attempt it was, from 1; null: a rate limit, or a way out that led nowhere while there was another, which is no attempt';
COMMENT ON COLUMN zentry_notify.delivery_attempt.error_message IS 'What went wrong, for people, as the log says it';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.delivery', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.delivery_attempt', '');
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.delivery_id_seq', '');

-- Ids go on above those that were given.
SELECT pg_catalog.setval('zentry_notify.delivery_id_seq', given.last)
  FROM (SELECT greatest(pg_catalog.pg_sequence_last_value('zentry_notify.notification_log_id_seq'),
                        (SELECT max(l.id) FROM zentry_notify.legacy_delivery l)) AS last) given
 WHERE given.last IS NOT NULL;
-- Only what is no member of the extension any more leaves the list of what is dumped.
ALTER EXTENSION zentry_notify DROP SEQUENCE zentry_notify.notification_log_id_seq;
ALTER TABLE zentry_notify.legacy_delivery ALTER COLUMN id DROP IDENTITY;

-- What was written since the library is the new one waits under no webhook.
INSERT INTO zentry_notify.event (created_at, source_id, event_type, data, context)
SELECT l.created_at, (l.payload OPERATOR(pg_catalog.->>) 'source_id')::pg_catalog.int8, l.event_type,
       (l.payload OPERATOR(pg_catalog.->) 'data')::pg_catalog.json,
       nullif(l.payload OPERATOR(pg_catalog.->) 'context', 'null')::pg_catalog.json
  FROM zentry_notify.legacy_delivery l
 WHERE l.webhook_integration_id OPERATOR(pg_catalog.=) 0 AND l.status IN ('pending', 'retry')
 ORDER BY l.id;
DELETE FROM zentry_notify.legacy_delivery l WHERE l.webhook_integration_id OPERATOR(pg_catalog.=) 0 AND l.status IN ('pending', 'retry');

-- What changed in projects and was not counted yet.
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
COMMENT ON TABLE zentry_notify.progress_note IS 'How routed events have changed projects that are still to be counted, while there are more events to route';
COMMENT ON COLUMN zentry_notify.progress_note.event_source_id IS 'The source of milestone_reached';
COMMENT ON COLUMN zentry_notify.progress_note.project_key IS 'The project''s id, as text';
COMMENT ON COLUMN zentry_notify.progress_note.done_change IS 'Tasks that were completed (negative: that are not any more)';
COMMENT ON COLUMN zentry_notify.progress_note.total_change IS 'Tasks that came (negative: that went)';
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
COMMENT ON TABLE zentry_notify.webhook IS 'Webhooks and what they hear of, without their URLs';
COMMENT ON COLUMN zentry_notify.webhook.id IS 'The number that zentry_test_webhook and the other functions take';
COMMENT ON COLUMN zentry_notify.webhook.name IS 'A name for people, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.webhook.webhook_type IS 'Which service it is of, or webhook for a program: zentry_webhook_types() lists them';
COMMENT ON COLUMN zentry_notify.webhook.project_id IS 'The project whose events are sent; null: every project''s';
COMMENT ON COLUMN zentry_notify.webhook.created_by_id IS 'The application''s user who registered it';
COMMENT ON COLUMN zentry_notify.webhook.event_types IS 'JSON array of names of zentry_notify.event_type; ["*"]: all, also those added later';
COMMENT ON COLUMN zentry_notify.webhook.is_active IS 'Off: nothing is captured for it, and what waits is held back';
COMMENT ON COLUMN zentry_notify.webhook.created_at IS 'When it was registered';
COMMENT ON COLUMN zentry_notify.webhook.updated_at IS 'When it was changed last; keeps itself';
COMMENT ON COLUMN zentry_notify.webhook.max_events_per_message IS 'How many waiting events may leave as one message, 1 to 10; 1: a message for each';
COMMENT ON COLUMN zentry_notify.webhook.min_interval IS 'The shortest time between two messages';
COMMENT ON COLUMN zentry_notify.webhook.max_age IS 'Deliveries older than this fail as expired; null: zentry_notify.max_age decides';
COMMENT ON COLUMN zentry_notify.webhook.activated_at IS 'When it was registered, switched on again or given another URL; what went wrong before is forgotten then. Keeps itself';
COMMENT ON COLUMN zentry_notify.webhook.switched_off_at IS 'When the extension switched it off because its endpoint is gone; cleared by a new URL or by setting is_active';
COMMENT ON COLUMN zentry_notify.webhook.switched_off_reason IS 'Why the extension switched it off';
COMMENT ON COLUMN zentry_notify.webhook.omit_keys IS
    'Keys of the events'' data that this webhook''s deliveries do not have, such as {task_description}: they are neither kept nor sent';
COMMENT ON COLUMN zentry_notify.webhook.filter IS 'Only events whose data this JSON path predicate is true of are heard, such as $.points > 20; null: all';
COMMENT ON COLUMN zentry_notify.webhook.min_streak_days IS 'Of daily_streak, only streaks of so many days are heard; null: all';
COMMENT ON COLUMN zentry_notify.webhook.milestones IS 'Of milestone_reached, only these are heard, in per cent; null: all';
COMMENT ON COLUMN zentry_notify.webhook.quiet_hours IS 'When nothing is sent, such as 22:00-07:00 Europe/Berlin, or Mon-Fri 20:00-08:00, Sat-Sun 00:00-24:00 UTC; what comes meanwhile is sent afterwards';
COMMENT ON COLUMN zentry_notify.webhook.mention IS 'Whom each message pings, such as role:ID or user:ID in Discord; zentry_webhook_types() has what each service knows';
COMMENT ON COLUMN zentry_notify.webhook.rate_limit IS 'How many messages it may get, and in what time, such as 25/5min; 0: no limit; null: zentry_notify.teams_rate for Microsoft''s hosts, and the vendor''s answers for others';
COMMENT ON COLUMN zentry_notify.webhook.rate_group IS 'Webhooks of the same group share their rate, the lowest of theirs: flows that one person owns; null: it is on its own';
COMMENT ON COLUMN zentry_notify.webhook.notify_webhook_id IS 'The webhook that is told when this one starts to fail, is switched off or lets deliveries expire; null: those with notices are';

ALTER TABLE zentry_notify.webhook
    ADD COLUMN username text,
    ADD COLUMN avatar_url text,
    ADD COLUMN announce boolean NOT NULL DEFAULT false,
    ADD COLUMN thread_name text,
    ADD COLUMN applied_tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN notices boolean NOT NULL DEFAULT false,
    ADD COLUMN digest text,
    ADD COLUMN thread_by text;
COMMENT ON COLUMN zentry_notify.webhook.username IS 'The name that its messages in Discord and Mattermost come from; null: zentry_notify.username decides';
COMMENT ON COLUMN zentry_notify.webhook.avatar_url IS 'The picture that its messages in Discord and Mattermost come with, an https URL; null: zentry_notify.avatar_url decides';
COMMENT ON COLUMN zentry_notify.webhook.announce IS 'In Discord, Google Chat and Mattermost, a line of text stands above the events: a phone''s notification shows it, and of embeds alone it shows nothing. In Slack it always does';
COMMENT ON COLUMN zentry_notify.webhook.thread_name IS 'For a forum of Discord: each message becomes a post of this name; null: into the channel, or the thread of ?thread_id= in the URL';
COMMENT ON COLUMN zentry_notify.webhook.applied_tags IS 'For a forum of Discord: ids of the tags that these posts get';
COMMENT ON COLUMN zentry_notify.webhook.notices IS 'It is told of the trouble of every other webhook that names none of its own in notify_webhook_id';
COMMENT ON COLUMN zentry_notify.webhook.digest IS 'When what has gathered leaves, as one message with counts and the last ten events: 1 hour after the first of them, or by a cron expression such as 0 9 * * 1-5 Europe/Berlin; null: what waits leaves at once, up to max_events_per_message in a message';
COMMENT ON COLUMN zentry_notify.webhook.thread_by IS 'For Google Chat: what the messages of a thread have in common, task or project; a message holds events of one thread only; null: each message begins one of its own';
ALTER TABLE zentry_notify.event_type ADD COLUMN url text, ADD COLUMN thumbnail text;
COMMENT ON COLUMN zentry_notify.event_type.url IS
    'Address of the thing that the event is about; a template, such as /tasks/{{ task_id }} below zentry_notify.link_base, or https://...';
COMMENT ON COLUMN zentry_notify.event_type.thumbnail IS 'Address of a picture of it; a template like url';
ALTER TABLE zentry_notify.event_wording ADD COLUMN url text, ADD COLUMN thumbnail text, ADD COLUMN language text,
    ADD CHECK ((event_type OPERATOR(pg_catalog.=) '*') OPERATOR(pg_catalog.=) (language IS NOT NULL));
COMMENT ON TABLE zentry_notify.event_wording IS
    'What an event''s messages say instead of what its type has. An integration''s own wording goes before its language, that before the installation''s wording, that before its language, and that before the type''s; null: as before';
COMMENT ON COLUMN zentry_notify.event_wording.event_type IS 'The event; *: all of them, whose language it is';
COMMENT ON COLUMN zentry_notify.event_wording.language IS 'Of *: the language of the built-in events, of numbers and dates, and of what messages say themselves, such as de';
COMMENT ON COLUMN zentry_notify.event_wording.url IS 'As event_type.url; empty: none';
COMMENT ON COLUMN zentry_notify.event_wording.thumbnail IS 'As event_type.thumbnail; empty: none';

-- The secret stands apart: a change of the row beside does not repeat it, no trigger is handed it with that row, and it is written only when it
-- changes.
CREATE TABLE zentry_notify.webhook_secret (
    webhook_integration_id bigint PRIMARY KEY,
    -- Django's model has 500 characters; a Workflows URL may need more.
    webhook_url            varchar(2048) NOT NULL,
    -- Of type webhook.
    signing_secret         text,
    previous_secret        text,
    previous_until         timestamptz,
    headers                jsonb CHECK (pg_catalog.jsonb_typeof(headers) OPERATOR(pg_catalog.=) 'object')
);
COMMENT ON TABLE zentry_notify.webhook_secret IS 'The webhooks'' URLs, and what else of them is secret. Keep it out of publications';
COMMENT ON COLUMN zentry_notify.webhook_secret.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_secret.webhook_url IS
    'Its address. A secret: who knows it can post to the channel. The view zentry_notify.webhooks shows it redacted';
COMMENT ON COLUMN zentry_notify.webhook_secret.signing_secret IS 'What the receiver checks signatures by, whsec_ and Base64, of type webhook; credentials, of type nats';
COMMENT ON COLUMN zentry_notify.webhook_secret.previous_secret IS 'The one before: what is sent is signed by both until previous_until';
COMMENT ON COLUMN zentry_notify.webhook_secret.previous_until IS 'When the time of grace of previous_secret is over';
COMMENT ON COLUMN zentry_notify.webhook_secret.headers IS 'Headers that each request has besides, an object of names and values, which are secrets';
CREATE INDEX webhook_secret_url ON zentry_notify.webhook_secret USING hash (webhook_url);
COMMENT ON INDEX zentry_notify.webhook_secret_url IS 'Webhooks that have the same URL';
CREATE INDEX webhook_notify ON zentry_notify.webhook (notify_webhook_id) WHERE notify_webhook_id IS NOT NULL;
COMMENT ON INDEX zentry_notify.webhook_notify IS 'Who is told of the trouble of which webhooks';
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
COMMENT ON TABLE zentry_notify.webhook_state IS 'What is counted of a webhook''s last answers, for workers to come: one leaves when nothing is to be done';
COMMENT ON COLUMN zentry_notify.webhook_state.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_state.failures IS 'Failures in a row; five make it failing';
COMMENT ON COLUMN zentry_notify.webhook_state.refusals IS 'Answers in a row that take no message of ours; ten switch it off';
COMMENT ON COLUMN zentry_notify.webhook_state.limits IS 'Answers in a row that we are too fast, as far as that matters';
COMMENT ON COLUMN zentry_notify.webhook_state.posted_at IS 'When the messages were posted that count for its rate';
COMMENT ON COLUMN zentry_notify.webhook_state.expired_at IS 'When one of its deliveries expired first since one was sent';
COMMENT ON COLUMN zentry_notify.webhook_state.stream_note IS 'What was not as it should be of the stream that it publishes to, when it was looked at last; null: nothing, or it has none';
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_state', '');
COMMENT ON COLUMN zentry_notify.webhook_circuit.failures IS 'Failures in a row; 0: zentry_resume had nothing to try it with';
CREATE TABLE zentry_notify.deleted_webhook (
    webhook_integration_id bigint PRIMARY KEY
);
COMMENT ON TABLE zentry_notify.deleted_webhook IS 'Webhooks that were deleted and whose log is still to be removed';
COMMENT ON COLUMN zentry_notify.deleted_webhook.webhook_integration_id IS 'The number that it had';
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.deleted_webhook', '');

-- ---- Sources and tokens. ----

DROP VIEW zentry_notify.zentry_source;
ALTER TABLE zentry_notify.event_source DROP COLUMN update_of;
ALTER TABLE zentry_notify.event_source ADD COLUMN written_by name, ADD COLUMN written_by_oid oid;
UPDATE zentry_notify.event_source s SET written_by = pg_catalog.pg_get_userbyid(c.relowner), written_by_oid = c.relowner
  FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) s.relation;
COMMENT ON COLUMN zentry_notify.event_source.written_by IS
    'The owner of the table when this was attached, as it was called then: expressions run as that role, and not at all while the table belongs to another one. So that a dump can be restored';
COMMENT ON COLUMN zentry_notify.event_source.written_by_oid IS
    'That role itself: another one that takes over its name is another one';
COMMENT ON COLUMN zentry_notify.event_source.progress IS
    'Of milestone_reached: {"group": column of the project, "status": column, "done": its value}; the trigger notes the change, the worker counts';

COMMENT ON COLUMN zentry_notify.event_source.suspended_at IS 'Since when its columns or look-ups do not work any more: its events are told without what they gave; zentry_attach mends it';
COMMENT ON COLUMN zentry_notify.event_source.insert_when IS 'The condition of the insert trigger as it was given, for people: it is never executed again; null: there is none';

COMMENT ON COLUMN zentry_notify.event_source.update_when IS 'The condition of the update trigger as it was given; null: there is none';

COMMENT ON COLUMN zentry_notify.event_source.delete_when IS 'The condition of the delete trigger as it was given; null: there is none';

DROP TRIGGER check_api_token ON zentry_notify.api_token;
ALTER TABLE zentry_notify.api_token ADD COLUMN role_oid oid;
UPDATE zentry_notify.api_token t SET role_oid = r.oid FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) t.role_name;
COMMENT ON COLUMN zentry_notify.api_token.role_name IS 'The role that requests with it run as, as it was called when the token was made. So that a dump can be restored';
COMMENT ON COLUMN zentry_notify.api_token.role_oid IS
    'That role itself: a token follows it when it is renamed, and never becomes that of another role of its name';

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
    'Who changed what of the configuration, and when, without secrets. Triggers of the tables write it; what is older than zentry_notify.log_retention goes';
COMMENT ON INDEX zentry_notify.audit_entry_age IS 'What is old is found first';
COMMENT ON COLUMN zentry_notify.audit_entry.id IS 'The entry';
COMMENT ON COLUMN zentry_notify.audit_entry.changed_at IS 'When it was changed';
COMMENT ON COLUMN zentry_notify.audit_entry.transaction IS 'The transaction: what was changed together has the same';
COMMENT ON COLUMN zentry_notify.audit_entry.session_role IS 'The role that had logged in: of the REST API and the pages, the server''s';
COMMENT ON COLUMN zentry_notify.audit_entry.role_name IS
    'The role that it acted as: the same, or what SET ROLE had made of it; zentry_notify_agent: the worker, which switches off what is gone';
COMMENT ON COLUMN zentry_notify.audit_entry.api_token IS 'The name of the token of the REST API or the pages; null: by another way';
COMMENT ON COLUMN zentry_notify.audit_entry.object_type IS 'webhook (its secrets are of it), event_type, wording, event_source or api_token';
COMMENT ON COLUMN zentry_notify.audit_entry.object_key IS
    'Which one: a webhook''s id, an event type''s name, the event of a wording or a source, a token''s key; null: all';
COMMENT ON COLUMN zentry_notify.audit_entry.object_name IS
    'What it was called: a webhook''s name, of a wording its webhook''s, a source''s table, a token''s name';
COMMENT ON COLUMN zentry_notify.audit_entry.webhook_id IS 'The webhook that it is about; null: none, or all';
COMMENT ON COLUMN zentry_notify.audit_entry.operation IS 'insert, update, delete or truncate';
COMMENT ON COLUMN zentry_notify.audit_entry.changes IS
    'Column -> {"old": value, "new": value}. Of secrets only that they changed: a URL without its secret, names of headers, *** for a secret or a hash';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.audit_entry', '');

-- ---- What has always been so, and is a rule now. What somebody has written past the checks goes. ----

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

-- ---- Functions that there are no more. ----

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
-- Those that have other parameters now.
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

-- ---- 12_senders.sql ----

-- Senders: processes on other machines (zentry-notify send) that hold queues, and which queue is whose. Nothing is here while zentry_notify.senders is
-- local. Who is dead after a restart is not dumped.

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
    'Sessions of zentry-notify send, one row each. One whose session is over holds nothing any more, and goes when the next one looks';
COMMENT ON COLUMN zentry_notify.sender.id IS 'The number that its session names in each call';
COMMENT ON COLUMN zentry_notify.sender.name IS 'Where it runs, for people';
COMMENT ON COLUMN zentry_notify.sender.process IS 'Process of its session in the server';
COMMENT ON COLUMN zentry_notify.sender.session_started IS 'When that process began: with its number, whether the session is still there';
COMMENT ON COLUMN zentry_notify.sender.began_at IS 'Since when it sends';
COMMENT ON COLUMN zentry_notify.sender.patience IS 'How long the server waits for a word of it before it ends the session';
COMMENT ON COLUMN zentry_notify.sender.banned_until IS 'Until when Discord turns its address away; null: it does not';

CREATE TABLE zentry_notify.sender_queue (
    webhook_integration_id bigint PRIMARY KEY,
    sender_id              bigint,
    epoch                  bigint NOT NULL DEFAULT 0,
    recalled               boolean NOT NULL DEFAULT false,
    asked                  text CHECK (asked IN ('retry', 'resume'))
) WITH (fillfactor = 50);
COMMENT ON TABLE zentry_notify.sender_queue IS
    'Queues that are for senders, and who holds each. What is not here the worker sends: it puts a queue here when nothing of it is in flight any more';
COMMENT ON COLUMN zentry_notify.sender_queue.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.sender_queue.sender_id IS 'Who holds it; null: nobody';
COMMENT ON COLUMN zentry_notify.sender_queue.epoch IS 'Is raised whenever it is taken: what a holder of before reports is refused';
COMMENT ON COLUMN zentry_notify.sender_queue.recalled IS 'The worker wants it back: whoever holds it gives it up as soon as nothing of it is in flight';
COMMENT ON COLUMN zentry_notify.sender_queue.asked IS 'What a person has asked for and its holder has not heard: retry: what waits is due; resume: whatever its endpoint has asked for; null: nothing';

-- ---- 13_rust_functions.sql ----

-- The functions that are written in Rust; src/ has them under the same names.

CREATE OR REPLACE FUNCTION zentry_notify.capture() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'capture_wrapper';
COMMENT ON FUNCTION zentry_notify.capture() IS 'Trigger on application tables: writes the event, if anybody wants to hear of it';

CREATE OR REPLACE FUNCTION zentry_notify.configuration_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'configuration_changed_wrapper';
COMMENT ON FUNCTION zentry_notify.configuration_changed() IS 'Trigger on our own tables: every session and the worker read them again';

CREATE OR REPLACE FUNCTION zentry_notify.refuse(
    condition text, message text, hint text DEFAULT NULL, column_name text DEFAULT NULL, detail text DEFAULT NULL) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'refuse_wrapper';
COMMENT ON FUNCTION zentry_notify.refuse(text, text, text, text, text) IS
    'Raises an error. As RAISE, but for the CONTEXT, which does not lead through our own functions';

CREATE OR REPLACE FUNCTION zentry_notify.check_webhook_url(webhook_type text, webhook_url text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_webhook_url_wrapper';
COMMENT ON FUNCTION zentry_notify.check_webhook_url(text, text) IS 'An error unless it is the URL of such a webhook and zentry_notify.allowed_hosts lets it pass';

CREATE OR REPLACE FUNCTION zentry_notify.check_webhook_type(webhook_type text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_webhook_type_wrapper';
COMMENT ON FUNCTION zentry_notify.check_webhook_type(text) IS 'An error that names the types of webhooks that there are, unless it is one of them';

CREATE OR REPLACE FUNCTION zentry_notify.check_room_for_webhook() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_room_for_webhook_wrapper';
COMMENT ON FUNCTION zentry_notify.check_room_for_webhook() IS 'An error when there are as many webhooks as zentry_notify.max_webhooks allows';

CREATE OR REPLACE FUNCTION zentry_notify.type_has(webhook_type text, setting text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'type_has_wrapper';
COMMENT ON FUNCTION zentry_notify.type_has(text, text) IS 'Whether webhooks of this type have a place for that: for one of the settings of zentry_webhook_types()';

CREATE OR REPLACE FUNCTION @extschema@.zentry_webhook_types()
    RETURNS TABLE (webhook_type text, label text, url text, mention text, settings text[], formats text[])
    LANGUAGE c STABLE PARALLEL SAFE ROWS 8 AS 'MODULE_PATHNAME', 'zentry_webhook_types_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_webhook_types() IS
    'The types of webhooks that there are: what people call each, how its URL looks, how mention is written, which of the settings that not all have it has a place for, and in which formats zentry_preview shows its messages';

CREATE OR REPLACE FUNCTION zentry_notify.settings_in_the_way(
    webhook_type text, webhook_url text, allowed_hosts text, allow_http boolean, allow_private_addresses boolean) RETURNS TABLE (setting text, needed text)
    LANGUAGE c STABLE STRICT ROWS 1 AS 'MODULE_PATHNAME', 'settings_in_the_way_wrapper';
COMMENT ON FUNCTION zentry_notify.settings_in_the_way(text, text, text, boolean, boolean) IS
    'Which of these settings keep the URL from being called, and what each would have to be; of allowed_hosts, what it lacks';

CREATE OR REPLACE FUNCTION zentry_notify.check_mention(webhook_type text, webhook_url text, mention text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_mention_wrapper';
COMMENT ON FUNCTION zentry_notify.check_mention(text, text, text) IS 'An error unless messages to such a webhook can ping so';

CREATE OR REPLACE FUNCTION zentry_notify.check_quiet_hours(quiet_hours text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_quiet_hours_wrapper';
COMMENT ON FUNCTION zentry_notify.check_quiet_hours(text) IS 'An error for what is no quiet hours';

CREATE OR REPLACE FUNCTION zentry_notify.check_rate_limit(rate_limit text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_rate_limit_wrapper';
COMMENT ON FUNCTION zentry_notify.check_rate_limit(text) IS 'An error for what is no rate';

CREATE OR REPLACE FUNCTION zentry_notify.rate_of(webhook_type text, webhook_url text, rate_limit text) RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'rate_of_wrapper';
COMMENT ON FUNCTION zentry_notify.rate_of(text, text, text) IS
    'The rate at which messages leave to such a webhook: its own, or zentry_notify.teams_rate for Microsoft''s hosts; null: nobody counts';

CREATE OR REPLACE FUNCTION zentry_notify.rate_opens_at(rates text[], posted_at timestamptz[]) RETURNS timestamptz
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rate_opens_at_wrapper';
COMMENT ON FUNCTION zentry_notify.rate_opens_at(text[], timestamptz[]) IS
    'When the lowest of the rates lets the next message leave, after those that were posted; null: it does not hold it back';

CREATE OR REPLACE FUNCTION zentry_notify.lowest_rate(rates text[]) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'lowest_rate_wrapper';
COMMENT ON FUNCTION zentry_notify.lowest_rate(text[]) IS 'The rate that allows the least of them; null: none limits anything';

CREATE OR REPLACE FUNCTION zentry_notify.check_digest(digest text, quiet_hours text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_digest_wrapper';
COMMENT ON FUNCTION zentry_notify.check_digest(text, text) IS 'An error for what is no time of a digest; its time zone is that of the quiet hours unless it names one';

CREATE OR REPLACE FUNCTION zentry_notify.digest_due(digest text, quiet_hours text, first_event timestamptz) RETURNS timestamptz
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'digest_due_wrapper';
COMMENT ON FUNCTION zentry_notify.digest_due(text, text, timestamptz) IS 'When the digest leaves that begins with an event of that moment; null: there is no digest';

CREATE OR REPLACE FUNCTION zentry_notify.over_age(event_at timestamptz, seconds double precision, digest text, quiet_hours text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'over_age_wrapper';
COMMENT ON FUNCTION zentry_notify.over_age(timestamptz, double precision, text, text) IS
    'Whether a delivery of an event of that moment has waited for so long; what a digest gathers, and what waits in quiet hours, grows no older';

CREATE OR REPLACE FUNCTION zentry_notify.has_expired(event_at timestamptz, max_age interval, digest text, quiet_hours text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT event_at < now() - max_age AND zentry_notify.over_age(event_at, extract(epoch FROM max_age)::double precision, digest, quiet_hours)
$$;
COMMENT ON FUNCTION zentry_notify.has_expired(timestamptz, interval, text, text) IS
    'Whether a delivery of an event of that moment is too old to be sent to a webhook with that digest and these quiet hours';

CREATE OR REPLACE FUNCTION zentry_notify.quiet_until(quiet_hours text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'quiet_until_wrapper';
COMMENT ON FUNCTION zentry_notify.quiet_until(text) IS 'When the quiet that there is now is over; null: there is none now';

CREATE OR REPLACE FUNCTION zentry_notify.redact_url(webhook_url text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'redact_url_wrapper';
COMMENT ON FUNCTION zentry_notify.redact_url(text) IS 'The URL without its secret';

CREATE OR REPLACE FUNCTION zentry_notify.built_in_event_types() RETURNS TABLE (definition jsonb, sample jsonb)
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'built_in_event_types_wrapper';
COMMENT ON FUNCTION zentry_notify.built_in_event_types() IS 'What the messages of Zentry''s five events say, and a sample of each';

CREATE OR REPLACE FUNCTION zentry_notify.languages() RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'languages_wrapper';
COMMENT ON FUNCTION zentry_notify.languages() IS 'The languages that there are words in';

CREATE OR REPLACE FUNCTION zentry_notify.language_words(language text) RETURNS TABLE (event_type text, words jsonb)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 6 AS 'MODULE_PATHNAME', 'language_words_wrapper';
COMMENT ON FUNCTION zentry_notify.language_words(text) IS 'What the messages of Zentry''s five events, and the test message, say in a language';

CREATE OR REPLACE FUNCTION zentry_notify.check_definition(definition jsonb, sample jsonb, known text[]) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_definition_wrapper';
COMMENT ON FUNCTION zentry_notify.check_definition(jsonb, jsonb, text[]) IS
    'An error unless messages can be made by the definition; a warning for each key that its templates ask for and that is not among those known';

CREATE OR REPLACE FUNCTION zentry_notify.ordered_fields(fields text) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ordered_fields_wrapper';
COMMENT ON FUNCTION zentry_notify.ordered_fields(text) IS 'The fields of a message as an array, in the order in which they were written';

CREATE OR REPLACE FUNCTION zentry_notify.placeholder_event(definition jsonb) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'placeholder_event_wrapper';
COMMENT ON FUNCTION zentry_notify.placeholder_event(jsonb) IS 'For each key that the definition''s templates ask for, its name in words';

CREATE OR REPLACE FUNCTION zentry_notify.event_message(definition jsonb, format text, data jsonb, stored text, mention text) RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'event_message_wrapper';
COMMENT ON FUNCTION zentry_notify.event_message(jsonb, text, jsonb, text, text) IS
    'The message of an event, byte for byte, in a format of zentry_webhook_types() or that of a type. stored: what appearance_of gives of a webhook';

CREATE OR REPLACE FUNCTION zentry_notify.check_appearance(username text, avatar_url text, thread_name text, applied_tags text[], thread_by text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_appearance_wrapper';
COMMENT ON FUNCTION zentry_notify.check_appearance(text, text, text, text[], text) IS 'An error unless the services take messages that appear so';

CREATE OR REPLACE FUNCTION zentry_notify.check_thread(webhook_type text, webhook_url text, thread_name text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_thread_wrapper';
COMMENT ON FUNCTION zentry_notify.check_thread(text, text, text) IS 'An error if the URL names a thread of Discord already: a message goes to one or the other';

CREATE OR REPLACE FUNCTION zentry_notify.make_secret() RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'make_secret_wrapper';
COMMENT ON FUNCTION zentry_notify.make_secret() IS 'A secret to sign by that nobody knows';

CREATE OR REPLACE FUNCTION zentry_notify.check_signing(webhook_type text, secret text, headers text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_signing_wrapper';
COMMENT ON FUNCTION zentry_notify.check_signing(text, text, text) IS
    'An error for what is no secret of such a webhook, to sign by or as credentials, or for headers that no request could have';

CREATE OR REPLACE FUNCTION zentry_notify.check_keys(parameter text, keys text[], known text[], certain boolean) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_keys_wrapper';
COMMENT ON FUNCTION zentry_notify.check_keys(text, text[], text[], boolean) IS
    'An error for a key that is a slip of a known one, if it is certain which there are; else a warning';

CREATE OR REPLACE FUNCTION zentry_notify.filter_keys(filter text) RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'filter_keys_wrapper';
COMMENT ON FUNCTION zentry_notify.filter_keys(text) IS 'The keys of the data that a filter asks for';

CREATE OR REPLACE FUNCTION zentry_notify.has_variables(filter text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'has_variables_wrapper';
COMMENT ON FUNCTION zentry_notify.has_variables(text) IS 'Whether a filter asks for variables such as $name, which nobody gives a value';

CREATE OR REPLACE FUNCTION zentry_notify.ended_service(webhook_type text, webhook_url text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'ended_service_wrapper';
COMMENT ON FUNCTION zentry_notify.ended_service(text, text) IS 'What there is no more of what the URL is of, and what to do; null: nothing that is known has ended';

CREATE OR REPLACE FUNCTION zentry_notify.webhook_format(webhook_type text, webhook_url text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'webhook_format_wrapper';
COMMENT ON FUNCTION zentry_notify.webhook_format(text, text) IS 'The format that a webhook''s URL takes: one of zentry_webhook_types()';

CREATE OR REPLACE FUNCTION zentry_notify.wake(webhook_ids bigint[], overdue boolean DEFAULT false) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wake_wrapper';
COMMENT ON FUNCTION zentry_notify.wake(bigint[], boolean) IS
    'At commit, lets the worker look at what waits for these integrations; overdue: also at those that wait to be tried again';

CREATE OR REPLACE FUNCTION zentry_notify.resume(webhook_id bigint) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'resume_wrapper';
COMMENT ON FUNCTION zentry_notify.resume(bigint) IS 'At commit, lets the worker try the integration''s endpoint, whatever that has asked for';

CREATE OR REPLACE FUNCTION zentry_notify.wake_for_senders() RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wake_for_senders_wrapper';
COMMENT ON FUNCTION zentry_notify.wake_for_senders() IS 'At commit, lets the worker read the configuration again: which queues are for senders, and which it has back';

CREATE OR REPLACE FUNCTION zentry_notify.lost_events() RETURNS bigint
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lost_events_wrapper';
COMMENT ON FUNCTION zentry_notify.lost_events() IS 'Events of this database that could not be written, since the server started';

CREATE OR REPLACE FUNCTION zentry_notify.warn_unless_preloaded() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'warn_unless_preloaded_wrapper';
COMMENT ON FUNCTION zentry_notify.warn_unless_preloaded() IS 'A warning when nothing will be sent because shared_preload_libraries lacks zentry_notify';

CREATE OR REPLACE FUNCTION zentry_notify.library_version() RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'library_version_wrapper';
COMMENT ON FUNCTION zentry_notify.library_version() IS
    'The version of the library that this session has loaded; pg_extension.extversion is that of the SQL, and both have to be the same';

CREATE OR REPLACE FUNCTION zentry_notify.put_api_token(token_key text, name text, role oid, token_hash bytea, expires_at timestamptz) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'put_api_token_wrapper';
COMMENT ON FUNCTION zentry_notify.put_api_token(text, text, oid, bytea, timestamptz) IS
    'Writes a token of the REST API, if who calls has the privileges of its role';

CREATE OR REPLACE FUNCTION zentry_notify.drop_api_token(name text) RETURNS boolean
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'drop_api_token_wrapper';
COMMENT ON FUNCTION zentry_notify.drop_api_token(text) IS
    'Takes a token of the REST API away, if who calls has the privileges of its role or the role is gone; false: there is none';

CREATE OR REPLACE FUNCTION @extschema@.zentry_test_webhook(webhook_id bigint, test_message text DEFAULT 'Test message from Zentry!')
    RETURNS TABLE (log_id bigint, status text, response_status_code integer, error_message text)
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin ROWS 1
    AS 'MODULE_PATHNAME', 'zentry_test_webhook_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_test_webhook(bigint, text) IS
    'Posts a message to the webhook at once, waits for the answer and returns what became of it; the log has it too';
-- ---- 14_rules.sql ----

-- The rules of rows of our own tables, for every way in.

CREATE OR REPLACE FUNCTION zentry_notify.is_restoring() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Scripts of pg_dump and pg_restore switch this setting off, and hardly anybody else.
    SELECT NOT current_setting('check_function_bodies')::boolean
$$;
COMMENT ON FUNCTION zentry_notify.is_restoring() IS
    'Whether a dump is being restored: several jobs may then write a row before another that it refers to, so nobody looks for that one';

CREATE OR REPLACE FUNCTION zentry_notify.check_filters(filter jsonpath, min_streak_days integer, milestones integer[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF min_streak_days < 1 THEN
        PERFORM zentry_notify.refuse('check_violation', format('min_streak_days must be at least 1, not %s', min_streak_days),
            'Null hears of every streak.', 'min_streak_days');
    END IF;
    IF milestones = '{}' OR array_ndims(milestones) > 1 OR NOT (1 <= ALL (milestones) AND 100 >= ALL (milestones)) OR array_position(milestones, NULL) IS NOT NULL THEN
        PERFORM zentry_notify.refuse('check_violation', format('milestones must be numbers from 1 to 100, not %s', milestones),
            'For example {50,100}; null hears of all.', 'milestones');
    END IF;
    -- Wherever it stands: it may be looked at for some events only.
    IF zentry_notify.has_variables(filter::text) THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter has a variable, which nothing gives a value: %s', filter),
            'Write the value itself, such as $.points > 20; a key of the data begins with $ and a dot.', 'filter');
    END IF;
    -- Of no data at all, a predicate is false or unknown, and anything else is not one truth value.
    BEGIN
        PERFORM jsonb_path_match_tz('{}', filter, '{}', false);
    EXCEPTION WHEN data_exception THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter is not a predicate: %s', filter),
            'Write a comparison or another test, such as $.points > 20 && $.project_name starts with "Web"; not $ ? (@.points > 20).', 'filter');
    END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_filters(jsonpath, integer, integer[]) IS 'The rules of what an integration hears of its event types';

-- Of any number, also of one that is no smallint.
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
COMMENT ON FUNCTION zentry_notify.check_most_events(integer) IS 'An error unless a message has room for so many events';

-- What events' data have, as their samples and sources say: it is certain if each of the types has one or the other.
CREATE OR REPLACE FUNCTION zentry_notify.check_keys_of(parameter text, keys text[], event_types jsonb) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known   text[];
    certain boolean;
BEGIN
    -- A key of another type is no slip.
    SELECT array_agg(DISTINCT k.key), bool_and(k.key IS NOT NULL) FILTER (WHERE event_types ?| ARRAY['*', t.name]) INTO known, certain
      FROM zentry_notify.event_type t
      LEFT JOIN LATERAL (SELECT jsonb_object_keys(CASE jsonb_typeof(t.sample) WHEN 'object' THEN t.sample ELSE '{}' END) AS key
                          UNION ALL
                         SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = t.name) k ON true;
    PERFORM zentry_notify.check_keys(parameter, keys, array_remove(known, NULL), certain);
END
$$;
COMMENT ON FUNCTION zentry_notify.check_keys_of(text, text[], jsonb) IS 'An error for a slip among the keys, a warning for one that no event of these types has';

-- The rules of a row but for its URL, which write_integration looks after.
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
        -- Its log is its own again.
        DELETE FROM zentry_notify.deleted_webhook d WHERE d.webhook_integration_id = NEW.id;
    END IF;
    SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) INTO missing
      FROM pg_attribute a
     WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND a.attnotnull AND to_jsonb(NEW) -> a.attname::text = 'null';
    IF missing IS NOT NULL THEN
        PERFORM zentry_notify.refuse('not_null_violation', format('%s of a webhook must not be null', missing), 'Leave it out for its default.');
    END IF;
    -- What JSON's numbers hold; the next one's has to come after it.
    IF TG_OP = 'INSERT' AND NEW.id NOT BETWEEN 1 AND 9007199254740991 THEN
        PERFORM zentry_notify.refuse('numeric_value_out_of_range', format('a webhook can''t have the number %s', NEW.id), 'A number is 1 to 9007199254740991.', 'id');
    END IF;
    -- Every session that fires an event reads what is heard, and the worker reads all of it: what has no end would cost writes what no write may cost.
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
            '0 sends as fast as the vendor lets us.', 'min_interval');
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
            'Name whose webhooks share a rate, such as ''flows of anna@example.com''; null: it is on its own.', 'rate_group');
    END IF;
    IF NEW.notify_webhook_id IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.notify_webhook_id IS DISTINCT FROM OLD.notify_webhook_id) THEN
        IF NEW.notify_webhook_id = NEW.id THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', 'a webhook that fails cannot be the one that is told of it',
                'Name another one; null: those with notices are.', 'notify_webhook_id');
        END IF;
        -- A dump brings them in any order.
        IF NOT zentry_notify.is_restoring() AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = NEW.notify_webhook_id) THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', format('there is no webhook with id %s to be told', NEW.notify_webhook_id),
                'SELECT id, name FROM zentry_notify.webhooks lists them; null: those with notices are.', 'notify_webhook_id');
        END IF;
    END IF;
    -- A type that there is not is refused below.
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
    -- After all else: what is wrong with the rest can be found out without it.
    PERFORM zentry_notify.check_webhook_type(NEW.webhook_type);

    IF TG_OP = 'UPDATE' AND ((NEW.is_active AND NOT OLD.is_active) OR NEW.activated_at IS DISTINCT FROM OLD.activated_at) THEN
        -- A mended URL brings back what a broken one had switched off.
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
COMMENT ON FUNCTION zentry_notify.check_webhook() IS 'Trigger: the rules of a row of webhook; a change of activated_at starts afresh what was switched off or failing';

-- What is more than this of the log goes by and by (forget_deleted): a DELETE must not take minutes. So does what the worker writes for
-- the webhook until this transaction ends.
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
COMMENT ON FUNCTION zentry_notify.forget_webhook() IS 'Trigger: the URL, the state and the log of a webhook go with it';

-- Managers write here with their own rights, through zentry_attach or directly: for tables of theirs, whoever runs the session.
CREATE OR REPLACE FUNCTION zentry_notify.check_source() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The agent suspends sources, and no more: what a source looks up and computes has the rights of the table's owner.
    IF current_user = 'zentry_notify_agent' THEN
        IF (to_jsonb(NEW) - '{suspended_at,suspended_reason}'::text[]) IS DISTINCT FROM (to_jsonb(OLD) - '{suspended_at,suspended_reason}'::text[]) THEN
            RAISE EXCEPTION 'zentry_notify_agent may suspend a source and no more' USING ERRCODE = 'insufficient_privilege',
                HINT = 'Let the table''s owner or a superuser do it.'; -- it may call nothing of ours
        END IF;
    -- Who owns our tables, or is a superuser, may also write of a table that is gone.
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
                'It is what is told of a webhook that is in trouble.');
        END IF;
    END IF;
    -- A row of a dump has the number that the role had elsewhere.
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
COMMENT ON FUNCTION zentry_notify.check_source() IS 'Trigger: the sources of a table are its owner''s, and omit is a list of keys';

-- Apart, because the agent suspends sources and may call nothing of this.
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
COMMENT ON FUNCTION zentry_notify.check_source_omit() IS 'Trigger: a slip among the keys that a source leaves out is refused';

-- pg_restore --data-only brings the sources of the dump into a database that is attached already.
CREATE OR REPLACE FUNCTION zentry_notify.replace_source() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.event_source s WHERE s.relation = NEW.relation AND s.event_type = NEW.event_type;
    UPDATE zentry_notify.event_source s SET id = nextval('zentry_notify.event_source_id_seq') WHERE s.id = NEW.id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.replace_source() IS 'Trigger: a restored source takes the place of the one that is there';
-- ---- 15_event_definition.sql ----

-- What messages say: types and wordings put together, and the rules for both.

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
-- In a language, the types that nobody has translated have its numbers, dates and buttons.
spoken AS (
    SELECT t.name, l.webhook_integration_id, pg_catalog.jsonb_build_object('language', l.language) || coalesce(p.words, '{}') AS words
      FROM language l CROSS JOIN type t
      LEFT JOIN LATERAL zentry_notify.language_words(l.language) p ON p.event_type = t.name),
everybody AS (
    SELECT t.name, t.definition || coalesce(s.words, '{}') || coalesce(w.words, '{}') AS definition
      FROM type t
      LEFT JOIN spoken s ON s.name = t.name AND s.webhook_integration_id IS NULL
      LEFT JOIN wording w ON w.event_type = t.name AND w.webhook_integration_id IS NULL),
own AS (
    SELECT w.event_type AS name, w.webhook_integration_id FROM wording w WHERE w.webhook_integration_id IS NOT NULL
     UNION
    SELECT s.name, s.webhook_integration_id FROM spoken s WHERE s.webhook_integration_id IS NOT NULL)
SELECT e.name AS event_type, NULL::bigint AS webhook_integration_id, e.definition
  FROM everybody e
UNION ALL
SELECT e.name, o.webhook_integration_id, e.definition || coalesce(s.words, '{}') || coalesce(w.words, '{}')
  FROM own o
  JOIN everybody e ON e.name = o.name
  LEFT JOIN spoken s ON s.name = o.name AND s.webhook_integration_id = o.webhook_integration_id
  LEFT JOIN wording w ON w.event_type = o.name AND w.webhook_integration_id = o.webhook_integration_id
UNION ALL
-- The test message is of no type that anybody could hear of.
SELECT p.event_type::pg_catalog.varchar(50), l.webhook_integration_id, pg_catalog.jsonb_build_object('name', p.event_type, 'language', l.language) || p.words
  FROM language l CROSS JOIN LATERAL zentry_notify.language_words(l.language) p WHERE p.event_type = 'test';
COMMENT ON VIEW zentry_notify.event_definition IS 'What the messages of each event say, with the language and the wording of the installation and of integrations put in; test: the test message, where a language is set';
COMMENT ON COLUMN zentry_notify.event_definition.event_type IS 'The event';
COMMENT ON COLUMN zentry_notify.event_definition.webhook_integration_id IS 'The integration that has a wording of its own; null: what the others say';
COMMENT ON COLUMN zentry_notify.event_definition.definition IS 'name, title, text, fields, colour, emoji, footer, time_key, url, thumbnail, language';

CREATE OR REPLACE FUNCTION zentry_notify.sample_event(event_type text) RETURNS jsonb
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
    SELECT coalesce(t.sample, zentry_notify.placeholder_event(d.definition))
      FROM zentry_notify.event_type t
      JOIN zentry_notify.event_definition d ON d.event_type = t.name AND d.webhook_integration_id IS NULL
     WHERE t.name = sample_event.event_type
$$;
COMMENT ON FUNCTION zentry_notify.sample_event(text) IS
    'The event''s sample, or words in the place of data if it has none; null for an unknown type';

CREATE OR REPLACE FUNCTION zentry_notify.event_keys(event_type text) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
    SELECT array_agg(DISTINCT key ORDER BY key)
      FROM (SELECT jsonb_object_keys(t.sample) FROM zentry_notify.event_type t
             WHERE t.name = event_keys.event_type AND jsonb_typeof(t.sample) = 'object'
             UNION ALL
            SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = event_keys.event_type) AS known (key)
$$;
COMMENT ON FUNCTION zentry_notify.event_keys(text) IS 'The keys that the event''s data have, as its sample and its sources say; null: nothing is known';

CREATE OR REPLACE FUNCTION zentry_notify.check_event_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.name IS NULL OR NEW.name !~ '^[a-z][a-z0-9_]{0,39}$' OR NEW.name IN ('test', 'project_progress')
       OR NEW.name = 'webhook_trouble' AND NOT NEW.built_in THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('an event type cannot have the name "%s"', coalesce(NEW.name, '(null)')),
            'A name has up to 40 small letters, digits and underscores and begins with a letter, such as release_published. "test" and "project_progress" are taken.', 'name');
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
COMMENT ON FUNCTION zentry_notify.check_event_type() IS 'Trigger: the rules of a row of event_type';

CREATE OR REPLACE FUNCTION zentry_notify.check_event_wording() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    type zentry_notify.event_type;
BEGIN
    IF NEW.event_type = '*' THEN
        IF NEW.language <> ALL (zentry_notify.languages()) THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', format('there are no words in the language "%s"', left(NEW.language, 50)),
                format('The languages are %s.', array_to_string(zentry_notify.languages(), ', ')), 'language');
        END IF;
        RETURN NEW;
    END IF;
    SELECT t.* INTO type FROM zentry_notify.event_type t WHERE t.name = NEW.event_type;
    IF NOT FOUND AND NOT zentry_notify.is_restoring() THEN
        PERFORM zentry_notify.refuse('foreign_key_violation', format('unknown event type "%s"', NEW.event_type),
            'SELECT zentry_register_event_type(name, title) adds one.');
    END IF;
    -- Of a type that is still to be restored, what there is to check.
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
COMMENT ON FUNCTION zentry_notify.check_event_wording() IS 'Trigger: the rules of a row of event_wording';
-- ---- 16_views.sql ----

-- The views that people read. No secret is in them; webhook_integration, which has URLs, is in 17_webhook_integration.sql.

CREATE OR REPLACE VIEW zentry_notify.event_data AS
SELECT e.id AS event_id,
       e.created_at,
       e.event_type::text AS event_type,
       e.data::jsonb || coalesce((SELECT x.data FROM zentry_notify.event_detail x WHERE x.event_id = e.id), '{}') AS data
  FROM zentry_notify.event e;
COMMENT ON VIEW zentry_notify.event_data IS 'Events with all that is known of them';
COMMENT ON COLUMN zentry_notify.event_data.event_id IS 'Number of the event';
COMMENT ON COLUMN zentry_notify.event_data.created_at IS 'When it happened';
COMMENT ON COLUMN zentry_notify.event_data.event_type IS 'What happened';
COMMENT ON COLUMN zentry_notify.event_data.data IS 'The event''s data';

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
COMMENT ON VIEW zentry_notify.webhooks IS 'Integrations with their state and counts, which may be some seconds behind; the URL without its secret';
COMMENT ON COLUMN zentry_notify.webhooks.id IS 'Number of the integration';
COMMENT ON COLUMN zentry_notify.webhooks.name IS 'Its name';
COMMENT ON COLUMN zentry_notify.webhooks.webhook_type IS 'Which service it is of, or webhook for a program: zentry_webhook_types() lists them';
COMMENT ON COLUMN zentry_notify.webhooks.webhook_url IS 'Where it posts to, without the secret';
COMMENT ON COLUMN zentry_notify.webhooks.project_id IS 'The project whose events are sent; null: every project''s';
COMMENT ON COLUMN zentry_notify.webhooks.event_types IS 'The events it hears; ["*"]: all';
COMMENT ON COLUMN zentry_notify.webhooks.is_active IS 'Whether it hears anything';
COMMENT ON COLUMN zentry_notify.webhooks.state IS 'active; failing: keeps failing, tried at growing intervals; gone: the endpoint does not exist any more, switched off; off: switched off by hand';
COMMENT ON COLUMN zentry_notify.webhooks.state_since IS 'Since when it is failing or gone';
COMMENT ON COLUMN zentry_notify.webhooks.reason IS 'Why it is failing or gone';
COMMENT ON COLUMN zentry_notify.webhooks.next_try_at IS 'When a failing one is tried again';
COMMENT ON COLUMN zentry_notify.webhooks.pending IS 'Deliveries that wait';
COMMENT ON COLUMN zentry_notify.webhooks.sent IS 'Deliveries that arrived, since it was registered';
COMMENT ON COLUMN zentry_notify.webhooks.failed IS 'Deliveries that were given up, since it was registered';
COMMENT ON COLUMN zentry_notify.webhooks.last_delivery_at IS 'When the last delivery was sent or given up';
COMMENT ON COLUMN zentry_notify.webhooks.last_status IS 'sent or failed: what became of the last delivery';
COMMENT ON COLUMN zentry_notify.webhooks.created_by_id IS 'The application''s user who registered it';
COMMENT ON COLUMN zentry_notify.webhooks.max_events_per_message IS 'How many waiting events may leave as one message';
COMMENT ON COLUMN zentry_notify.webhooks.min_interval IS 'The shortest time between two messages';
COMMENT ON COLUMN zentry_notify.webhooks.max_age IS 'Age at which its deliveries expire; null: zentry_notify.max_age';
COMMENT ON COLUMN zentry_notify.webhooks.created_at IS 'When it was registered';
COMMENT ON COLUMN zentry_notify.webhooks.updated_at IS 'When it was changed last';
COMMENT ON COLUMN zentry_notify.webhooks.omit_keys IS 'Keys of the events'' data that it does not get';
COMMENT ON COLUMN zentry_notify.webhooks.filter IS 'JSON path predicate that the data of what it hears fulfils; null: none';
COMMENT ON COLUMN zentry_notify.webhooks.min_streak_days IS 'The shortest streak that it hears of; null: all';
COMMENT ON COLUMN zentry_notify.webhooks.milestones IS 'The milestones that it hears of; null: all';
COMMENT ON COLUMN zentry_notify.webhooks.quiet_hours IS 'When nothing is sent to it; null: never';
COMMENT ON COLUMN zentry_notify.webhooks.held_until IS 'When the quiet hours that it is in now are over, and when the digest leaves that gathers now (quiet_hours and digest say which); null: neither';
COMMENT ON COLUMN zentry_notify.webhooks.mention IS 'Whom its messages ping; null: nobody';
COMMENT ON COLUMN zentry_notify.webhooks.username IS 'The name that its messages in Discord and Mattermost come from; null: zentry_notify.username decides';
COMMENT ON COLUMN zentry_notify.webhooks.avatar_url IS 'The picture that its messages in Discord and Mattermost come with, an https URL; null: zentry_notify.avatar_url decides';
COMMENT ON COLUMN zentry_notify.webhooks.announce IS 'In Discord, Google Chat and Mattermost, a line of text stands above the events: a phone''s notification shows it, and of embeds alone it shows nothing. In Slack it always does';
COMMENT ON COLUMN zentry_notify.webhooks.thread_name IS 'For a forum of Discord: each message becomes a post of this name; null: into the channel, or the thread of ?thread_id= in the URL';
COMMENT ON COLUMN zentry_notify.webhooks.applied_tags IS 'For a forum of Discord: ids of the tags that these posts get';

COMMENT ON COLUMN zentry_notify.webhooks.rate_limit IS 'How many messages it may get, and in what time, such as 25/5min; 0: no limit; null: zentry_notify.teams_rate for Microsoft''s hosts, and the vendor''s answers for others';
COMMENT ON COLUMN zentry_notify.webhooks.rate_group IS 'Webhooks of the same group share their rate, the lowest of theirs: flows that one person owns; null: it is on its own';
COMMENT ON COLUMN zentry_notify.webhooks.notify_webhook_id IS 'The webhook that is told when this one starts to fail, is switched off or lets deliveries expire; null: those with notices are';
COMMENT ON COLUMN zentry_notify.webhooks.notices IS 'It is told of the trouble of every other webhook that names none of its own in notify_webhook_id';
COMMENT ON COLUMN zentry_notify.webhooks.digest IS 'When what has gathered leaves, as one message with counts and the last ten events: 1 hour after the first of them, or by a cron expression such as 0 9 * * 1-5 Europe/Berlin; null: what waits leaves at once, up to max_events_per_message in a message';
COMMENT ON COLUMN zentry_notify.webhooks.thread_by IS 'For Google Chat: what the messages of a thread have in common, task or project; a message holds events of one thread only; null: each message begins one of its own';
COMMENT ON COLUMN zentry_notify.webhooks.header_names IS 'Names of the headers that its requests have besides; their values are secrets';

-- For event_message and zentry_test_webhook, which take what they know of a row (appearance::Appearance), as the worker does.
CREATE OR REPLACE FUNCTION zentry_notify.appearance_of(webhook_id bigint) RETURNS text
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT to_json(w)::text FROM zentry_notify.webhook w WHERE w.id = webhook_id
$$;
COMMENT ON FUNCTION zentry_notify.appearance_of(bigint) IS 'What the webhook''s messages are made by, as JSON: its row';

-- The log of 0.2.0 as a view, with that table's columns and types. Both branches are plain tables with subqueries, no joins and no conditions: only then
-- does the planner merge them in the order of an index. Indexes of delivery have the status as it is spelt here.
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
    'Every delivery with its event''s data: what waits (pending, retry) and what became of the rest (sent, failed)';
COMMENT ON COLUMN zentry_notify.notification_log.id IS 'Deliveries of an integration leave in this order';
COMMENT ON COLUMN zentry_notify.notification_log.webhook_integration_id IS 'Where it goes';
COMMENT ON COLUMN zentry_notify.notification_log.event_type IS 'What happened';
COMMENT ON COLUMN zentry_notify.notification_log.payload IS
    'The event''s data, without what the integration does not get; JSON null once it is done with, while zentry_notify.log_payloads is off';
COMMENT ON COLUMN zentry_notify.notification_log.status IS 'pending: not tried yet; retry: waits for next_attempt_at; sent; failed: given up, error_message says why';
COMMENT ON COLUMN zentry_notify.notification_log.response_status_code IS 'HTTP status of the last answer; null: none came';
COMMENT ON COLUMN zentry_notify.notification_log.response_body IS 'First 1000 characters of the last answer';
COMMENT ON COLUMN zentry_notify.notification_log.error_message IS 'What went wrong, for people; empty when nothing did';
COMMENT ON COLUMN zentry_notify.notification_log.retry_count IS 'How many times this delivery was sent anew by hand (zentry_retry)';
COMMENT ON COLUMN zentry_notify.notification_log.attempts IS 'How many times it was posted; waiting for a rate limit is no attempt';
COMMENT ON COLUMN zentry_notify.notification_log.created_at IS 'When the event happened';
COMMENT ON COLUMN zentry_notify.notification_log.sent_at IS 'When the endpoint took it';
COMMENT ON COLUMN zentry_notify.notification_log.next_attempt_at IS 'When it is tried again, in status retry';
COMMENT ON COLUMN zentry_notify.notification_log.retry_of IS 'The failed delivery that this one repeats';

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
       -- As zentry_notify.retried_as, with the rights of the view.
       CASE WHEN l.status = 'failed' THEN
           greatest((SELECT max(d.id) FROM zentry_notify.delivery d WHERE d.retry_of = l.id),
                    (SELECT max(d.id) FROM zentry_notify.legacy_delivery d
                      WHERE d.webhook_integration_id = l.webhook_integration_id AND d.status IN ('sent', 'failed') AND d.id > l.id AND d.retry_of = l.id),
                    (SELECT max(d.id) FROM zentry_notify.legacy_delivery d
                      WHERE d.webhook_integration_id = l.webhook_integration_id AND d.status IN ('pending', 'retry') AND d.id > l.id AND d.retry_of = l.id))
       END AS retried_as
  FROM zentry_notify.notification_log l
  LEFT JOIN zentry_notify.webhook w ON w.id = l.webhook_integration_id;
COMMENT ON VIEW zentry_notify.logs IS 'The log with the name and the type of each delivery''s integration';
COMMENT ON COLUMN zentry_notify.logs.webhook_integration_name IS 'The integration''s name';
COMMENT ON COLUMN zentry_notify.logs.webhook_type IS 'Which service it is of, or webhook for a program: zentry_webhook_types() lists them';
COMMENT ON COLUMN zentry_notify.logs.retried_as IS 'The delivery that repeats this one, which failed; null: none does';

-- The rest are the log's own columns, described once.
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT a.attname, pg_catalog.col_description(a.attrelid, a.attnum) AS text
               FROM pg_catalog.pg_attribute a
              WHERE a.attrelid OPERATOR(pg_catalog.=) 'zentry_notify.notification_log'::pg_catalog.regclass
                AND a.attnum OPERATOR(pg_catalog.>) 0
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN zentry_notify.logs.%I IS %L', c.attname, c.text);
    END LOOP;
END
$$;

-- By the key alone: who asks for a delivery's gets no more than these read.
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
    'The requests for a delivery that came to nothing: of every delivery the first fifty, and the last when it was given up. What became of it in the end is in logs';
COMMENT ON COLUMN zentry_notify.attempts.log_id IS 'The delivery, as logs.id';
COMMENT ON COLUMN zentry_notify.attempts.number IS 'Its place among those of the delivery, from 1';
-- Each is a span, whose id everybody works out in the same way (Traceparent::of_delivery in crates/webhook): a receiver of the message may know it already.
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
    'Finished deliveries of events that were written while zentry_notify.traceparent was set: a span each. zentry-notify exports them to OpenTelemetry';
COMMENT ON COLUMN zentry_notify.delivery_traces.delivery_id IS 'Number of the delivery';
COMMENT ON COLUMN zentry_notify.delivery_traces.event_id IS 'Number of the event';
COMMENT ON COLUMN zentry_notify.delivery_traces.event_type IS 'What happened';
COMMENT ON COLUMN zentry_notify.delivery_traces.webhook_integration_id IS 'Where it went';
COMMENT ON COLUMN zentry_notify.delivery_traces.webhook_integration_name IS 'The integration''s name';
COMMENT ON COLUMN zentry_notify.delivery_traces.webhook_type IS 'Which service it is of, or webhook for a program: zentry_webhook_types() lists them';
COMMENT ON COLUMN zentry_notify.delivery_traces.traceparent IS 'The span that it is below, as W3C Trace Context writes it';
COMMENT ON COLUMN zentry_notify.delivery_traces.span_id IS 'Its own span''s id, 16 hexadecimal digits: always the same';
COMMENT ON COLUMN zentry_notify.delivery_traces.captured_at IS 'When the event happened: the span begins';
COMMENT ON COLUMN zentry_notify.delivery_traces.finished_at IS 'When it was sent or given up: the span ends';
COMMENT ON COLUMN zentry_notify.delivery_traces.status IS 'sent, or failed: given up, error_message says why';
COMMENT ON COLUMN zentry_notify.delivery_traces.response_status_code IS 'HTTP status of the last answer; null: none came';
COMMENT ON COLUMN zentry_notify.delivery_traces.error_message IS 'What went wrong, for people; empty when nothing did';
COMMENT ON COLUMN zentry_notify.delivery_traces.attempts IS 'How many times it was posted; waiting for a rate limit is no attempt';

-- The configuration without a privilege on its tables.
CREATE OR REPLACE VIEW zentry_notify.event_types AS
SELECT t.name, t.title, t.built_in, t.created_at, t.text, t.fields, t.colour, t.emoji, t.footer, t.time_key, t.sample,
       t.url, t.thumbnail
  FROM zentry_notify.event_type t;
COMMENT ON VIEW zentry_notify.event_types IS 'The kinds of events that there are, and what their messages say without anybody''s wording';
CREATE OR REPLACE VIEW zentry_notify.event_wordings AS
SELECT w.event_type, w.webhook_integration_id, w.title, w.text, w.fields, w.colour, w.emoji, w.footer, w.created_at, w.url, w.thumbnail, w.language
  FROM zentry_notify.event_wording w;
COMMENT ON VIEW zentry_notify.event_wordings IS 'What was set with zentry_set_wording and zentry_set_language; null: as before';
CREATE OR REPLACE VIEW zentry_notify.event_sources AS
SELECT s.id, s.event_type, s.relation, s.columns, s.audience, s.progress, s.suspended_at, s.suspended_reason, s.created_at, s.insert_when,
       s.update_when, s.delete_when, s.rider, s.by_hand, s.omit, s.transition
  FROM zentry_notify.event_source s;
COMMENT ON VIEW zentry_notify.event_sources IS 'Which table fires which event, and why it does not (suspended_reason)';

-- Of tokens, and of who came by one, those see something who see the list of tokens. A barrier: nobody's function is asked about what is left out.
CREATE OR REPLACE VIEW zentry_notify.audit_log WITH (security_barrier) AS
SELECT e.id, e.changed_at, e.transaction, e.session_role, e.role_name,
       CASE WHEN (SELECT has_table_privilege('zentry_notify.api_tokens', 'SELECT')) THEN e.api_token END AS api_token,
       e.object_type, e.object_key, e.object_name, e.webhook_id, e.operation, e.changes
  FROM zentry_notify.audit_entry e
 WHERE e.object_type <> 'api_token' OR (SELECT has_table_privilege('zentry_notify.api_tokens', 'SELECT'));
COMMENT ON VIEW zentry_notify.audit_log IS
    'Who changed which webhook, event type, wording, event source or API token, when, and from what to what, without secrets. Readers see nothing of tokens';

DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT v.attrelid::pg_catalog.regclass AS shown, v.attname, pg_catalog.col_description(t.attrelid, t.attnum) AS text
               FROM (VALUES ('zentry_notify.event_type'::pg_catalog.regclass, 'zentry_notify.event_types'::pg_catalog.regclass),
                            ('zentry_notify.event_source', 'zentry_notify.event_sources'),
                            ('zentry_notify.event_wording', 'zentry_notify.event_wordings'),
                            ('zentry_notify.audit_entry', 'zentry_notify.audit_log'),
                            ('zentry_notify.delivery_attempt', 'zentry_notify.attempts')) AS pair (kept, shown)
               JOIN pg_catalog.pg_attribute t ON t.attrelid OPERATOR(pg_catalog.=) pair.kept AND t.attnum OPERATOR(pg_catalog.>) 0
               JOIN pg_catalog.pg_attribute v ON v.attrelid OPERATOR(pg_catalog.=) pair.shown AND v.attname OPERATOR(pg_catalog.=) t.attname
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', c.shown, c.attname, c.text);
    END LOOP;
END
$$;

-- The view webhooks had it until now.
ALTER TABLE zentry_notify.webhook DROP COLUMN webhook_url;

-- ---- 17_webhook_integration.sql ----

-- The view webhook_integration, which the application alone may read, because it shows URLs: what is written to it, as Django writes it, and by the
-- functions that register and change webhooks.

-- A subquery and no join, so that SELECT ... FOR UPDATE works. Without conditions, so that COPY and every client find a table's behaviour:
-- write_integration takes what is written.
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
    'Webhooks and what they hear of. Writing here directly is as good as calling the zentry_* functions: the same rules hold';
COMMENT ON COLUMN zentry_notify.webhook_integration.id IS 'The number that zentry_test_webhook and the other functions take';
COMMENT ON COLUMN zentry_notify.webhook_integration.name IS 'A name for people, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.webhook_integration.webhook_type IS 'Which service it is of, or webhook for a program: zentry_webhook_types() lists them';
COMMENT ON COLUMN zentry_notify.webhook_integration.webhook_url IS 'The webhook''s address. A secret: who knows it can post to the channel. The view zentry_notify.webhooks shows it redacted';
COMMENT ON COLUMN zentry_notify.webhook_integration.project_id IS 'The project whose events are sent; null: every project''s';
COMMENT ON COLUMN zentry_notify.webhook_integration.created_by_id IS 'The application''s user who registered it';
COMMENT ON COLUMN zentry_notify.webhook_integration.event_types IS 'JSON array of names of zentry_notify.event_type; ["*"]: all, also those added later';
COMMENT ON COLUMN zentry_notify.webhook_integration.is_active IS 'Off: nothing is captured for it, and what waits is held back';
COMMENT ON COLUMN zentry_notify.webhook_integration.created_at IS 'When it was registered';
COMMENT ON COLUMN zentry_notify.webhook_integration.updated_at IS 'When it was changed last; keeps itself';
COMMENT ON COLUMN zentry_notify.webhook_integration.max_events_per_message IS 'How many waiting events may leave as one message, 1 to 10; 1: a message for each';
COMMENT ON COLUMN zentry_notify.webhook_integration.min_interval IS 'The shortest time between two messages';
COMMENT ON COLUMN zentry_notify.webhook_integration.max_age IS 'Deliveries older than this fail as expired; null: zentry_notify.max_age decides';
COMMENT ON COLUMN zentry_notify.webhook_integration.activated_at IS 'When it was registered, switched on again or given another URL; what went wrong before is forgotten then. Keeps itself';
COMMENT ON COLUMN zentry_notify.webhook_integration.switched_off_at IS 'When the extension switched it off because its endpoint is gone; cleared by a new URL or by setting is_active';
COMMENT ON COLUMN zentry_notify.webhook_integration.switched_off_reason IS 'Why the extension switched it off';
COMMENT ON COLUMN zentry_notify.webhook_integration.omit_keys IS
    'Keys of the events'' data that this webhook''s deliveries do not have, such as {task_description}: they are neither kept nor sent';
COMMENT ON COLUMN zentry_notify.webhook_integration.filter IS 'Only events whose data this JSON path predicate is true of are heard, such as $.points > 20; null: all';
COMMENT ON COLUMN zentry_notify.webhook_integration.min_streak_days IS 'Of daily_streak, only streaks of so many days are heard; null: all';
COMMENT ON COLUMN zentry_notify.webhook_integration.milestones IS 'Of milestone_reached, only these are heard, in per cent; null: all';
COMMENT ON COLUMN zentry_notify.webhook_integration.quiet_hours IS 'When nothing is sent, such as 22:00-07:00 Europe/Berlin, or Mon-Fri 20:00-08:00, Sat-Sun 00:00-24:00 UTC; what comes meanwhile is sent afterwards';
COMMENT ON COLUMN zentry_notify.webhook_integration.mention IS 'Whom each message pings, such as role:ID or user:ID in Discord; zentry_webhook_types() has what each service knows';
COMMENT ON COLUMN zentry_notify.webhook_integration.username IS 'The name that its messages in Discord and Mattermost come from; null: zentry_notify.username decides';
COMMENT ON COLUMN zentry_notify.webhook_integration.avatar_url IS 'The picture that its messages in Discord and Mattermost come with, an https URL; null: zentry_notify.avatar_url decides';
COMMENT ON COLUMN zentry_notify.webhook_integration.announce IS 'In Discord, Google Chat and Mattermost, a line of text stands above the events: a phone''s notification shows it, and of embeds alone it shows nothing. In Slack it always does';
COMMENT ON COLUMN zentry_notify.webhook_integration.thread_name IS 'For a forum of Discord: each message becomes a post of this name; null: into the channel, or the thread of ?thread_id= in the URL';
COMMENT ON COLUMN zentry_notify.webhook_integration.applied_tags IS 'For a forum of Discord: ids of the tags that these posts get';
COMMENT ON COLUMN zentry_notify.webhook_integration.rate_limit IS 'How many messages it may get, and in what time, such as 25/5min; 0: no limit; null: zentry_notify.teams_rate for Microsoft''s hosts, and the vendor''s answers for others';
COMMENT ON COLUMN zentry_notify.webhook_integration.rate_group IS 'Webhooks of the same group share their rate, the lowest of theirs: flows that one person owns; null: it is on its own';
COMMENT ON COLUMN zentry_notify.webhook_integration.notify_webhook_id IS 'The webhook that is told when this one starts to fail, is switched off or lets deliveries expire; null: those with notices are';
COMMENT ON COLUMN zentry_notify.webhook_integration.notices IS 'It is told of the trouble of every other webhook that names none of its own in notify_webhook_id';
COMMENT ON COLUMN zentry_notify.webhook_integration.digest IS 'When what has gathered leaves, as one message with counts and the last ten events: 1 hour after the first of them, or by a cron expression such as 0 9 * * 1-5 Europe/Berlin; null: what waits leaves at once, up to max_events_per_message in a message';
COMMENT ON COLUMN zentry_notify.webhook_integration.thread_by IS 'For Google Chat: what the messages of a thread have in common, task or project; a message holds events of one thread only; null: each message begins one of its own';

CREATE OR REPLACE FUNCTION zentry_notify.no_such_webhook(webhook_id bigint) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'no_such_webhook_wrapper';
COMMENT ON FUNCTION zentry_notify.no_such_webhook(bigint) IS 'Raises the error for an id that is null or unknown';

-- What is allowed and as a rule not meant. Who asks for it must not fail for its sake: the application's table of projects is looked at.
-- By its index, as ours are: a session keeps the plan that it made while a table was small. Why jit is off stands in 25_audit.sql.
CREATE OR REPLACE FUNCTION zentry_notify.doubts(webhook_id bigint) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    webhook zentry_notify.webhook;
    lookup  jsonb;
BEGIN
    SELECT w.* INTO webhook FROM zentry_notify.webhook w WHERE w.id = webhook_id;
    -- OFFSET 0: in the order of ids, every webhook would be looked at.
    RETURN QUERY
    SELECT format('webhook %s (%s) has the same URL: what both hear of arrives twice', o.id, o.name)
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
            NULL; -- nobody knows
        END;
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.doubts(bigint) IS
    'What is allowed of a webhook and as a rule not meant, in words: another one has its URL, it hears nothing, its project does not exist';

-- Whatever is written to the view webhook_integration. Only what changed is written on, so that a whole row that is saved takes back nothing that
-- another one has changed meanwhile; and the URL is in no statement unless it is new. force_generic_plan, here and where URLs are arguments: plans
-- of their own have the values in them, and auto_explain logs plans.
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
    -- What is no array of names, check_webhook refuses.
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
                'Copy it from where the service shows it.', 'webhook_url');
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
        -- Headers and credentials are secrets of where they were given for.
        ON CONFLICT (webhook_integration_id) DO UPDATE
           SET webhook_url = EXCLUDED.webhook_url, headers = NULL,
               signing_secret = CASE WHEN zentry_notify.type_has(OLD.webhook_type, 'credentials') THEN NULL ELSE s.signing_secret END;
    END IF;
    IF TG_OP = 'UPDATE' AND url_is_new THEN
        -- What the old URL has asked for is not asked by the new one.
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
COMMENT ON FUNCTION zentry_notify.write_integration() IS 'Trigger: what is written to webhook_integration goes to webhook, its URL to webhook_secret';
-- ---- 18_webhook_functions.sql ----

-- Register, change and delete webhooks. The rules are those of the tables (check_webhook) and of what is written to their view.

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
            'notices => true has a webhook told of the trouble of the others, and notify_webhook_id of theirs has one told of that one''s.', 'event_types');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_event_types(jsonb) IS 'An error that names those of the event types that there are not';

-- STABLE: what catches an error cannot run in a parallel query.
CREATE OR REPLACE FUNCTION zentry_notify.to_filter(filter text) RETURNS jsonpath
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN nullif(filter, '')::jsonpath;
EXCEPTION WHEN syntax_error OR data_exception THEN
    PERFORM zentry_notify.refuse('invalid_parameter_value', format('filter is no JSON path: %s', SQLERRM),
        'For example $.points > 20, or $.project_name starts with "Web".', 'filter');
END
$$;
COMMENT ON FUNCTION zentry_notify.to_filter(text) IS 'The JSON path that the text is; null for an empty one';

CREATE OR REPLACE FUNCTION zentry_notify.to_interval(value text, parameter text) RETURNS interval
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN value::interval;
EXCEPTION WHEN data_exception THEN
    PERFORM zentry_notify.refuse('invalid_parameter_value', format('%s is no length of time: "%s"', parameter, left(value, 50)),
        'For example 30 seconds, or 1 day.', parameter);
END
$$;
COMMENT ON FUNCTION zentry_notify.to_interval(text, text) IS 'The length of time that the text is, or an error that names the parameter';

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
    'Registers a webhook and returns its id. webhook_type: one of zentry_webhook_types(); project_id null: every project; event_types null: all; secret, of type webhook: what to sign by, null: one is made, and zentry_new_secret gives one that is shown; of type nats: credentials (the content of a .creds file, a user''s seed, user:password or a token); headers: what its requests have besides. The rest is as in zentry_notify.webhook_integration; what is empty, or 0, is as if it were left out';

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
    'Changes what is given and leaves the rest; headers are all that there are then, {}: none, and a new URL takes them away; project_id 0: every project; what is empty, and min_streak_days, notify_webhook_id or max_age of 0, is taken away; a new URL, other headers or is_active => true bring back a webhook that was switched off';

-- What is null stays as it is, and {} takes the headers away. Who changes them mends a webhook that fails: it is tried again.
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
    -- Names of headers are the same in any case; so those are that are kept.
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
COMMENT ON FUNCTION zentry_notify.set_signing(bigint, text, jsonb) IS 'Writes what was checked: what a webhook''s requests are signed by and what headers they have besides';

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
            'Its URL is its secret: make a new one where the service shows it, and give it to zentry_update_webhook.', 'webhook_id');
    END IF;
    PERFORM zentry_notify.check_signing(kind, nullif(secret, ''), NULL);
    IF grace IS NULL OR grace NOT BETWEEN '0' AND '30 days' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('grace must be 0 to 30 days, not %s', coalesce(grace::text, 'null')),
            'So long requests are signed by the secret of before, too; 0: by the new one alone, at once.', 'grace');
    END IF;
    -- One that is made is no parameter of any statement.
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
    'Gives a webhook of type webhook a new secret to sign by, the given one or one that is made, and returns it: nothing else ever shows it. Until grace is over, requests are signed by the one of before, too; 0: by the new one alone. Of type nats: other credentials, from now on; an empty text: none';

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
COMMENT ON FUNCTION @extschema@.zentry_delete_webhook(bigint) IS 'Deletes a webhook with whatever still waits for it and its log; of a long log the worker takes away the rest';

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
COMMENT ON FUNCTION zentry_notify.not_null(text, text) IS 'The value, or an error that names the parameter';

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
COMMENT ON FUNCTION zentry_notify.check_length(text, integer, text) IS 'An error that names the parameter when the value is too long';

-- The log of a webhook that is gone. In the order of an index, so that what is there no more is not looked for in the whole log.
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
    -- By a subquery, whose length the planner does not know: for many that it knows it would read the whole table.
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
COMMENT ON FUNCTION zentry_notify.forget_deliveries(bigint, integer) IS 'Deletes a webhook''s deliveries, at most so many, and returns how many there were';

CREATE OR REPLACE FUNCTION zentry_notify.forget_deleted(most integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deleted bigint;
    removed bigint := 0;
BEGIN
    -- As many notes as rows at most: each costs a look into the indexes.
    FOR deleted IN SELECT d.webhook_integration_id FROM zentry_notify.deleted_webhook d LIMIT most LOOP
        -- Somebody may have given the number to another one at the same time.
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
    'Deletes at most so many deliveries of webhooks that were deleted, and returns how many there were. The worker calls it';
-- ---- 19_delivery_functions.sql ----

-- Sample events, and deliveries sent anew.

-- Already routed: the worker does not ask who hears of it.
CREATE OR REPLACE FUNCTION zentry_notify.queue(event_type text, data jsonb, webhook_ids bigint[], sample boolean DEFAULT false) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET check_function_bodies = on
AS $$
#variable_conflict use_variable
DECLARE
    event_id bigint;
BEGIN
    IF event_type IS NULL OR data IS NULL OR EXISTS (SELECT FROM unnest(webhook_ids) AS w (id) WHERE w.id IS NULL) THEN
        PERFORM zentry_notify.refuse('null_value_not_allowed', 'an event has a type and data, and webhooks have numbers',
            'zentry_test_event(event_type) queues a sample for every webhook that hears it.');
    END IF;
    -- The transaction has its number before the event has: the route cursor relies on that.
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
    'Writes an event with a delivery to each of these webhooks, and returns the ids of these; the message of a sample says that it is one';

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
           -- As the worker asks of an event.
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
    'Queues a sample of the event, or the given data, for every active webhook that hears it in that project (null: the lowest project id that an active webhook has), and returns the ids in the log';

CREATE OR REPLACE FUNCTION @extschema@.zentry_retry(log_id bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
DECLARE
    entry   zentry_notify.notification_log;
    limited timestamptz;
    new_id  bigint;
BEGIN
    -- The view's own row, once nobody else may change it.
    PERFORM FROM zentry_notify.delivery d WHERE d.id = log_id FOR UPDATE;
    PERFORM FROM zentry_notify.legacy_delivery d WHERE d.id = log_id FOR UPDATE;
    SELECT l.* INTO entry FROM zentry_notify.notification_log l WHERE l.id = log_id;
    IF NOT FOUND THEN
        PERFORM zentry_notify.refuse('no_data_found', format('there is no delivery with id %s', coalesce(log_id::text, '(null)')),
            'SELECT id, status FROM zentry_notify.logs ORDER BY id DESC lists them.');
    END IF;
    CASE entry.status
        WHEN 'retry' THEN
            -- An endpoint's rate limit holds for everybody.
            SELECT max(l.next_attempt_at) INTO limited FROM zentry_notify.notification_log l
             WHERE l.webhook_integration_id = entry.webhook_integration_id AND l.status = 'retry'
               AND l.next_attempt_at > now() AND l.error_message LIKE '429: %';
            IF limited IS NOT NULL THEN
                RAISE NOTICE 'delivery % waits for a rate limit, and is sent at %', log_id, limited;
                RETURN log_id;
            END IF;
            -- Its turn comes after that of those before it.
            UPDATE zentry_notify.delivery d SET next_attempt_at = now()
             WHERE d.webhook_integration_id = entry.webhook_integration_id AND d.status IN ('p', 'r') AND d.status = 'r' AND d.id <= log_id;
            UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
             WHERE d.webhook_integration_id = entry.webhook_integration_id AND d.status = 'retry' AND d.id <= log_id;
            new_id := log_id;
            PERFORM zentry_notify.wake(ARRAY[entry.webhook_integration_id], true);
        WHEN 'failed' THEN
            IF entry.retry_count >= 3 THEN
                PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('delivery %s was already retried %s times', log_id, entry.retry_count),
                    'Mend the cause first; a new event starts afresh.', '', format('It last failed with: %s', entry.error_message));
            END IF;
            IF entry.payload = 'null' THEN
                PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('delivery %s has no data any more', log_id),
                    'While zentry_notify.log_payloads is off, the data of a delivery is not kept when it is done with.');
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
    'Sends a failed delivery again as a new one (at most 3 times along one chain) and returns its id; one that waits for its next attempt is made due now, with those before it, unless the endpoint limits the rate';

CREATE OR REPLACE FUNCTION zentry_notify.reopen(webhook_id bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A change of activated_at starts afresh (check_webhook), and lets the worker read it again.
    UPDATE zentry_notify.webhook w SET activated_at = clock_timestamp()
     WHERE w.id = webhook_id
       AND (w.switched_off_at IS NOT NULL
            OR EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id)
            OR EXISTS (SELECT FROM zentry_notify.webhook_state s WHERE s.webhook_integration_id = w.id AND (s.failures > 0 OR s.refusals > 0)));
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- An endpoint's rate limit holds for everybody.
    UPDATE zentry_notify.delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('p', 'r') AND d.next_attempt_at > now() AND d.error_message NOT LIKE '429: %';
    UPDATE zentry_notify.legacy_delivery d SET next_attempt_at = now()
     WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry') AND d.next_attempt_at > now() AND d.error_message NOT LIKE '429: %';
    PERFORM zentry_notify.wake(ARRAY[webhook_id], true);
END
$$;
COMMENT ON FUNCTION zentry_notify.reopen(bigint) IS 'A webhook works again: what went wrong is forgotten, and what waits for it is sent now';

CREATE OR REPLACE FUNCTION zentry_notify.retried_as(log_id bigint, webhook_id bigint) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- legacy_delivery has no index by retry_of; what repeats a delivery comes after it, and goes to the same webhook.
    SELECT max(n.id)
      FROM (SELECT d.id FROM zentry_notify.delivery d WHERE d.retry_of = log_id
             UNION ALL
            SELECT d.id FROM zentry_notify.legacy_delivery d
             WHERE d.webhook_integration_id = webhook_id AND d.status IN ('sent', 'failed') AND d.id > log_id AND d.retry_of = log_id
             UNION ALL
            SELECT d.id FROM zentry_notify.legacy_delivery d
             WHERE d.webhook_integration_id = webhook_id AND d.status IN ('pending', 'retry') AND d.id > log_id AND d.retry_of = log_id) n
$$;
COMMENT ON FUNCTION zentry_notify.retried_as(bigint, bigint) IS 'The delivery that repeats this one of that webhook; null: none does';

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
    -- As in queue.
    PERFORM pg_current_xact_id();
    -- Each becomes an event of its own, of now: what was given up is as a rule older than max_age.
    WITH failed AS MATERIALIZED (
        SELECT l.id, l.webhook_integration_id, l.event_type, l.payload, l.retry_count
          FROM zentry_notify.notification_log l
         WHERE l.status = 'failed'
           AND l.retry_count < 3
           -- No join: the planner would look for each webhook through all that has failed, or through all that it has heard.
           AND (l.webhook_integration_id IN (SELECT w.id FROM zentry_notify.webhook w WHERE w.is_active)) IS TRUE
           AND (webhook_id IS NULL OR l.webhook_integration_id = webhook_id)
           -- Concatenated, so that PostgreSQL 18 and newer do not skip through the log for all of that type: less has failed.
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
        SELECT c.event_id, c.event_type, c.payload::json, '{"routed": true}' FROM chosen c ORDER BY c.event_id),
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
    -- A change of activated_at forgets what was seen of the endpoint (check_webhook), and brings back one that is gone.
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
    -- With nothing to try it with, it is not known to work: the next event will show.
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
    'Tries a webhook now that is failing, gone, or told to wait: what its endpoint has asked for is forgotten, also a limit that Discord has set for all webhooks, of other databases too, and the first of what waits leaves; where nothing waits, it is failing until something has been taken. Quiet hours hold';
-- ---- 20_notices.sql ----

-- Notices: a webhook's trouble is reported to another webhook when it begins, and not again before it is over. A notice that fails makes no
-- notice.

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
    -- The state that the notice is about has to be written even if the notice cannot be.
    RAISE WARNING 'zentry_notify: nobody is told that webhook % %: %', webhook_id, what, SQLERRM;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of(bigint, text, text) IS 'Queues a notice of a webhook''s trouble for the webhook that its notify_webhook_id names, or, where there is none or it is off, for those with notices';

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

-- The owner of the tables may write notification_log as if it were a table: dumps of 0.2.0 bring rows, and whoever restores a copy may want
-- to delete what waited. A row with an id is one of 0.2.0's.
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
            -- The data are those of all deliveries of the event. An event that another delivery waits for is kept.
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
COMMENT ON FUNCTION zentry_notify.write_log() IS 'Trigger: writes what the owner of the tables writes to notification_log to delivery and event, or to legacy_delivery';

ALTER VIEW zentry_notify.notification_log
    ALTER COLUMN status SET DEFAULT 'pending',
    ALTER COLUMN response_body SET DEFAULT '',
    ALTER COLUMN error_message SET DEFAULT '',
    ALTER COLUMN retry_count SET DEFAULT 0,
    ALTER COLUMN attempts SET DEFAULT 0,
    ALTER COLUMN created_at SET DEFAULT pg_catalog.now();

-- The view has no index for the newest rows of a webhook or an event type. delivery_log has a run of ids for each pair of these, and this
-- function goes from run to run. Failed and waiting deliveries have indexes of their own. The text is composed of constants, so that each
-- combination of arguments has a plan of its own. Readers, who have no privilege on the tables, learn ids of rows that the views show them.
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
    -- The runs that exist.
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
    'Returns the ids of the newest deliveries of these webhooks, this event type and this status (null: all) below before_id; with after_id, of the oldest above it';

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
-- These functions run with the rights of the caller, so that PostgreSQL itself checks that role: what SET ROLE or the session's user may do
-- says nothing where a function of another role runs, in a REINDEX by a superuser for instance. They write the extension's tables, on which
-- nobody has a privilege, as the extension's owner.

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
     -- This is for people: the trigger compares what transition and progress name.
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

-- A condition was parsed when it was given, and its stored text is never parsed again by itself. The table's owner, or a superuser, may
-- give it once more: then it is parsed as that role.
CREATE OR REPLACE FUNCTION zentry_notify.given_columns(source zentry_notify.event_source) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- A null keeps zentry_attach from guessing a column for a key that was to have none.
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
COMMENT ON FUNCTION zentry_notify.given_columns(zentry_notify.event_source) IS 'Returns the argument columns of zentry_attach that makes the source what it is';

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
COMMENT ON FUNCTION zentry_notify.attach_again(zentry_notify.event_source) IS 'Returns the call of zentry_attach that makes a source and the triggers of its condition again';

CREATE OR REPLACE FUNCTION zentry_notify.has_own_condition(source zentry_notify.event_source) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT source.transition IS NULL AND source.progress IS NULL
       AND EXISTS (SELECT FROM unnest(ARRAY[source.insert_when, source.update_when, source.delete_when]) w WHERE w NOT IN ('true', 'OLD.* *<> NEW.*'))
$$;
COMMENT ON FUNCTION zentry_notify.has_own_condition(zentry_notify.event_source) IS 'Returns whether its triggers have a condition that was given as SQL, which zentry_attach() does not parse again';

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
    'Returns the event sources of existing tables, as the arguments of zentry_attach that make them; built_in: zentry_attach() makes it without arguments';

CREATE OR REPLACE FUNCTION @extschema@.zentry_detach(relation regclass, event_type text DEFAULT NULL) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_detach_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_detach(regclass, text) IS 'Detaches a table, from all event types or from one: its triggers are removed, and it fires them no more. Needs the table''s owner';

CREATE OR REPLACE FUNCTION @extschema@.zentry_omit(event_type text, relation regclass, keys text[]) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_omit_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_omit(text, regclass, text[]) IS 'Sets the keys of an event''s data that are left out for every webhook, such as {task_description}: their columns are not read. Attaching again keeps them. Needs the table''s owner';
-- ---- 23_route_cursor.sql ----

-- The route cursor: restoring it from a dump, and what is not routed yet.

-- A dump's events without its cursor look as if they were still to be routed. The settings that a dump begins with may also be in force
-- when others write events; so the worker and the triggers write as the agent, and functions that write events pin the settings.
CREATE OR REPLACE FUNCTION zentry_notify.await_cursor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE zentry_notify.route_cursor c SET restored = 'awaited' WHERE c.restored = 'no';
    -- A dump may bring deliveries before their events.
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
    -- The holes of the cursor and the ids above it, each by the primary key.
    SELECT count(*)
      FROM (SELECT FROM unnest('{(,)}'::int8multirange - coalesce((SELECT c.routed FROM zentry_notify.route_cursor c), '{}')) AS gap
              CROSS JOIN LATERAL (
                   SELECT FROM zentry_notify.event e
                    WHERE e.id >= coalesce(lower(gap), -9223372036854775808) AND e.id < coalesce(upper(gap), 9223372036854775807)
                    LIMIT 100000) e
             LIMIT 100000) waiting
$$;
COMMENT ON FUNCTION zentry_notify.unrouted_events() IS
    'Returns how many events the worker has still to route; 100000: at least so many';

CREATE OR REPLACE FUNCTION zentry_notify.unrouted_since() RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (SELECT e.created_at FROM zentry_notify.event e
             WHERE e.id >= coalesce(lower(gap), -9223372036854775808) AND e.id < coalesce(upper(gap), 9223372036854775807)
             ORDER BY e.id LIMIT 1) AS created_at
      FROM unnest('{(,)}'::int8multirange - coalesce((SELECT c.routed FROM zentry_notify.route_cursor c), '{}')) AS gap
     ORDER BY created_at LIMIT 1
$$;
COMMENT ON FUNCTION zentry_notify.unrouted_since() IS 'Returns when the first event that is not routed happened; null: all are routed';

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
COMMENT ON FUNCTION zentry_notify.route_from_now() IS 'Marks all events as routed. For a database whose dump had events and no cursor';
-- ---- 24_replication.sql ----

-- What logical replication and TRUNCATE do to the extension's tables, and how a subscriber takes over.

-- What belongs to another server's worker means nothing here, and would be sent a second time. The table of a source and the role of a
-- token may be other ones here, or missing.
CREATE OR REPLACE FUNCTION zentry_notify.drop_replicated() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN NULL; END $$;
COMMENT ON FUNCTION zentry_notify.drop_replicated() IS 'Trigger: drops rows of events, deliveries, counters, sources, tokens and the audit log that logical replication brings';

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
COMMENT ON FUNCTION zentry_notify.sequences_behind() IS 'Returns the sequences whose next number their table has already, with the highest number in the table';

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

-- A number that came again would be taken for what had it before: by the worker for what it holds in memory, by the cursor, by receivers.
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
        -- Nothing of these is left to send.
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
COMMENT ON FUNCTION zentry_notify.keep_numbering() IS 'Trigger: makes TRUNCATE ... RESTART IDENTITY continue above the numbers that were given, and deletes what belongs to the rows';
-- ---- 25_audit.sql ----

-- The audit log: triggers on the tables of the configuration write who changed what into audit_entry.

-- The function that the triggers below call. A definer function does not see who calls it, so it goes by the session: who logged in, and
-- the role that SET ROLE has set. The server names its token, and is believed if it may look tokens up and acts as that token's role. No
-- statement here holds a secret, since statements, plans and their parameters can be logged. The indexes are used whatever the tables' size: a session keeps the plans that it made while
-- they were small, and may go on to register thousands of webhooks. Nothing is compiled: the planner puts a price on a
-- scan that it is not to use which would ask for that.
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
        -- A dump brings its own entries, and nobody has changed what comes with the extension. A session that could do neither is not
        -- believed.
        IF zentry_notify.is_restoring() AND pg_has_role(acting_oid, (SELECT c.relowner FROM pg_class c WHERE c.oid = relation), 'USAGE')
           AND (tg_op = 'INSERT' AND pg_trigger_depth() = 1 OR object_type = 'event_source' AND pg_trigger_depth() = 2) THEN
            RETURN;
        END IF;
        -- Columns that a row keeps itself, and that the worker writes, are no configuration.
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
        -- A URL that was set as a title or a name by mistake is not kept when that is corrected. That of the webhook itself is redacted already.
        IF strpos(concat(CASE WHEN is_secret THEN changes - 'webhook_url' ELSE changes END, object_name), '://') > 0 THEN
            FOR known IN SELECT s.webhook_url AS url, zentry_notify.redact_url(s.webhook_url) AS shown
                           FROM zentry_notify.webhook_secret s WHERE strpos(changes::text, s.webhook_url) > 0 LOOP
                changes := replace(changes::text, known.url, known.shown);
                object_name := replace(object_name, known.url, known.shown);
            END LOOP;
        END IF;
        -- A webhook and its secrets are one object to people: a statement that writes both makes one entry.
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
    'Writes into audit_entry the values of a row that have changed, old and new; changed: keys that changed although they look the same';

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
COMMENT ON FUNCTION zentry_notify.audit_webhook() IS 'Trigger: records in audit_entry who changes what of a webhook';

-- What handles a secret is a simple expression, which has no plan and is in no log.
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
    -- The secrets go with their webhook.
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, before, after, 'webhook', id::text, webhook_id => id, changed => changed);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_webhook_secret() IS 'Trigger: records in audit_entry, with the webhook, that a URL, a signing secret or headers change';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'event_type', coalesce(NEW.name, OLD.name), coalesce(NEW.name, OLD.name));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_type() IS 'Trigger: records in audit_entry who changes what of an event type';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_source() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'event_source', coalesce(NEW.event_type, OLD.event_type),
                                       coalesce(NEW.relation, OLD.relation)::text);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_source() IS 'Trigger: records in audit_entry who changes what of an event source';

CREATE OR REPLACE FUNCTION zentry_notify.audit_event_wording() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET IntervalStyle = postgres
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, to_jsonb(OLD), to_jsonb(NEW), 'wording', coalesce(NEW.event_type, OLD.event_type),
                                       webhook_id => coalesce(NEW.webhook_integration_id, OLD.webhook_integration_id));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_event_wording() IS 'Trigger: records in audit_entry who changes what of a wording';

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
COMMENT ON FUNCTION zentry_notify.audit_api_token() IS 'Trigger: records in audit_entry who changes what of an API token';

CREATE OR REPLACE FUNCTION zentry_notify.audit_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    PERFORM zentry_notify.audit_change(TG_OP, TG_RELID, NULL, NULL,
        CASE TG_TABLE_NAME WHEN 'webhook_secret' THEN 'webhook' WHEN 'event_wording' THEN 'wording' ELSE TG_TABLE_NAME END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.audit_truncate() IS 'Trigger: records in audit_entry who truncates a table of the configuration';
-- ---- 26_api.sql ----

-- What the REST API's server and its clients need of the database: tokens, and names for ids.

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
        -- This holds for a dump's rows too, whose role has the number of another cluster.
        NEW.role_oid := role;
    END IF;
    -- Functions of the extension write as its owner, once they have checked the caller. Others may get here by pg_write_all_data.
    IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        IF TG_OP = 'UPDATE' THEN
            RAISE EXCEPTION 'a token cannot be changed' USING ERRCODE = 'insufficient_privilege', HINT = 'Revoke it, and make another one.'; -- as in require_owner
        END IF;
        -- Whoever may write here may remove tokens of a role that is gone.
        IF TG_OP = 'INSERT' OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = role) THEN
            PERFORM zentry_notify.require_membership(role);
        END IF;
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_api_token() IS 'Trigger: lets only roles that have the privileges of a token''s role create and revoke it, and nobody change it';

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
COMMENT ON FUNCTION zentry_notify.require_membership(oid) IS 'Raises an error unless the current role has the privileges of this one';

-- These two run with the rights of the caller: a definer function sees the session's user, who may be a superuser while a function of a
-- manager runs, and would hand out tokens for that user's roles. put_api_token and drop_api_token, in Rust, check the caller and write as
-- the owner.
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
    -- Whoever has stolen a token has access until it expires, and not for ever by a new one.
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
    'For the server: returns role and hash of a valid token; nulls when there is none. The server compares the hash';

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
COMMENT ON FUNCTION zentry_notify.lookup_of(text) IS 'Returns the table and columns of the look-up that gives this key of an attached table''s data; null: there is none';

CREATE OR REPLACE FUNCTION zentry_notify.look_up_in(relation oid, key text, shown text, ids bigint[]) RETURNS TABLE (id bigint, shown_as text)
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'look_up_in_wrapper';
COMMENT ON FUNCTION zentry_notify.look_up_in(oid, text, text, bigint[]) IS
    'Returns what a table has beside these ids, as far as the caller may read it. It is read as the table''s owner, restricted';

-- Names that Zentry's clients expect beside ids. Callers that may not read the application's table get none.
CREATE OR REPLACE FUNCTION zentry_notify.look_up(data_key text, ids bigint[]) RETURNS TABLE (id bigint, shown text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT l.id, l.shown_as
      FROM zentry_notify.lookup_of(data_key) s (lookup)
      CROSS JOIN LATERAL zentry_notify.look_up_in(to_regclass(s.lookup ->> 'from'), s.lookup ->> 'match', s.lookup ->> 'column', ids) l
$$;
COMMENT ON FUNCTION zentry_notify.look_up(text, bigint[]) IS
    'Returns what the attached tables'' look-ups (project_name, user_name) give for these ids, as far as the caller may read it';
-- ---- 27_sender_sessions.sql ----

-- The sessions of zentry-notify send. It calls what is here and in the two files after this one, and nothing else. Whoever calls names a sender, which
-- has to be of this very session: a session that is over can't write, so that what it held is free for others the moment it has ended. Clocks decide
-- nothing. Nothing here is made of text that is stored.

CREATE OR REPLACE FUNCTION zentry_notify.sender_signal() RETURNS name
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'zentry_notify_senders'::name
$$;
COMMENT ON FUNCTION zentry_notify.sender_signal() IS
    'The channel that senders listen on. What is said there is a hint and nothing more, since anybody may notify: queues, settings, or numbers of webhooks';

-- A pooler in session mode gives a session to somebody else when its client has gone, and resets it: then this name is gone as well.
CREATE OR REPLACE FUNCTION zentry_notify.sender_mark(sender bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'zentry-notify send ' || sender
$$;
COMMENT ON FUNCTION zentry_notify.sender_mark(bigint) IS 'The application_name of a session for as long as it is that sender''s';

-- The row is seen before the processes are: whoever has a row and no process is gone.
CREATE OR REPLACE FUNCTION zentry_notify.gone_senders() RETURNS SETOF bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.id
      FROM zentry_notify.sender s
     WHERE NOT EXISTS (SELECT FROM pg_stat_get_activity(s.process) a
                        WHERE a.pid = s.process AND a.backend_start = s.session_started AND a.application_name = zentry_notify.sender_mark(s.id))
$$;
COMMENT ON FUNCTION zentry_notify.gone_senders() IS 'Senders whose sessions are over';

CREATE OR REPLACE FUNCTION zentry_notify.forget_gone_senders() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint[];
BEGIN
    PERFORM pg_stat_clear_snapshot();
    gone := ARRAY(SELECT zentry_notify.gone_senders());
    IF gone <> '{}' THEN
        -- What somebody else is about to change is left to the next look: a sender that keeps a transaction open must not hold up the others.
        WITH free AS (SELECT q.webhook_integration_id AS id FROM zentry_notify.sender_queue q WHERE q.sender_id = ANY (gone) FOR UPDATE SKIP LOCKED)
        UPDATE zentry_notify.sender_queue q SET sender_id = NULL FROM free f WHERE q.webhook_integration_id = f.id;
        WITH free AS (SELECT s.id FROM zentry_notify.sender s WHERE s.id = ANY (gone) FOR UPDATE SKIP LOCKED)
        DELETE FROM zentry_notify.sender s USING free f
         WHERE s.id = f.id AND NOT EXISTS (SELECT FROM zentry_notify.sender_queue q WHERE q.sender_id = s.id);
        PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_gone_senders() IS 'What senders held whose sessions are over is nobody''s';

CREATE OR REPLACE FUNCTION zentry_notify.check_sender(sender bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM zentry_notify.sender s WHERE s.id = check_sender.sender AND s.process = pg_backend_pid()) THEN
        PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('sender %s is not of this session', coalesce(sender::text, 'null')),
            'A sender needs one session for as long as it runs: connect it to the server itself, or to a pooler in session mode. A pooler in transaction mode gives each transaction another session.');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_sender(bigint) IS 'An error unless the sender is of this session';

-- The session ends by itself when nothing is heard of the sender: so the server decides when a queue is free, and by the time that has passed.
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
            'It is how long the server waits for a word of the sender, such as 30 seconds.', 'patience');
    END IF;
    milliseconds := ceil(extract(epoch FROM patience) * 1000)::integer::text;
    FOREACH setting IN ARRAY '{idle_session_timeout,idle_in_transaction_session_timeout,statement_timeout,lock_timeout,tcp_user_timeout}'::text[] LOOP
        PERFORM set_config(setting, milliseconds, false);
    END LOOP;
    -- As the worker: what a sender reports waits for no standby.
    PERFORM set_config('synchronous_commit', 'local', false);
    PERFORM zentry_notify.forget_gone_senders();
    PERFORM zentry_notify.end_session();
    INSERT INTO zentry_notify.sender AS s (name, process, session_started, patience)
    SELECT begin_sending.name, a.pid, a.backend_start, begin_sending.patience FROM pg_stat_get_activity(pg_backend_pid()) a
    RETURNING s.id INTO sender;
    PERFORM set_config('application_name', zentry_notify.sender_mark(sender), false);
    PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    -- The worker offers what there is.
    PERFORM zentry_notify.wake_for_senders();
    RETURN sender;
END
$$;
COMMENT ON FUNCTION zentry_notify.begin_sending(text, interval) IS
    'Makes this session that of a sender, and returns its number. The session ends when the server has heard nothing of it for that long';

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
COMMENT ON FUNCTION zentry_notify.end_session() IS 'What senders of this session held is nobody''s';

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
COMMENT ON FUNCTION zentry_notify.end_sending(bigint) IS 'Ends what begin_sending began: all that it holds is nobody''s';
-- ---- 28_sender_queues.sql ----

-- Who holds which queue: what zentry-notify send takes and gives up, and what the worker offers, recalls and tells.

-- Queues of Discord are spread apart from the others, over the senders whose addresses Discord does not turn away. As many as can be held by all alike, and
-- one more by some.
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
                          -- The one more that some have is of Discord for the first ones, and another one for the last ones.
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
                       -- By some number, so that it is another one too where a standby goes on that has not heard of the last ones.
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
    'What a sender says now and then: takes queues up to its share, none of those that are busy, and returns them with their epochs, those that it has to let go, and what people have asked for. banned_until: Discord turns its address away';

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
COMMENT ON FUNCTION zentry_notify.release_queues(bigint, bigint[]) IS 'Gives up queues of which nothing is in flight and everything is recorded';

-- What the worker calls, as the agent.
CREATE OR REPLACE FUNCTION zentry_notify.offer_queues(webhook_ids bigint[]) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM zentry_notify.sender) AND NOT EXISTS (SELECT FROM zentry_notify.sender_queue) AND webhook_ids = '{}' THEN
        RETURN;
    END IF;
    PERFORM zentry_notify.forget_gone_senders();
    -- What a sender is about to change is not waited for: it stays somebody else's until the worker looks again.
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
    'These queues are for senders, and no others: those are recalled. Returns those that are not the worker''s yet: what is still held, or is being changed';

CREATE OR REPLACE FUNCTION zentry_notify.tell_senders(what text, retried bigint[], resumed bigint[]) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    told bigint[] := '{}';
BEGIN
    IF retried <> '{}' OR resumed <> '{}' THEN
        -- Whoever changes one of them takes it, gives it up, or hears of what was asked before: to wait for that might be for ever.
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
    'Tells senders, if there are any: queues, settings, or numbers of webhooks that something waits for. retried, resumed: what people have asked for. Returns those of these of which nothing could be noted, because somebody is about to change them';
-- ---- 29_sender_deliveries.sql ----

-- What zentry-notify send reads of the queues that it holds, and what it writes down of their deliveries.

CREATE OR REPLACE FUNCTION zentry_notify.sending_settings() RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_object_agg(substr(s.name, length('zentry_notify.') + 1), s.setting)
      FROM pg_settings s
     WHERE s.name = ANY ('{zentry_notify.sending,zentry_notify.username,zentry_notify.avatar_url,zentry_notify.link_base,zentry_notify.allowed_hosts,zentry_notify.allow_http,zentry_notify.allow_private_addresses,zentry_notify.request_timeout,zentry_notify.connect_timeout,zentry_notify.max_attempts,zentry_notify.max_age,zentry_notify.discord_rate,zentry_notify.teams_rate,zentry_notify.log_payloads}')
$$;
COMMENT ON FUNCTION zentry_notify.sending_settings() IS
    'The settings that a sender obeys, as this session has them: one that is new has those of now. proxy and ca_file are not among them, they are of the machine';

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
    'The webhooks that a sender holds, with their URLs and secrets, and what messages say; of others nothing';

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
           -- Not infinite, nor beyond what a sender can hold.
           l.attempts, greatest(least(e.created_at, '9000-01-01'), '0001-01-01'),
           CASE WHEN l.next_attempt_at IS NOT NULL THEN greatest(least(l.next_attempt_at, '9000-01-01'), '0001-01-01') END, l.event_id,
           e.id IS NOT NULL OR EXISTS (SELECT FROM zentry_notify.event later WHERE later.id > l.event_id),
           CASE WHEN e.id IS NOT NULL THEN l.traceparent END,
           -- A digest is all that has happened before it: what is not routed yet may be of it as well.
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
    'The first deliveries that wait of queues that the sender holds: at most so many of each, from these ids on, with the data of no more than the last shown. unrouted_since, of digests: when the first event happened of which nobody knows yet who hears of it; null: there is none';

-- As the worker records (src/worker/statements/deliveries.rs), for the queues whose epochs are still those that the outcomes come with. What is told is brought within
-- bounds that nothing true exceeds, so that who reads it, worker or sender, can.
CREATE OR REPLACE FUNCTION zentry_notify.record_outcomes(sender bigint, report jsonb) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Queues whose outcomes are taken.
    held     bigint[];
    refused  bigint[];
    earliest timestamptz := now() - interval '1 year';
    -- No endpoint may ask for more than a day.
    latest   timestamptz := now() + interval '2 days';
    most     bigint := 1000000000;
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    -- As the worker: what somebody else keeps locked is reported again, and holds up no other.
    PERFORM set_config('lock_timeout', '500ms', true);
    -- What this session holds nobody takes from it. What it does not hold, somebody may be about to take.
    PERFORM FROM zentry_notify.sender_queue q
            JOIN jsonb_to_recordset(report->'epochs') c (webhook_id bigint, epoch bigint) ON c.webhook_id = q.webhook_integration_id
           WHERE q.sender_id IS DISTINCT FROM record_outcomes.sender AND q.epoch = c.epoch
           ORDER BY q.webhook_integration_id FOR SHARE OF q;
    SELECT coalesce(array_agg(c.webhook_id) FILTER (WHERE m.mine), '{}'), coalesce(array_agg(c.webhook_id) FILTER (WHERE NOT m.mine), '{}')
      INTO held, refused
      FROM jsonb_to_recordset(report->'epochs') c (webhook_id bigint, epoch bigint)
      LEFT JOIN zentry_notify.sender_queue q ON q.webhook_integration_id = c.webhook_id
     CROSS JOIN LATERAL (
           -- An epoch is no secret: what the session of another role holds is that one's, whatever is told.
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
               -- What was against it when a person mended or resumed the webhook keeps it from nothing.
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
    -- Where the worker counts the first ones at the same time, the trigger adds both.
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
       -- One that is sent anew by hand may be given up again.
       AND a.row_number + (SELECT count(*) FROM (SELECT FROM zentry_notify.delivery_attempt k WHERE k.delivery_id = a.id LIMIT 100) known)
           <= CASE WHEN a.next_attempt_at IS NULL THEN 100 ELSE 50 END
    ON CONFLICT DO NOTHING;

    -- Of a webhook that is another one since it was read, nothing.
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
           -- A rate counts no more of them.
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

    -- What was counted happened, whichever sender holds the queue by now.
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
        -- Data that are not kept are for the worker to remove.
        PERFORM zentry_notify.wake('{}');
    END IF;
    RETURN refused;
END
$$;
COMMENT ON FUNCTION zentry_notify.record_outcomes(bigint, jsonb) IS
    'Writes down what became of deliveries, of the queues whose epochs are still those that it is reported with, and returns the others';
-- ---- 30_statistics.sql ----

-- Counters for people and for collectors of metrics.

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

-- While a dump is restored by several jobs, the worker may count what it sends before the dump's own row is there.
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

-- While a dump is restored, the worker may count what it sends before the dump's own rows are there.
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
    'Counters for a collector of metrics: they only grow, over restarts and whatever is removed from the log. For sums over event types use the rows that are not *, for requests those that are';
COMMENT ON COLUMN zentry_notify.delivery_totals.webhook_integration_name IS 'The integration''s name';
COMMENT ON COLUMN zentry_notify.delivery_totals.webhook_type IS 'Which service it is of, or webhook for a program: zentry_webhook_types() lists them';

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

-- Is it working, and if not, what do I do: what the cluster has (library, launcher, databases), and the settings.

CREATE OR REPLACE FUNCTION zentry_notify.server_state()
    RETURNS TABLE (library_version text, fits boolean, preloaded boolean, worker_died boolean, refused_since timestamptz, databases_waiting integer,
                   short_of_workers_since timestamptz, discord_parked_until timestamptz)
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'server_state_wrapper';
COMMENT ON FUNCTION zentry_notify.server_state() IS 'What the library and its shared memory know: one row';

CREATE OR REPLACE FUNCTION zentry_notify.ways_out()
    RETURNS TABLE (number integer, way text, requests bigint, unreached bigint, refused bigint, discord_parked_until timestamptz, down_until timestamptz)
    LANGUAGE c ROWS 2 AS 'MODULE_PATHNAME', 'ways_out_wrapper';
COMMENT ON FUNCTION zentry_notify.ways_out() IS
    'The ways out of zentry_notify.proxy, without logins, and of each since the server started: requests, those for which no connection came about, those that Discord refused (401, 403, 429); until when Discord has banned its address; when it is tried again because nobody was reached by it';

CREATE OR REPLACE FUNCTION zentry_notify.databases_with_work() RETURNS SETOF oid
    LANGUAGE c ROWS 10 AS 'MODULE_PATHNAME', 'databases_with_work_wrapper';
COMMENT ON FUNCTION zentry_notify.databases_with_work() IS 'Databases in which there may be something to do, and no worker is';

CREATE OR REPLACE FUNCTION zentry_notify.stuck_workers() RETURNS TABLE (database oid, pid integer, since timestamptz, replaced boolean)
    LANGUAGE c ROWS 1 AS 'MODULE_PATHNAME', 'stuck_workers_wrapper';
COMMENT ON FUNCTION zentry_notify.stuck_workers() IS
    'Processes of workers, of all databases, that were told to end because of what is looked up, and have not; and whether another one has their work';

-- A template, or one that takes no connections (launcher.rs).
CREATE OR REPLACE FUNCTION zentry_notify.closed_databases() RETURNS TABLE (database oid, name name, why text, remedy text)
    LANGUAGE sql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.oid, d.datname, CASE WHEN d.datallowconn THEN 'is a template' ELSE 'takes no connections' END,
           concat_ws(' ', CASE WHEN d.datistemplate THEN format('ALTER DATABASE %I IS_TEMPLATE false;', d.datname) END,
                     CASE WHEN NOT d.datallowconn THEN format('ALTER DATABASE %I ALLOW_CONNECTIONS true;', d.datname) END)
      FROM pg_database d
     WHERE (d.datistemplate OR NOT d.datallowconn) AND d.datconnlimit <> -2
$$;
COMMENT ON FUNCTION zentry_notify.closed_databases() IS 'Databases that no worker serves, why, and the statement that lets one in';

-- Names in a comment may hold the end of a line, behind which is no comment.
CREATE OR REPLACE FUNCTION zentry_notify.one_comment(remedy text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN remedy LIKE '--%' THEN translate(remedy, E'\n\r', '  ') ELSE remedy END $$;
COMMENT ON FUNCTION zentry_notify.one_comment(text) IS 'The remedy; one that begins as a comment is a comment to its end';

CREATE OR REPLACE FUNCTION zentry_notify.moment(at timestamptz) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN isfinite(at) THEN to_char(at, CASE WHEN at::date = current_date THEN 'HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI' END) ELSE at::text END $$;
COMMENT ON FUNCTION zentry_notify.moment(timestamptz) IS 'A time for people: without the date if it is today''s';

CREATE OR REPLACE FUNCTION zentry_notify.background_workers() RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FROM pg_stat_activity a
     WHERE a.backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer', 'walwriter',
                                  'archiver', 'logger', 'startup', 'walreceiver', 'walsender', 'walsummarizer', 'slotsync worker', 'io worker');
$$;
COMMENT ON FUNCTION zentry_notify.background_workers() IS 'How many processes take a place of max_worker_processes';

CREATE OR REPLACE FUNCTION zentry_notify.more_workers() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('ALTER SYSTEM SET max_worker_processes = %s; -- then restart the server',
                  current_setting('max_worker_processes')::int + current_setting('zentry_notify.max_workers')::int + 1);
$$;
COMMENT ON FUNCTION zentry_notify.more_workers() IS 'The remedy for too few places for background workers';

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
            '-- restart the server: it still has the library of before';
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
        -- One that is being dropped is locked, and gone when it is not any more.
        IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.classid = 'pg_database'::regclass AND l.objid = invalid.oid AND l.mode = 'AccessExclusiveLock' AND l.granted)
           AND has_database_privilege(invalid.oid, 'CONNECT') IS NOT NULL THEN
            RETURN QUERY SELECT 'database ' || quote_ident(invalid.datname), 'attention',
                'a DROP DATABASE of it was interrupted: nobody can connect to it, and nothing of it is sent', format('DROP DATABASE %I;', invalid.datname);
        END IF;
    END LOOP;
    -- Of this one the line of the worker tells.
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
                             'nobody is reached by it, and it is tried again at ' || zentry_notify.moment(o.down_until),
                             'Discord has banned its address until ' || zentry_notify.moment(o.discord_parked_until)),
                   CASE WHEN o.down_until IS NOT NULL THEN '-- see to this proxy; what can, goes by the others'
                        WHEN o.discord_parked_until IS NOT NULL THEN '-- it is waited for, and messages to Discord go by the others; see that nothing else at this address calls Discord too often'
                        ELSE '' END
              FROM zentry_notify.ways_out() o ORDER BY o.number;
    END IF;
    IF server.discord_parked_until > now() THEN
        RETURN QUERY SELECT 'Discord', 'attention', 'has banned this server''s address until ' || zentry_notify.moment(server.discord_parked_until),
            coalesce((SELECT format('SELECT @extschema@.zentry_resume(%s); -- once nothing else at this address calls Discord too often', min(w.id)) FROM zentry_notify.webhook w
                        JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id AND u.webhook_url ~ '^https://([a-z]+[.])?discord(app)?[.]com[/:]'
                       WHERE w.is_active HAVING count(*) > 0),
                     '-- it is waited for; see that nothing else at this address calls Discord too often');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.status_server() IS 'Status of what the cluster has: library, launcher, databases';

-- The worker is the bootstrap superuser's (10), so what is set for that role is the worker's; what is set for the role that asks is not.
CREATE OR REPLACE FUNCTION zentry_notify.set_for_worker(name text) RETURNS TABLE (value text, change text)
    LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(d.value,
                    CASE WHEN s.source IN ('default', 'configuration file', 'command line', 'environment variable', 'override') THEN s.reset_val
                         ELSE coalesce((SELECT f.setting FROM pg_file_settings f WHERE f.name = s.name AND f.applied ORDER BY f.seqno DESC LIMIT 1), s.boot_val) END),
           coalesce('ALTER ' || d.place, 'ALTER SYSTEM')
      FROM pg_settings s
      LEFT JOIN LATERAL (
           -- Of a role in a database, of a role, of a database, of all: the first holds.
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
    'What a worker that starts now has for a setting, whatever the session that asks has, and the beginning of the statement that changes it where it was set';

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
    -- Of each role and of all: what is set for this database holds, and then what is set for every one.
    stored AS (
        SELECT DISTINCT ON (e.name, e.setrole) e.* FROM entry e ORDER BY e.name, e.setrole, e.setdatabase = 0),
    setting AS (
        SELECT v.name, v.normal, v.means, s.setting AS here, s.reset_val, d.setdatabase,
               coalesce(d.value,
                        CASE WHEN s.source IN ('default', 'configuration file', 'command line', 'environment variable') THEN s.setting
                             -- This session has something else.
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
    -- An application's role, as a rule; one that loads data may be meant to be so.
    SELECT e.name, 'attention', format('writes of role %I fire nothing', pg_get_userbyid(e.setrole)),
           format('ALTER ROLE %I%s RESET %s;', pg_get_userbyid(e.setrole), CASE WHEN e.setdatabase = 0 THEN '' ELSE format(' IN DATABASE %I', current_database()) END, e.name)
      FROM stored e
     WHERE e.setrole <> 0 AND e.value <> e.normal
     UNION ALL
    -- What is not said above: set in this session, or before the session was given its settings.
    SELECT s.name, 'attention', s.means || ', in this session', format(CASE WHEN s.reset_val = s.normal THEN 'RESET %s;' ELSE 'SET %s = %s;' END, s.name, s.normal)
      FROM setting s
     WHERE s.here <> s.normal AND s.for_all = s.normal AND s.for_role = s.normal;
$$;
COMMENT ON FUNCTION zentry_notify.status_settings() IS 'Status of the settings that switch something off';
-- ---- 33_status_worker.sql ----

-- Status of this database's worker, and what it should be doing.

-- The worker records when it posted, as far as that counts for a rate that is worth waiting for.
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
    'Until when what is set for a webhook (its rate, its group''s, min_interval) holds its next message back, and what does; it may be over';

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
    'The first delivery of each webhook that nothing keeps from being sent but the worker: neither its quiet hours, nor its digest, nor the pace that is set for it. Those behind it wait for it';
COMMENT ON COLUMN zentry_notify.due_delivery.id IS 'Its number in the log';
COMMENT ON COLUMN zentry_notify.due_delivery.webhook_integration_id IS 'Where it goes';
COMMENT ON COLUMN zentry_notify.due_delivery.due_at IS 'Since when it may go';

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
        RETURN; -- the line of the library says why
    END;
    FOR stuck IN SELECT s.pid, s.since, s.replaced FROM zentry_notify.stuck_workers() s
                   JOIN pg_database d ON d.oid = s.database AND d.datname = current_database() ORDER BY s.since LOOP
        -- It takes three seconds until another one has its place.
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
COMMENT ON FUNCTION zentry_notify.status_worker() IS 'Status of this database''s worker';

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
                     CASE WHEN w.sends = 'remote' AND w.senders = 0 THEN format('nobody sends for %s webhooks', w.queues)
                          WHEN w.sends <> 'local' THEN format('%s webhooks are theirs', w.queues) END,
                     CASE WHEN w.banned > 0 THEN format('Discord turns %s of their addresses away', w.banned) END),
           CASE WHEN w.sends = 'remote' AND w.senders = 0 THEN '-- start zentry-notify send on a machine that may call out, as a role with SELECT @extschema@.zentry_grant(role, ''sender'')'
                WHEN w.sends = 'local' THEN '-- they have nothing to do: end them, or set zentry_notify.senders to remote'
                WHEN w.banned > 0 THEN '-- others have their webhooks of Discord, while there are any' ELSE '' END
      FROM who w
     WHERE w.sends <> 'local' OR w.senders > 0
$$;
COMMENT ON FUNCTION zentry_notify.status_senders() IS 'Status of senders on other machines; nothing while there are none and the worker sends';
-- ---- 34_status_tables.sql ----

-- Status of our own tables: the rights on them, what others have put on them or taken off, who locks them, what is replicated.

CREATE OR REPLACE FUNCTION zentry_notify.status_privileges() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Postgres keeps what CREATE EXTENSION granted: what is not there any more has been taken away since.
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
    -- CREATE EXTENSION takes no role that is more than this.
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
           -- From 16 on each grantor has a grant of its own.
           format('REVOKE %s FROM %s%s;', m.roleid::regrole, m.member::regrole,
                  CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' GRANTED BY ' || m.grantor::regrole END)
      FROM pg_auth_members m
     WHERE to_regrole('zentry_notify_agent') IN (m.roleid, m.member)
     UNION ALL
    -- PostgreSQL asks it of whoever makes a partition, which gets its table's triggers.
    SELECT 'privileges', 'attention', 'PUBLIC may not call zentry_notify.capture(): only superusers can attach tables, and make partitions of those that are attached',
           'GRANT EXECUTE ON FUNCTION zentry_notify.capture() TO PUBLIC;'
     WHERE NOT has_function_privilege('public', 'zentry_notify.capture()', 'EXECUTE')
     UNION ALL
    -- A later version's functions are nobody's: what an update grants, pg_dump would take for the extension's own and leave out.
    SELECT 'privileges', 'attention', format('%s may not call %s', g.grantee, min(f::text)),
           format('SELECT @extschema@.zentry_grant(%L, %L);', g.grantee, g.privilege)
      FROM zentry_notify.grants() g
      CROSS JOIN zentry_notify.functions_of(g.privilege) f
     WHERE NOT has_function_privilege(g.grantee, f, 'EXECUTE')
     GROUP BY g.grantee, g.privilege;
$$;
COMMENT ON FUNCTION zentry_notify.status_privileges() IS 'Status of the rights that the agent needs, and of those that zentry_grant gave';

CREATE OR REPLACE FUNCTION zentry_notify.status_tables() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'tables', 'broken', format('%s has row-level security: the worker does not see its rows', c.oid::regclass),
           format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY;', c.oid::regclass)
      FROM pg_class c
     WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
     UNION ALL
    -- What pg_restore --disable-triggers has switched off and on again is not what it was.
    SELECT 'tables', CASE t.tgenabled WHEN 'D' THEN 'broken' ELSE 'attention' END,
           format(CASE t.tgenabled WHEN 'D' THEN 'trigger %s on %s is disabled' ELSE 'trigger %s on %s does not fire when it has to' END,
                  quote_ident(t.tgname), t.tgrelid::regclass),
           format('ALTER TABLE %s ENABLE %sTRIGGER %I;', t.tgrelid::regclass, meant.mode, t.tgname)
      FROM pg_trigger t
      JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
      JOIN zentry_notify.own_triggers() meant ON meant.relation = c.relname AND meant.name = t.tgname
     WHERE (t.tgenabled = 'D' OR meant.mode = 'REPLICA ' AND t.tgenabled <> 'R' OR meant.mode = 'ALWAYS ' AND t.tgenabled <> 'A')
     UNION ALL
    -- As after a switch-over of logical replication: the next number is one that there is already.
    SELECT 'tables', 'broken', format('%s is behind its table', b.sequence), format('SELECT setval(%L, %s);', b.sequence, b.highest)
      FROM zentry_notify.sequences_behind() b
     UNION ALL
    -- A table that was made in the place of one that was renamed: sessions and worker go by the name.
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
    -- Who owns it may put on it what runs with the rights of those who write it. A sequence belongs to who has its table.
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
    -- What the worker and the triggers write. On the others an application may have triggers of its own.
    SELECT 'tables', 'attention', format('trigger %I on %s is not the extension''s: it runs within what writes there, and an error of it loses events or holds them up',
                                         t.tgname, t.tgrelid::regclass),
           format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass)
      FROM pg_trigger t
      JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'zentry_notify'::regnamespace
     WHERE NOT t.tgisinternal
       AND c.relname IN ('event', 'event_detail', 'delivery', 'route_cursor', 'webhook_circuit', 'webhook_count', 'delivery_stat', 'project_progress', 'progress_note')
       AND NOT EXISTS (SELECT FROM zentry_notify.members() m WHERE m.classid = 'pg_proc'::regclass AND m.objid = t.tgfoid)
     UNION ALL
    -- What is sent is sent in the order of its numbers.
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
    -- Who may write them, lock them or put a trigger on them has more than any of our privileges; who reads all may make dumps.
    SELECT 'tables', 'attention', format('%s may %s on %s, which is the extension''s alone', coalesce(r.name, 'PUBLIC'), string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), c.oid::regclass),
           format('REVOKE ALL ON %s FROM %s;', c.oid::regclass, coalesce(r.name, 'PUBLIC'))
      FROM pg_class c
      CROSS JOIN LATERAL aclexplode(c.relacl) a
      LEFT JOIN LATERAL (SELECT quote_ident(g.rolname) AS name, g.rolname FROM pg_roles g WHERE g.oid = a.grantee) r ON true
     WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relname = ANY (zentry_notify.own_tables())
       AND a.grantee <> c.relowner AND r.rolname IS DISTINCT FROM 'zentry_notify_agent' AND a.privilege_type <> 'SELECT'
     GROUP BY c.oid, r.name
     UNION ALL
    SELECT 'tables', 'attention', format('%s may create things in the schema zentry_notify', coalesce(quote_ident(r.rolname), 'PUBLIC')),
           format('REVOKE CREATE ON SCHEMA zentry_notify FROM %s;', coalesce(quote_ident(r.rolname), 'PUBLIC'))
      FROM pg_namespace n
      CROSS JOIN LATERAL aclexplode(n.nspacl) a
      LEFT JOIN pg_roles r ON r.oid = a.grantee
     WHERE n.nspname = 'zentry_notify' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner;
$$;
COMMENT ON FUNCTION zentry_notify.status_tables() IS 'Status of our own tables: what others have put on them or taken off';

-- Who waits to have a table alone lets nobody in behind.
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
COMMENT ON FUNCTION zentry_notify.status_locks() IS 'Status of our own tables: who keeps everybody else from them';

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
COMMENT ON FUNCTION zentry_notify.subscribed_tables() IS 'The tables that logical replication, built-in or pglogical''s, brings into this database';

-- Rows that are applied were told of where they were written, if that server has the extension. Where it has, some of our own tables come along, or nothing
-- of it is seen here.
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
    -- As FOR ALL TABLES does.
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
COMMENT ON FUNCTION zentry_notify.status_replication() IS 'Status of logical replication that would have messages go out twice, or secrets go out at all';
-- ---- 35_status_events.sql ----

-- Status of events on their way: the attached tables, what is routed, the webhooks, the queue, the failures.

-- PostgreSQL takes what it reads for large, and would compile it for seconds.
CREATE OR REPLACE FUNCTION zentry_notify.status_sources() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
    WITH RECURSIVE family (source, oid) AS (
        SELECT s.id, s.relation::oid FROM zentry_notify.event_source s
         UNION
        SELECT f.source, i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid),
    trigger AS (
        -- What a source attached by 0.1.0 has is not known, until somebody attaches it again. Partitions get their table's from PostgreSQL, and
        -- keep them.
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
                      -- By zentry_attach, which makes it depend on the extension. Those of partitions are PostgreSQL's.
                      wanted.name IS NULL
                      OR bool_and(t.tgparentid <> 0 OR EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
                                                               WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
                                                                 AND d.refclassid = 'pg_extension'::regclass)) IS NOT FALSE AS made
                 FROM pg_trigger t
                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgfoid = 'zentry_notify.capture()'::regprocedure
                  AND CASE WHEN wanted.name IS NULL THEN t.tgname <> 'zentry_notify_moved' ELSE t.tgname = wanted.name END) t
         WHERE t.present OR c.oid = s.relation OR NOT c.relispartition),
    swapped AS (
        -- Another table has the name by which one of Zentry's was attached.
        SELECT s.id, z.relation
          FROM zentry_notify.event_source s
          JOIN zentry_notify.zentry_source z ON z.event_type = s.event_type
         WHERE NOT s.by_hand AND to_regclass(z.relation) <> s.relation
           AND NOT EXISTS (SELECT FROM zentry_notify.event_source o WHERE o.event_type = s.event_type AND o.relation = to_regclass(z.relation))),
    fault AS (
        -- The first of each source.
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
                WHEN f.present AND f.live THEN format('trigger %I on %s was made by somebody else: it may fire for other writes', f.name, f.relation)
                WHEN f.present THEN format('trigger %I on %s is disabled', f.name, f.relation)
                WHEN f.itself AND NOT f.all_gone THEN format('trigger %I on %s is gone', f.name, f.relation)
                WHEN f.itself THEN format('the triggers on %s are gone', f.relation)
                WHEN f.id IS NOT NULL THEN format('%s inherits from %s and has no trigger for it: what is written to it fires nothing', f.relation, s.relation)
                WHEN x.strange THEN format('%s; its expressions were given by %s, and the table belongs to %s now: they are not run, with null in their place',
                                           s.relation, coalesce(s.written_by, 'nobody knows whom'), pg_get_userbyid(c.relowner))
                WHEN s.suspended_reason IS NOT NULL THEN format('%s; %s', s.relation, s.suspended_reason)
                WHEN t.name IS NULL THEN format('%s fires an event type that there is no more: nobody hears of it', s.relation)
                ELSE format('%s', s.relation) END,
           CASE WHEN c.oid IS NULL THEN format('SELECT @extschema@.zentry_detach(%s);', s.relation::oid)
                WHEN w.id IS NOT NULL THEN 'SELECT * FROM @extschema@.zentry_attach();'
                WHEN f.present AND NOT f.live AND s.suspended_at IS NULL THEN format('ALTER TABLE %s ENABLE TRIGGER %I;', f.relation, f.name)
                -- Not as a call: whoever runs it would let somebody else's SQL run as the owner.
                WHEN x.strange THEN format('-- look at its columns in zentry_notify.event_sources, and attach it again with those expressions that are to run as %s: zentry_attach(%L, %L, columns => ...)',
                                           pg_get_userbyid(c.relowner), s.event_type, s.relation::text)
                WHEN f.id IS NOT NULL AND NOT (f.present AND NOT f.live) AND zentry_notify.has_own_condition(s) THEN zentry_notify.attach_again(s)
                -- Attaching again does not give the owner what it must be able to read, nor make a table of a view.
                WHEN s.suspended_reason ~ 'row-level security|permission denied' AND b.remedy IS NOT NULL THEN b.remedy || ' SELECT * FROM @extschema@.zentry_attach();'
                -- Attached again as it is, it would end a worker again.
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
                WHEN s.suspended_reason IS NOT NULL OR s.suspended_at IS NOT NULL OR f.id IS NOT NULL THEN 'SELECT * FROM @extschema@.zentry_attach();'
                ELSE '' END
      FROM zentry_notify.event_source s
      LEFT JOIN pg_class c ON c.oid = s.relation
      LEFT JOIN zentry_notify.event_type t ON t.name = s.event_type
      LEFT JOIN LATERAL (
           -- Of the tables that it looks into, those that the owner of the attached one may not read.
           SELECT string_agg(zentry_notify.one_comment(m.statement), ' ' ORDER BY m.statement COLLATE "C" DESC) AS remedy
             FROM (SELECT DISTINCT n.oid AS schema, n.nspname, l.oid, l.relowner, l.relrowsecurity, l.relforcerowsecurity
                     -- What is no look-up, but a constant, names nothing.
                     FROM jsonb_path_query(jsonb_build_array(s.columns, s.audience), '$[*].* ? (!exists(@.value)).**.from') f (name)
                     JOIN pg_class l ON l.relkind IN ('r', 'p', 'm')
                     JOIN pg_namespace n ON n.oid = l.relnamespace AND format('%I.%I', n.nspname, l.relname) = f.name #>> '{}') l
             JOIN pg_roles o ON o.oid = c.relowner
            CROSS JOIN LATERAL (
                  -- Not as a call: whoever runs it would give the owner what the owner asks for.
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
COMMENT ON FUNCTION zentry_notify.status_sources() IS 'Status of the attached tables';

CREATE OR REPLACE FUNCTION zentry_notify.status_events() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH cursor AS (
        SELECT s.since, c.restored IS NULL OR c.restored = 'awaited' AS awaited,
               -- What nobody can have captured yet.
               coalesce(upper_inf(c.routed) OR upper(c.routed)::numeric > greatest((SELECT q.last_value FROM zentry_notify.event_id_seq q),
                                                                                 (SELECT max(e.id) FROM zentry_notify.event e))::numeric + 1, false) AS ahead
          FROM (SELECT zentry_notify.unrouted_since() AS since) s
          LEFT JOIN zentry_notify.route_cursor c ON true)
    SELECT 'routing',
           CASE WHEN c.awaited OR c.ahead THEN 'broken' WHEN c.since < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
           CASE WHEN c.awaited THEN 'events were restored without the row of zentry_notify.route_cursor: nothing is routed. The remedy takes them as sent; where they were not, UPDATE zentry_notify.route_cursor SET restored = ''no'' sends all that waits'
                WHEN c.ahead THEN 'zentry_notify.route_cursor takes events for routed that are still to come: nobody will hear of them'
                WHEN c.since IS NULL THEN 'every event is routed'
                ELSE format('%s events wait for it, the first since %s', zentry_notify.unrouted_events(), zentry_notify.moment(c.since)) END,
           CASE WHEN c.awaited OR c.ahead THEN 'SELECT zentry_notify.route_from_now();'
                WHEN c.since < now() - interval '5 minutes' THEN 'SELECT zentry_notify.wake(''{}''); -- if that does not help, see the line of the worker' ELSE '' END
      FROM cursor c
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', format('the database does not take %s of its deliveries: they stay in memory, and near 10000 nothing more is routed', count(*)),
            '-- the server log says why, in a line that begins with zentry_notify'
       FROM zentry_notify.route_cursor c
      CROSS JOIN jsonb_each(c.split) e
      CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value ELSE '[]' END) w (id)
      GROUP BY w.id ORDER BY count(*) DESC LIMIT 20)
     UNION ALL
    SELECT 'lost events', 'attention', format('%s since the server started: they could not be written, and nobody hears of them', l.lost),
           '-- the server log has a warning for each, which begins with zentry_notify'
      FROM (SELECT zentry_notify.lost_events() AS lost) l WHERE l.lost > 0;
$$;
COMMENT ON FUNCTION zentry_notify.status_events() IS 'Status of what was captured: whether the worker has found out who hears of it, and whether any is lost';

CREATE OR REPLACE FUNCTION zentry_notify.status_webhooks() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH setting AS MATERIALIZED (
        -- As the worker has them, who may have others than the session that asks.
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
           coalesce(string_agg(format('%s %s', n.count, n.state), ', ' ORDER BY n.state), 'none is registered: nobody hears anything'),
           CASE WHEN count(*) = 0 THEN 'SELECT @extschema@.zentry_register_webhook(''NAME'', ''discord'', ''URL'');' ELSE '' END
      FROM (SELECT w.state, count(*) FROM webhook w GROUP BY w.state) n
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', 'has no URL any more, somebody has taken its row of zentry_notify.webhook_secret away: nothing is sent',
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
                 -- What is said of threads is mended by the webhook's own settings.
                 WHEN w.reason ~ 'thread_name is for forum|has both thread_name and' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, thread_name => ''''), @extschema@.zentry_resume(%s)', w.id, w.id)
                     || CASE w.state WHEN 'gone' THEN format(', @extschema@.zentry_retry_failed(%s);', w.id) ELSE ';' END
                 WHEN w.reason ~ 'is a forum, whose messages need a thread' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, thread_name => ''NAME''), @extschema@.zentry_resume(%s)', w.id, w.id)
                     || CASE w.state WHEN 'gone' THEN format(', @extschema@.zentry_retry_failed(%s);', w.id) ELSE ';' END
                 WHEN w.reason ~ '^the (webhook has no secret|secret (must|is not))' THEN format('SELECT @extschema@.zentry_new_secret(%s);', w.id)
                 -- As it is, it would end a worker again.
                 WHEN w.state = 'gone' AND w.reason ~ '^its filter ' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, filter => ''''), @extschema@.zentry_resume(%s), @extschema@.zentry_retry_failed(%s);', w.id, w.id, w.id)
                 WHEN w.state = 'gone' THEN format('SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL''), @extschema@.zentry_retry_failed(%s);', w.id, w.id)
                 -- What stands between here and the webhook: trying again mends none of it.
                 WHEN w.reason ~ 'by way of zentry_notify[.]proxy|a proxy between here and the webhook asks for a login' AND (SELECT s.value <> '' FROM setting s WHERE s.name = 'zentry_notify.proxy') THEN
                     format('-- see to the proxy, or name another one: %s SET zentry_notify.proxy = ''URL''; SELECT pg_reload_conf(); and then SELECT @extschema@.zentry_resume(%s);',
                            (SELECT s.change FROM setting s WHERE s.name = 'zentry_notify.proxy'), w.id)
                 WHEN w.reason ~ 'by way of --proxy' THEN
                     format('-- see to the proxy of zentry-notify send, which is its option --proxy; and then SELECT @extschema@.zentry_resume(%s);', w.id)
                 WHEN w.reason ~ 'is not a public address' AND NOT (SELECT s.value::boolean FROM setting s WHERE s.name = 'zentry_notify.allow_private_addresses') THEN
                     format('%s SET zentry_notify.allow_private_addresses = on; SELECT pg_reload_conf(); SELECT @extschema@.zentry_resume(%s);',
                            (SELECT s.change FROM setting s WHERE s.name = 'zentry_notify.allow_private_addresses'), w.id)
                 ELSE format('SELECT @extschema@.zentry_resume(%s);', w.id) END
       FROM webhook w WHERE w.state IN ('gone', 'failing') AND w.lacks IS NULL ORDER BY w.state DESC, w.id LIMIT 20)
     UNION ALL
    (SELECT format('stream of webhook %s', w.id), 'attention', w.stream_note,
            '-- configure the stream as docs/guide/nats.md says; this line goes when the next event has passed'
       FROM webhook w WHERE w.stream_note IS NOT NULL ORDER BY w.id LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_webhooks() IS 'Status of the integrations: how many are in which state, the first 20 that fail or are gone, and the first 20 streams that are not as they should be';

CREATE OR REPLACE FUNCTION zentry_notify.status_queue() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- What is held is as its webhook wants it.
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
      -- Of the first alone it is asked when it happened: each answer is a look at its event.
      LEFT JOIN zentry_notify.notification_log l ON l.id = q.first
      LEFT JOIN (SELECT d.due_at, d.webhook_integration_id FROM zentry_notify.due_delivery d ORDER BY d.due_at LIMIT 1) d ON true
     UNION ALL
    -- Nothing is wrong with what waits for its turn, unless it is more than the rate takes.
    (SELECT format('webhook %s', p.id), CASE WHEN p.oldest < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
            format('%s wait for its %s: the next message leaves at %s', p.pending, p.what, zentry_notify.moment(p.until)),
            CASE WHEN p.oldest < now() - interval '5 minutes' THEN '-- more comes than leaves: raise that, let it hear of less, or give it a digest' ELSE '' END
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
        -- One that fails has a line of its own.
        AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = l.webhook_integration_id)
      GROUP BY l.webhook_integration_id ORDER BY max(l.next_attempt_at) DESC LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_queue() IS 'Status of what waits';

CREATE OR REPLACE FUNCTION zentry_notify.mended_failures(since timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Back along the chains that end with a success. What repeats another delivery is little, and has an index.
    WITH RECURSIVE mended (id) AS (
        SELECT d.retry_of FROM zentry_notify.delivery d WHERE d.retry_of IS NOT NULL AND d.status = 's' AND d.finished_at >= since
         UNION
        SELECT d.retry_of FROM mended m JOIN zentry_notify.delivery d ON d.id = m.id WHERE d.retry_of IS NOT NULL)
    SELECT count(*) FROM mended m JOIN zentry_notify.delivery d ON d.id = m.id AND d.status = 'f' AND d.finished_at >= since;
$$;
COMMENT ON FUNCTION zentry_notify.mended_failures(timestamptz) IS 'How many deliveries that failed since then were repeated with success';

CREATE OR REPLACE FUNCTION zentry_notify.status_log() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'failures', CASE WHEN f.day > 0 THEN 'attention' ELSE 'ok' END,
           format('%s in 24 hours', f.day) || CASE WHEN f.mended = 0 THEN '' ELSE format(', and %s that were sent anew', f.mended) END
               || CASE WHEN e.last_failed_at IS NULL THEN ''
               ELSE format('; the last, %s: %s', zentry_notify.moment(e.last_failed_at), left(e.last_error, 200)) END,
           CASE WHEN f.day = 0 THEN ''
                -- Which of them are mended is not known by webhook: in doubt there is something to send.
                WHEN f.day <= f.off AND f.mended = 0 THEN '-- they are of webhooks that are switched off: nothing is sent to these'
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
                THEN format('the last event is of %s, and now it is %s', l.created_at, now()) ELSE date_trunc('second', now())::text END,
           CASE WHEN l.created_at > clock_timestamp() + interval '1 minute' THEN '-- the server''s clock was set back: set it right' ELSE '' END
      FROM (SELECT greatest((SELECT e.created_at FROM zentry_notify.event e ORDER BY e.id DESC LIMIT 1),
                            (SELECT d.created_at FROM zentry_notify.legacy_delivery d ORDER BY d.id DESC LIMIT 1)) AS created_at) l;
$$;
COMMENT ON FUNCTION zentry_notify.status_log() IS 'Status of what became of deliveries, and of the time';
-- ---- 36_status.sql ----

-- The whole status. One function for each part of the way from the write to the message; what they return, zentry_status() returns.

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
COMMENT ON FUNCTION zentry_notify.status_part(text) IS 'One of the parts of zentry_status()';

-- Whatever our tables hold, and whoever locks them: the other parts are told all the same, and nobody is waited for.
CREATE OR REPLACE FUNCTION @extschema@.zentry_status() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
AS $$
DECLARE
    -- The schema of these functions may have been renamed since they were made.
    here      CONSTANT text := (SELECT e.extnamespace::regnamespace FROM pg_extension e WHERE e.extname = 'zentry_notify') || '.zentry_';
    is_locked boolean := false;
    part      text;
    line      record;
BEGIN
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
                detail := 'cannot be found out while a table is locked';
                remedy := '-- see the line of the table, or ask again';
                RETURN NEXT;
            WHEN OTHERS THEN
                -- Without PostgreSQL's message, which may show a value.
                subject := part;
                state := 'broken';
                detail := format('cannot be found out (SQLSTATE %s): somebody has changed our tables, or has written into them what does not belong there', SQLSTATE);
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
    'Whether everything works: one row for each part of the way from the write to the message. state is ok, attention or broken; remedy is the SQL that mends it, or a comment that says what to do';
-- ---- 37_import.sql ----

-- The integrations of the application's own notifications, taken over.

-- Reading is the caller's, with their rights, and of plain tables with plain types alone: a view, a type's cast, a policy or a column that is
-- computed when it is read would run its author's code with those rights. The settings are what pg_dump has for the same reason.
CREATE OR REPLACE FUNCTION zentry_notify.rows_of(relation regclass, columns text[]) RETURNS SETOF text
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'rows_of_wrapper';
COMMENT ON FUNCTION zentry_notify.rows_of(regclass, text[]) IS
    'Rows of a table as JSON, read with the caller''s rights; an error where code of another role would run with these (of an index, a check, statistics)';

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
    IF (SELECT c.relkind FROM pg_class c WHERE c.oid = relation) NOT IN ('r', 'p') THEN
        PERFORM zentry_notify.refuse('wrong_object_type', format('%s is not a table', relation),
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
    -- From now on it stays as it is. It is named, and who owns it may have put another one in its place while this waited.
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
            'They are those of Zentry''s model WebhookIntegration.');
    END IF;
    IF foreign_type IS NOT NULL THEN
        PERFORM zentry_notify.refuse('datatype_mismatch', format('column %s of %s is of no type of PostgreSQL', foreign_type, relation),
            'Copy the rows into a table with plain types: CREATE TABLE integrations AS SELECT ...');
    END IF;
    -- Had it row security by now, PostgreSQL would refuse this.
    RETURN QUERY SELECT r::jsonb FROM zentry_notify.rows_of(relation, wanted::text[]) r;
END
$$;
COMMENT ON FUNCTION zentry_notify.read_integrations(regclass) IS 'The rows of a table like notifications_webhookintegration, as JSON';

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
    'Takes over the rows of notifications_webhookintegration (or of another table with its columns) under their ids; each is imported, there already, or refused, with the reason. May be repeated';

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
            -- Changed since or not, it is the same if it was made at the same moment.
            -- Where nobody knows when that was, it is the one of that URL.
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
            -- It is kept for its name and what it hears; a new URL switches it on.
            PERFORM zentry_notify.require_event_types(old.event_types);
            PERFORM zentry_notify.check_room_for_webhook();
            INSERT INTO zentry_notify.webhook AS w
                   (id, name, webhook_type, project_id, created_by_id, event_types, is_active, created_at, switched_off_at, switched_off_reason)
            VALUES (old.id, old.name, old.webhook_type, old.project_id, old.created_by_id, old.event_types,
                    false, coalesce(old.created_at, now()), CASE WHEN coalesce(old.is_active, true) THEN now() END, gone);
            INSERT INTO zentry_notify.webhook_secret (webhook_integration_id, webhook_url) VALUES (old.id, old.webhook_url);
        END IF;
        -- Ids given from now on must not be those that were taken over.
        PERFORM setval(s.sequence, old.id) FROM pg_get_serial_sequence('zentry_notify.webhook', 'id') AS s (sequence)
          WHERE old.id > coalesce(pg_sequence_last_value(s.sequence::regclass), 0);
        state := 'imported';
        reason := CASE WHEN gone IS NOT NULL THEN 'it is switched off: ' || gone
                       WHEN old.event_types = '[]' THEN 'it hears nothing: its list of event types is empty' END;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR invalid_parameter_value OR object_not_in_prerequisite_state
                OR insufficient_privilege THEN
        GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        reason := concat_ws('; ', reason, nullif(hint, ''));
        state := 'refused';
    END;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION zentry_notify.import_integration(jsonb) IS 'Takes over one integration, a row of the application''s table as JSON';
-- ---- 38_event_types.sql ----

-- Event types of users, wordings, previews; and the rows of the built-in types.

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
COMMENT ON FUNCTION zentry_notify.require_event_type(text) IS 'The event type, or an error that names those that there are';

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
    PERFORM zentry_notify.check_length(name, 50, 'name'); -- an error of ours, not of the column's
    -- Not ON CONFLICT: the rules would be looked at twice, and their warnings be said twice.
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
    'Adds an event type, or replaces what one of that name says. title, text and the values of fields ({"name": "value"}) are templates over the event''s data. Of a built-in type it sets the installation''s wording';

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
COMMENT ON FUNCTION @extschema@.zentry_unregister_event_type(text) IS 'Removes an event type that no table fires and no webhook names; what is in the log stays';

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
    -- Not ON CONFLICT: the rules would be looked at twice, and their warnings be said twice.
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
COMMENT ON FUNCTION zentry_notify.put_wording(text, bigint, text, text, json, text, text, text, text, text) IS 'Changes what is given of a wording and leaves the rest';

CREATE OR REPLACE FUNCTION @extschema@.zentry_set_wording(
    event_type text, webhook_id bigint DEFAULT NULL, title text DEFAULT NULL, text text DEFAULT NULL, fields json DEFAULT NULL,
    colour text DEFAULT NULL, emoji text DEFAULT NULL, footer text DEFAULT NULL, url text DEFAULT NULL, thumbnail text DEFAULT NULL) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
    SELECT zentry_notify.put_wording(event_type, webhook_id, title, text, fields, colour, emoji, footer, url, thumbnail)
$$;
COMMENT ON FUNCTION @extschema@.zentry_set_wording(text, bigint, text, text, json, text, text, text, text, text) IS
    'Sets other words, another colour or emoji for an event, in the messages of one webhook or (null) of all. What is not given stays as it is';

CREATE OR REPLACE FUNCTION zentry_notify.language_of(webhook_id bigint) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT w.language FROM zentry_notify.event_wording w
     WHERE w.event_type = '*' AND (w.webhook_integration_id = webhook_id OR w.webhook_integration_id IS NULL)
     ORDER BY w.webhook_integration_id NULLS LAST LIMIT 1
$$;
COMMENT ON FUNCTION zentry_notify.language_of(bigint) IS 'The language of a webhook''s messages; null: English, as nobody has said otherwise';

CREATE OR REPLACE FUNCTION @extschema@.zentry_set_language(language text, webhook_id bigint DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
BEGIN
    IF webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = webhook_id) THEN
        PERFORM zentry_notify.no_such_webhook(webhook_id);
    END IF;
    -- The installation's own is English where nothing is said.
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
    'Sets the language of messages, of one webhook or (null) of all: de, en, es, fr, ja or pt. Own wordings stay as they are. A webhook''s null is as the others have it';

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
    'Takes back the wording that was set for an event: in the messages of one webhook, or (null) that of the installation';

CREATE OR REPLACE FUNCTION zentry_notify.without_keys(data jsonb, keys text[]) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE jsonb_typeof(data) WHEN 'object' THEN data - keys ELSE data END
$$;
COMMENT ON FUNCTION zentry_notify.without_keys(jsonb, text[]) IS 'The data without these keys';

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
        -- As zentry_test_event posts it to the webhook.
        zentry_notify.without_keys(coalesce(data, zentry_notify.sample_event(type.name)
                                                    || CASE WHEN webhook_id IS NULL THEN '{}' ELSE '{"zentry_sample": true}' END::jsonb), omit_keys), zentry_notify.appearance_of(webhook_id), mention);
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_preview(text, text, jsonb, bigint) IS
    'Returns the message of an event as it would be posted, of its sample or of given data, without sending it. webhook_type: a type or a format of zentry_webhook_types(), such as teams (an Adaptive Card for Workflows), teams_connector (a MessageCard) or webhook (the event as JSON); with webhook_id: in the format and the wording of that webhook';
-- Everybody may call the trigger's function now, so that what managers were granted says nothing any more.
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

-- PUBLIC has nothing but the trigger function; the agent what capture and delivery need; readers and managers are granted by calls.

-- Only what lacks is granted and only what is there is revoked: PostgreSQL takes an object's privileges as they are after a GRANT or a
-- REVOKE of an extension's script for the extension's own, and would not dump what zentry_grant has given by then.
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
                -- A view checks whether its reader may call what it calls.
                WHEN p.proname IN ('zentry_status', 'zentry_stats', 'zentry_stats_by_hour', 'zentry_preview', 'zentry_webhook_types', 'zentry_logs', 'log_ids', 'latency_bounds', 'redact_url', 'language_words', 'languages',
                                   'look_up', 'look_up_in', 'lookup_of', 'quiet_until', 'digest_due', 'library_version', 'unrouted_events', 'ways_out', 'doubts', 'refuse', 'source_arguments') THEN true
                WHEN p.proname IN ('zentry_grant', 'zentry_revoke', 'zentry_promote') THEN false
                WHEN starts_with(p.proname::text, 'zentry_')
                    -- What functions of ours call with the caller's rights.
                    OR p.proname IN ('check_length', 'to_interval', 'import_integration', 'read_integrations', 'rows_of', 'require_membership', 'put_api_token', 'drop_api_token')
                    -- A form says what is wrong with a URL before it is sent.
                    OR p.proname = 'check_webhook_url' THEN privilege IN ('manager', 'application')
                ELSE false END;
$$;
COMMENT ON FUNCTION zentry_notify.functions_of(text) IS 'The functions that a privilege of zentry_grant lets a role call';

CREATE OR REPLACE FUNCTION zentry_notify.check_grantee(grantee regrole, hint text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF grantee IS NULL OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grantee) THEN
        PERFORM zentry_notify.refuse('undefined_object', format('there is no role %s', coalesce(grantee::oid::text, 'null')), hint);
    END IF;
    -- What the worker acts as would lose what it needs.
    IF grantee = to_regrole('zentry_notify_agent') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'the privileges of zentry_notify_agent are the extension''s own',
            'The worker acts as it. Name a role that somebody logs in as, or its group.');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_grantee(regrole, text) IS 'An error unless it is a role, and another one than the agent';

-- What calls functions of ours by name finds them in a schema that is ours: others may belong to the owner of the database.
CREATE OR REPLACE FUNCTION zentry_notify.grant_privilege(grantee regrole, privilege text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f regprocedure;
BEGIN
    IF privilege IS NULL OR privilege NOT IN ('reader', 'manager', 'application', 'server', 'sender') THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value',
            format('unknown privilege "%s"', coalesce(privilege, '(null)')),
            'reader: the views. manager: the views, and register, change, delete, test, retry, attach. application: all that, and webhook_integration and notification_log, URLs included. server: look API tokens up. sender: send, as zentry-notify send does.');
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
        -- Not what the extension keeps there itself: since when it is active, and why it was switched off.
        EXECUTE (SELECT format('GRANT INSERT (%s), UPDATE (%1$s), DELETE ON zentry_notify.webhook_integration TO %s',
                               string_agg(quote_ident(a.attname), ', '), grantee)
                   FROM pg_attribute a
                  WHERE a.attrelid = 'zentry_notify.webhook_integration'::regclass AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.attname NOT IN ('activated_at', 'switched_off_at', 'switched_off_reason'));
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.grant_privilege(regrole, text) IS 'What zentry_grant does';

CREATE OR REPLACE FUNCTION @extschema@.zentry_grant(grantee regrole, privilege text) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT zentry_notify.grant_privilege(grantee, privilege)
$$;
COMMENT ON FUNCTION @extschema@.zentry_grant(regrole, text) IS
    'Lets a role read the redacted views (reader), also register, change, delete, test, retry and attach (manager), also use webhook_integration and notification_log as its own, URLs included (application), nothing but look API tokens up (server), or nothing but send, URLs and secrets of what it sends included (sender). Nobody has a privilege on a table';

-- A privilege on a table would let a role lock it. Versions before 0.3 gave some, and functions that are nobody's now.
CREATE OR REPLACE FUNCTION zentry_notify.revoke_former(grantee regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted regclass;
    f       regprocedure;
BEGIN
    PERFORM zentry_notify.check_grantee(grantee, 'Name a role that there is: SELECT zentry_grant(''reports'', ''reader'');');
    FOR granted IN SELECT DISTINCT c.oid
                     FROM pg_class c
                     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
                     CROSS JOIN LATERAL (SELECT e.grantee FROM aclexplode(c.relacl) e UNION SELECT e.grantee FROM aclexplode(a.attacl) e) acl
                    WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind IN ('r', 'S') AND acl.grantee = revoke_former.grantee
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', granted, grantee);
    END LOOP;
    FOR f IN SELECT p.oid
               FROM pg_depend d
               JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
               JOIN pg_proc p ON p.oid = d.objid
              WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                AND EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = revoke_former.grantee)
             EXCEPT
             SELECT g FROM unnest('{reader,manager,application,server,sender}'::text[]) AS of (privilege), zentry_notify.functions_of(of.privilege) g
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', f, grantee);
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.revoke_former(regrole) IS 'Takes back what a role has that no privilege of zentry_grant gives any more';

-- What was given to a role itself: what it has as a member of another, it may lose by leaving it. (SELECT on what is the table webhook now was an
-- application's in versions before 0.3.)
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
COMMENT ON FUNCTION zentry_notify.grants() IS 'The roles that zentry_grant has given a privilege, with the highest of reader, manager and application';

CREATE OR REPLACE FUNCTION zentry_notify.renew_grants() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT zentry_notify.grant_privilege(g.grantee, g.privilege) FROM zentry_notify.grants() g;
$$;
COMMENT ON FUNCTION zentry_notify.renew_grants() IS
    'Gives readers, managers, applications, servers and senders what became theirs with a new version. The library calls it after ALTER EXTENSION UPDATE, not the update itself: a script''s grants are not dumped';

CREATE OR REPLACE FUNCTION @extschema@.zentry_revoke(grantee regrole) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f regprocedure;
BEGIN
    PERFORM zentry_notify.check_grantee(grantee, 'Name the role: SELECT zentry_revoke(''reports'');');
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA zentry_notify FROM %s', grantee);
    EXECUTE format('REVOKE ALL ON SCHEMA zentry_notify FROM %s', grantee);
    FOR f IN SELECT d.objid::regprocedure
               FROM pg_depend d
               JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
              WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', f, grantee);
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_revoke(regrole) IS 'Takes back every privilege that zentry_grant gave to the role';

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
    -- Whoever makes a partition makes the triggers of its table on it, and PostgreSQL asks whether that role may call their function. It is
    -- a trigger's alone, and nobody without USAGE on its schema can name it.
    GRANT EXECUTE ON FUNCTION zentry_notify.capture() TO PUBLIC;
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.sum_histogram(bigint[])', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.add_histograms(bigint[], bigint[]), zentry_notify.sum_histogram(bigint[]) TO zentry_notify_agent;
    END IF;
    -- The view of definitions calls it.
    IF NOT pg_catalog.has_function_privilege('zentry_notify_agent', 'zentry_notify.language_words(text)', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION zentry_notify.language_words(text) TO zentry_notify_agent;
    END IF;
    -- The worker numbers deliveries before it writes them.
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

-- ALTER DEFAULT PRIVILEGES may have given somebody what is new here. (What a version's zentry_grant gave is zentry_grant's to take.)
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

-- What is set for a role or a database must not keep our functions from our own views. (Who reads others' tables has a value of its own.) What is called
-- for each row is called by others of ours.
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

-- The structure that the above leads to, as digests of its files.
