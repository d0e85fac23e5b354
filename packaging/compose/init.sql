-- The extension, the role that the server logs in as, and one for whom tokens are made.
CREATE EXTENSION zentry_notify;
CREATE ROLE "zentry-notify" LOGIN NOINHERIT;
CREATE ROLE team_lead NOLOGIN;
SELECT zentry_grant('"zentry-notify"', 'server'), zentry_grant('team_lead', 'manager');
GRANT team_lead TO "zentry-notify";
