"""Several external control planes, and what must fit between them: names, gateways, namespaces, shared clusters.

A fleet is checked when it is made. InvalidInput then has every problem, with the place in words of Python:
`control_planes[1].namespace`.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any

from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import ExternalCluster, MeshCluster, context_of, folder_of
from extcp_manifests.topology.inputs import Place, place_of
from extcp_manifests.topology.model import Topology, placed_clusters
from extcp_manifests.topology.part_check import part_warnings


class Fleet(Record, kw_only=True):
    """External control planes, each with its name and its clusters, on one or several external clusters."""

    control_planes: Sequence[Topology]
    name: str = "fleet"
    """What the whole is called."""

    def __post_init__(self) -> None:
        for index, each in enumerate(self.control_planes):
            require(each, Topology, ("control_planes", index), "a Topology")
        problems = [clash.problem("control_planes", from_file=False) for clash in clashes(self.control_planes)]
        if problems:
            raise InvalidInput(problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is allowed and most likely not meant; paths are spelled as in a file."""
        start = ("spec", "controlPlanes")
        found = [
            problem.with_(place=(*start, index, *problem.place[1:]))
            for index, each in enumerate(self.control_planes)
            for problem in (*each.warnings, *part_warnings(each))
        ]
        return (*found, *(clash.problem(*start, from_file=True) for clash in doubts(self.control_planes)))


def shares_gateway(topology: Topology) -> bool:
    """Return whether a control plane is reached through a gateway that is installed, and that others may use too."""
    has_gateway = topology.istiod.service is None and topology.gateway.install != "none"
    return has_gateway and topology.exposure.shares_gateway


def folder_of_gateway(topology: Topology) -> str:
    """Return the folder of the gateway of a control plane, which belongs to all that use it."""
    return f"gateway-{folder_of(topology.external_cluster.name)}-{topology.gateway.namespace}"


class Clash(Record):
    """What does not fit to another control plane: which one it is said of, the place in it, and why."""

    index: int
    place: Place
    message: str

    def problem(self, *start: str, from_file: bool) -> Problem:
        """Return the problem, spelled as the input is; `start` leads to the list of control planes."""
        return Problem((*start, self.index, *place_of(self.place, from_file=from_file)), self.message)


def clashes(topologies: Sequence[Topology]) -> Iterator[Clash]:
    """Yield what does not fit together among control planes that are right by themselves."""
    seen = _Seen({folder_of_gateway(topology) for topology in topologies if shares_gateway(topology)})
    for index, topology in enumerate(topologies):
        reported: set[Place] = set()  # of one place one problem is enough, however many clusters two share
        for place, message in seen.add(_Member(index, topology)):
            if place not in reported:
                reported.add(place)
                yield Clash(index, place, message)


def doubts(topologies: Sequence[Topology]) -> Iterator[Clash]:
    """Yield what is allowed between control planes and most likely not meant."""
    meshes: dict[str, str | None] = {}
    configured: dict[_Access, str | None] = {}
    for index, topology in enumerate(topologies):
        mesh = topology.mesh_id
        if mesh in meshes:
            problem = f"{mesh!r} is also the mesh of control plane {meshes[mesh]!r}: leave it where both serve one mesh"
            yield Clash(index, ("mesh_id",), problem)
        meshes.setdefault(mesh, topology.name)
        access = _access(topology.config_cluster)
        if access in configured and topology.install != "sail":
            problem = (
                f"is that of control plane {configured[access]!r} too, and istiod-default-validator of the cluster "
                "goes to the one that is set up last, and away with it: leave it where that is meant"
            )
            yield Clash(index, ("config_cluster",), problem)
        configured.setdefault(access, topology.name)


_Access = tuple[str | None, str]
"""A kubeconfig and its context: what tells clusters apart, whatever topologies call them."""


def _access(cluster: ExternalCluster | MeshCluster) -> _Access:
    return cluster.kubeconfig, context_of(cluster)


