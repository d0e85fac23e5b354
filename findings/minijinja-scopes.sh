#!/usr/bin/env bash
# minijinja 3.1.0 (PyPI, the same engine as the crate) beside Jinja2 3.1.6: four templates that both take and render
# differently.
#
# Expected: minijinja's COMPATIBILITY.md says that `with`, `for` and `set` have feature parity with Jinja2, and names no
# difference of macros but varargs and kwargs. Where something is not supported, an error.
#
# What happens, without an error:
# - {% with a=1, b=a %}: in Jinja2 (since 2.9, documented) `a` on the right is the outer one, in minijinja the one just
#   set.
# - {% macro m(a, b=a) %}: the other way about: in Jinja2 the default sees the first argument, in minijinja the outer `a`.
# - {% for x in none %}: an error in Jinja2, no turn of the loop in minijinja (and the `else` branch).
# - a number and a string compared by <: an error in Jinja2; in minijinja a fixed order of types, so that "10" < 9 is
#   false and 9 < "10" is true, whatever they say.
#
# Bitten: who moves templates from Python to a Rust service and compares the results on data where nothing is null and the
# names differ. A threshold that comes as a string is then passed by every number.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_pypi jinja2==3.1.6 minijinja==3.1.0

cat >"$work/render.py" <<'PYTHON'
import jinja2
import minijinja

TEMPLATES = [
    "{% with a=1, b=a %}{{ b }}{% endwith %}",
    "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}",
    "{% for x in nothing %}{{ x }}{% else %}empty{% endfor %}",
    "{{ '10' < 9 }} {{ 9 < '10' }} {{ none < 1 }}",
]
DATA = {"a": "outer", "nothing": None}


def rendered(render):
    try:
        return render()
    except Exception as error:
        return "error: " + str(error).partition("\n")[0]


for template in TEMPLATES:
    print(template)
    print("  jinja2:   ", rendered(lambda: jinja2.Environment().from_string(template).render(DATA)))
    print("  minijinja:", rendered(lambda: minijinja.Environment().render_str(template, **DATA)))
PYTHON

seen python "$work/render.py"
as_written_down <<'SEEN'
{% with a=1, b=a %}{{ b }}{% endwith %}
  jinja2:    outer
  minijinja: 1
{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}
  jinja2:    1
  minijinja: outer
{% for x in nothing %}{{ x }}{% else %}empty{% endfor %}
  jinja2:    error: 'NoneType' object is not iterable
  minijinja: empty
{{ '10' < 9 }} {{ 9 < '10' }} {{ none < 1 }}
  jinja2:    error: '<' not supported between instances of 'str' and 'int'
  minijinja: False True True
SEEN
