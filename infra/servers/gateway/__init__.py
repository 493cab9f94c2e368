"""Caddy: the gateway, the one public address; its configuration is the same for one machine and for a cluster."""
