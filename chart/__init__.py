"""Makes the chart's templates of what ``crds/`` and ``manifests/control`` say already: neither is written twice."""
