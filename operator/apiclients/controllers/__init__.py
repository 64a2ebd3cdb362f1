"""Level-based reconciling: observe, decide (in ``lifecycle``), apply. One work queue, one status write per change."""
