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
