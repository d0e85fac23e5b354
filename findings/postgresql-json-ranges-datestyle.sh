#!/usr/bin/env bash
# PostgreSQL 15.20: to_jsonb writes dates in ISO 8601 whatever DateStyle says, but not those inside ranges.
#
# Expected: the functions that make JSON write date, timestamp and timestamptz in ISO 8601, independent of the session's
# DateStyle: that is why triggers log rows by to_jsonb(NEW). One would expect it of tstzrange and daterange, and of arrays
# and multiranges, as well.
#
# What happens: scalars and arrays are ISO; ranges and multiranges are JSON strings made by their output functions, in the
# DateStyle of the session that writes, with the abbreviation of its time zone. Read in another session, a daterange has
# day and month swapped, without an error as long as the day is at most 12; and a tstzrange that was written in
# Asia/Kolkata is read with IST as Israel's time: other instants.
#
# Bitten: audit tables, outboxes and event triggers over tables with a validity or a booking in a range column, where one
# role or database has DateStyle 'SQL, DMY' for its reports.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

server pg "$postgresql_15"
ranges() {
    query <<'SQL'
CREATE TABLE booking (at timestamptz, days daterange, during tstzrange, list timestamptz[]);
CREATE TABLE log (entry jsonb);
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (to_jsonb(NEW)); RETURN NULL; END';
CREATE TRIGGER log AFTER INSERT ON booking FOR EACH ROW EXECUTE FUNCTION log();

SET DateStyle = 'SQL, DMY';
SET TimeZone = 'Asia/Kolkata';
INSERT INTO booking VALUES ('2026-12-11 10:00Z', '[2026-12-11,)', '[2026-12-11 10:00Z,)', '{2026-12-11 10:00Z}');

RESET DateStyle;
RESET TimeZone;
SELECT 'logged:  ' || entry::text FROM log;
SELECT format('written: %s %s %s', at, days, during) FROM booking;
SELECT format('read:    %s %s %s', at, days, during) FROM log, jsonb_populate_record(NULL::booking, entry);
SQL
}
seen ranges
as_written_down <<'SEEN'
logged:  {"at": "2026-12-11T15:30:00+05:30", "days": "[11/12/2026,)", "list": ["2026-12-11T15:30:00+05:30"], "during": "[\"11/12/2026 15:30:00 IST\",)"}
written: 2026-12-11 10:00:00+00 [2026-12-11,) ["2026-12-11 10:00:00+00",)
read:    2026-12-11 10:00:00+00 [2026-11-12,) ["2026-11-12 13:30:00+00",)
SEEN
