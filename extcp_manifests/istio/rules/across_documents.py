"""Whether the documents of one cluster still fit each other, for instance after kustomize's transformers.

kustomize's `namespace:` and `namePrefix:` change metadata alone. What refers to a document elsewhere, in values, mesh
config, hosts and gateways, stays as it is, and the mesh breaks without an error (kustomize 5.8.1, run).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from extcp_manifests.documents.findings import Found, by_rule, error, warning
from extcp_manifests.documents.identity import Identity, document_name, identity_of
from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.documents.lookup import EACH, at, each_at, items_of, mapping_of, text_of
from extcp_manifests.errors import Path
from extcp_manifests.istio.kinds import CORE, INSTALL, NETWORKING, OURS, likely_group
from extcp_manifests.istio.rules.shared_checks import is_ip
from extcp_manifests.patterns import pattern

Document = Mapping[str, Any]


Rule = Callable[[Document, "_DocumentSet"], Iterator[Found]]
"""What checks a document among the others of its set."""


class OtherDocuments:
    """Documents of other sets with which those of one set are compared: topologies and Gateways.

    Other sets may be of other clusters. So two servers of Gateways only clash where they are surely at one address:
    by a host name, or by the IP address that the istiod in each one's namespace has, since both then take every host.
    """

    def __init__(self, everything: Iterable[Document] = ()) -> None:
        """Take all documents there are, in which the addresses of istiods are looked for."""
        self.addresses: dict[str, Document] = {}
        self._servers: dict[tuple[_Server, str], dict[str, Document]] = {}
        self._hosts: dict[Any, set[str]] = {}
        for document in everything:
            address = at(document, "spec", "meshConfig", "defaultConfig", "discoveryAddress")
            if isinstance(address, str) and likely_group(document) == INSTALL:
                host = _comparable(address.strip("'\"").rpartition(":")[0].strip("[]"))
                self._hosts.setdefault(repr(at(document, "metadata", "namespace")), set()).add(host)

    def add(self, document: Document) -> None:
        """Take a document of a set to which later ones are compared."""
        address = at(document, "spec", "address")
        if isinstance(address, str) and _is_topology(document):
            self.addresses.setdefault(_comparable(address), document)
        for _, server in _tls_servers(document) if _is_gateway(document) else ():
            for place in self._places(document, server):
                self._servers.setdefault(place, {}).setdefault(document_name(document), document)

    def another(self, document: Document, server: "_Server") -> Document | None:
        """Return a Gateway of another name that has a server of this one."""
        own = document_name(document)
        for place in self._places(document, server):
            for name, other in self._servers.get(place, {}).items():
                if name != own:
                    return other
        return None

    def _places(self, document: Document, server: "_Server") -> Iterator[tuple["_Server", str]]:
        if not server.host.startswith("*"):
            yield server, ""
            return
        hosts = self._hosts.get(repr(at(document, "metadata", "namespace")), set())
        if len(hosts) == 1:
            yield server, next(iter(hosts))


def check_agreement(
    documents: Iterable[Document], *, others: OtherDocuments | None = None
) -> Iterator[tuple[Document, Found]]:
    """Yield each document that does not fit itself or the others, and what is wrong; paths begin in the document."""
    own = [document for document in documents if isinstance(document, Mapping)]
    identities = [identity_of(document, likely_group(document)) for document in own]
    every = _DocumentSet(own, identities, others or OtherDocuments())
    for document, identity in zip(own, identities, strict=True):
        for rule, check in _RULES.get((identity.group, identity.kind), ()):
            for found in by_rule(rule, check(document, every)):
                yield document, found


class _DocumentSet:
    """Documents, and what rules ask of them together."""

    def __init__(self, documents: Sequence[Document], identities: Sequence[Identity], others: OtherDocuments) -> None:
        self.others = others
        firsts: dict[Identity, Document] = {}
        self.addresses: dict[str, Document] = {}
        self.servers: dict[_Server, Document] = {}
        self.gateways: set[str] = set()
        for document, identity in zip(documents, identities, strict=True):
            firsts.setdefault(identity, document)
            if _is_gateway(document):
                self.gateways.add(f"{at(document, 'metadata', 'namespace') or ''}/{at(document, 'metadata', 'name')}")
                for _, server in _tls_servers(document):
                    self.servers.setdefault(server, document)
            address = at(document, "spec", "address")
            if isinstance(address, str) and _is_topology(document):
                comparable = _comparable(address)
                self.addresses.setdefault(comparable, others.addresses.get(comparable, document))
        self.first = {id(each): firsts[identity] for each, identity in zip(documents, identities, strict=True)}
        """The first document of the same object, by the id of each document."""
        self.some_gateways = sorted(self.gateways)[:5]


def _is_topology(document: Any) -> bool:
    return at(document, "kind") == "ExternalControlPlane" and likely_group(document) == OURS


def _is_gateway(document: Any) -> bool:
    return at(document, "kind") == "Gateway" and likely_group(document) == NETWORKING


def _comparable(address: str) -> str:
    """Return one text for all ways to write an IP address, or the host name in lower case."""
    text = address.removeprefix("[").removesuffix("]")
    return str(ip_address(text)) if is_ip(text) else text.lower()


class _Server(NamedTuple):
    """What two servers of Gateways must not have in common, where clients reach them by TLS."""

    pods: str
    """The selector of the gateway's pods, as a text that is the same for equal ones."""
    port: str
    host: str


