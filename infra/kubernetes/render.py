"""The manifests of a deployment, from the templates and the stack file."""

import hashlib
import math
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from infra.connector.delivery import MARGIN_SECONDS
from infra.kubernetes.functions import (
    COPIES_FOR_CALLS,
    MARKING,
    OPENFAAS_COPIES,
    SCALE_MAX,
    SCALE_MIN,
    Workload,
    deployed_stack,
    workloads_of,
)
from infra.kubernetes.target import OPENFAAS_GATEWAY, Target
from infra.project import ROOT
from infra.render import templates
from infra.servers.gateway.site import Site, Upstream, caddyfile
from infra.stack import Function

GATEWAY_PORT = 8080
MAX_OBJECT_BYTES = 10 * 1024**3
"""The largest body that goes to the store: MAX_JOB_BYTES by default."""
COMMON = ("namespace.yaml", "postgres.yaml", "minio.yaml", "setup.yaml", "connector.yaml", "gateway.yaml")
EVERYWHERE = ("policies.yaml", "monitoring.yaml")
APPLIED = {"knative": (*COMMON, "functions.yaml", *EVERYWHERE), "openfaas": (*COMMON, "keda.yaml", *EVERYWHERE)}
ASIDE = {"knative": ("serving.yaml", "eventing.yaml"), "openfaas": ()}
"""Rendered, but no resource of the kustomization."""
OF_MINIO = "minio.yaml"

_templates = templates(ROOT / "templates" / "kubernetes")
_templates.filters["checksum"] = lambda text: hashlib.sha256(text.encode()).hexdigest()[:16]


def render(target: Target) -> dict[str, str]:
    """Every file of a deployment by its name.

    Raises:
        InvalidStack: the stack file can't be used.
    """
    stack = deployed_stack(target)
    workloads = workloads_of(stack)
    resources = [name for name in APPLIED[target.platform] if not (target.store and name == OF_MINIO)]
    stack_text = yaml.safe_dump(
        stack.model_dump(mode="json", by_alias=True, exclude_unset=True), sort_keys=False, width=120
    )
    values = {
        "target": target,
        "workloads": workloads,
        "stack_text": stack_text,
        "caddyfile": caddyfile(site(target, workloads)),
        "dashboard": template_text("dashboard.json.j2"),
        "longest_seconds": max(workload.seconds for workload in workloads),
        "drain_seconds": _drain_seconds(workloads),
        "max_body_bytes": MAX_OBJECT_BYTES,
        "copies_for_calls": COPIES_FOR_CALLS,
        "scale": _scale(stack.functions[MARKING]),
        "store_port": urlsplit(target.store_url).port or 443,
        "resources": resources,
    }
    names = [*resources, *ASIDE[target.platform], "kustomization.yaml"]
    files = {name: template_text(f"{name}.j2", **values).rstrip() + "\n" for name in names}
    return files | {"stack.yml": stack_text}


def site(target: Target, workloads: list[Workload]) -> Site:
    """What the gateway serves on a cluster."""
    return Site(
        port=GATEWAY_PORT,
        hosts=[],
        behind_proxy=True,
        functions={workload.name: _upstream(target, workload) for workload in workloads},
        store=target.store_url,
        max_object_bytes=MAX_OBJECT_BYTES,
        web="/srv/web",
        storage="/tmp/caddy",  # noqa: S108 -- a folder of its own container
    )


def _upstream(target: Target, workload: Workload) -> Upstream:
    function = workload.function
    if target.platform == "openfaas":
        where = {"addresses": [OPENFAAS_GATEWAY], "prefix": f"/function/{workload.name}"}
    else:
        host = target.service(workload.name)
        where = {"addresses": [f"{host}:80"], "host": host}
    return Upstream(**where, max_body_bytes=function.max_body_bytes, public=function.public)  # type: ignore[arg-type]


def _drain_seconds(workloads: list[Workload]) -> int:
    """What the longest call of the connector may take."""
    return math.ceil(max(each.seconds for each in workloads if each.function.topic) + MARGIN_SECONDS) + 15


def _scale(watermark: Function) -> dict[str, Any]:
    """KEDA's numbers for watermark: as many images in work as a copy takes, and as many that wait for it."""
    return {
        "min": watermark.labels.get(SCALE_MIN, "1"),
        "max": watermark.labels.get(SCALE_MAX, str(OPENFAAS_COPIES)),
        "waiting": 2 * watermark.max_inflight,
    }


def template_text(name: str, **values: Any) -> str:
    """The text of one template."""
    return _templates.get_template(name).render(values)


def write(target: Target, folder: Path) -> list[Path]:
    """Write the files of a deployment; those of an earlier one with another shape are removed.

    Raises:
        InvalidStack: the stack file can't be used.
    """
    files = render(target)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.yaml"):
        old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]
