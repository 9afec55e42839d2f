"""Rules between the values of a topology.

A rule is a function of the values that it needs, and is left out where one of them is wrong by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.builders.exposure import ByIPv4, ByIPv6, Exposure
from extcp_manifests.documents.name_forms import SECRET_KEY
from extcp_manifests.errors import Path
from extcp_manifests.istio.releases import Release, since
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import SAMPLE_NAMESPACE, MeshCluster, folder_of
from extcp_manifests.topology.inputs import Key, Place
from extcp_manifests.topology.names import instead_of_ending, why_breaks_charts
from extcp_manifests.topology.partial import Draft, DraftCluster


class Violation(Record):
    """A rule that a topology does not keep: the place in words of Python, and why."""

    place: Place
    message: str


def violations(draft: Draft) -> Iterator[Violation]:
    """Yield what does not fit together among the right values of a topology."""
    release, exposure = draft.release, draft.exposure
    if release is not None and exposure is not None:
        yield from _address_in_release(release, exposure)
        if draft.revision is not None:
            yield from _revision_in_release(release, exposure)
    if release is not None:
        yield from _registries_in_release(release, draft.hub, draft.charts)
    if isinstance(exposure, ByIPv4 | ByIPv6) and draft.tls_termination == "gateway":
        yield Violation(("tls_termination",), "is gateway, but by IP address istiod ends TLS: leave it out")
    if exposure is not None and draft.credential is not None:
        yield from _credential(exposure, draft.credential.name)
    yield from _namespaces(draft.namespace, draft.gateway_namespace)
    yield from _clusters_apart((draft.external_cluster, *draft.mesh_clusters))
    if exposure is not None:
        for cluster in draft.mesh_clusters:
            yield from _service_path(exposure, cluster)
    for cluster in draft.remote_clusters:
        yield from _secret_key(cluster)
    if draft.config_cluster.name is not None:
        if release is not None:
            yield from _cluster_name_in_charts(release, draft.config_cluster.name)
        if draft.remote_clusters:
            yield from _leading_cluster(draft.config_cluster.name)
    if release is not None and draft.mesh_config:
        yield from _mesh_config(release, draft.mesh_config)


def _address_in_release(release: Release, exposure: Exposure) -> Iterator[Violation]:
    if problem := exposure.why_not_in(release):
        yield Violation(("address",), problem)


def _revision_in_release(release: Release, exposure: Exposure) -> Iterator[Violation]:
    if problem := exposure.why_no_revision(release):
        yield Violation(("revision",), problem)


def _registries_in_release(release: Release, hub: str | None, charts: str | None) -> Iterator[Violation]:
    """Refuse registries that hold Istio's images or charts, but not those of the release."""
    for name, text in (("hub", hub), ("charts", charts)):
        if problem := _why_nothing_there(release, name, text):
            yield Violation((name,), problem)


def why_not_hub_of(release: Release, hub: str | None) -> str | None:
    """Return why a registry has no images of a release, or None."""
    return _why_nothing_there(release, "hub", hub)


def _why_nothing_there(release: Release, name: str, text: str | None) -> str | None:
    instead = instead_of_ending(name, text) if release in since("1.31") else None
    return instead and f"{text!r} has nothing of Istio {release}: write {instead!r}, or a mirror of it"


def _credential(exposure: Exposure, credential_name: str | None) -> Iterator[Violation]:
    if problem := exposure.why_not_credential(credential_name):
        yield Violation(("credential_name",), problem)


def _namespaces(namespace: str | None, gateway_namespace: str | None) -> Iterator[Violation]:
    """The control plane, the gateway and the samples each need a namespace of their own."""
    if namespace is not None and namespace == gateway_namespace:
        problem = f"{namespace!r} is the gateway's namespace, which has an istiod of its own: choose another"
        yield Violation(("namespace",), problem)
    problem = f"{SAMPLE_NAMESPACE!r} is the namespace of the sample workloads: choose another"
    if namespace == SAMPLE_NAMESPACE:
        yield Violation(("namespace",), problem)
    if gateway_namespace == SAMPLE_NAMESPACE:
        yield Violation(("gateway", "namespace"), problem)


def _clusters_apart(clusters: Sequence[DraftCluster]) -> Iterator[Violation]:
    """No two clusters share a name, a folder or a context."""
    by_name: dict[str, DraftCluster] = {}
    by_folder: dict[str, str] = {}
    by_context: dict[tuple[str | None, str], DraftCluster] = {}
    for cluster in clusters:
        name = cluster.name
        if name is None:
            continue
        namesake = by_name.setdefault(name, cluster)
        if namesake is not cluster:
            problem = f"{name!r} is already the name of {_described(namesake)}: choose another"
            yield Violation((*cluster.place, "name"), problem)
        other = by_folder.setdefault(folder_of(name), name)
        if other != name:
            problem = f"{name!r} would share its folder with cluster {other!r}: choose another"
            yield Violation((*cluster.place, "name"), problem)
        if cluster.context is None:
            continue
        owner = by_context.setdefault((cluster.kubeconfig, cluster.context), cluster)
        # A context that only follows from a name that is taken needs no problem of its own.
        if owner is not cluster and (cluster.has_own_context or owner.name != name):
            problem = f"{cluster.context!r} is already the context of cluster {owner.name!r}: give each cluster its own"
            yield Violation((*cluster.place, "context"), problem)


def _described(cluster: DraftCluster) -> str:
    match cluster.place:
        case ("external_cluster",):
            return "the external cluster"
        case ("config_cluster",):
            return "the config cluster"
        case _:
            return "another remote cluster"


