#!/usr/bin/env bash
# dayjs 1.11.23, iso8601-duration 2.1.4 (npm) and isodate 0.7.2 (PyPI): durations lose their sign, the parts behind a
# sign, or years and months.
#
# Expected: PostgreSQL with IntervalStyle = iso_8601 puts a sign before each part ("P1DT-2H", as its documentation
# shows), Temporal and XML Schema put one before all ("-P1D"), and what a library writes it reads again. What it does not
# take it refuses.
#
# What happens: dayjs takes a part's sign and leaves out the one before all, which its own toISOString() writes: a day
# ago becomes in a day, and a day less two hours, 22 hours, is written "-P1DT2H" and read as 26. iso8601-duration stops
# at the first part with a sign and returns what is before it; its README says that it has no sign at the start, and it
# takes "-P1D" as a day. isodate refuses signs of parts, and keeps years and months beside a timedelta, whose
# total_seconds() is what one gets: that of a year is 0.
#
# Bitten: who has intervals of a database in JSON, or durations of an API: deadlines and retention with a correction ("1
# day -2 hours") are longer than what was meant, and one of "P1Y" is over at once.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm dayjs@1.11.23 iso8601-duration@2.1.4 moment@2.31.0
from_pypi isodate==0.7.2
server one "$postgresql_15" "intervalstyle = 'iso_8601'"

cat >"$work/js/hours.cjs" <<'JAVASCRIPT'
const dayjs = require("dayjs"), iso = require("iso8601-duration"), moment = require("moment");
dayjs.extend(require("dayjs/plugin/duration"));

const text = process.argv[2];
const tried = (read) => {
  try {
    return read();
  } catch {
    return "refused";
  }
};
console.log(`  moment ${moment.duration(text).asHours()}, dayjs ${dayjs.duration(text).asHours()}, ` +
  `iso8601-duration ${tried(() => iso.toSeconds(iso.parse(text)) / 3600)}`);
JAVASCRIPT
cat >"$work/js/again.cjs" <<'JAVASCRIPT'
const dayjs = require("dayjs");
dayjs.extend(require("dayjs/plugin/duration"));

for (const parts of [{ days: -1 }, { days: 1, hours: -2 }]) {
  const duration = dayjs.duration(parts), text = duration.toISOString();
  console.log(`dayjs: ${duration.asHours()} hours are written ${text} and read as ${dayjs.duration(text).asHours()}`);
}
JAVASCRIPT
cat >"$work/hours.py" <<'PYTHON'
import sys

import isodate

try:
    print(f"  isodate {isodate.parse_duration(sys.argv[1]).total_seconds() / 3600:g}")
except ValueError:
    print("  isodate refused")
PYTHON

hours() {
    local interval text
    for interval in '1 day 2 hours' '1 day -2 hours' '-1 day -2 hours' '1 year'; do
        text=$(query <<<"SELECT interval '$interval'")
        echo "$interval: PostgreSQL writes $text and takes it for $(query <<<"SELECT round(extract(epoch FROM interval '$text') / 3600)") hours"
        node "$work/js/hours.cjs" "$text"
        python "$work/hours.py" "$text"
    done
    echo '-P1D:'
    node "$work/js/hours.cjs" -P1D
    python "$work/hours.py" -P1D
    node "$work/js/again.cjs"
}
seen hours
as_written_down <<'SEEN'
1 day 2 hours: PostgreSQL writes P1DT2H and takes it for 26 hours
  moment 26, dayjs 26, iso8601-duration 26
  isodate 26
1 day -2 hours: PostgreSQL writes P1DT-2H and takes it for 22 hours
  moment 22, dayjs 22, iso8601-duration 24
  isodate refused
-1 day -2 hours: PostgreSQL writes P-1DT-2H and takes it for -26 hours
  moment -26, dayjs -26, iso8601-duration refused
  isodate refused
1 year: PostgreSQL writes P1Y and takes it for 8766 hours
  moment 8760, dayjs 8760, iso8601-duration 8760
  isodate 0
-P1D:
  moment -24, dayjs 24, iso8601-duration 24
  isodate -24
dayjs: -24 hours are written -P1D and read as 24
dayjs: 22 hours are written -P1DT2H and read as 26
SEEN
