//! Floor 4: from what was written to validated settings.
