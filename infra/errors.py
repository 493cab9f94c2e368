"""What the person at the terminal can fix.

InfraError
    InvalidStack      stack.yml is missing or wrong
    PlatformError     the one-machine platform can't start
    BuildError        images can't be built
    KubernetesError   manifests or secrets can't be made
"""


class InfraError(Exception):
    """The message says in a line or a few what is wrong, and what helps."""


class InvalidStack(InfraError):
    """stack.yml is missing or wrong; the message names file, function and key of everything that is."""


class PlatformError(InfraError):
    """The one-machine platform can't start or go on."""


class BuildError(InfraError):
    """Images can't be built."""


class KubernetesError(InfraError):
    """The manifests or secrets can't be made."""
