#!/usr/bin/env bash
# systemd-cron 1.15.19 (Debian 12): a job of the 1st and every Friday runs on a Friday that is the 1st, and one of
# December in November.
#
# Expected: the crontab(5) that the package brings: if day of the month and day of the week are both given, "either" is
# enough, and "30 4 1,15 * 5" runs "on the 1st and 15th of each month, plus every Friday"; months may be given by the
# first three letters of their names. cron(8) does both, and so do cron-parser and croner.
#
# What happens: the generator writes one OnCalendar= with both days, which systemd.time(7) takes as "and": a few times a
# year in the place of six or seven times a month. The list of months has no October, so nov and dec are the months
# before. oct is said to be garbled, on the kernel's log, and the job gets no timer. Numbers are right.
#
# Bitten: who puts systemd-cron in the place of cron (it provides cron-daemon): reports, backups and digests of both
# kinds of days stay away without an error, and the closing of the year runs on 1 November.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_debian systemd-cron=1.15.19-5
from_npm cron-parser@5.10.6 croner@11.0.1

# The generator reads /etc and /var alone, so its functions are called on a crontab of ours.
cat >"$work/timer.py" <<'PYTHON'
import itertools
import os
import sys
import tempfile
import types

source, line = sys.argv[1:]
generator = types.ModuleType("generator")
with open(source) as file:
    exec(compile(file.read(), source, "exec"), generator.__dict__)
generator.log = lambda level, message: print(f"  timer: {message.split(' in ')[0]}")
with tempfile.TemporaryDirectory() as directory:
    generator.TARGET_DIR = directory
    generator.TIMERS_DIR = os.path.join(directory, "cron.target.wants")
    os.mkdir(generator.TIMERS_DIR)
    crontab = os.path.join(directory, "crontab")
    with open(crontab, "w") as file:
        file.write(f"{line} root /usr/bin/true --day\n")
    for job in generator.parse_crontab(crontab, withuser=True):
        generator.generate_timer_unit(job, seq=itertools.count())
    timers = [name for name in os.listdir(directory) if name.endswith(".timer")]
    for name in timers:
        with open(os.path.join(directory, name)) as file:
            print(*(f"  timer: {line.strip()}" for line in file if line.startswith("OnCalendar=")))
    if not timers:
        print("  no timer")
PYTHON
cat >"$work/js/runs.cjs" <<'JAVASCRIPT'
const { CronExpressionParser } = require("cron-parser");
const { Cron } = require("croner");

const pattern = process.argv[2], begin = new Date("2026-12-01T12:00:00Z");
const parsed = CronExpressionParser.parse(pattern, { currentDate: begin, tz: "UTC" });
const day = (run) => run.toISOString().slice(0, 10);
const parser = [...Array(4)].map(() => day(parsed.next().toDate())).join(" ");
const croner = new Cron(pattern, { timezone: "UTC", paused: true }).nextRuns(4, begin).map(day).join(" ");
console.log(`  cron-parser and croner: ${parser === croner ? parser : `${parser}, ${croner}`}`);
JAVASCRIPT

jobs() {
    local pattern
    for pattern in '30 4 1,15 * 5' '30 4 1 nov *' '30 4 1 dec *' '30 4 1 oct *' '30 4 1 12 *'; do
        echo "$pattern"
        PYTHONWARNINGS=ignore python3 "$work/timer.py" "$work/deb/lib/systemd/system-generators/systemd-crontab-generator" "$pattern"
        node "$work/js/runs.cjs" "$pattern"
    done
}
seen jobs
as_written_down <<'SEEN'
30 4 1,15 * 5
  timer: OnCalendar=Fri *-*-1,15 4:30:00
  cron-parser and croner: 2026-12-04 2026-12-11 2026-12-15 2026-12-18
30 4 1 nov *
  timer: OnCalendar=*-10-1 4:30:00
  cron-parser and croner: 2027-11-01 2028-11-01 2029-11-01 2030-11-01
30 4 1 dec *
  timer: OnCalendar=*-11-1 4:30:00
  cron-parser and croner: 2027-12-01 2028-12-01 2029-12-01 2030-12-01
30 4 1 oct *
  timer: garbled time
  no timer
  cron-parser and croner: 2027-10-01 2028-10-01 2029-10-01 2030-10-01
30 4 1 12 *
  timer: OnCalendar=*-12-1 4:30:00
  cron-parser and croner: 2027-12-01 2028-12-01 2029-12-01 2030-12-01
SEEN
