"""Puts the rules of alerts.yml where Kubernetes wants them, byte for byte: kustomize and Helm cannot read files outside
their own folders.

    alerts_for_kubernetes.py            writes the two files
    alerts_for_kubernetes.py --check    fails when one of them is not what it would write
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "alerts.yml"
RULE = ROOT / "k8s/components/monitoring/prometheusrule.yaml"
CHART = ROOT / "charts/api-gateway/files/alerts.yml"

MADE = "# Made from alerts.yml by scripts/validate/alerts_for_kubernetes.py: change it there, then run that.\n"
HEAD = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: gateway
  labels:
    app.kubernetes.io/component: gateway
spec:
"""


def files(source: str) -> dict[Path, str]:
    """What each file holds. Comments stay: they say why a number is what it is."""
    indented = "".join(f"  {line}" if line.strip() else line for line in source.splitlines(keepends=True))
    return {RULE: MADE + HEAD + indented, CHART: MADE + source}


def main() -> int:
    wanted = files(SOURCE.read_text())
    if "--check" not in sys.argv[1:]:
        for path, text in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return 0
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(
            f"{path.relative_to(ROOT)} is not what alerts.yml makes it: run scripts/validate/alerts_for_kubernetes.py"
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
