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
