"""Grafana's panels, as small as these dashboards need them. What a panel shows is decided elsewhere."""

from dataclasses import dataclass, field, replace

from .metrics import planned_in

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
PLANNED_NOTE = "Planned: no data until the gateway exposes this metric."


@dataclass
class Query:
    """One PromQL expression and what its series are called."""

    expr: str
    legend: str = ""
    # Only the newest value, for a table, or whatever else shows a moment and not its history.
    instant: bool = False
    format: str = "time_series"


@dataclass
class Panel:
    """One panel. `width` is in Grafana's 24 columns, `height` in its rows."""

    kind: str
    title: str
    queries: list[Query]
    description: str = ""
    unit: str = "short"
    width: int = 8
    height: int = 8
    options: dict = field(default_factory=dict)
    defaults: dict = field(default_factory=dict)
    overrides: list = field(default_factory=list)
    transformations: list = field(default_factory=list)

    def json(self, number: int, x: int, y: int) -> dict:
        planned = any(planned_in(query.expr) for query in self.queries)
        notes = [self.description] + ([PLANNED_NOTE] if planned else [])
        defaults = {"unit": self.unit, **self.defaults}
        if planned:
            defaults["noValue"] = "not exposed yet"
        panel = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": " ".join(filter(None, notes)),
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": defaults, "overrides": self.overrides},
            "options": self.options,
            "targets": [target(query, letter) for query, letter in zip(self.queries, "ABCDEFGH", strict=False)],
        }
        if self.transformations:
            panel["transformations"] = self.transformations
        return panel


def target(query: Query, letter: str) -> dict:
    return {
        "refId": letter,
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": query.instant,
        "range": not query.instant,
        "format": query.format,
        "editorMode": "code",
    }


def steps(base: str, *more: tuple[float, str]) -> dict:
    """Thresholds: `base`, and from each value on the colour beside it."""
    first = {"color": base, "value": None}
    return {"mode": "absolute", "steps": [first] + [{"color": color, "value": value} for value, color in more]}


def reduced(**more) -> dict:
    return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, **more}


def stat(title: str, query: Query, unit: str = "short", thresholds: dict | None = None, **more) -> Panel:
    """One number and its recent course."""
    defaults = {"thresholds": thresholds or steps(BLUE), "color": {"mode": "thresholds"}, **more.pop("defaults", {})}
    options = reduced(graphMode="area", colorMode="value", textMode="auto", justifyMode="auto", orientation="auto")
    return Panel("stat", title, [query], unit=unit, options=options, defaults=defaults, width=4, height=4, **more)


def gauge(title: str, query: Query, thresholds: dict, unit: str = "short", **more) -> Panel:
    """A dial for each series."""
    options = reduced(showThresholdMarkers=True, showThresholdLabels=False, orientation="auto")
    highest = thresholds["steps"][-1]["value"]
    defaults = {"min": 0, "max": 1.5 * highest, "thresholds": thresholds, "color": {"mode": "thresholds"}}
    return Panel("gauge", title, [query], unit=unit, options=options, defaults=defaults, **more)


def bars(title: str, query: Query, unit: str = "short", **more) -> Panel:
    """A bar for each series, to compare them now."""
    options = reduced(displayMode="gradient", orientation="horizontal", showUnfilled=True, valueMode="color")
    defaults = {"min": 0, "color": {"mode": "continuous-GrYlRd"}}
    return Panel("bargauge", title, [query], unit=unit, options=options, defaults=defaults, **more)


def lines(
    title: str, *queries: Query, unit: str = "short", stacked: bool = False, limit: float | None = None, **more
) -> Panel:
    """The course of each series; `limit` draws the line above which an alert fires."""
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 25 if stacked else 8, "showPoints": "never"}
    custom |= {"spanNulls": False, "stacking": {"mode": "normal" if stacked else "none", "group": "A"}}
    custom |= {"thresholdsStyle": {"mode": "dashed" if limit is not None else "off"}}
    thresholds = steps("transparent", (limit, RED)) if limit is not None else steps(GREEN)
    defaults = {"min": 0, "custom": custom, "thresholds": thresholds, "color": {"mode": "palette-classic"}}
    options = {
        "legend": {"showLegend": True, "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return Panel("timeseries", title, list(queries), unit=unit, options=options, defaults=defaults, **more)


def columns(title: str, *queries: Query, unit: str = "short", **more) -> Panel:
    """Events per interval, as stacked columns."""
    panel = lines(title, *queries, unit=unit, stacked=True, **more)
    panel.defaults["custom"] |= {"drawStyle": "bars", "fillOpacity": 80}
    return panel


def states(title: str, query: Query, names: dict[int, tuple[str, str]], **more) -> Panel:
    """What state each series was in, over time; `names` gives each number its word and colour."""
    options = {str(number): {"text": text, "color": color, "index": number} for number, (text, color) in names.items()}
    defaults = {"mappings": [{"type": "value", "options": options}], "color": {"mode": "thresholds"}}
    defaults |= {"thresholds": steps(GREEN), "custom": {"fillOpacity": 80, "lineWidth": 0}}
    options = {"mergeValues": True, "showValue": "auto", "rowHeight": 0.85, "alignValue": "left"}
    options |= {
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "single"},
    }
    return Panel("state-timeline", title, [query], options=options, defaults=defaults, **more)


def heatmap(title: str, query: Query, unit: str, **more) -> Panel:
    """How a histogram's buckets filled over time."""
    query = replace(query, format="heatmap")
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "scale": "exponential", "exponent": 0.5},
        "yAxis": {"unit": unit, "axisPlacement": "left"},
        "tooltip": {"mode": "single", "yHistogram": False},
        "legend": {"show": True},
    }
    return Panel("heatmap", title, [query], unit=unit, options=options, **more)


def table(title: str, query: Query, hidden: tuple[str, ...] = ("Time", "Value"), **more) -> Panel:
    """The labels of each series, without its value."""
    query = replace(query, instant=True, format="table")
    organise = {"id": "organize", "options": {"excludeByName": {name: True for name in hidden}}}
    return Panel("table", title, [query], options={"showHeader": True}, transformations=[organise], **more)