class _Member(Record):
    """A control plane of the fleet."""

    index: int
    topology: Topology

    @cached_property
    def name(self) -> str:
        return repr(self.topology.name)

    @cached_property
    def external(self) -> _Access:
        return _access(self.topology.external_cluster)

    @property
    def has_gateway(self) -> bool:
        """Whether it is reached through a gateway of the external cluster."""
        return self.topology.istiod.service is None

    @property
    def installs_gateway(self) -> bool:
        """Whether that gateway is installed with it."""
        return self.has_gateway and self.topology.gateway.install != "none"


_Found = Iterator[tuple[Place, str]]
"""Problems of a control plane, with their places in it."""


class _Seen:
    """The control planes so far, by what two of them cannot share."""

    def __init__(self, folders_of_gateways: Collection[str]) -> None:
        self._folders_of_gateways = folders_of_gateways
        self._owners: dict[tuple[Any, ...], _Member] = {}
        self._accesses: dict[str, _Access] = {}

    def add(self, member: _Member) -> _Found:
        """Yield what of a control plane does not fit to those before it."""
        yield from self._name(member)
        yield from self._external_cluster(member)
        yield from self._address(member)
        yield from self._gateway(member)
        yield from self._mesh(member)
        for place, cluster in placed_clusters(member.topology):
            yield from self._remote_cluster(member, place, cluster)

    def _other(self, member: _Member, *key: Any) -> _Member | None:
        """Return the control plane that has something already; else it is this one's."""
        owner = self._owners.setdefault(key, member)
        return None if owner is member else owner

    def _name(self, member: _Member) -> _Found:
        name = member.topology.name
        if name is None:
            yield ("name",), "is required in a fleet: name the control plane"
        elif self._other(member, "name", name):
            yield ("name",), f"{name!r} is already the name of another control plane: choose another"
        elif name in self._folders_of_gateways:
            yield ("name",), f"{name!r} is what the folder of a gateway is called: choose another"

    def _external_cluster(self, member: _Member) -> _Found:
        topology = member.topology
        cluster, namespace = topology.external_cluster, topology.namespace
        if self._accesses.setdefault(cluster.name, member.external) != member.external:
            problem = f"{cluster.name!r} is the name of another external cluster too: give each cluster its own"
            yield ("external_cluster", "name"), problem
        if other := self._other(member, "namespace", member.external, namespace):
            yield ("namespace",), _taken(namespace, "namespace", other, cluster.name)
        yield from self._istio_resource(member, member.external, cluster.name)
        if other := self._owners.get(("gateway namespace", member.external, namespace)):
            problem = f"{namespace!r} is the namespace of the gateway of control plane {other.name}: choose another"
            yield ("namespace",), problem
        gateway = topology.gateway.namespace
        owner = self._owners.get(("namespace", member.external, gateway))
        if member.has_gateway and owner is not None and owner is not member:
            problem = f"{gateway!r} is already the namespace of control plane {owner.name}: choose another"
            yield ("gateway", "namespace"), problem

    def _address(self, member: _Member) -> _Found:
        address = member.topology.address
        if other := self._other(member, "address", address):
            yield ("address",), f"{address!r} is already the address of control plane {other.name}: choose another"

    def _gateway(self, member: _Member) -> _Found:
        """Yield why control planes cannot share a gateway, or a namespace for different ones."""
        if not member.has_gateway:
            return
        topology = member.topology
        gateway, cluster = topology.gateway, topology.external_cluster.name
        other = self._other(member, "gateway", member.external, gateway.namespace, gateway.name)
        if other is not None and not (_can_share(topology) and _can_share(other.topology)):
            problem = (
                f"serves control plane {other.name} too, and by IP address a gateway serves one alone: give each a "
                "gateway in a namespace of its own"
            )
            yield ("gateway",), problem
        if not member.installs_gateway:
            return
        installed = self._other(member, "gateway namespace", member.external, gateway.namespace)
        if installed is None:
            return
        if installed.topology.gateway.name != gateway.name:
            problem = (
                f"{gateway.name!r} would take the place of the gateway of control plane {installed.name} in namespace "
                f"{gateway.namespace!r} of cluster {cluster!r}: choose another namespace, or the same name"
            )
            yield ("gateway", "name"), problem
            return
        is_same_release = installed.topology.release == topology.release
        for key in (*_SAME_FOR_A_GATEWAY, *(("tag",) if is_same_release else ())):
            if getattr(installed.topology, key) != getattr(topology, key):
                problem = (
                    f"is not that of control plane {installed.name}, which shares the gateway: make them equal, or "
                    "give each a gateway in a namespace of its own"
                )
                yield (key,), problem

    def _mesh(self, member: _Member) -> _Found:
        topology = member.topology
        other = self._other(member, "mesh", topology.mesh_id)
        if other is not None and _trust_domain(other.topology) != _trust_domain(topology):
            problem = (
                f"{topology.mesh_id!r} is also the mesh of control plane {other.name}, which has another trust domain: "
                "choose another, or give both the same meshConfig.trustDomain"
            )
            yield ("mesh_id",), problem

    def _remote_cluster(self, member: _Member, place: Place, cluster: MeshCluster) -> _Found:
        """Yield why two control planes cannot lead in the same cluster."""
        topology, access = member.topology, _access(cluster)
        revision, namespace = topology.revision, topology.namespace
        if other := self._other(member, "namespace", access, namespace):
            yield ("namespace",), _taken(namespace, "namespace", other, cluster.name)
        if other := self._other(member, "revision", access, revision):
            if revision is None:
                problem = (
                    f"is left out, as by control plane {other.name}, so that both would inject pods of cluster "
                    f"{cluster.name!r}: give one of them a revision"
                )
                yield ("revision",), problem
            else:
                yield ("revision",), _taken(revision, "revision", other, cluster.name)
        yield from self._istio_resource(member, access, cluster.name)
        has_base = topology.install == "helm" and not topology.istio.has_istiod_remote_chart
        if has_base and (other := self._other(member, "chart base", access)):
            problem = (
                f"is helm, by which control plane {other.name} has the chart base in cluster {cluster.name!r} too, and "
                "Helm takes no object of another release: use istioctl for one of them"
            )
            yield ("install",), problem
        plugin = topology.cni
        if plugin is not None and plugin.install != "none" and (other := self._other(member, "cni", access)):
            problem = (
                f"installs the plugin in cluster {cluster.name!r}, as control plane {other.name} does: set install to "
                "none in one of them"
            )
            yield ("cni",), problem
        wanted = cluster.gateways
        if wanted.namespace is not None and (wanted.ingress or wanted.egress):
            other = self._other(member, "gateways", access, wanted.namespace)
            if other is not None and other is not member:
                place_of_it = (*place, "gateways", "namespace")
                yield place_of_it, _taken(wanted.namespace, "namespace of gateways", other, cluster.name)
        if cluster.sample is not None and (other := self._other(member, "sample", access)):
            yield (*place, "sample"), f"is already deployed by control plane {other.name}: leave it out"

    def _istio_resource(self, member: _Member, access: _Access, cluster: str) -> _Found:
        """Yield that the Sail Operator already has a resource of the same name in a cluster."""
        revision = member.topology.revision
        if member.topology.install != "sail" or revision is None:
            return
        if other := self._other(member, "istio resource", access, revision):
            yield ("revision",), _taken(revision, "revision", other, cluster)


_SAME_FOR_A_GATEWAY = ("gateway", "install", "hub", "charts", "pull_policy", "pull_secrets", "platform")
"""The fields of which a gateway is made, beside the release."""


def _can_share(topology: Topology) -> bool:
    return topology.exposure.shares_gateway


def _trust_domain(topology: Topology) -> Any:
    return topology.mesh_config.get("trustDomain", "cluster.local")


def _taken(text: str, what: str, other: _Member, cluster: str) -> str:
    return f"{text!r} is already the {what} of control plane {other.name} in cluster {cluster!r}: choose another"
