#!/usr/bin/env bash
# jmespath 0.16.0 and @jmespath-community/jmespath 1.3.0 (npm): sort() puts numbers into the order of their digits.
#
# Expected: the specification (jmespath.org, "sort") takes an array of strings or of numbers and orders it; numbers are
# ordered by value. jmespath 1.1.0 (PyPI), by the same authors as the first package, does.
#
# What happens: both JavaScript packages compare the numbers as strings: [9, 10, 100] is sorted to [10, 100, 9]. sort_by()
# and max() of the same packages compare them as numbers, so that sort(@)[-1] and max(@) are different elements of one
# array.
#
# The three also have three answers to `'b' > 'a'` (the specification: null, as only numbers have an order): a filter by
# date, such as [?day > '2026-01-01'], finds the rows with two of them and none with the third.
#
# Bitten: who takes the top three of something by sort() and a slice, and tests it with one-digit numbers; and who moves
# an expression from the AWS CLI (Python) into a service in node.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm jmespath@0.16.0 @jmespath-community/jmespath@1.3.0
from_pypi jmespath==1.1.0

cat >"$work/js/search.cjs" <<'JAVASCRIPT'
const numbers = [100, 9, 10], days = [{ day: "2025-12-31" }, { day: "2026-02-01" }];
for (const name of ["jmespath", "@jmespath-community/jmespath"]) {
  const { search } = require(name);
  for (const expression of ["sort(@)", "sort(@)[-1]", "max(@)", "sort_by(@, &@)"])
    console.log(`${name}: ${expression} = ${JSON.stringify(search(numbers, expression))}`);
  console.log(`${name}: [?day > '2026-01-01'] = ${JSON.stringify(search(days, "[?day > '2026-01-01'].day"))}`);
}
JAVASCRIPT
cat >"$work/search.py" <<'PYTHON'
import json

import jmespath

numbers, days = [100, 9, 10], [{"day": "2025-12-31"}, {"day": "2026-02-01"}]
for expression in ("sort(@)", "sort(@)[-1]", "max(@)", "sort_by(@, &@)"):
    print("python:", expression, "=", json.dumps(jmespath.search(expression, numbers), separators=(",", ":")))
print("python: [?day > '2026-01-01'] =", json.dumps(jmespath.search("[?day > '2026-01-01'].day", days)))
PYTHON

seen node "$work/js/search.cjs"
seen python "$work/search.py"
as_written_down <<'SEEN'
jmespath: sort(@) = [10,100,9]
jmespath: sort(@)[-1] = 9
jmespath: max(@) = 100
jmespath: sort_by(@, &@) = [9,10,100]
jmespath: [?day > '2026-01-01'] = ["2026-02-01"]
@jmespath-community/jmespath: sort(@) = [10,100,9]
@jmespath-community/jmespath: sort(@)[-1] = 9
@jmespath-community/jmespath: max(@) = 100
@jmespath-community/jmespath: sort_by(@, &@) = [9,10,100]
@jmespath-community/jmespath: [?day > '2026-01-01'] = []
python: sort(@) = [9,10,100]
python: sort(@)[-1] = 100
python: max(@) = 100
python: sort_by(@, &@) = [9,10,100]
python: [?day > '2026-01-01'] = ["2026-02-01"]
SEEN
