#!/usr/bin/env bash
# pglogical 2.4.2 (Debian, PostgreSQL 15.20): triggers that fire for what it applies (ENABLE REPLICA, ENABLE ALWAYS) are not those of a write.
#
# Expected: its README: "By default pglogical apply worker will not execute triggers [...] ENABLE REPLICA"; and PostgreSQL's own logical replication, where the
# two triggers below do what they do in a session.
#
# What happens: (1) it looks for a row with the same key first and fires BEFORE INSERT afterwards: a trigger that makes way for the new row deletes the one
# that is going to be updated, and the subscription fails for ever with "tuple to be updated was already modified by an operation triggered
# by the current command". A trigger that inserts the row itself and returns NULL does. (2) An AFTER trigger of whatever kind leaves a WARNING "relcache
# reference leak" in the server's log with each transaction. It costs nothing but the log.
#
# Bitten: whose subscriber has rows of its own in a table that is replicated, and triggers to sort that out.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

# PostgreSQL 15 reads an extension's SQL from its own directory only.
dpkg-query --show postgresql-15-pglogical >/dev/null
server pg "$postgresql_15" 'wal_level = logical' "shared_preload_libraries = 'pglogical'" 'max_worker_processes = 20' \
    "output_plugin_libraries = 'pgoutput, test_decoding, pglogical_output'"

tables="CREATE TABLE word (name text PRIMARY KEY, said text); CREATE TABLE plain (id int PRIMARY KEY)"
createdb provider
createdb subscriber
for database in provider subscriber; do
    psql -XqAt -d "$database" -c "CREATE EXTENSION pglogical; $tables" \
        -c "SELECT FROM pglogical.create_node('$database', 'host=$PGHOST user=postgres dbname=$database')"
done
wait_for() {
    for _ in {1..300}; do
        [[ $(psql -XqAt -d subscriber -c "$1") != t ]] || return 0
        sleep 0.1
    done
    echo "in vain: $1"
}
psql -XqAt -d provider -c "SELECT FROM pglogical.replication_set_add_all_tables('default', '{public}')"
psql -XqAt -d subscriber >/dev/null <<SQL
CREATE FUNCTION make_way() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM word WHERE name = NEW.name; RETURN NEW; END';
CREATE TRIGGER make_way BEFORE INSERT ON word FOR EACH ROW EXECUTE FUNCTION make_way();
ALTER TABLE word ENABLE REPLICA TRIGGER make_way;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER note AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE plain ENABLE ALWAYS TRIGGER note;
SELECT pglogical.create_subscription('all', 'host=$PGHOST user=postgres dbname=provider');
SQL
wait_for "SELECT bool_and(status = 'replicating') FROM pglogical.show_subscription_status()"

logged() { grep -oE 'relcache reference leak.*|attempted to update invisible tuple' "$PGHOST/log" | sort -ru; }
after() {
    psql -XqAt -d provider -c 'INSERT INTO plain VALUES (1)'
    wait_for 'SELECT count(*) = 1 FROM plain'
    logged
}
before() {
    psql -XqAt -d subscriber -c "INSERT INTO word VALUES ('a', 'own')"
    psql -XqAt -d provider -c "INSERT INTO word VALUES ('a', 'theirs')"
    wait_for "SELECT bool_and(status = 'down') FROM pglogical.show_subscription_status()"
    psql -XqAt -d subscriber -c 'SELECT said FROM word'
    logged
}
seen after
seen before
as_written_down <<'SEEN'
relcache reference leak: relation "plain" not closed
own
relcache reference leak: relation "plain" not closed
attempted to update invisible tuple
SEEN
