#!/usr/bin/env python3
"""Holds dashboards, alerts and runbook to the code: every name used is a name that exists.

Reads only; says everything that is wrong, not just the first thing. What needs a running fleet is in tests/dashboards.
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "deploy/grafana"))

from generator import metrics  # noqa: E402

RUNBOOK = "docs/operations.md"
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
BARE = re.compile(r"\b((?:gateway|redis|node|process)_\w+)\b(?!\{)")
GROUPING = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")
# Labels that the scrape adds, and the one that a histogram's buckets have.
SCRAPED = {"instance", "job", "le"}


def read(path: str) -> str:
    return (ROOT / path).read_text()


def exposed() -> dict[str, set[str]]:
    """The series of gateway/src/telemetry/metrics with their labels."""
    source = "".join(path.read_text() for path in sorted((ROOT / "gateway/src/telemetry/metrics").glob("*.rs")))
    declared = re.compile(r'"(gateway_\w+)",\s*"[^"]*",\s*(?:&\[([^\]]*)\])?')
    histograms = set(re.findall(r"/// `(gateway_\w+)[^`]*`\s*pub \w+: (?:Family|Arc)<(?:Call)?Histogram>", source))
    found = {}
    for name, labels in declared.findall(source):
        names = [f"{name}_{part}" for part in ("bucket", "sum", "count")] if name in histograms else [name]
        found |= dict.fromkeys(names, set(re.findall(r'"(\w+)"', labels)))
    return found


def known(gateway: dict[str, set[str]]) -> dict[str, set[str]]:
    """Every series that a query may name."""
    others = metrics.PLANNED | metrics.REDIS_EXPORTER | metrics.NODE_EXPORTER | metrics.PROMETHEUS
    process = {name: set() for name in metrics.PROCESS}
    return gateway | process | {name: set(labels) for name, labels in others.items()}


def queries_of_dashboards():
    for path in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name}: {panel['title']}", target["expr"]
        for annotation in board["annotations"]["list"]:
            yield f"{path.name}: annotation {annotation['name']}", annotation["expr"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{path.name}: variable {variable['name']}", variable["definition"].removeprefix("label_values")


def alerts() -> dict[str, str]:
    """The text of each alert, without comments."""
    text = "\n".join(line for line in read("alerts.yml").splitlines() if not line.lstrip().startswith("#"))
    parts = re.split(r"^\s*- alert: (\w+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def expression(alert: str) -> str:
    """The expression in the text of an alert."""
    return re.split(r"^\s+(?:for|labels):", alert.partition("expr:")[2], maxsplit=1, flags=re.MULTILINE)[0]


def check_query(expr: str, series: dict[str, set[str]], jobs: set[str]):
    """What is wrong with one query."""
    named, labels = set(), set(SCRAPED)
    for name, matchers in SELECTOR.findall(expr):
        named.add(name)
        if name not in series:
            yield f"{name} is not a metric"
            continue
        labels |= series[name]
        used = set(MATCHER.findall(matchers))
        for label in sorted(used - series[name] - SCRAPED):
            yield f"{name} has no label {label}"
        job = re.search(r'job="(\w+)"', matchers)
        if name != "ALERTS" and (job is None or job.group(1) not in jobs):
            yield f"{name} is not selected from a job of prometheus.yml"
    for name in BARE.findall(SELECTOR.sub("", expr)):
        yield f"{name} is used without a selector"
    for group in GROUPING.findall(expr):
        for label in sorted({label.strip() for label in group.split(",")} - labels):
            yield f"no metric in it has the label {label}"
    planned = named & metrics.PLANNED.keys()
    if planned and planned != named:
        yield f"{', '.join(planned)} is not exposed yet and would hide what it is combined with"


def check_alert(text: str, anchors: set[str]):
    """What is missing from one alert."""
    for key in ("severity", "summary", "description", "runbook_url"):
        if not re.search(rf"^\s+{key}: \S", text, re.MULTILINE):
            yield f"has no {key}"
    link = re.search(r"runbook_url: (\S+)", text)
    page, _, anchor = link.group(1).partition("#") if link else (RUNBOOK, "", "")
    if link and (page != RUNBOOK or anchor not in anchors):
        yield f"links to {link.group(1)}, which is not there"


def check_alert_tests(names: set[str]):
    """Every alert is seen firing, and seen silent."""
    cases = re.split(r"^\s+- eval_time: ", read("tests/alerts_test.yml"), flags=re.MULTILINE)[1:]
    firing, silent = set(), set()
    for case in cases:
        name = re.search(r"alertname: (\w+)", case)
        if name:
            (firing if "exp_labels" in case else silent).add(name.group(1))
    for name in sorted(names):
        if name not in firing:
            yield f"tests/alerts_test.yml: {name} never fires"
        if name not in silent:
            yield f"tests/alerts_test.yml: {name} is never silent"
    for name in sorted((firing | silent) - names):
        yield f"tests/alerts_test.yml: {name} is not an alert"


def anchors_of(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_runbook(text: str, alert_names: set[str], anchors: set[str]):
    """The runbook knows each alert and each event of the log, and its links within itself lead somewhere."""
    events = set()
    for path in (ROOT / "gateway/src").rglob("*.rs"):
        events |= set(re.findall(r'^(?!\s*//).*\bevent[ =:]+"(\w+)"', path.read_text(), re.MULTILINE))
    for event in sorted(events):
        if f"`{event}`" not in text:
            yield f"{RUNBOOK}: the log event {event} is not explained"
    for name in sorted(alert_names):
        if f"`{name}`" not in text:
            yield f"{RUNBOOK}: the alert {name} is not explained"
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        if anchor not in anchors:
            yield f"{RUNBOOK}: a link to #{anchor}, which is not there"


def problems():
    gateway = exposed()
    if len(gateway) < 10:
        yield "gateway/src/telemetry/metrics does not read as expected: check `exposed` in this script"
    for name in sorted(gateway.keys() & metrics.PLANNED.keys()):
        yield f"deploy/grafana/generator/metrics.py: {name} is exposed now and no longer planned"
    jobs = set(re.findall(r"^\s+- job_name: (\w+)", read("prometheus.yml"), re.MULTILINE))
    series = known(gateway)
    rules = alerts()
    queries = [*queries_of_dashboards(), *((f"alerts.yml: {name}", expression(text)) for name, text in rules.items())]
    for where, expr in queries:
        yield from (f"{where}: {problem}" for problem in check_query(expr, series, jobs))
    runbook = read(RUNBOOK)
    anchors = anchors_of(runbook)
    for name, text in rules.items():
        yield from (f"alerts.yml: {name} {problem}" for problem in check_alert(text, anchors))
    yield from check_alert_tests(set(rules))
    yield from check_runbook(runbook, set(rules), anchors)
    print(f"{len(queries)} queries, {len(rules)} alerts, {len(gateway)} series of the gateway looked at")


if __name__ == "__main__":
    found = list(problems())
    for problem in found:
        print(problem, file=sys.stderr)
    sys.exit(1 if found else 0)
