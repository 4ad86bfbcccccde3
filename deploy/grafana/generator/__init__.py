"""The dashboards as code: `python3 -m generator` writes deploy/grafana/dashboards, `--check` compares. Standard library alone."""
