"""What is watched is there: dashboard and alerts ask for metrics that the parts have."""

import json
import re
from typing import Any

import yaml
from prometheus_client import REGISTRY

import infra.connector.metrics  # noqa: F401 -- registers its metrics
from infra.project import ROOT
from tests.kubernetes.rendered import Rendered, targets

RENDERED = Rendered(targets()["knative"])
SUFFIXES = r"_(bucket|total|count|sum)$"


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        RENDERED.one("ConfigMap", "countermark-dashboard")["data"]["countermark.json"]
    )
    return document


def rules() -> list[dict[str, Any]]:
    groups = RENDERED.one("PrometheusRule", "countermark")["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_query_asks_for_metrics_that_there_are() -> None:
    queries = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    queries += [rule["expr"] for rule in rules()]
    asked = {name for query in queries for name in re.findall(r"\b(?:connector|function)_\w+", query)}
    serving = (ROOT / "functions/countermark/http/application.py").read_text()
    there = {metric.name for metric in REGISTRY.collect()}
    there |= {re.sub(SUFFIXES, "", name) for name in re.findall(r'"(function_\w+)"', serving)}
    assert len(asked) > 5
    assert {re.sub(SUFFIXES, "", name) for name in asked} <= there


def test_the_dashboard_shows_what_somebody_looks_for() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    titles = " ".join(panel["title"] for panel in panels).lower()
    for word in ("outcome", "seconds", "wait", "in work", "copies", "dead letters", "errors"):
        assert word in titles


def test_alerts_tell_of_dead_letters_of_what_piles_up_and_of_no_connector() -> None:
    assert {rule["alert"] for rule in rules()} >= {
        "CountermarkDeadLetters",
        "CountermarkMessagesPileUp",
        "CountermarkNoConnector",
    }
    for rule in rules():
        assert rule["annotations"].keys() == {"summary", "description"}


def test_templates_of_prometheus_and_grafana_are_left_to_them() -> None:
    text = yaml.safe_dump(rules()) + json.dumps(dashboard())
    assert "{{ $labels.function }}" in text
    assert '"legendFormat": "{{function}}"' in text
