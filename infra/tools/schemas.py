"""JSON schemas of the kinds that our manifests have, for kubeconform: Kubernetes' own, and of what extends it.

They are made from the OpenAPI documents in the sources of each project, once a version, and are strict: a field that
the kind does not have is an error.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from infra.tools.build import alone, cache, module_folder
from infra.tools.table import KUBERNETES

EXTENSIONS = {
    ("knative.dev/serving", "v0.42.2"): "config/core/300-resources/*.yaml",
    ("github.com/kedacore/keda/v2", "v2.21.0"): "config/crd/bases/keda.sh_*.yaml",
    ("github.com/cert-manager/cert-manager", "v1.21.2"): "deploy/crds/cert-manager.io_*.yaml",
    ("github.com/prometheus-operator/prometheus-operator", "v0.85.0"): (
        "example/prometheus-operator-crd/monitoring.coreos.com_*.yaml"
    ),
}
"""The modules whose definitions of kinds are used, and where those are in them."""
OPENAPI = "api/openapi-spec/swagger.json"
LOCATION = "{{ .ResourceKind }}-{{ .Group }}-{{ .ResourceAPIVersion }}.json"
"""How kubeconform finds the schema of a kind in the folder."""
REFERENCE = "#/definitions/"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads a lone ``=`` as the text that it is in these files."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))

LOOSE = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
}
"""What OpenAPI 2 calls a string, and may be a number as well."""


def schemas() -> Path:
    """The folder with the schemas; made first if need be, which downloads the sources.

    Raises:
        ToolError: a source can't be had.
    """
    versions = repr((KUBERNETES, sorted(EXTENSIONS.items())))
    folder = cache() / f"schemas-{hashlib.sha256(versions.encode()).hexdigest()[:12]}"
    with alone(folder.with_suffix(".lock")):
        if not folder.is_dir():
            unfinished = folder.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            for name, schema in (*_own_kinds(), *_extended_kinds()):
                (unfinished / name.lower()).write_text(json.dumps(schema), encoding="utf-8")
            unfinished.replace(folder)
    return folder


def definitions() -> Iterator[Path]:
    """The files with the definitions of the kinds that extend Kubernetes, as a cluster takes them."""
    for (module, version), pattern in EXTENSIONS.items():
        yield from sorted(path for path in module_folder(module, version).glob(pattern) if path.is_file())


def _own_kinds() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each kind with the definitions that it needs, in one file."""
    source = module_folder(KUBERNETES[0], KUBERNETES[1]) / OPENAPI
    every = {**json.loads(source.read_text(encoding="utf-8"))["definitions"], **LOOSE}
    strict = {name: _strict(schema) for name, schema in every.items()}
    for name, schema in every.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            if schema.get("properties"):
                needed = {each: strict[each] for each in _reachable(every, name)}
                yield (
                    _name(kind["kind"], kind["group"] or kind["version"], kind["version"]),
                    {
                        "$ref": f"{REFERENCE}{name}",
                        "definitions": needed,
                    },
                )


def _extended_kinds() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in definitions():
        for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=_Loader):
            spec = document["spec"]
            for version in spec["versions"]:
                schema = _strict(version["schema"]["openAPIV3Schema"])
                schema["properties"] = (schema.get("properties") or {}) | {"metadata": {"type": "object"}}
                yield _name(spec["names"]["kind"], spec["group"], version["name"]), schema


def _name(kind: str, group: str, version: str) -> str:
    return f"{kind}-{group}-{version}.json"


def _reachable(every: dict[str, Any], name: str) -> set[str]:
    found, waiting = set(), [name]
    while waiting:
        if (each := waiting.pop()) not in found:
            found.add(each)
            waiting += _references(every[each])
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.removeprefix(REFERENCE)
        for value in schema.values():
            yield from _references(value)


def _strict(schema: Any) -> Any:
    """The schema without room for fields that it does not name, and with the numbers that may be strings."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    strict = {key: _strict(value) for key, value in schema.items()}
    loose = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and not loose:
        strict["additionalProperties"] = False
    return strict
