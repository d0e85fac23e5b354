#!/usr/bin/env bash
# @opentelemetry/exporter-prometheus 0.223.0 (npm) and opentelemetry-exporter-prometheus 0.66b2 (PyPI): one instrument,
# two names.
#
# Expected: by OpenTelemetry's specification ("Prometheus and OpenMetrics Compatibility") the unit becomes the end of the
# metric's name, in Prometheus' words (s: seconds, By: bytes), so that webhook.duration in s is webhook_duration_seconds
# from whatever language, and a dashboard's query finds both.
#
# What happens: the exporter for Python does, also with units such as KiBy/s. The one for JavaScript leaves the name as
# it is and puts OpenTelemetry's unit into a comment "# UNIT webhook_duration s", which OpenMetrics would refuse, as
# there the name ends in the unit. The labels of the scope differ, too. Nothing warns: the query for the other name has
# no data, and an alert on it is silent.
#
# Bitten: who has services in both languages behind the same dashboards and alerts, or moves one from one to the other.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm @opentelemetry/api@1.9.1 @opentelemetry/sdk-metrics@2.12.1 @opentelemetry/exporter-prometheus@0.223.0
from_pypi opentelemetry-api==1.45.2 opentelemetry-sdk==1.45.2 opentelemetry-exporter-prometheus==0.66b2 prometheus_client==0.26.0

cat >"$work/js/collect.cjs" <<'JAVASCRIPT'
const { MeterProvider } = require("@opentelemetry/sdk-metrics");
const { PrometheusExporter, PrometheusSerializer } = require("@opentelemetry/exporter-prometheus");

const exporter = new PrometheusExporter({ preventServerStart: true });
const meter = new MeterProvider({ readers: [exporter] }).getMeter("app");
meter.createHistogram("webhook.duration", { unit: "s", advice: { explicitBucketBoundaries: [1] } }).record(0.5);
meter.createCounter("webhook.sent", { unit: "{message}" }).add(1);
meter.createCounter("webhook.traffic", { unit: "By" }).add(512);
meter.createUpDownCounter("webhook.rate", { unit: "KiBy/s" }).add(2);
exporter.collect().then(({ resourceMetrics }) => console.log(new PrometheusSerializer().serialize(resourceMetrics)));
JAVASCRIPT
cat >"$work/collect.py" <<'PYTHON'
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import generate_latest

meter = MeterProvider(metric_readers=[PrometheusMetricReader()]).get_meter("app")
meter.create_histogram("webhook.duration", unit="s", explicit_bucket_boundaries_advisory=[1]).record(0.5)
meter.create_counter("webhook.sent", unit="{message}").add(1)
meter.create_counter("webhook.traffic", unit="By").add(512)
meter.create_up_down_counter("webhook.rate", unit="KiBy/s").add(2)
print(generate_latest().decode())
PYTHON

# What they say of our instruments: names and units, and a line with its labels.
names() {
    grep -E '^# (TYPE|UNIT) webhook|^webhook_(sent|duration\w*_count)' | LC_ALL=C sort
}
two() {
    echo 'js:'
    node "$work/js/collect.cjs" | names
    echo 'py:'
    python "$work/collect.py" | names
}
seen two
as_written_down <<'SEEN'
js:
# TYPE webhook_duration histogram
# TYPE webhook_rate gauge
# TYPE webhook_sent_total counter
# TYPE webhook_traffic_total counter
# UNIT webhook_duration s
# UNIT webhook_rate KiBy/s
# UNIT webhook_sent_total {message}
# UNIT webhook_traffic_total By
webhook_duration_count{otel_scope_name="app"} 1
webhook_sent_total{otel_scope_name="app"} 1
py:
# TYPE webhook_duration_seconds histogram
# TYPE webhook_rate_kibibytes_per_second gauge
# TYPE webhook_sent_total counter
# TYPE webhook_traffic_bytes_total counter
webhook_duration_seconds_count{otel_scope_name="app",otel_scope_schema_url="",otel_scope_version=""} 1.0
webhook_sent_total{otel_scope_name="app",otel_scope_schema_url="",otel_scope_version=""} 1.0
SEEN
