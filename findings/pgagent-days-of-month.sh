#!/usr/bin/env bash
# pgagent 4.2.2-2 (Debian 12): a schedule for the 29th, 30th or 31st fails at the first month without that day.
#
# Expected: a schedule names the days 1 to 31 of a month, and beside them "last day" (pgAdmin's documentation of pgAgent). So
# the 31st is the 31st, and a month without one is passed over, as by cron.
#
# What happens: the function that computes the next run builds the text of a date such as 2027-2-31 and casts it:
# "date/time field value out of range". Only days up to the 28th and "last day" always work. The 30th works for most of
# the year: it is the run of 30 January that can't be followed by another.
#
# Bitten: monthly jobs (invoices, partitions, retention) on the 31st. The function is called by the triggers of pga_job
# and pga_schedule whenever the next run is asked for, so what fails is the UPDATE after a run, or an INSERT of a schedule
# that would have been taken a month before.
#
# The extension is not installed: its script is loaded into a schema, and the function is called with fixed dates.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_debian pgagent=4.2.2-2
server pg "$postgresql_15"
query <<<'CREATE SCHEMA pgagent'
sed '/^\\echo/d; /pg_extension_config_dump/d' "$work/deb/usr/share/postgresql/15/extension/pgagent--4.2.sql" | query >"$work/load.log"

next_runs() {
    local case after day
    for case in '2027-01-30 12:00|28' '2027-01-31 12:00|32' '2027-05-31 12:00|31' '2027-01-31 12:00|31' '2027-01-30 12:00|30'; do
        after=${case%|*} day=${case#*|}
        echo "day $day (32: the last), after $after: $(query <<SQL
SELECT pgagent.pga_next_schedule(
    1, '$after', '2030-01-01',
    (SELECT array_agg(i = 0 ORDER BY i) FROM generate_series(0, 59) i),         -- minute 0
    (SELECT array_agg(i = 6 ORDER BY i) FROM generate_series(0, 23) i),         -- 6 o'clock
    array_fill(false, ARRAY[7]),                                                -- any day of the week
    (SELECT array_agg(i = $day ORDER BY i) FROM generate_series(1, 32) i),
    array_fill(false, ARRAY[12]))                                               -- any month
SQL
        )"
    done
}
seen next_runs
as_written_down <<'SEEN'
day 28 (32: the last), after 2027-01-30 12:00: 2027-02-28 06:00:00+00
day 32 (32: the last), after 2027-01-31 12:00: 2027-02-28 06:00:00+00
day 31 (32: the last), after 2027-05-31 12:00: ERROR:  date/time field value out of range: "2027-6-31 6:0"
CONTEXT:  PL/pgSQL function pgagent.pga_next_schedule(integer,timestamp with time zone,timestamp with time zone,boolean[],boolean[],boolean[],boolean[],boolean[]) line 303 at assignment
day 31 (32: the last), after 2027-01-31 12:00: ERROR:  date/time field value out of range: "2027-2-31 6:0"
CONTEXT:  PL/pgSQL function pgagent.pga_next_schedule(integer,timestamp with time zone,timestamp with time zone,boolean[],boolean[],boolean[],boolean[],boolean[]) line 303 at assignment
day 30 (32: the last), after 2027-01-30 12:00: ERROR:  date/time field value out of range: "2027-2-30 6:0"
CONTEXT:  PL/pgSQL function pgagent.pga_next_schedule(integer,timestamp with time zone,timestamp with time zone,boolean[],boolean[],boolean[],boolean[],boolean[]) line 303 at assignment
SEEN
