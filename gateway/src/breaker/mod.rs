//! Floor 1b: the near side of the circuits.
