"""Which documents are Istio's or ours: groups, kinds and the versions that each release serves.

Source: istio 1.15.7 to 1.23.6: manifests/charts/base/crds/crd-all.gen.yaml; 1.24.6 to 1.30.3 and the branch
release-1.31: manifests/charts/base/files/crd-all.gen.yaml.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from extcp_manifests.documents.findings import Found, error
from extcp_manifests.documents.lookup import text_of
from extcp_manifests.errors import nearest
from extcp_manifests.istio.releases import EVERY_RELEASE, Release, ReleaseRange, since
from extcp_manifests.records import Record

NETWORKING = "networking.istio.io"


INSTALL = "install.istio.io"


OURS = "extcp-manifests"


CORE = ""


class _Served(Record):
    """Kinds of a group with a version, and the first release that serves them so."""

    group: str
    kinds: tuple[str, ...]
    version: str
    releases: ReleaseRange = EVERY_RELEASE

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


_TRAFFIC = (
    "Gateway",
    "VirtualService",
    "DestinationRule",
    "ServiceEntry",
    "Sidecar",
    "WorkloadEntry",
    "WorkloadGroup",
)


_REQUESTS = ("AuthorizationPolicy", "RequestAuthentication")


_SERVED = (
    _Served(NETWORKING, _TRAFFIC, "v1", releases=since("1.22")),  # istio 1.22.8
    _Served(NETWORKING, _TRAFFIC, "v1beta1"),
    _Served(NETWORKING, _TRAFFIC, "v1alpha3"),
    _Served(NETWORKING, ("EnvoyFilter",), "v1alpha3"),
    _Served(NETWORKING, ("ProxyConfig",), "v1beta1"),
    _Served("security.istio.io", _REQUESTS, "v1", releases=since("1.17")),  # istio 1.17.8
    _Served("security.istio.io", ("PeerAuthentication",), "v1", releases=since("1.22")),  # istio 1.22.8
    _Served("security.istio.io", (*_REQUESTS, "PeerAuthentication"), "v1beta1"),
    _Served("telemetry.istio.io", ("Telemetry",), "v1", releases=since("1.22")),  # istio 1.22.8
    _Served("telemetry.istio.io", ("Telemetry",), "v1alpha1"),
    _Served("extensions.istio.io", ("WasmPlugin",), "v1alpha1"),
    _Served("extensions.istio.io", ("TrafficExtension",), "v1alpha1", releases=since("1.30")),  # istio 1.30.3
    _Served(INSTALL, ("IstioOperator",), "v1alpha1"),
    _Served(CORE, ("ConfigMap",), "v1"),
    _Served(OURS, ("ExternalControlPlane", "ExternalControlPlanes", "Credentials"), "v1"),
)


@lru_cache(maxsize=256)
def served_versions(kind: str, release: Release) -> Sequence[str]:
    """Return the values of apiVersion with which a release serves a kind."""
    return tuple(row.api_version for row in _SERVED if kind in row.kinds and release in row.releases)


def group_of(document: Mapping[str, Any]) -> str:
    """Return the API group of a document, which is empty for Kubernetes' core."""
    return text_of(document, "apiVersion").rpartition("/")[0]


def likely_group(document: Mapping[str, Any]) -> str:
    """Return the group, or where apiVersion is missing or not text, the one of ours that has the kind."""
    version = document.get("apiVersion")
    if isinstance(version, str):
        return version.rpartition("/")[0]
    kind = document.get("kind")
    return next((row.group for row in _SERVED if kind in row.kinds), CORE)


def check_identity(document: Mapping[str, Any], release: Release) -> Iterator[Found]:
    """Find a group, version or kind that is missing, misspelt or not served; those of other projects are left alone."""
    version, kind = document.get("apiVersion"), document.get("kind")
    if isinstance(kind, str) and len(kind) < _LONG and version in served_versions(kind, release):
        return
    if isinstance(version, str):
        yield from _check_kind(group_of(document), kind)
        yield from _check_version(version, kind, release)
    else:
        yield from _check_missing_version(version, kind, release)


def _check_kind(group: str, kind: Any) -> Iterator[Found]:
    known = [name for row in _SERVED if row.group == group for name in row.kinds]
    if group == CORE:
        return
    if known and kind is None:
        yield error(("kind",), f"is missing: write one of {group}, such as {known[0]}", "document/kind")
    elif known and not isinstance(kind, str):
        yield error(("kind",), f"must be text: write one of {group}, such as {known[0]}", "document/kind")
    elif known and kind not in known and not str(kind).endswith("List"):
        near = _nearest(kind, known)
        hint = f"did you mean {near!r}?" if near else f"use {', '.join(sorted(set(known)))}"
        yield error(("kind",), f"is {kind!r}, which {group} does not have: {hint}", "document/kind")


def _check_version(api_version: str, kind: Any, release: Release) -> Iterator[Found]:
    group = api_version.rpartition("/")[0]
    of_kind = [row for row in _SERVED if kind in row.kinds]
    of_group = [row for row in of_kind if row.group == group]
    served = [row.api_version for row in of_group if release in row.releases]
    if not of_group:
        near = nearest(group, {row.group for row in of_kind}, cutoff=0.9)
        if near:
            problem = f"is {api_version!r}, which has no {kind}: did you mean the group {near!r}?"
            yield error(("apiVersion",), problem, "document/api-version")
    elif api_version not in served:
        use = f"use {' or '.join(served)}" if served else "leave the document out"
        problem = f"is {api_version!r}, which {_server_of(group, release)} does not serve for {kind}: {use}"
        yield error(("apiVersion",), problem, "document/api-version")


def _server_of(group: str, release: Release) -> str:
    """Return who serves a group, in words."""
    if group == OURS:
        return group
    return "Kubernetes" if group == CORE else f"Istio {release}"


def _check_missing_version(version: Any, kind: Any, release: Release) -> Iterator[Found]:
    rows = [row for row in _SERVED if release in row.releases]
    near = _nearest(kind, [name for row in rows for name in row.kinds])
    if near is None:
        return
    given = "is missing" if version is None else "must be text"
    use = next(row.api_version for row in rows if near in row.kinds)
    yield error(("apiVersion",), f"{given}: write {use}", "document/api-version")
    if near != kind:
        yield error(("kind",), f"is {kind!r}: did you mean {near!r}?", "document/kind")


_LONG = 80
"""No kind has a name of as many characters."""


def _nearest(kind: Any, known: list[str]) -> str | None:
    if not isinstance(kind, str) or len(kind) > _LONG:
        return None
    return nearest(kind, known, cutoff=0.8)
