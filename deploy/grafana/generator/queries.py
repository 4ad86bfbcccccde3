"""PromQL, put together so that every query selects the job, the chosen instances and nothing by accident."""

ROUTE = 'route=~"$route"'
UPSTREAM = 'upstream=~"$upstream"'
DENIED = 'decision=~"denied|degraded_denied"'


def series(name: str, *matchers: str, job: str = "gateway") -> str:
    """A selector; of the gateway's own series only those of the chosen instances."""
    chosen = ['instance=~"$instance"'] if job == "gateway" else []
    return name + "{" + ",".join([f'job="{job}"', *chosen, *matchers]) + "}"


def redis(name: str, *matchers: str) -> str:
    return series(name, *matchers, job="redis")


def node(name: str, *matchers: str) -> str:
    return series(name, *matchers, job="node")


def rate(selector: str) -> str:
    """Per second, over as little time as the scrape interval allows."""
    return f"rate({selector}[$__rate_interval])"


def sum_by(labels: str, expression: str) -> str:
    return f"sum by ({labels}) ({expression})" if labels else f"sum({expression})"


def rate_by(labels: str, name: str, *matchers: str) -> str:
    """The rate of a counter, summed over everything but `labels`."""
    return sum_by(labels, rate(series(name, *matchers)))


def share(part: str, whole: str) -> str:
    """A part of a whole; nothing where the whole is zero, instead of a division by it."""
    return f"{part} / ({whole} > 0)"


def or_zero(expression: str, whole: str) -> str:
    """Zero where `expression` has no series yet and `whole` has: a label value that never occurred is no gap in the data."""
    return f"({expression} or {whole} * 0)"


def quantile(q: float, by: str, name: str, *matchers: str) -> str:
    """A quantile of a histogram for each value of `by`."""
    labels = f"{by}, le" if by else "le"
    buckets = rate_by(labels, f"{name}_bucket", *matchers)
    return f"histogram_quantile({q}, {buckets})"


def mean(by: str, name: str, *matchers: str) -> str:
    """A histogram's exact mean; its quantiles are only as fine as its buckets."""
    return share(rate_by(by, f"{name}_sum", *matchers), rate_by(by, f"{name}_count", *matchers))
