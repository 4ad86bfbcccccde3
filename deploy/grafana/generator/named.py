"""Queries whose series are called by the labels they are told apart by, as most of them are."""

from .panels import Query
from .queries import mean, quantile, rate_by, series, sum_by


def legend(labels: str) -> str:
    """`route, reason` as `{{route}} {{reason}}`."""
    return " ".join("{{" + label + "}}" for label in labels.split(", "))


def rates(by: str, name: str, *matchers: str) -> Query:
    """The rate of a counter for each value of `by`."""
    return Query(rate_by(by, name, *matchers), legend(by))


def sums(by: str, name: str, *matchers: str) -> Query:
    """A gauge, summed over everything but `by`."""
    return Query(sum_by(by, series(name, *matchers)), legend(by))


def increases(by: str, name: str, *matchers: str, over: str = "$__rate_interval") -> Query:
    """How often something happened within `over`, for each value of `by`."""
    return Query(sum_by(by, f"increase({series(name, *matchers)}[{over}])"), legend(by))


def quantiles(q: float, by: str, name: str, *matchers: str) -> Query:
    """A quantile of a histogram for each value of `by`."""
    return Query(quantile(q, by, name, *matchers), legend(by))


def means(by: str, name: str, *matchers: str) -> Query:
    """A histogram's mean for each value of `by`."""
    return Query(mean(by, name, *matchers), legend(by))


def each(name: str, *matchers: str) -> Query:
    """A series of each gateway by itself."""
    return Query(series(name, *matchers), legend("instance"))
