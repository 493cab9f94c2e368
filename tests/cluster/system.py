"""The whole system on the cluster, from the project's own manifests."""

from tests.cluster import stand_ins
from tests.cluster.built import Builder
from tests.cluster.cluster import Cluster
from tests.cluster.functions import NAMESPACE, TAG, Manifests, small, with_scale

SECONDS_TO_START = 300
APART = {"Issuer", "Certificate"}
"""Kinds of cert-manager, which is not here."""


def deploy_system(cluster: Cluster, manifests: Manifests, builder: Builder) -> None:
    """Build and push the images, make everything, and wait until all of it is ready."""
    functions = [with_scale(each, scale_down_delay="10s") for each in manifests.objects("functions")]
    builder.build(*(each["metadata"]["name"] for each in functions), "connector", "gateway", tag=TAG)
    stand_ins.deploy(cluster, builder)
    kube, space = cluster.kube, f"--namespace={NAMESPACE}"
    kube.apply(*small(*manifests.objects("minio", "setup")))
    kube.wait("condition=Complete", space, "job/store-setup", seconds=SECONDS_TO_START)
    objects = manifests.objects("connector", "gateway", "policies")
    kube.apply(*small(*(each for each in objects if each["kind"] not in APART)))
    kube.apply(*functions)
    kube.wait("condition=Ready", space, "ksvc", "--all", seconds=SECONDS_TO_START)
    for name in ("connector", "gateway"):
        kube.run("rollout", "status", space, f"deployment/{name}", f"--timeout={SECONDS_TO_START}s")
