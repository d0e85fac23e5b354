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
