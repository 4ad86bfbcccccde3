"""Every query of every panel, every variable and every alert, asked of a real Prometheus that watched a real fleet."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "deploy/grafana"), str(ROOT / "scripts")]

from check_monitoring import alerts, expression  # noqa: E402
from expectations import NOT_PROVOKED, NOTHING_IS_FINE, ZERO_IS_FINE  # noqa: E402
from generator.metrics import planned_in  # noqa: E402
from processes import Fleet, program  # noqa: E402
from prometheus import Prometheus, QueryError  # noqa: E402
from traffic import Course  # noqa: E402

# Beyond this the test ends, whatever hangs.
DEADLINE_SECONDS = 115
BINARIES = pathlib.Path(os.environ.get("GATEWAY_BINARIES", ROOT / "target/debug"))
# What Grafana puts in place of its variables.
VARIABLES = {"$__rate_interval": "5s", "$route": ".*", "$upstream": ".*", "$instance": ".*"}
CONDITION = re.compile(r"^(?P<left>.*)\s(?:<=|>=|==|<|>)\s+[\d.]+$", re.DOTALL)


def filled_in(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


def boards() -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")}


def targets():
    """Each query of each panel: dashboard, panel, target."""
    for name, board in boards().items():
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield name, panel, target


def conditions(expr: str) -> list[str]:
    """What an alert compares with a number, each."""
    parts = re.split(r"\n\s*and ", expr.strip().removeprefix("|").strip())
    return [CONDITION.match(part.strip()).group("left") for part in parts]


def too_late(*_):
    raise TimeoutError(f"the test takes longer than {DEADLINE_SECONDS} s")


class Queries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        signal.signal(signal.SIGALRM, too_late)
        # An exit and not a death: what was started is ended then, too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        signal.alarm(DEADLINE_SECONDS)
        directory = cls.enter(tempfile.TemporaryDirectory(prefix="dashboards-"))
        fleet = cls.enter(Fleet(pathlib.Path(directory), BINARIES))
        cls.prometheus = Prometheus(fleet.ports["prometheus"])
        cls.start = time.time()
        course = Course(fleet, cls.prometheus)
        course.run()
        cls.missed, cls.expositions = course.missed, course.expositions
        cls.end = time.time()

    @classmethod
    def enter(cls, context):
        """Enters a context that is left when all tests have run, or when setting them up fails."""
        value = context.__enter__()
        cls.addClassCleanup(context.__exit__, None, None, None)
        return value

    @classmethod
    def tearDownClass(cls):
        signal.alarm(0)

    def values(self, expr: str) -> list[tuple[dict, list[float]]]:
        try:
            return self.prometheus.during(filled_in(expr), self.start, self.end)
        except QueryError as error:
            self.fail(f"{error}\n{expr}")

    def test_everything_that_was_provoked_was_seen(self):
        self.assertEqual(self.missed, [])

    def test_every_panel_shows_something(self):
        for board, panel, target in targets():
            title, expr = panel["title"], target["expr"]
            with self.subTest(board=board, panel=title, query=target["refId"]):
                series = self.values(expr)
                if planned_in(expr):
                    self.assertEqual(series, [], f"{expr} has data now: it is planned no longer")
                    continue
                if title not in NOTHING_IS_FINE:
                    self.assertTrue(series, f"nothing from {expr}")
                if title not in ZERO_IS_FINE:
                    self.assertTrue(
                        any(value > 0 for _, values in series for value in values), f"only zeros from {expr}"
                    )

    def test_every_legend_names_labels_that_are_there(self):
        for board, panel, target in targets():
            wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            with self.subTest(board=board, panel=panel["title"], query=target["refId"]):
                for labels, _ in self.values(target["expr"]):
                    self.assertLessEqual(wanted, labels.keys(), target["expr"])

    def test_every_variable_has_values(self):
        for name, board in boards().items():
            for variable in board["templating"]["list"]:
                if variable["type"] != "query":
                    continue
                selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
                with self.subTest(board=name, variable=variable["name"]):
                    self.assertTrue(self.prometheus.get(f"label/{label}/values", **{"match[]": selector}))

    def test_every_annotation_is_understood(self):
        for name, board in boards().items():
            for annotation in board["annotations"]["list"]:
                with self.subTest(board=name, annotation=annotation["name"]):
                    self.values(annotation["expr"])

    def test_every_alert_has_data_and_comes_true(self):
        for name, text in alerts().items():
            expr = expression(text)
            with self.subTest(alert=name):
                if planned_in(expr):
                    self.assertEqual(self.values(conditions(expr)[0]), [], "it has data now: it is planned no longer")
                    continue
                for left in conditions(expr):
                    self.assertTrue(self.values(left), f"nothing from {left}")
                if name not in NOT_PROVOKED:
                    seen = {left: [max(values) for _, values in self.values(left)] for left in conditions(expr)}
                    self.assertTrue(self.values(expr.strip().removeprefix("|")), f"never came true; highest: {seen}")

    def test_prometheus_evaluates_every_rule(self):
        groups = self.prometheus.get("rules")["groups"]
        rules = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
        self.assertEqual(rules, dict.fromkeys(alerts(), "ok"))

    def test_the_exposition_passes_the_linter(self):
        self.assertEqual(len(self.expositions), 2)
        for exposition in self.expositions:
            lint = subprocess.run(
                [program("promtool"), "check", "metrics"], input=exposition, capture_output=True, text=True, check=False
            )
            self.assertEqual((lint.returncode, lint.stdout + lint.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
