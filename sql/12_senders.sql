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
