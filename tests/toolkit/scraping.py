"""What Prometheus makes of a scrape."""

from prometheus_client.parser import text_string_to_metric_families

#: Labels that scrapers put on every series (Prometheus, and the Prometheus Operator with its monitors). One of ours of
#: the same name would be renamed to ``exported_...``, unless honorLabels is set.
SCRAPERS = frozenset({"job", "instance", "namespace", "pod", "container", "endpoint", "service", "node"})


def labels_in(text: str) -> set[str]:
    """The names of all labels in a scrape."""
    return {
        label for family in text_string_to_metric_families(text) for sample in family.samples for label in sample.labels
    }
