#!/usr/bin/env bash
# postgresql-15-wal2json 2.5-1+b1 (Debian 12): NaN and infinity become null, in columns that are NOT NULL too.
#
# Expected: JSON has no such numbers, so they come as strings, as PostgreSQL's own to_jsonb writes them ("NaN",
# "Infinity"), or as the decoder writes everything else that JSON lacks, as text. Infinite timestamps come so from the
# same plugin.
#
# What happens: numeric, real and double precision that are NaN or infinite are written as null, in both formats of the
# output. Within an array they are kept ("{NaN,1}"), since arrays are text.
#
# Bitten: copies of measurements and prices that are made from the stream: "not measured" and "unlimited" arrive as
# nothing, a NOT NULL column of the copy stops the consumer, and a nullable one hides the loss.
#
# The plugin is loaded from the temporary folder; from PostgreSQL 15.19 on the server has to list it in
# output_plugin_libraries.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_debian postgresql-15-wal2json=2.5-1+b1
# shellcheck disable=SC2016 # $libdir is the server's
server pg "$postgresql_15" 'wal_level = logical' 'output_plugin_libraries = wal2json' \
    "dynamic_library_path = '$work/deb/usr/lib/postgresql/15/lib:"'$libdir'"'"
changes() {
    query <<'SQL'
CREATE TABLE measure (price numeric NOT NULL, bound float8 NOT NULL, until timestamptz NOT NULL, list real[] NOT NULL);
SELECT FROM pg_create_logical_replication_slot('w', 'wal2json');
INSERT INTO measure VALUES ('NaN', 'Infinity', 'infinity', '{NaN,1}');
SELECT 'format 1: ' || (data::jsonb #> '{change,0,columnvalues}')::text FROM pg_logical_slot_peek_changes('w', NULL, NULL);
SELECT 'format 2: ' || jsonb_path_query_array(data::jsonb, '$.columns.value')::text
FROM pg_logical_slot_peek_changes('w', NULL, NULL, 'format-version', '2') WHERE data LIKE '%"action":"I"%';
SELECT 'to_jsonb: ' || to_jsonb(measure)::text FROM measure;
SQL
}
seen changes
as_written_down <<'SEEN'
format 1: [null, null, "infinity", "{NaN,1}"]
format 2: [null, null, "infinity", "{NaN,1}"]
to_jsonb: {"list": ["NaN", 1], "bound": "Infinity", "price": "NaN", "until": "infinity"}
SEEN
