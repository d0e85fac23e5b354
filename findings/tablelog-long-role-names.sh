#!/usr/bin/env bash
# table_log 0.6.1 (Debian postgresql-15-tablelog 0.6.3-2+b1), PostgreSQL 15.20: who has a long name cannot write.
#
# Expected: a trigger that keeps a log of a table lets the table be written by everybody who may. Names of roles have up to
# 63 bytes (documentation, 4.1.1 "Identifiers and Key Words").
#
# What happens: table_log_init() makes the log's column trigger_user as varchar(32) and the trigger writes SESSION_USER
# there, so every INSERT, UPDATE and DELETE of a role with a longer name is an error. SET ROLE changes nothing, since it is
# the name that one has logged in with that counts.
#
# Bitten: who attaches the log while testing as `postgres` and then lets people in by the names of a directory, of a cloud's
# identities or of generated credentials, which are longer. Mend it by ALTER TABLE ... ALTER trigger_user TYPE name.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_debian postgresql-15-tablelog=0.6.3-2+b1
# shellcheck disable=SC2016 # $libdir is the server's
server pg "$postgresql_15" "dynamic_library_path = '$work/deb/usr/lib/postgresql/15/lib:"'$libdir'"'"
# As CREATE EXTENSION does, which looks for files in the server's own directory alone.
sed '/^\\echo/d; s/MODULE_PATHNAME/table_log/; s/@extschema@/public/g' \
    "$work/deb/usr/share/postgresql/15/extension/table_log--0.6.1.sql" | psql -X -q >/dev/null
writes() {
    query <<'SQL'
CREATE TABLE item (id integer PRIMARY KEY, name text);
SELECT FROM table_log_init(5, 'item');
CREATE ROLE "exactly-thirty-two-bytes-of-name" LOGIN;
CREATE ROLE "inventory-service@production.example" LOGIN;
GRANT ALL ON ALL TABLES IN SCHEMA public TO public;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO public;
\c - "exactly-thirty-two-bytes-of-name"
INSERT INTO item VALUES (1, 'a') RETURNING session_user;
\c - "inventory-service@production.example"
INSERT INTO item VALUES (2, 'b') RETURNING session_user;
UPDATE item SET name = 'c';
SELECT count(*) || ' of 2 rows' FROM item;
\c - postgres
ALTER TABLE item_log ALTER trigger_user TYPE name;
\c - "inventory-service@production.example"
INSERT INTO item VALUES (2, 'b') RETURNING session_user;
SQL
}
seen writes
as_written_down <<'SEEN'
exactly-thirty-two-bytes-of-name
ERROR:  value too long for type character varying(32)
CONTEXT:  SQL statement "INSERT INTO public.item_log (id, name, trigger_user, trigger_mode, trigger_tuple, trigger_changed) VALUES ('2', 'b', SESSION_USER, 'INSERT', 'new', NOW());"
ERROR:  value too long for type character varying(32)
CONTEXT:  SQL statement "INSERT INTO public.item_log (id, name, trigger_user, trigger_mode, trigger_tuple, trigger_changed) VALUES ('1', 'a', SESSION_USER, 'UPDATE', 'old', NOW());"
1 of 2 rows
inventory-service@production.example
SEEN
