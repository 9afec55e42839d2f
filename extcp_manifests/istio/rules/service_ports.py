"""What the API server refuses of the ports that an IstioOperator gives to a Service.

Source: kubernetes 1.34.0: pkg/apis/core/validation/validation.go (ValidateService, validateServicePort); istio 1.30.3:
gateways/istio-ingress/templates/service.yaml, which takes a gateway's ports as they are. Read, and not run. Which
numbers a cluster allows as nodePort is the cluster's own setting.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.documents.lookup import at, items_of, mapping_of
from extcp_manifests.documents.name_forms import why_not_dns_label
from extcp_manifests.errors import Path, Problem, path_text
from extcp_manifests.patterns import pattern


def check_service_ports(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Check the ports of every component and of the gateways' values; values of a wrong type are passed over."""
    components = mapping_of(spec, "components")
    for name, component in components.items():
        if name not in GATEWAY_CHARTS:
            place: Path = ("spec", "components", name, "k8s", "service", "ports")
            # The chart has ports of its own, with which these merge by number.
            yield from _check_ports(place, _ports_of(component), is_whole=False)
    for key in GATEWAY_CHARTS:
        for index, gateway in enumerate(items_of(components, key)):
            place = ("spec", "components", key, index, "k8s", "service", "ports")
            yield from _check_ports(place, _ports_of(gateway), is_whole=True)
    gateways = mapping_of(spec, "values", "gateways")
    for chart in GATEWAY_CHARTS.values():
        ports = at(gateways, chart, "ports")
        yield from _check_ports(("spec", "values", "gateways", chart, "ports"), ports, is_whole=True)


def _ports_of(component: Any) -> Any:
    return at(component, "k8s", "service", "ports")


def _check_ports(place: Path, ports: Any, *, is_whole: bool) -> Iterator[Problem]:
    """Check a list of ports, which is all that the Service has or only a part."""
    if not isinstance(ports, list | tuple):
        return
    if is_whole and not ports:
        yield Problem(place, "is empty, and the API server refuses a Service without ports: add one, or leave it out")
    numbers: dict[tuple[Any, str], Path] = {}
    names: dict[str, Path] = {}
    for index, port in enumerate(ports):
        if not isinstance(port, Mapping):
            continue
        own = (*place, index)
        yield from _check_port(own, port)
        name, number = port.get("name"), port.get("port")
        if isinstance(name, str) and name:
            first = names.setdefault(name, own)
            if first != own:
                other = path_text(first)
                problem = f"{name!r} is already the name of {other}, and the API server refuses two: choose another"
                yield Problem((*own, "name"), problem)
        elif not name and is_whole and len(ports) > 1:
            problem = "is required by the API server where a Service has several ports: add it"
            yield Problem((*own, "name"), problem)
        protocol = str(port.get("protocol") or "TCP")
        if _is_number(number):
            first = numbers.setdefault((number, protocol), own)
            if first != own:
                other = path_text(first)
                problem = f"{number} is already the {protocol} port of {other}: leave one out, or choose another number"
                yield Problem((*own, "port"), problem)


def _check_port(place: Path, port: Mapping[str, Any]) -> Iterator[Problem]:
    name, number, target, protocol = (port.get(key) for key in ("name", "port", "targetPort", "protocol"))
    if isinstance(name, str) and name:
        problem = why_not_dns_label(name)
        if problem is not None:
            yield Problem((*place, "name"), problem)
    if _is_number(number):
        yield from _check_number((*place, "port"), number)
    if _is_number(target) and target != 0:  # 0 is as good as none
        yield from _check_number((*place, "targetPort"), target)
    if isinstance(target, str) and target:
        problem = _port_name(target)
        if problem is not None:
            yield Problem((*place, "targetPort"), problem)
    if isinstance(protocol, str) and protocol not in ("", *_PROTOCOLS):
        yield Problem((*place, "protocol"), f"{protocol!r} is not a protocol of Services: use TCP, UDP or SCTP")


_PROTOCOLS = ("TCP", "UDP", "SCTP")


def _check_number(place: Path, number: int) -> Iterator[Problem]:
    if not 1 <= number <= 65535:
        yield Problem(place, f"{number} is not a valid port: use 1 to 65535")


# kubernetes 1.34.0: apimachinery: pkg/util/validation/validation.go (IsValidPortName)
_PORT_NAME = pattern(r"(?=.*[a-z])(?!.*--)[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?")


def _port_name(text: str) -> str | None:
    """Return why the text is not the name of a container's port, or None."""
    if len(text) <= 15 and _PORT_NAME.fullmatch(text):
        return None
    return f"{text!r} is not the name of a port: use a-z, 0-9 and single inner '-', at most 15 with a letter among them"


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
