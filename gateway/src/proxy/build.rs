//! From settings to a proxy: the only place that resolves names. Runs once on each worker.
