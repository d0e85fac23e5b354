#!/usr/bin/env bash
# @bufbuild/cel 0.6.1, @marcbachmann/cel-js 8.0.0 (npm) and cel-python 0.5.0 (PyPI): one language, three answers.
#
# Expected: the definition of CEL (cel-spec, doc/langdef.md): has(m.k) on a map asks whether the key is there, also with
# the value null; numbers of different types are compared on one number line, for < and for ==; string(timestamp) is RFC
# 3339 with the fraction that the value has; the size of bytes is the number of bytes.
#
# What happens:
# - has(m.k) with {"k": null}: false in @bufbuild/cel, true in the others.
# - 1 == 1.0: an error in @marcbachmann/cel-js and cel-python, although 1 < 1.5 is taken by the first of them.
# - string(timestamp("...00.5Z")): cel-python leaves out the fraction; @marcbachmann/cel-js has no such conversion.
# - size(b"é"): 1 in @marcbachmann/cel-js, 2 in the others.
#
# Bitten: who keeps one filter for events in a table and evaluates it in a browser and on a server: JSON has one type of
# number and real nulls, so data decide which of them raises, and which lets an event pass.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm @bufbuild/cel@0.6.1 @marcbachmann/cel-js@8.0.0
from_pypi cel-python==0.5.0

cat >"$work/js/evaluate.mjs" <<'JAVASCRIPT'
import { readFileSync } from "node:fs";
import { evaluate } from "@marcbachmann/cel-js";
import { celEnv, parse, plan } from "@bufbuild/cel";

const engines = {
  "@bufbuild/cel": (expression, data) => plan(celEnv(), parse(expression))(data),
  "@marcbachmann/cel-js": evaluate,
};
for (const expression of readFileSync(0, "utf8").trim().split("\n")) {
  for (const [name, run] of Object.entries(engines)) {
    let result;
    try {
      result = run(expression, { m: { k: null } });
      if (result instanceof Error || typeof result === "object") result = "error";
    } catch {
      result = "error";
    }
    console.log(`${expression}  ${name}: ${result}`);
  }
}
JAVASCRIPT
cat >"$work/evaluate.py" <<'PYTHON'
import sys

import celpy

environment = celpy.Environment()
for expression in sys.stdin.read().strip().split("\n"):
    try:
        result = environment.program(environment.compile(expression)).evaluate({"m": celpy.json_to_cel({"k": None})})
    except celpy.CELEvalError:
        result = "error"
    print(f"{expression}  cel-python: {str(result).lower() if isinstance(result, celpy.celtypes.BoolType) else result}")
PYTHON
cat >"$work/expressions" <<'CEL'
has(m.k)
1 < 1.5
1 == 1.0
string(timestamp("2026-11-28T10:00:00.5Z"))
size(b"é")
CEL

all_three() {
    local input=$work/expressions
    PYTHONUTF8=1 python "$work/evaluate.py" <"$input"
    node "$work/js/evaluate.mjs" <"$input"
}
in_order() { all_three | LC_ALL=C sort; }
seen in_order
as_written_down <<'SEEN'
1 < 1.5  @bufbuild/cel: true
1 < 1.5  @marcbachmann/cel-js: true
1 < 1.5  cel-python: error
1 == 1.0  @bufbuild/cel: true
1 == 1.0  @marcbachmann/cel-js: error
1 == 1.0  cel-python: error
has(m.k)  @bufbuild/cel: false
has(m.k)  @marcbachmann/cel-js: true
has(m.k)  cel-python: true
size(b"é")  @bufbuild/cel: 2
size(b"é")  @marcbachmann/cel-js: 1
size(b"é")  cel-python: 2
string(timestamp("2026-11-28T10:00:00.5Z"))  @bufbuild/cel: 2026-11-28T10:00:00.500Z
string(timestamp("2026-11-28T10:00:00.5Z"))  @marcbachmann/cel-js: error
string(timestamp("2026-11-28T10:00:00.5Z"))  cel-python: 2026-11-28T10:00:00Z
SEEN
