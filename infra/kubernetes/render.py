"""The manifests of a deployment, from the templates and the stack file."""

import hashlib
import math
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import yaml

from infra.caddy.site import Site, Upstream, caddyfile
from infra.connector.delivery import MARGIN_SECONDS
from infra.kubernetes.functions import COPIES_FOR_CALLS, Function, read_functions, resolved_stack
from infra.kubernetes.target import OPENFAAS_GATEWAY, Target
from infra.local.folder import ROOT

GATEWAY_PORT = 8080
MAX_OBJECT_BYTES = 10 * 1024**3
"""The largest body that goes to the store: MAX_JOB_BYTES by default."""
COMMON = ("namespace.yaml", "postgres.yaml", "minio.yaml", "setup.yaml", "connector.yaml", "gateway.yaml")
EVERYWHERE = ("policies.yaml", "monitoring.yaml")
APPLIED = {"knative": (*COMMON, "functions.yaml", *EVERYWHERE), "openfaas": (*COMMON, "keda.yaml", *EVERYWHERE)}
ASIDE = {"knative": ("serving.yaml", "eventing.yaml"), "openfaas": ()}
"""Rendered, but no resource of the kustomization."""
OF_MINIO = "minio.yaml"
SCALE_MIN, SCALE_MAX, SCALE_FACTOR = (f"com.openfaas.scale.{name}" for name in ("min", "max", "factor"))

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(ROOT / "templates" / "kubernetes"),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # noqa: S701 -- manifests, no HTML
    keep_trailing_newline=True,
)
_templates.filters["checksum"] = lambda text: hashlib.sha256(text.encode()).hexdigest()[:16]


def render(target: Target) -> dict[str, str]:
    """Every file of a deployment by its name.

    Raises:
        KubernetesError: the stack file can't be used.
    """
    stack = _for_platform(target, resolved_stack(target))
    functions = read_functions(stack)
    resources = [name for name in APPLIED[target.platform] if not (target.store and name == OF_MINIO)]
    stack_text = yaml.safe_dump(stack, sort_keys=False, width=120)
    values = {
        "target": target,
        "functions": functions,
        "stack_text": stack_text,
        "caddyfile": caddyfile(site(target, functions)),
        "dashboard": template_text("dashboard.json.j2"),
        "longest_seconds": max(function.seconds for function in functions),
        "drain_seconds": _drain_seconds(functions),
        "max_body_bytes": MAX_OBJECT_BYTES,
        "copies_for_calls": COPIES_FOR_CALLS,
        "scale": _scale(stack, functions),
        "store_port": urlsplit(target.store_url).port or 443,
        "resources": resources,
    }
    names = [*resources, *ASIDE[target.platform], "kustomization.yaml"]
    files = {name: template_text(f"{name}.j2", **values).rstrip() + "\n" for name in names}
    return files | {"stack.yml": stack_text}


def site(target: Target, functions: list[Function]) -> Site:
    """What the gateway serves on a cluster."""
    return Site(
        port=GATEWAY_PORT,
        hosts=[],
        behind_proxy=True,
        functions={function.name: _upstream(target, function) for function in functions},
        store=target.store_url,
        max_object_bytes=MAX_OBJECT_BYTES,
        web="/srv/web",
        storage="/tmp/caddy",  # noqa: S108 -- a folder of its own container
    )


def _upstream(target: Target, function: Function) -> Upstream:
    if target.platform == "openfaas":
        where = {"addresses": [OPENFAAS_GATEWAY], "prefix": f"/function/{function.name}"}
    else:
        host = target.service(function.name)
        where = {"addresses": [f"{host}:80"], "host": host}
    return Upstream(**where, max_body_bytes=function.max_body_bytes, public=function.public)  # type: ignore[arg-type]


def _for_platform(target: Target, stack: dict[str, Any]) -> dict[str, Any]:
    """On OpenFaaS the gateway's own alert is told to leave watermark to KEDA: it would set other numbers of copies."""
    if target.platform == "openfaas":
        watermark = stack["functions"]["watermark"]
        watermark["labels"] = (watermark.get("labels") or {}) | {SCALE_FACTOR: "0"}
    return stack


def _drain_seconds(functions: list[Function]) -> int:
    """What the longest call of the connector may take."""
    return math.ceil(max(function.seconds for function in functions if function.topic) + MARGIN_SECONDS) + 15


def _scale(stack: dict[str, Any], functions: list[Function]) -> dict[str, Any]:
    """KEDA's numbers for watermark: two messages in work and two that wait for each copy."""
    labels = stack["functions"]["watermark"].get("labels") or {}
    inflight = next(function.max_inflight for function in functions if function.name == "watermark")
    return {"min": labels.get(SCALE_MIN, "1"), "max": labels.get(SCALE_MAX, "5"), "lag": 2 * inflight}


def template_text(name: str, **values: Any) -> str:
    """The text of one template."""
    return _templates.get_template(name).render(values)


def write(target: Target, folder: Path) -> list[Path]:
    """Write the files of a deployment; those of an earlier one with another shape are removed.

    Raises:
        KubernetesError: the stack file can't be used.
    """
    files = render(target)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.yaml"):
        old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]
