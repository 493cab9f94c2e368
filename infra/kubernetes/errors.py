"""What can go wrong on the way to a cluster."""


class KubernetesError(Exception):
    """The manifests or secrets can't be made; the message tells the person at the terminal why, and what helps."""
