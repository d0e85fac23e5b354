#!/usr/bin/env bash
# croniter 7.0.0 (PyPI), cron-parser 5.10.6 and croner 11.0.1 (npm): where clocks change, a daily job runs at other times,
# or twice.
#
# Expected: the three take the same pattern and time zone. croner's README gives its rule, which is that of cron; the
# READMEs of the others say that daylight saving time is handled. cron(8) of Debian: a job in the hour that is left out
# runs at once after the change, one in the repeated hour is not run again.
#
# What happens on 8 March 2026 in America/New_York, "30 2 * * *": cron-parser says 3:30, the other two say 3:00. On 1
# November, "30 1 * * *": croniter says 1:30 twice, once of each offset, the others once.
#
# Bitten: digests and reports at a local time at night, computed by one library in the service and by another in the page
# that shows "next run"; with croniter in an aware datetime, the daily digest of November is sent twice.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_pypi croniter==7.0.0 tzdata==2026.6
from_npm cron-parser@5.10.6 croner@11.0.1

cat >"$work/next.py" <<'PYTHON'
import sys
import zoneinfo
from datetime import datetime, timezone

from croniter import croniter

zoneinfo.reset_tzpath(to=[])
pattern, start = sys.argv[1:]
zone = zoneinfo.ZoneInfo("America/New_York")
runs = croniter(pattern, datetime.fromisoformat(start).replace(tzinfo=zone))
for _ in range(2):
    print(runs.get_next(datetime).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%MZ"))
PYTHON
cat >"$work/js/next.cjs" <<'JAVASCRIPT'
const { CronExpressionParser } = require("cron-parser");
const { Cron } = require("croner");

const [library, pattern, start] = process.argv.slice(2), zone = "America/New_York", begin = new Date(start);
const parsed = library === "croner" ? null : CronExpressionParser.parse(pattern, { currentDate: begin, tz: zone });
const runs = parsed
  ? [parsed.next().toDate(), parsed.next().toDate()]
  : new Cron(pattern, { timezone: zone, paused: true }).nextRuns(2, begin);
for (const run of runs) console.log(run.toISOString().replace(/:00\.000Z$/, "Z"));
JAVASCRIPT

# Shows the instants in New York's time with the offset, from the pinned zones, not from node's or the machine's.
local_times() {
    python -c '
import sys, zoneinfo
from datetime import datetime
zoneinfo.reset_tzpath(to=[])
zone = zoneinfo.ZoneInfo("America/New_York")
print(", ".join(datetime.fromisoformat(line.strip()).astimezone(zone).strftime("%d %b %H:%M %Z") for line in sys.stdin))'
}
three() {
    local pattern=$1 local_start=$2 start=$3
    echo "$pattern"
    echo "  croniter:    $(python "$work/next.py" "$pattern" "$local_start" | local_times)"
    echo "  cron-parser: $(node "$work/js/next.cjs" cron-parser "$pattern" "$start" | local_times)"
    echo "  croner:      $(node "$work/js/next.cjs" croner "$pattern" "$start" | local_times)"
}
export LC_ALL=C.UTF-8
seen three '30 2 * * *' 2026-03-07T12:00 2026-03-07T17:00:00Z
seen three '30 1 * * *' 2026-10-31T12:00 2026-10-31T16:00:00Z
as_written_down <<'SEEN'
30 2 * * *
  croniter:    08 Mar 03:00 EDT, 09 Mar 02:30 EDT
  cron-parser: 08 Mar 03:30 EDT, 09 Mar 02:30 EDT
  croner:      08 Mar 03:00 EDT, 09 Mar 02:30 EDT
30 1 * * *
  croniter:    01 Nov 01:30 EDT, 01 Nov 01:30 EST
  cron-parser: 01 Nov 01:30 EDT, 02 Nov 01:30 EST
  croner:      01 Nov 01:30 EDT, 02 Nov 01:30 EST
SEEN
