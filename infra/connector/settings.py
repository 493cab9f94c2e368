"""What can be set in the connector."""

from pathlib import Path

from countermark.settings import SecretSettings
from pydantic import Field, SecretStr


class ConnectorSettings(SecretSettings):
    """The connector's settings."""

    nats_url: SecretStr
    webhook_token: SecretStr | None = None
    """What an object store's webhook must show; without it there is no webhook."""
    function_url: str = Field("http://127.0.0.1:8080/function/{function}", pattern=r"^https?://.*\{function\}")
    """Where a function is; {function} stands for its name."""
    stack_file: Path = Path("stack.yml")
    port: int = 8082
    """For /healthz, /metrics and /webhook."""
    bind: str = "127.0.0.1"
    stream_replicas: int = Field(1, ge=1, le=5)
    """Copies of each stream: 3 on a NATS cluster."""
    ack_wait: float = Field(15, ge=1)
    """Seconds after which the stream delivers a message again that nobody has answered or extended."""
