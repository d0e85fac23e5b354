#!/usr/bin/env bash
# standardwebhooks 1.1.0 (PyPI): sign() takes the wall clock of a datetime for UTC, whatever zone it carries.
#
# Expected: the signed text holds the time in seconds since the epoch (Standard Webhooks 1.0.0, "webhook-timestamp"), so
# two datetimes of the same instant give the same signature, as two Date objects do in the npm package 1.1.1.
#
# What happens: the zone is replaced by UTC, not converted to it. 12:00+02:00 is signed as 12:00 UTC, two hours ahead,
# while the header that the sender makes from the same object by timestamp() says 10:00 UTC. The signature is then of
# another time than the header, and every verifier answers "No matching signature". A naive datetime, which timestamp()
# reads as local time, goes wrong in the same way wherever the clock is not UTC.
#
# Bitten: a sender in Python that passes django.utils.timezone.localtime() or datetime.now(): right on the server in UTC
# and in CI, wrong on the first machine with a zone. The error looks like a wrong secret.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm standardwebhooks@1.1.1
from_pypi standardwebhooks==1.1.0

cat >"$work/sign.py" <<'PYTHON'
from datetime import datetime, timedelta, timezone

from standardwebhooks import Webhook

webhook = Webhook("whsec_" + "AAAA" * 8)
utc = datetime(2026, 11, 28, 10, tzinfo=timezone.utc)
for when in (utc, utc.astimezone(timezone(timedelta(hours=2)))):
    print("py:", when.isoformat(), int(when.timestamp()), webhook.sign("msg_1", when, "{}"))
PYTHON
cat >"$work/js/sign.mjs" <<'JAVASCRIPT'
import { Webhook } from "standardwebhooks";

const webhook = new Webhook("whsec_" + "AAAA".repeat(8));
for (const text of ["2026-11-28T10:00:00+00:00", "2026-11-28T12:00:00+02:00"]) {
  const when = new Date(text);
  console.log("js:", text, when / 1000, webhook.sign("msg_1", when, "{}"));
}
JAVASCRIPT

seen python "$work/sign.py"
seen node "$work/js/sign.mjs"
as_written_down <<'SEEN'
py: 2026-11-28T10:00:00+00:00 1795860000 v1,ZuwtHBxUw27ZRwygjXMwpeYkZZxYLgDRH+qPk1Mb+yY=
py: 2026-11-28T12:00:00+02:00 1795860000 v1,H1HKd8g0usW51KrLohKKyGltb3b6161IdbjDT44KHcQ=
js: 2026-11-28T10:00:00+00:00 1795860000 v1,ZuwtHBxUw27ZRwygjXMwpeYkZZxYLgDRH+qPk1Mb+yY=
js: 2026-11-28T12:00:00+02:00 1795860000 v1,ZuwtHBxUw27ZRwygjXMwpeYkZZxYLgDRH+qPk1Mb+yY=
SEEN
