#!/usr/bin/env bash
# Everything about monitoring that can be checked without running a gateway: scrape configuration, alerts and their unit tests,
# dashboards as generated, and every name that any of them uses.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/monitoring-tools.sh
source scripts/monitoring-tools.sh

need promtool python3
promtool check config prometheus.yml
promtool check rules alerts.yml
promtool test rules tests/alerts_test.yml
(cd deploy/grafana && python3 -m generator --check)
python3 scripts/check_monitoring.py