def _tls_servers(document: Document) -> Iterator[tuple[Path, _Server]]:
    """Yield each host of each server that is chosen by the name that TLS sends, and the server's place."""
    for index, server in enumerate(items_of(document, "spec", "servers")):
        if text_of(server, "port", "protocol").upper() in ("HTTPS", "TLS"):
            pods = repr(sorted(mapping_of(document, "spec", "selector").items(), key=repr))
            for host in items_of(server, "hosts"):
                name = text_of(host).rpartition("/")[2]
                yield ("spec", "servers", index, "hosts"), _Server(pods, repr(at(server, "port", "number")), name)


def _namespaces_of_an_operator(document: Document, _: _DocumentSet) -> Iterator[Found]:
    own = at(document, "metadata", "namespace")
    if not own:
        return
    system: Path = ("spec", "values", "global", "istioNamespace")
    paths = [system]
    if at(document, *system) != own:  # else gateways are meant to be in another namespace than the control plane
        paths += [("spec", "components", kind, EACH, "namespace") for kind in GATEWAY_CHARTS]
    for path in paths:
        for place, namespace in each_at(document, path):
            if namespace and namespace != own:
                yield error(place, f"is {namespace!r}, but metadata.namespace is {own!r}: give both the same")
    root_place = ("spec", "meshConfig", "rootNamespace")
    root = at(document, *root_place)
    if root and root != own:
        problem = f"is {root!r}, but metadata.namespace is {own!r}: check which of the two is meant"
        yield warning(root_place, problem)


_ISTIOD = pattern(r"(istiod(?:-[a-z0-9-]+)?)\.([a-z0-9-]+)\.svc(?:\.cluster\.local)?")


def _host_of_istiod(document: Document, place: Path, host: Any) -> Iterator[Found]:
    """A Service's host has its namespace; ours is in the namespace of the documents that name it."""
    named = _ISTIOD.fullmatch(host) if isinstance(host, str) else None
    own = at(document, "metadata", "namespace")
    if named and own and named[2] != own:
        problem = f"is {host!r}, but istiod is in this document's namespace {own!r}: write {named[1]}.{own}.svc..."
        yield error(place, problem)


def _routes(document: Document, _: _DocumentSet) -> Iterator[Found]:
    for kind in ("http", "tls", "tcp"):
        for number, route in enumerate(items_of(document, "spec", kind)):
            for index, entry in enumerate(items_of(route, "route")):
                place = ("spec", kind, number, "route", index, "destination", "host")
                yield from _host_of_istiod(document, place, at(entry, "destination", "host"))


