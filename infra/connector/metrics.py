"""What Prometheus sees of the connector."""

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES = Counter("connector_deliveries_total", "Calls of functions with a message", ["function", "outcome"])
"""outcome: done, later (429 or 503), retry (another 5xx or no answer), refused (4xx), again (no answer yet, so
posted once more)"""
DEAD_LETTERS = Counter("connector_dead_letters_total", "Messages that were given up", ["function"])
IN_FLIGHT = Gauge("connector_messages_in_flight", "Messages that a function works on", ["function"])
LAG = Gauge("connector_messages_waiting", "Messages that wait for a function", ["function"])
SECONDS = Histogram(
    "connector_delivery_seconds", "Time until a function answered", ["function"], buckets=(0.05, 0.25, 1, 2.5, 10, 60)
)
WEBHOOKS = Counter("connector_webhooks_total", "Notifications of the object store", ["outcome"])
