"""What Prometheus sees of the connector."""

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES = Counter("connector_deliveries_total", "Calls of functions with a message", ["function", "outcome"])
"""outcome: done, dead, retry or hold, as in verdict.py"""
DEAD_LETTERS = Counter("connector_dead_letters_total", "Messages that were given up", ["function"])
LET_GO = Counter("connector_messages_let_go_total", "Messages that were held for too long", ["function"])
IN_FLIGHT = Gauge("connector_messages_in_flight", "Messages that a function works on", ["function"])
LAG = Gauge("connector_messages_waiting", "Messages that wait for a function", ["function"])
SECONDS = Histogram(
    "connector_delivery_seconds", "Time until a function answered", ["function"], buckets=(0.05, 0.25, 1, 2.5, 10, 60)
)
MADE = Counter("connector_stream_parts_made_total", "Streams, consumers and schedules that were missing", ["part"])
WEBHOOKS = Counter("connector_webhooks_total", "Notifications of the object store", ["outcome"])
"""outcome: published, ignored, unreadable, forbidden or lost"""
