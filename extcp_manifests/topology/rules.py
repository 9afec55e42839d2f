"""Rules between the values of a topology."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from extcp_manifests import yaml
from extcp_manifests.documents.name_forms import SECRET_KEY
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.mesh.merging import merge_mesh_config
from extcp_manifests.istio.releases import Release, since
from extcp_manifests.topology.clusters import SAMPLE_NAMESPACE, ExternalCluster, MeshCluster, context_of, folder_of
from extcp_manifests.topology.names import instead_of_ending, why_breaks_charts
from extcp_manifests.topology.reading import Key, Place, path_of

# ---------------------------------------------------------------------------------------------- rules between values

_Found = Iterator[tuple[Place, str]]

if TYPE_CHECKING:
    from extcp_manifests.topology.model import Topology


def _address_in_release(topology: "Topology") -> _Found:
    if problem := topology.exposure.why_not_in(topology.istio):
        yield ("address",), problem


def _revision_in_release(topology: "Topology") -> _Found:
    if topology.revision and (problem := topology.exposure.why_no_revision(topology.istio)):
        yield ("revision",), problem


def _places_in_release(topology: "Topology") -> _Found:
    """Places that hold Istio's images or charts, but not those of the release."""
    for name, text in (("hub", topology.hub), ("charts", topology.charts)):
        if topology.istio in since("1.31") and (instead := instead_of_ending(name, text)):
            yield (name,), f"{text!r} has nothing of Istio {topology.release}: write {instead!r}, or a mirror of it"


def _credential(topology: "Topology") -> _Found:
    if problem := topology.exposure.why_not_credential(topology.credential_name):
        yield ("credential_name",), problem


def _namespaces(topology: "Topology") -> _Found:
    if topology.namespace == topology.gateway.namespace:
        yield (
            ("namespace",),
            f"{topology.namespace!r} is the gateway's namespace, which has an istiod of its own: choose another",
        )
    for field_name, namespace in (
        (("namespace",), topology.namespace),
        (("gateway", "namespace"), topology.gateway.namespace),
    ):
        if namespace == SAMPLE_NAMESPACE:
            yield field_name, f"{namespace!r} is the namespace of the sample workloads: choose another"


def _clusters_apart(topology: "Topology") -> _Found:
    """No two clusters share a name, a folder or a context."""
    names: dict[str, str] = {}
    folders: dict[str, str] = {}
    contexts: dict[str, tuple[Place, str]] = {}
    called = {"external_cluster": "the external cluster", "config_cluster": "the config cluster"}
    for place, cluster in _clusters(topology):
        name, context = cluster.name, context_of(cluster)
        if name in names:
            yield (*place, "name"), f"{name!r} is already the name of {names[name]}: choose another"
        names.setdefault(name, called.get(str(place[0]), "another remote cluster"))
        other = folders.setdefault(folder_of(name), name)
        if other != name:
            yield (*place, "name"), f"{name!r} would share its folder with cluster {other!r}: choose another"
        first, owner = contexts.setdefault(context, (place, name))
        if first != place and (cluster.context is not None or owner != name):
            problem = f"{context!r} is already the context of cluster {owner!r}: give each cluster its own"
            yield (*place, "context"), problem


def _service_paths(topology: "Topology") -> _Found:
    for place, cluster in _mesh_clusters(topology):
        for field_name, name in (("name", cluster.name), ("network", cluster.network)):
            if problem := topology.exposure.why_not_nameable(name):
                yield (*place, field_name), problem


def _secret_keys(topology: "Topology") -> _Found:
    for place, cluster in _mesh_clusters(topology):
        if place == ("config_cluster",):
            continue
        if not SECRET_KEY.fullmatch(cluster.name):
            yield (
                (*place, "name"),
                f"{cluster.name!r} cannot be the key of a remote secret, where istiod looks for it: "
                "use letters, digits, '-', '_' and '.'",
            )
        if cluster.name == "config":
            yield (*place, "name"), "'config' is the key of the config cluster's own secret: choose another"


def _told_cluster(topology: "Topology") -> _Found:
    for place, cluster in _mesh_clusters(topology):
        told = place == ("config_cluster",) and topology.istio.istiod_is_told_its_cluster
        if told and (problem := why_breaks_charts(cluster.name)):
            yield (*place, "name"), problem


def _leading_cluster(topology: "Topology") -> _Found:
    for place, cluster in _mesh_clusters(topology):
        if place == ("config_cluster",) and topology.remote_clusters and "," in cluster.name:
            yield (
                (*place, "name"),
                f"{cluster.name!r} has a comma, at which istiod splits the list of clusters that may lead a remote "
                "cluster: choose a name without",
            )


