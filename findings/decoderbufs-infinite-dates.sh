#!/usr/bin/env bash
# decoderbufs 2.1.2 (Debian postgresql-15-decoderbufs 2.1.2-1), PostgreSQL 15.20: a date of infinity is in the distant past.
#
# Expected: the plugin, which Debezium reads changes with, sends a `date` as a number of days since 1970 (its README,
# "Type mappings", maps date to an int32). PostgreSQL's dates also have 'infinity', "later than all other dates"
# (documentation, 8.5.1.4 "Special Values"), which is what "valid until" is set to when it has no end; as a number it
# should be the greatest there is, as it is for a timestamp of the same plugin, or be refused.
#
# What happens: days are counted from 2000 inside PostgreSQL, and infinity is the greatest int32. The plugin adds the 10,957
# days between 1970 and 2000 without a check, so the sum wraps round: -2147472692, some 5.9 million years ago. Minus
# infinity becomes an ordinary day, too (-2147472691). Timestamps keep the two ends of an int64.
#
# Bitten: consumers of change capture with open-ended dates. What never ends has ended long ago, and sorts before everything.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_debian postgresql-15-decoderbufs=2.1.2-1 libprotobuf-c1
LD_LIBRARY_PATH=$work/deb/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
export LD_LIBRARY_PATH
# shellcheck disable=SC2016 # $libdir is the server's
server pg "$postgresql_15" 'wal_level = logical' 'output_plugin_libraries = decoderbufs' \
    "dynamic_library_path = '$work/deb/usr/lib/postgresql/15/lib:"'$libdir'"'"
changes() {
    query <<'SQL' | grep -E '^column_name'
CREATE TABLE price (id integer, until date, at timestamp);
SELECT FROM pg_create_logical_replication_slot('w', 'decoderbufs');
INSERT INTO price VALUES (1, '2026-11-30', '2026-11-30'), (2, 'infinity', 'infinity'), (3, '-infinity', '-infinity');
SELECT data FROM pg_logical_slot_peek_changes('w', NULL, NULL, 'debug-mode', 'on');
SQL
}
seen changes
as_written_down <<'SEEN'
column_name[id], column_type[23], datum[1]
column_name[until], column_type[1082], datum[20787]
column_name[at], column_type[1114], datum[1795996800000000]
column_name[id], column_type[23], datum[2]
column_name[until], column_type[1082], datum[-2147472692]
column_name[at], column_type[1114], datum[9223372036854775807]
column_name[id], column_type[23], datum[3]
column_name[until], column_type[1082], datum[-2147472691]
column_name[at], column_type[1114], datum[-9223372036854775808]
SEEN
