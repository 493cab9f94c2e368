"""What a platform is planned for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.credentials import KeyPair, key_pair
from infra.local.folder import MARK, DataFolder
from infra.local.stores import Store
from infra.servers.nats import configuration as nats
from infra.store.access import ACCESS

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 -- told apart, not bound
DATABASE_USER, DATABASE = "countermark", "postgres"

SECRETS = {
    **{f"{user}-nats-password": 24 for user in nats.USERS},
    "postgres-password": 24,
    "s3-access-key": 15,
    "s3-secret-key": 30,
    **{f"{identity}-access-key": 15 for identity in ACCESS},
    **{f"{identity}-secret-key": 30 for identity in ACCESS},
    "webhook-token": 24,
}
"""Name and bytes of randomness of each secret that is made here."""


@dataclass(frozen=True)
class PublicAddress:
    """Where the platform is reached."""

    host: str
    port: int

    @property
    def hosts(self) -> list[str]:
        """What Caddy listens on; the health check needs the loopback."""
        return [self.host] if self.host in {LOOPBACK, *EVERYWHERE} else [LOOPBACK, self.host]

    @property
    def url(self) -> str:
        """The address to open in a browser on this machine."""
        host = LOOPBACK if self.host in EVERYWHERE else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def local_url(self) -> str:
        """The address for the health check."""
        return f"http://{LOOPBACK}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Everything that a plan depends on beside stack.yml and the settings."""

    folder: DataFolder
    address: PublicAddress
    environ: Mapping[str, str]
    """What every process inherits. An address in it stands for a server that runs elsewhere."""
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    store: Store
    """Which store runs here, unless S3_ENDPOINT names another."""
    store_program: Path
    database_owner: str | None = None
    """The system user that PostgreSQL runs as; None: the one who starts the platform."""
    cores: int

    @property
    def has_nats(self) -> bool:
        """Whether the stream runs here."""
        return not self.environ.get("NATS_URL")

    @property
    def has_database(self) -> bool:
        """Whether the job store runs here."""
        return not self.environ.get("DATABASE_URL")

    @property
    def has_store(self) -> bool:
        """Whether the object store runs here."""
        return not self.environ.get("S3_ENDPOINT")

    def nats_url(self, user: str) -> str:
        """The stream for one of its users."""
        own = nats.url(user, self.secrets, f"{LOOPBACK}:{self.ports['nats']}") if self.has_nats else ""
        return own or self.environ["NATS_URL"]

    @property
    def database_url(self) -> str:
        """The job store."""
        if not self.has_database:
            return self.environ["DATABASE_URL"]
        password, port = self.secrets["postgres-password"], self.ports["postgres"]
        return f"postgresql://{DATABASE_USER}:{password}@{LOOPBACK}:{port}/{DATABASE}"

    @property
    def store_url(self) -> str:
        """The object store."""
        return f"http://{LOOPBACK}:{self.ports['s3']}" if self.has_store else self.environ["S3_ENDPOINT"]

    @property
    def administrator(self) -> KeyPair:
        """Of the object store."""
        if self.has_store:
            return KeyPair(access_key=self.secrets["s3-access-key"], secret_key=self.secrets["s3-secret-key"])
        return KeyPair(
            access_key=self.environ.get("S3_ACCESS_KEY", ""), secret_key=self.environ.get("S3_SECRET_KEY", "")
        )

    @property
    def pairs(self) -> dict[str, KeyPair]:
        """The key pairs of the store's identities; none when it runs elsewhere."""
        return {identity: key_pair(identity, self.secrets) for identity in ACCESS} if self.has_store else {}

    @property
    def settings(self) -> dict[str, str]:
        """The settings that follow from where the servers are, as their administrator has them."""
        return {
            "nats_url": self.nats_url("connector"),
            "database_url": self.database_url,
            "s3_endpoint": self.store_url,
            "s3_access_key": self.administrator.access_key,
            "s3_secret_key": self.administrator.secret_key,
        }

    def secrets_folder(self, process: str) -> Path:
        """The folder with what a process may know."""
        return self.folder.secrets / process

    def environment(self, **own: str) -> dict[str, str]:
        """The whole environment of a process."""
        # With a store of ours, these are for another one; this one's are in the files.
        hidden = {"S3_ACCESS_KEY", "S3_SECRET_KEY"} if self.has_store else set()
        inherited = {name: value for name, value in self.environ.items() if name not in hidden}
        return inherited | {"S3_ENDPOINT": self.store_url, MARK: str(self.folder.root)} | own