def _mesh_config(topology: "Topology") -> _Found:
    given = topology.mesh_config
    proxy = given.get("defaultConfig", {})
    yield from _taken(given, _TAKEN_IN_MESH_CONFIG, ())
    if isinstance(proxy, Mapping):
        yield from _taken(proxy, _TAKEN_IN_DEFAULT_CONFIG, (Key("defaultConfig"),))
    told = set(_TAKEN_PATHS)
    for problem in (*_undecodable(given, topology.istio), *_unwritable(given)):
        if problem.path not in told:
            told.add(problem.path)
            yield ("mesh_config", *((Key(problem.path),) if problem.path else ())), problem.message


def _unwritable(given: Mapping[str, Any]) -> Sequence[Problem]:
    try:
        yaml.require_plain({"": given})
    except InvalidInput as error:
        return [replace(each, path=each.path.removeprefix(".")) for each in error.problems]
    return ()


def _undecodable(given: Mapping[str, Any], release: Release) -> Sequence[Problem]:
    """What istioctl or istiod of the release refuses of a mesh config, and keys that it does not know."""
    try:
        merged = merge_mesh_config(shared=None, local=given, release=release)
    except InvalidInput as error:
        return error.problems
    return (*merged.problems, *(Problem(each.path, each.message) for each in merged.ignored))


def _taken(given: Mapping[str, Any], taken: Mapping[str, str], place: Place) -> _Found:
    for key in filter(taken.__contains__, given):
        yield ("mesh_config", *place, Key(key)), taken[key]


_TAKEN_IN_MESH_CONFIG = {
    **dict.fromkeys(("rootNamespace", "root_namespace"), "is set from the namespace: leave it out"),
    "default_config": "is a spelling that would hide what is set here: write defaultConfig",
}


_TAKEN_IN_DEFAULT_CONFIG = {
    **dict.fromkeys(("discoveryAddress", "discovery_address"), "is set from the address: leave it out"),
    **dict.fromkeys(("meshId", "mesh_id"), "is set from the mesh ID: leave it out"),
    "proxy_metadata": "is a spelling that would hide what is set here: write proxyMetadata",
}


_TAKEN_PATHS = {*_TAKEN_IN_MESH_CONFIG, *(f"defaultConfig.{key}" for key in _TAKEN_IN_DEFAULT_CONFIG)}


def ending_places(topology: "Topology") -> Iterator[Problem]:
    """Registries and repositories that work until they are taken down."""
    for name, text in (("hub", topology.hub), ("charts", topology.charts)):
        if instead := instead_of_ending(name, text):
            problem = f"{text!r} is taken down in December 2026: write {instead!r}, or a mirror of it"
            yield Problem(path_of((name,), from_file=True, start="spec"), problem)


def unconnected_networks(topology: "Topology") -> Iterator[Problem]:
    """Networks whose services the others do not reach, since no cluster in them has an east-west gateway."""
    networks = dict.fromkeys(cluster.network for cluster in topology.mesh_clusters)
    connected = {cluster.network for cluster in topology.mesh_clusters if cluster.gateways.east_west}
    for network in networks if len(networks) > 1 else ():
        if network not in connected:
            problem = (
                f"network {network!r} has no east-west gateway, so that clusters in other networks cannot reach its "
                "services: set eastWest in one of its clusters, or leave it where that is meant"
            )
            place = next(place for place, cluster in _mesh_clusters(topology) if cluster.network == network)
            yield Problem(path_of((*place, "gateways", "east_west"), from_file=True, start="spec"), problem)


def _clusters(topology: "Topology") -> Iterator[tuple[Place, ExternalCluster | MeshCluster]]:
    yield ("external_cluster",), topology.external_cluster
    yield from _mesh_clusters(topology)


def _mesh_clusters(topology: "Topology") -> Iterator[tuple[Place, MeshCluster]]:
    """The remote clusters with their places; in a draft, those whose name is wrong are None."""
    for index, cluster in enumerate(topology.mesh_clusters):
        if cluster is not None:
            yield (("remote_clusters", index - 1) if index else ("config_cluster",)), cluster


RULES: tuple[tuple[set[str], Callable[["Topology"], _Found]], ...] = (
    ({"address", "release"}, _address_in_release),
    ({"address", "release", "revision"}, _revision_in_release),
    ({"release", "hub", "charts"}, _places_in_release),
    ({"address", "credential_name"}, _credential),
    ({"namespace", "gateway"}, _namespaces),
    ({"external_cluster", "config_cluster", "remote_clusters"}, _clusters_apart),
    ({"address", "config_cluster", "remote_clusters"}, _service_paths),
    ({"config_cluster", "remote_clusters"}, _secret_keys),
    ({"release", "config_cluster", "remote_clusters"}, _told_cluster),
    ({"config_cluster", "remote_clusters"}, _leading_cluster),
    ({"mesh_config", "release"}, _mesh_config),
)
"""Each rule with the values that it reads; a rule is left out where one of them is wrong by itself."""