def _service_path(exposure: Exposure, cluster: DraftCluster) -> Iterator[Violation]:
    """The injection path of a cluster has its name and its network."""
    for field_name, name in (("name", cluster.name), ("network", cluster.network)):
        if name is not None and (problem := exposure.why_not_nameable(name)):
            yield Violation((*cluster.place, field_name), problem)


def _secret_key(cluster: DraftCluster) -> Iterator[Violation]:
    """The name of a further remote cluster is the key of its kubeconfig in its remote secret."""
    if cluster.name is None:
        return
    if not SECRET_KEY.fullmatch(cluster.name):
        problem = (
            f"{cluster.name!r} cannot be the key of a remote secret, where istiod looks for it: "
            "use letters, digits, '-', '_' and '.'"
        )
        yield Violation((*cluster.place, "name"), problem)
    if cluster.name == "config":
        problem = "'config' is the key of the config cluster's own secret: choose another"
        yield Violation((*cluster.place, "name"), problem)


def _cluster_name_in_charts(release: Release, name: str) -> Iterator[Violation]:
    """The charts of istiod write the name of the config cluster, from the release on in which it is a value."""
    if release.istiod_is_told_its_cluster and (problem := why_breaks_charts(name)):
        yield Violation(("config_cluster", "name"), problem)


def _leading_cluster(name: str) -> Iterator[Violation]:
    """Namespaces of further remote clusters list the config cluster's name as the one whose istiod leads there."""
    if "," in name:
        problem = (
            f"{name!r} has a comma, at which istiod splits the list of clusters that may lead a remote "
            "cluster: choose a name without"
        )
        yield Violation(("config_cluster", "name"), problem)


def _mesh_config(release: Release, given: Mapping[str, Any]) -> Iterator[Violation]:
    """Refuse what is set here, what Istio does not read and what YAML cannot carry; one problem for each place."""
    reported: set[Place] = set()
    for violation in (*_set_by_us(given), *_undecodable(given, release), *_unwritable(given)):
        if violation.place not in reported:
            reported.add(violation.place)
            yield violation


def _set_by_us(given: Mapping[str, Any]) -> Iterator[Violation]:
    """Refuse keys whose values the library sets itself."""
    for key in given:
        if key in _SET_IN_MESH_CONFIG:
            yield Violation(("mesh_config", Key(key)), _SET_IN_MESH_CONFIG[key])
    default_config = given.get("defaultConfig")
    if not isinstance(default_config, Mapping):
        return
    for key in default_config:
        if key in _SET_IN_DEFAULT_CONFIG:
            yield Violation(("mesh_config", Key("defaultConfig"), Key(key)), _SET_IN_DEFAULT_CONFIG[key])


_SET_IN_MESH_CONFIG = {
    "rootNamespace": "is set from the namespace: leave it out",
    "root_namespace": "is set from the namespace: leave it out",
    "default_config": "is a spelling that would hide what is set here: write defaultConfig",
}


_SET_IN_DEFAULT_CONFIG = {
    "discoveryAddress": "is set from the address: leave it out",
    "discovery_address": "is set from the address: leave it out",
    "meshId": "is set from the mesh ID: leave it out",
    "mesh_id": "is set from the mesh ID: leave it out",
    "proxy_metadata": "is a spelling that would hide what is set here: write proxyMetadata",
}


def _undecodable(given: Mapping[str, Any], release: Release) -> Iterator[Violation]:
    """Yield what istioctl or istiod of the release refuses of a mesh config, and keys that it does not know."""
    from extcp_manifests.istio.mesh.merging import mesh_config_problems  # only for topologies that have a mesh config

    for problem in mesh_config_problems(given, release):
        yield Violation(_in_mesh_config(problem.place), problem.message)


def _unwritable(given: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield what YAML cannot carry, or not as deep as a mesh config is in its document."""
    for problem in yaml.unwritable({"spec": {"meshConfig": given}}):
        yield Violation(_in_mesh_config(problem.place[2:]), problem.message)


def _in_mesh_config(place: Path) -> Place:
    """Return a place in a mesh config, whose keys are spelled as Istio does, as one of the topology."""
    return ("mesh_config", *(Key(part) if isinstance(part, str) else part for part in place))


def ending_registries(hub: str | None, charts: str | None) -> Iterator[Violation]:
    """Warn of registries and repositories that work until they are taken down."""
    for name, text in (("hub", hub), ("charts", charts)):
        if instead := instead_of_ending(name, text):
            problem = f"{text!r} is taken down in December 2026: write {instead!r}, or a mirror of it"
            yield Violation((name,), problem)


def unconnected_networks(config_cluster: MeshCluster, remote_clusters: Sequence[MeshCluster]) -> Iterator[Violation]:
    """Warn of networks whose services the others do not reach, since no cluster in them has an east-west gateway."""
    first_places: dict[str, Place] = {config_cluster.network: ("config_cluster",)}
    for index, cluster in enumerate(remote_clusters):
        first_places.setdefault(cluster.network, ("remote_clusters", index))
    if len(first_places) == 1:
        return
    connected = {cluster.network for cluster in (config_cluster, *remote_clusters) if cluster.gateways.east_west}
    for network, place in first_places.items():
        if network not in connected:
            problem = (
                f"network {network!r} has no east-west gateway, so that clusters in other networks cannot reach its "
                "services: set eastWest in one of its clusters, or leave it where that is meant"
            )
            yield Violation((*place, "gateways", "east_west"), problem)
