#!/usr/bin/env bash
# PostgreSQL 15.20: a publication of inserts alone publishes an UPDATE, if it moves the row to another partition.
#
# Expected: publish = 'insert' ("CREATE PUBLICATION") replicates INSERT and leaves out UPDATE. With
# publish_via_partition_root the changes are those of the partitioned table, and on that the statement was an UPDATE.
#
# What happens: the row's move is decoded as DELETE and INSERT, of which the second is published, as a change of the root:
# the stream has a second insert of the same row, and nothing says that it is not a new one. An update within a partition
# is left out as expected.
#
# Bitten: an outbox that is partitioned by its status or by a time that is updated, and read by change data capture with
# publish = 'insert': each row that is marked as done is sent once more.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

server pg "$postgresql_15" 'wal_level = logical'
query <<'SQL' >"$work/setup"
CREATE TABLE outbox (id integer, status text, note text, PRIMARY KEY (id, status)) PARTITION BY LIST (status);
CREATE TABLE outbox_new PARTITION OF outbox FOR VALUES IN ('new');
CREATE TABLE outbox_done PARTITION OF outbox FOR VALUES IN ('done');
CREATE PUBLICATION inserts FOR TABLE outbox WITH (publish = 'insert', publish_via_partition_root);
SELECT pg_create_logical_replication_slot('inserts', 'pgoutput');
SQL

# The kind of each change, and the table, by the OID that the message begins with.
published() {
    local statement
    for statement in "INSERT INTO outbox VALUES (1, 'new', 'a')" "UPDATE outbox SET note = 'b'" "UPDATE outbox SET status = 'done'"; do
        psql -XAtqc "$statement"
        echo "$statement:"
        psql -XAtc "
            SELECT format('    %s into %s',
                          CASE chr(get_byte(data, 0)) WHEN 'I' THEN 'insert' WHEN 'U' THEN 'update' WHEN 'D' THEN 'delete' END,
                          ('x' || encode(substr(data, 2, 4), 'hex'))::bit(32)::integer::regclass)
            FROM pg_logical_slot_get_binary_changes('inserts', NULL, NULL, 'proto_version', '1', 'publication_names', 'inserts')
            WHERE chr(get_byte(data, 0)) IN ('I', 'U', 'D')"
    done
}
seen published
as_written_down <<'SEEN'
INSERT INTO outbox VALUES (1, 'new', 'a'):
    insert into outbox
UPDATE outbox SET note = 'b':
UPDATE outbox SET status = 'done':
    insert into outbox
SEEN
