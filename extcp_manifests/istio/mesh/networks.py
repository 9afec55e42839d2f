"""Which meshNetworks istiod uses: one whole document, never a mixture.

Source: istio 1.24.6 and 1.30.3: pilot/pkg/bootstrap/mesh.go, read and not run; validation: 1.30.3:
pkg/config/validation/agent/validation.go.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from extcp_manifests.errors import InvalidInput, Path, Problem
from extcp_manifests.istio.mesh.sources import (
    Ignored,
    Input,
    Source,
    SourceContent,
    decoding_problems,
    ignored_keys,
    read_source,
)
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.istio.rules.shared_checks import LABEL, is_fqdn, is_ip, is_subnet
from extcp_manifests.istio.schema.decoder import decode
from extcp_manifests.istio.schema.tables import read_schema
from extcp_manifests.records import Record


class MeshNetworksChoice(Record):
    """The networks that istiod uses, and where they are from."""

    networks: dict[str, Any]
    source: Source
    """Whose networks they are; `defaults` where no source has any."""
    ignored: tuple[Ignored, ...]
    """The other source, where it says something, and keys that istiod does not know."""
    problems: tuple[Problem, ...]
    """What istiod's validation refuses."""


def choose_mesh_networks(
    *, shared: Input, local: Input, release: Release | str, names: Mapping[Source, str] | None = None
) -> MeshNetworksChoice:
    """Return the meshNetworks of an external istiod whose own file is `local`; `shared` is the config cluster's.

    Up to 1.24 istiod reads its own file alone. From 1.25 the config cluster's, where there are any, beat the file's,
    unlike in the mesh config. Sources are given as to `merge_mesh_config`; a ConfigMap's key is
    `meshNetworks`. Raises InvalidInput for a source that is used and cannot be decoded.
    """
    record = find_release(release)
    given: dict[Source, Input] = {"shared": shared, "local": local}
    order: tuple[Source, ...] = ("shared", "local") if record.shared_networks_first else ("local",)
    source, content = _used(order, given, names or {}, record)
    decoded = decode(read_schema("mesh_config"), "MeshNetworks", content.data, record)
    if decoded.errors:
        raise InvalidInput(decoding_problems(content, decoded))
    ignored: list[Ignored] = []
    for other, document in given.items():
        if other != source and _says_something(document, record):
            reason = f"is not read, since istiod {record} uses the {source} document alone"
            ignored.append(Ignored(other, ("networks",), reason))
    ignored += ignored_keys(source, content, decoded)
    networks = decoded.value.get("networks", {})
    return MeshNetworksChoice(networks, source, tuple(ignored), tuple(_problems(networks)))


def _used(
    order: Iterable[Source], given: Mapping[Source, Input], names: Mapping[Source, str], release: Release
) -> tuple[Source, SourceContent]:
    """Return the first source that is there, and what is in it."""
    for source in order:
        content = _content(names.get(source, source), given[source], release)
        if content is not None:
            return source, content
    return "defaults", SourceContent("defaults", {})


def _content(name: str, given: Input, release: Release) -> SourceContent | None:
    return None if given is None else read_source(name, given, "meshNetworks", release)


def _says_something(given: Input, release: Release) -> bool:
    """Return whether a source has mesh networks, or cannot be read."""
    try:
        return _content("", given, release) is not None
    except InvalidInput:
        return True


# ----------------------------------------------------------------------------------------------------------- validation


def _problems(networks: Mapping[str, Any]) -> Iterator[Problem]:
    for name, network in networks.items():
        for index, endpoint in enumerate(network.get("endpoints", ())):
            yield from _endpoint(("networks", name, "endpoints", index), endpoint)
        for index, gateway in enumerate(network.get("gateways", ())):
            yield from _gateway(("networks", name, "gateways", index), gateway)


def _endpoint(place: Path, endpoint: Mapping[str, Any]) -> Iterator[Problem]:
    cidr = endpoint.get("fromCidr")
    registry = endpoint.get("fromRegistry")
    if cidr is not None and not is_subnet(cidr):
        yield Problem(
            (*place, "fromCidr"), f"is {cidr!r}, which is not a valid range of addresses: write it as in 10.0.0.0/8"
        )
    if registry is not None and not LABEL.fullmatch(registry):
        problem = f"is {registry!r}, which is no DNS label: a cluster of such a name cannot stand here"
        yield Problem((*place, "fromRegistry"), problem)


def _gateway(place: Path, gateway: Mapping[str, Any]) -> Iterator[Problem]:
    service = gateway.get("registryServiceName")
    address = gateway.get("address")
    port = gateway.get("port") or 0
    if service is not None and not is_fqdn(service):
        yield Problem((*place, "registryServiceName"), f"is {service!r}, which is not a valid host name: correct it")
    if address is not None and not (is_ip(address) or is_fqdn(address)):
        problem = f"is {address!r}, which is neither an IP address nor a host name: correct it"
        yield Problem((*place, "address"), problem)
    if not 1 <= port <= 65535:
        yield Problem((*place, "port"), f"is {port}, which is not a valid port: use 1 to 65535")
