"""What Prometheus' own parsers make of metrics: families, by name, with type and samples, as JSON. The argument is the format."""

import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

parse = {"openmetrics": openmetrics, "text": parser}[sys.argv[1]].text_string_to_metric_families
families = {
    family.name: {
        "type": family.type,
        "help": family.documentation,
        "samples": [[s.name, s.labels, s.value] for s in family.samples],
    }
    for family in parse(sys.stdin.read())
}
json.dump(families, sys.stdout)
