"""Which queries may come back with nothing or with zeros, and why. Everything else returns data above zero."""

# Dashboard panels whose values may all be zero: the fleet of the test gives no cause, or the good value is zero.
ZERO_IS_FINE = {
    "Log lines dropped": "the test reads the log fast enough",
    "Watched limits that would refuse": "no limit of the test is in shadow mode",
    "Redis replicas": "the test's Redis has none",
    "Leased and lost": "tokens are lost only when giving back fails",
    "Leased and given back": "whether a lease is used up within its lifetime is a matter of the traffic's luck",
    "Host network": "a machine may have no network but the loopback",
    "Host load": "a machine may have been idle",
    "Connections ended in self-defence": "no client of the test attacks",
}

# Queries that may return nothing although their metrics exist.
NOTHING_IS_FINE = {
    "Host network": "a machine may have no network but the loopback",
    "Watched limits that would refuse": "no limit of the test is in shadow mode",
}

# Alerts whose condition does not come true in the test; their left sides still return data.
NOT_PROVOKED = {
    "GatewayLogLinesDropped": "the test reads the log fast enough",
}
