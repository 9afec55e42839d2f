"""The values of a topology that are right by themselves, where others may be wrong.

A topology that is wrong in one place is still checked in all others, so that all its problems are reported at once.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests.builders.address import TLSTermination, address_of
from extcp_manifests.builders.exposure import Exposure, exposure_of
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import ExternalCluster, MeshCluster, context_of
from extcp_manifests.topology.inputs import Place, file_spelling
from extcp_manifests.topology.names import DEFAULT_NAMESPACE
from extcp_manifests.topology.workloads import SharedGateway


class DraftCluster(Record, kw_only=True):
    """The right values of a cluster; None for each that is wrong or missing."""

    place: Place
    name: str | None
    context: str | None
    """The context in the kubeconfig: the given one, or the cluster's name if none is given."""
    kubeconfig: str | None
    has_own_context: bool
    network: str | None
    """The network of a remote cluster; the external cluster has none."""


class DraftCredential(Record):
    """The TLS secret of the gateway; leaving it out is right by itself, and then the name is None."""

    name: str | None


class Draft(Record, kw_only=True):
    """The right values of a topology; None for each that is wrong or missing."""

    release: Release | None
    exposure: Exposure | None
    """The exposure that belongs to the address."""
    tls_termination: TLSTermination | None
    namespace: str | None
    revision: str | None
    credential: DraftCredential | None
    gateway_namespace: str | None
    hub: str | None
    charts: str | None
    external_cluster: DraftCluster
    config_cluster: DraftCluster
    remote_clusters: tuple[DraftCluster, ...]
    """The further remote clusters."""
    mesh_config: Mapping[str, Any] | None

    @property
    def mesh_clusters(self) -> tuple[DraftCluster, ...]:
        """Every remote cluster, the config cluster first."""
        return (self.config_cluster, *self.remote_clusters)


def read_draft(data: object, wrong: Collection[Place], *, from_file: bool) -> Draft:
    """Return the values of a topology that are right by themselves.

    `data` is a topology, or a mapping from which none could be made since the values at the places `wrong` are wrong.
    Both `data` and `wrong` are spelled as in a file, or as in Python.
    """
    whole = _Input(data, frozenset(wrong), from_file)
    release = whole.value("release")
    address = whole.value("address")
    termination = whole.value("tls_termination")
    exposure = None
    if address is not None and whole.is_right("tls_termination"):
        exposure = exposure_of(address_of(address, termination))
    credential = None
    if whole.is_right("credential_name"):
        credential = DraftCredential(whole.value("credential_name"))
    return Draft(
        release=None if release is None else find_release(release),
        exposure=exposure,
        tls_termination=termination,
        namespace=whole.value("namespace", DEFAULT_NAMESPACE),
        revision=whole.value("revision"),
        credential=credential,
        gateway_namespace=whole.part("gateway").value("namespace", SharedGateway().namespace),
        hub=whole.value("hub"),
        charts=whole.value("charts"),
        external_cluster=_cluster(("external_cluster",), whole.part("external_cluster"), ExternalCluster().name),
        config_cluster=_cluster(("config_cluster",), whole.part("config_cluster")),
        remote_clusters=tuple(
            _cluster(("remote_clusters", index), item) for index, item in enumerate(whole.items("remote_clusters"))
        ),
        mesh_config=whole.value("mesh_config", {}),
    )


def _cluster(place: Place, part: "_Input", default_name: str | None = None) -> DraftCluster:
    if isinstance(part.data, MeshCluster) and not part.wrong:
        return _right_cluster(place, part.data)  # as thousands may be
    name = part.value("name", default_name)
    own_context = part.value("context")
    if own_context is not None:
        context = own_context
    elif part.is_right("context"):
        context = name
    else:
        context = None
    return DraftCluster(
        place=place,
        name=name,
        context=context,
        kubeconfig=part.value("kubeconfig"),
        has_own_context=own_context is not None,
        network=part.value("network"),
    )


def _right_cluster(place: Place, cluster: MeshCluster) -> DraftCluster:
    return DraftCluster(
        place=place,
        name=cluster.name,
        context=context_of(cluster),
        kubeconfig=cluster.kubeconfig,
        has_own_context=cluster.context is not None,
        network=cluster.network,
    )


class _Input(Record):
    """A mapping or an object of an input, in which some values are wrong."""

    data: object
    wrong: frozenset[Place]
    """The places of the wrong values, from here; the empty place is this whole."""
    from_file: bool

    def is_right(self, name: str) -> bool:
        """Return whether a field, which may be left out, is right or has parts that may be."""
        return not self.wrong or (() not in self.wrong and (self._key(name),) not in self.wrong)

    def value(self, name: str, default: Any = None) -> Any:
        """Return the value of a field: None if it is wrong, the default if it is left out."""
        if not self.is_right(name):
            return None
        if isinstance(self.data, Mapping):
            return self.data.get(self._key(name), default)
        return getattr(self.data, name, default)

    def part(self, name: str) -> "_Input":
        """Return a field that has fields itself."""
        return self._below(self._key(name), self.value(name, {}))

    def items(self, name: str) -> Iterator["_Input"]:
        """Yield the items of a field that is a list."""
        values = self.value(name, ())
        if not isinstance(values, Sequence):
            return
        wrong: dict[str | int, set[Place]] = {}  # by item, since looking through all for each item takes too long
        for place in self.part(name).wrong:
            wrong.setdefault(place[0], set()).add(place[1:])
        for index, value in enumerate(values):
            yield _Input(value, frozenset(wrong.get(index, ())), self.from_file)

    def _below(self, key: str | int, value: object) -> "_Input":
        wrong = frozenset(place[1:] for place in self.wrong if not place or place[0] == key)
        return _Input(value, wrong, self.from_file)

    def _key(self, name: str) -> str:
        return file_spelling(name) if self.from_file else name