def _gateways_of_routes(document: Document, every: _DocumentSet) -> Iterator[Found]:
    named = items_of(document, "spec", "gateways")
    if not named or not every.gateways:
        return
    own = at(document, "metadata", "namespace") or ""
    there = " or ".join(each.removeprefix(f"{own}/").lstrip("/") for each in every.some_gateways)
    for index, gateway in enumerate(named):
        if not isinstance(gateway, str):
            continue  # the schema reports it
        name = gateway if "/" in gateway else f"{own}/{gateway}"
        if gateway != "mesh" and name not in every.gateways:
            problem = f"is {gateway!r}, but no Gateway here has that name: use {there}, or add the Gateway"
            yield error(("spec", "gateways", index), problem)


def _host_of_a_rule(document: Document, _: _DocumentSet) -> Iterator[Found]:
    yield from _host_of_istiod(document, ("spec", "host"), at(document, "spec", "host"))


def _name_of_a_secret(document: Document, _: _DocumentSet) -> Iterator[Found]:
    """istiod mounts the config cluster's Secret by its name."""
    is_ours = isinstance(at(document, "metadata", "annotations", "networking.istio.io/cluster"), str)
    has_config = any(at(document, part, "config") is not None for part in ("data", "stringData"))
    name = at(document, "metadata", "name")
    if is_ours and has_config and name != "istio-kubeconfig":
        yield error(("metadata", "name"), f"is {name!r}, but istiod mounts 'istio-kubeconfig': give it this name")


def _twice(document: Document, every: _DocumentSet) -> Iterator[Found]:
    """kubectl applies one over the other where only the version of the API differs."""
    first = every.first[id(document)]
    if first is not document:
        versions = [str(each.get("apiVersion")) for each in (first, document)]
        shown = f" ({' and '.join(versions)})" if versions[0] != versions[1] else ""
        yield error(("metadata", "name"), f"is defined twice{shown}, and the last definition wins: leave one out")


def _address(document: Document, every: _DocumentSet) -> Iterator[Found]:
    """Two control planes behind one address; the first one would get the requests of both."""
    address = at(document, "spec", "address")
    first = every.addresses.get(_comparable(address), document) if isinstance(address, str) else document
    if first is not document and at(first, "metadata", "name") != at(document, "metadata", "name"):
        problem = f"is {address!r}, where {document_name(first)} is already: give each control plane its own address"
        yield error(("spec", "address"), problem)


def _shared_port(document: Document, every: _DocumentSet) -> Iterator[Found]:
    """Two Gateways of one gateway with one TLS host on one port: Envoy gives all requests to the first.

    Source: istio 1.30.3: pilot/pkg/model/gateway.go (MergeGateways), pilot/pkg/networking/core/gateway.go; read.
    """
    reported: set[Path] = set()
    for place, server in _tls_servers(document):
        first = every.servers[server]
        if document_name(first) == document_name(document):
            first = every.others.another(document, server) or document
        if first is not document and place not in reported:
            reported.add(place)
            other = document_name(first)
            problem = (
                f"has {server.host!r} on port {server.port}, which {other} takes at the same gateway: "
                "give each its own host, or its own gateway"
            )
            yield error(place, problem)


_RULES: Mapping[tuple[str, str], tuple[tuple[str, Rule], ...]] = {
    (INSTALL, "IstioOperator"): (("agreement/namespace", _namespaces_of_an_operator),),
    (NETWORKING, "Gateway"): (("agreement/twice", _twice), ("agreement/shared-port", _shared_port)),
    (NETWORKING, "VirtualService"): (
        ("agreement/twice", _twice),
        ("agreement/host", _routes),
        ("agreement/gateway", _gateways_of_routes),
    ),
    (NETWORKING, "DestinationRule"): (("agreement/twice", _twice), ("agreement/host", _host_of_a_rule)),
    (OURS, "ExternalControlPlane"): (("agreement/shared-address", _address),),
    (CORE, "Secret"): (("agreement/secret-name", _name_of_a_secret),),
}
"""The rules for each kind of a group, with their ids."""
