#!/usr/bin/env bash
# postgresql-15-pgq3 3.5-1+b1 (Debian 12): PgQ's triggers make every UPDATE of a primary key fail, also with
# pgq.jsontriga.
#
# Expected: pgq.jsontriga, pgq.logutriga and pgq.sqltriga put an event into a queue for a change of any row (comments of
# the functions: "Trigger function that puts row data ... into queue"). An AFTER trigger for a log lets the write be.
#
# What happens: an UPDATE that changes a column of the primary key ends with "primary key update not allowed", in the
# application. There is no such event, and no argument of the trigger that allows one. sqltriga has a second trap: its
# INSERT names stored generated columns with their values, and PostgreSQL refuses that statement when it is replayed.
#
# Bitten: who attaches an event queue to tables that applications write: merging two customers, renaming a natural key, or
# ON UPDATE CASCADE from a parent's key worked for years and is an error from the day of the trigger.
#
# The extension is not installed: its script is loaded with the path of the library in the temporary folder.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_debian postgresql-15-pgq3=3.5-1+b1
server pg "$postgresql_15"
# shellcheck disable=SC2016 # $libdir is the script's text
sed 's#\$libdir#'"$work/deb/usr/lib/postgresql/15/lib"'#; /^\\echo/d; /pg_extension_config_dump/d' \
    "$work/deb/usr/share/postgresql/15/extension/pgq--3.5.sql" | query >"$work/load.log"

updates() {
    query <<'SQL'
SET client_min_messages = warning;
SELECT FROM pgq.create_queue('q');
CREATE TABLE customer (code text PRIMARY KEY, name text, short text GENERATED ALWAYS AS (left(name, 1)) STORED);
CREATE TABLE invoice (code text PRIMARY KEY REFERENCES customer ON UPDATE CASCADE);
CREATE TRIGGER queue AFTER INSERT OR UPDATE OR DELETE ON invoice FOR EACH ROW EXECUTE FUNCTION pgq.jsontriga('q');
INSERT INTO customer VALUES ('a1', 'Ann');
INSERT INTO invoice VALUES ('a1');
\echo UPDATE customer SET code, with a trigger on the table that references it:
UPDATE customer SET code = 'a2';
DROP TRIGGER queue ON invoice;
CREATE TRIGGER queue AFTER INSERT OR UPDATE OR DELETE ON customer FOR EACH ROW EXECUTE FUNCTION pgq.sqltriga('q');
\echo UPDATE customer SET code, with a trigger of its own:
UPDATE customer SET code = 'a2';
INSERT INTO customer VALUES ('b1', 'Bob');
\echo the statement for that INSERT, and its replay:
SELECT 'INSERT INTO customer ' || ev_data AS replay FROM pgq.event_template WHERE ev_type = 'I' \gset
DROP TRIGGER queue ON customer;
DELETE FROM customer WHERE code = 'b1';
\echo :replay
:replay;
SQL
}
seen updates
as_written_down <<'SEEN'
UPDATE customer SET code, with a trigger on the table that references it:
ERROR:  primary key update not allowed
UPDATE customer SET code, with a trigger of its own:
ERROR:  primary key update not allowed
the statement for that INSERT, and its replay:
INSERT INTO customer (code,name,short) values ('b1','Bob','B')
ERROR:  cannot insert a non-DEFAULT value into column "short"
DETAIL:  Column "short" is a generated column.
SEEN
