"""Renders and lints the Helm chart with each of its sample values, by Helm's own engine; no cluster is asked.

chart.py FOLDER     writes FOLDER/SAMPLE.yaml for each charts/api-gateway/ci/SAMPLE-values.yaml
"""

import sys
from pathlib import Path

import helm_python
import yaml

CHART = Path(__file__).resolve().parents[2] / "charts/api-gateway"
ERROR = 3
# What the schema must refuse, so that a slip of the pen does not pass for a setting.
REFUSED = [
    {"upstream": {"url": "http://x", "timeout": 5}},
    {"upstream": {"url": "ftp://x"}},
    {"upstream": {"url": "http://x"}, "replicas": 0},
    {"upstream": {"url": ""}},
]


def main() -> int:
    into = Path(sys.argv[1])
    helm_python.disable_logging()
    samples = sorted((CHART / "ci").glob("*-values.yaml"))
    wrong = 0 if samples else 1
    with helm_python.Chart.load(CHART) as chart:
        for sample in samples:
            values = yaml.safe_load(sample.read_text())
            report = helm_python.lint(CHART, values, strict=True)
            found = [m["error"] for m in report["messages"] if m["severity"] >= ERROR] + report["errors"]
            rendered = chart.render(values, name="gateway", namespace="api-gateway")
            manifests = [
                text for path, text in sorted(rendered.items()) if not path.endswith("NOTES.txt") and text.strip()
            ]
            name = sample.name.removesuffix("-values.yaml")
            (into / f"{name}.yaml").write_text("\n---\n".join(manifests))
            print(f"{name}: {len(manifests)} templates, {len(found)} problems {found or ''}")
            wrong += len(found)
        for values in REFUSED:
            if renders(chart, values):
                print(f"accepts {values}")
                wrong += 1
    return 1 if wrong else 0


def renders(chart: helm_python.Chart, values: dict) -> bool:
    try:
        chart.validate_schema(values)
        chart.render(values, name="gateway", namespace="api-gateway")
    except helm_python.HelmError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
