"""A dashboard around its rows of panels: variables, annotations, links, layout."""

from .panels import DATASOURCE, Panel

TAG = "gateway"
COLUMNS = 24

# Label values come from a series that each gateway has as soon as it has a configuration, or had one request.
VARIABLES = {
    "route": 'label_values(gateway_http_requests_total{job="gateway"}, route)',
    "upstream": 'label_values(gateway_circuit_breaker_rejections_total{job="gateway"}, upstream)',
    "instance": 'label_values(gateway_build_info{job="gateway"}, instance)',
}


def dashboard(uid: str, title: str, description: str, rows: list[tuple[str, list[Panel]]]) -> dict:
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {"refresh_intervals": ["5s", "10s", "30s", "1m", "5m"]},
        "timezone": "browser",
        "templating": {"list": [source_variable()] + [variable(name, query) for name, query in VARIABLES.items()]},
        "annotations": {"list": [firing_alerts()]},
        "links": [other_dashboards()],
        "panels": layout(rows),
    }


def source_variable() -> dict:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": "prometheus"},
        "hide": 0,
    }


def variable(name: str, query: str) -> dict:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        # Whenever the time range changes: what came up since the page was loaded can be chosen.
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "hide": 0,
    }


def firing_alerts() -> dict:
    return {
        "name": "Alerts",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing",alertname=~"Gateway.*|Redis.*"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}}",
        "step": "15s",
    }


def other_dashboards() -> dict:
    return {
        "type": "dashboards",
        "title": "Dashboards",
        "tags": [TAG],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }


def layout(rows: list[tuple[str, list[Panel]]]) -> list[dict]:
    """Places panels from left to right, then down; each row of the dashboard begins on a line of its own."""
    placed: list[dict] = []
    y = 0
    for title, panels in rows:
        position = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        placed.append(
            {
                "id": len(placed) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": position,
                "panels": [],
            }
        )
        y += 1
        x = height = 0
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            placed.append(panel.json(len(placed) + 1, x, y))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return placed
