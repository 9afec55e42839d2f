"""Whether the documents of one cluster still fit each other, after kustomize's transformers say.

`namespace:` and `namePrefix:` change metadata alone; what names a document elsewhere, in values, mesh config, hosts and
gateways, stays, and the mesh breaks without an error (kustomize 5.8.1, run).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests.checks import Found, error, warning

Document = Mapping[str, Any]
Rule = Callable[[Document, "_Set"], Iterator[Found]]
"""What looks at a document among the others of its set."""


def check_agreement(documents: Iterable[Document]) -> Iterator[tuple[Document, Found]]:
    """Each document that does not fit itself or the others, and what is wrong with it; paths begin in the document."""
    every = _Set([document for document in documents if isinstance(document, Mapping)])
    for document in every.documents:
        for rule in _RULES.get(str(document.get("kind")), ()):
            for found in rule(document, every):
                yield document, found


class _Set:
    """Documents, and what rules ask of them together."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents
        self.firsts: dict[str, Document] = {}
        for document in documents:
            self.firsts.setdefault(_identity(document), document)
        self.gateways = {
            f"{_at(each, 'metadata', 'namespace') or ''}/{_at(each, 'metadata', 'name')}"
            for each in documents
            if each.get("kind") == "Gateway"
        }


def _at(document: Document, *path: str) -> Any:
    """The value at a path, or None where it leads nowhere."""
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _namespaces_of_an_operator(document: Document, _: _Set) -> Iterator[Found]:
    own = _at(document, "metadata", "namespace")
    components = _at(document, "spec", "components")
    gateways = [
        (f"spec.components.{kind}[{index}].namespace", _at(gateway, "namespace"))
        for kind in ("ingressGateways", "egressGateways")
        for index, gateway in enumerate(_items(_at(components or {}, kind)))
    ]
    system = ("spec.values.global.istioNamespace", _at(document, "spec", "values", "global", "istioNamespace"))
    for place, namespace in (system, *gateways):
        if own and namespace and namespace != own:
            yield error(place, f"is {namespace!r}, but metadata.namespace is {own!r}: give both the same")
    root = _at(document, "spec", "meshConfig", "rootNamespace")
    if own and root and root != own:
        yield warning("spec.meshConfig.rootNamespace", f"is {root!r}, but metadata.namespace is {own!r}: look twice")


_ISTIOD = re.compile(r"(istiod(?:-[a-z0-9-]+)?)\.([a-z0-9-]+)\.svc(?:\.cluster\.local)?")


def _host_of_istiod(document: Document, place: str, host: Any) -> Iterator[Found]:
    """A Service's host has its namespace; ours stands beside the documents that name it."""
    named = _ISTIOD.fullmatch(host) if isinstance(host, str) else None
    own = _at(document, "metadata", "namespace")
    if named and own and named[2] != own:
        problem = f"is {host!r}, but istiod is in this document's namespace {own!r}: write {named[1]}.{own}.svc..."
        yield error(place, problem)


def _routes(document: Document, _: _Set) -> Iterator[Found]:
    for kind in ("http", "tls", "tcp"):
        for number, route in enumerate(_items(_at(document, "spec", kind))):
            for index, entry in enumerate(_items(_at(route, "route"))):
                place = f"spec.{kind}[{number}].route[{index}].destination.host"
                yield from _host_of_istiod(document, place, _at(entry, "destination", "host"))


def _gateways_of_routes(document: Document, every: _Set) -> Iterator[Found]:
    own = _at(document, "metadata", "namespace") or ""
    for index, gateway in enumerate(_items(_at(document, "spec", "gateways"))):
        name = gateway if "/" in str(gateway) else f"{own}/{gateway}"
        if every.gateways and gateway != "mesh" and name not in every.gateways:
            there = ", ".join(sorted(each.rpartition("/")[2] for each in every.gateways)[:5])
            yield error(f"spec.gateways[{index}]", f"is {gateway!r}, which no Gateway here is named; there is {there}")


def _host_of_a_rule(document: Document, _: _Set) -> Iterator[Found]:
    yield from _host_of_istiod(document, "spec.host", _at(document, "spec", "host"))


def _name_of_a_secret(document: Document, _: _Set) -> Iterator[Found]:
    """istiod mounts the config cluster's Secret by its name."""
    is_ours = isinstance(_at(document, "metadata", "annotations", "networking.istio.io/cluster"), str)
    has_config = any(_at(document, part, "config") is not None for part in ("data", "stringData"))
    name = _at(document, "metadata", "name")
    if is_ours and has_config and name != "istio-kubeconfig":
        yield error("metadata.name", f"is {name!r}, but istiod mounts 'istio-kubeconfig': give it this name")


def _twice(document: Document, every: _Set) -> Iterator[Found]:
    """kubectl applies one over the other where only the version of the API differs."""
    first = every.firsts[_identity(document)]
    if first is not document:
        versions = f"{first.get('apiVersion')} and {document.get('apiVersion')}"
        yield error("metadata.name", f"stands twice, as {versions}, and the last one wins: leave one out")


def _identity(document: Document) -> str:
    group = str(document.get("apiVersion")).rpartition("/")[0]
    names = [_at(document, "metadata", key) for key in ("namespace", "name")]
    return repr((group, document.get("kind"), *names))


_RULES: Mapping[str, tuple[Rule, ...]] = {
    "IstioOperator": (_namespaces_of_an_operator,),
    "Gateway": (_twice,),
    "VirtualService": (_twice, _routes, _gateways_of_routes),
    "DestinationRule": (_twice, _host_of_a_rule),
    "Secret": (_name_of_a_secret,),
}
