"""The gateway's configuration, the same for one machine and for a cluster."""
