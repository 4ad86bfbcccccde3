"""Prometheus's HTTP API, as far as the test needs it."""

import json
import math
import time
import urllib.parse

from processes import request


class QueryError(Exception):
    """Prometheus does not understand the query."""


class Prometheus:
    def __init__(self, port: int):
        self.port = port

    def get(self, path: str, **parameters) -> dict | list:
        _, body = request(self.port, "GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        answer = json.loads(body)
        if answer["status"] != "success":
            raise QueryError(answer.get("error"))
        return answer["data"]

    def now(self, expr: str) -> list[float]:
        """The values of an expression at this moment."""
        return [float(series["value"][1]) for series in self.get("query", query=expr, time=time.time())["result"]]

    def during(self, expr: str, start: float, end: float) -> list[tuple[dict, list[float]]]:
        """Each series of an expression with the values it had, leaving out what is not a number."""
        result = self.get("query_range", query=expr, start=start, end=end, step=0.5)["result"]
        series = [(one["metric"], [float(value) for _, value in one["values"]]) for one in result]
        numbers = [(labels, [value for value in values if not math.isnan(value)]) for labels, values in series]
        return [(labels, values) for labels, values in numbers if values]
