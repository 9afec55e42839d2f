"""The ports that IstioOperators give to Services."""

from pathlib import Path
from typing import Any

import pytest

from extcp_manifests import yaml
from extcp_manifests.istio.rules.istio_operator import validate_operator
from extcp_manifests.istio.rules.service_ports import check_service_ports

CASES = yaml.load((Path(__file__).parent / "cases/service_ports.yaml").read_bytes())["cases"]
COMPONENTS, VALUES = "spec.components.egressGateways[0].k8s.service.ports", "spec.values.gateways.{}.ports"


def reported(spec: Any) -> list[str]:
    return [str(problem) for problem in check_service_ports(spec)]


def expected(case: Any, place: str) -> list[str]:
    return [f"{place}{line.replace('PORTS', place)}" for line in case.get("errors", [])]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_ports(case: Any) -> None:
    """A gateway's ports are checked as the API server does, in components and in values alike."""
    ports = case["ports"]
    assert reported({"components": {"egressGateways": [{"k8s": {"service": {"ports": ports}}}]}}) == expected(
        case, COMPONENTS
    )
    for chart in ("istio-ingressgateway", "istio-egressgateway"):
        assert reported({"values": {"gateways": {chart: {"ports": ports}}}}) == expected(case, VALUES.format(chart))


def test_ports_of_other_components() -> None:
    """Ports of istiod merge with those of its chart by number, so they need no names, and may be none."""
    place = "spec.components.pilot.k8s.service.ports"
    nameless = [{"port": 15012, "nodePort": 31012}, {"port": 15010, "nodePort": 31010}]
    assert reported({"components": {"pilot": {"k8s": {"service": {"ports": nameless}}}}}) == []
    assert reported({"components": {"pilot": {"k8s": {"service": {"ports": []}}}}}) == []
    twice = [{"name": "a", "port": 15012}, {"name": "a", "port": 99999}]
    assert reported({"components": {"pilot": {"k8s": {"service": {"ports": twice}}}}}) == [
        f"{place}[1].port: 99999 is not a valid port: use 1 to 65535",
        f"{place}[1].name: 'a' is already the name of {place}[0], and the API server refuses two: choose another",
    ]


@pytest.mark.parametrize("release", ["1.15", "1.24"])
def test_validation_of_operators_looks_at_ports(release: str) -> None:
    """What validates an IstioOperator reports its ports, beside what else is wrong."""
    gateway = {"name": "g", "enabled": "x", "k8s": {"service": {"ports": [{"port": 70000}]}}}
    spec = {"components": {"ingressGateways": [gateway]}}
    paths = [each.path for each in validate_operator({"kind": "IstioOperator", "spec": spec}, release=release).errors]
    assert paths == [
        "spec.components.ingressGateways[0].enabled",
        "spec.components.ingressGateways[0].k8s.service.ports[0].port",
    ]


@pytest.mark.parametrize(
    "spec", [{"components": 1}, {"components": {"pilot": [], "ingressGateways": {}}}, {"values": {"gateways": [1]}}]
)
def test_specs_of_wrong_types(spec: Any) -> None:
    """Where there are no ports nothing is reported, whatever is there."""
    assert reported(spec) == []
