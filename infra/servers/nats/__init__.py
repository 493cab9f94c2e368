"""NATS: the stream."""
