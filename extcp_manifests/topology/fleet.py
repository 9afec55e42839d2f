"""Several external control planes, and what must fit between them: names, gateways, namespaces, shared clusters.

A fleet is checked when it is made. InvalidInput then has every problem, with the place in words of Python:
`control_planes[1].namespace`.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from ipaddress import ip_address
from typing import Any

from extcp_manifests.builders.address import Hostname
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.istio.object_names import gateway_labels
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import ExternalCluster, MeshCluster, context_of, folder_of
from extcp_manifests.topology.inputs import Place, place_of
from extcp_manifests.topology.model import Topology, placed_clusters
from extcp_manifests.topology.part_check import part_warnings
from extcp_manifests.topology.parts import namespace_of_cni


class Fleet(Record, kw_only=True):
    """External control planes, each with its name and its clusters, on one or several external clusters."""

    control_planes: Sequence[Topology]
    name: str = "fleet"
    """What the fleet is called."""

    def __post_init__(self) -> None:
        require(self.name, str, ("name",), "text")
        require(self.control_planes, list | tuple, ("control_planes",), "a list of Topology")
        for index, each in enumerate(self.control_planes):
            require(each, Topology, ("control_planes", index), "a Topology")
        if not self.control_planes:
            raise InvalidInput([Problem(("control_planes",), "is empty: add a control plane")])
        object.__setattr__(self, "control_planes", tuple(self.control_planes))
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
    return _installs(topology) and topology.exposure.shares_gateway


def _installs(topology: Topology) -> bool:
    """Return whether a gateway is installed with a control plane."""
    return topology.istiod.service is None and topology.gateway.install != "none"


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
    leaders: dict[_Access, Topology] = {}
    gateways: dict[_Access, Topology] = {}
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
        first = gateways.setdefault(_access(topology.external_cluster), topology) if _installs(topology) else topology
        if first.gateway.namespace != topology.gateway.namespace:
            problem = (
                f"has an istiod of its own, like that of control plane {first.name!r} in namespace "
                f"{first.gateway.namespace!r}, and both would inject pods of cluster "
                f"{topology.external_cluster.name!r}: share one, or use one that is there already"
            )
            yield Clash(index, ("gateway",), problem)
        others = [(each, leaders.setdefault(_access(each), topology)) for each in topology.mesh_clusters]
        shared = [(each, other) for each, other in others if other is not topology]
        if shared and not all(each.mesh_config.get("discoverySelectors") for each in (topology, shared[0][1])):
            cluster, other = shared[0]
            problem = (
                f"leaves both control planes of cluster {cluster.name!r}, {other.name!r} and this one, to write "
                "istio-ca-root-cert into all its namespaces: give each its own by discoverySelectors"
            )
            yield Clash(index, ("mesh_config",), problem)


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
        return _installs(self.topology)


_Found = Iterator[tuple[Place, str]]
"""Problems of a control plane, with their places in it."""


class _Seen:
    """The control planes so far, by what two of them cannot share."""

    def __init__(self, folders_of_gateways: Collection[str]) -> None:
        self._folders_of_gateways = folders_of_gateways
        self._owners: dict[tuple[Any, ...], _Member] = {}
        self._namespaces: dict[tuple[_Access, str], tuple[_Member, str]] = {}
        self._accesses: dict[str, _Access] = {}
        self._names: dict[_Access, str] = {}

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

    def _namespace(self, member: _Member, access: _Access, cluster: str, namespace: str, role: str) -> str | None:
        """Return why another control plane's namespace of a cluster cannot be one of this one too, or None."""
        owner, owners_role = self._namespaces.setdefault((access, namespace), (member, role))
        if owner is member or role == owners_role == _OF_THE_GATEWAY:
            return None
        return _taken(namespace, owners_role, owner, cluster)

    def _name(self, member: _Member) -> _Found:
        name = member.topology.name
        if name is None:
            yield ("name",), "is required in a fleet: name the control plane"
        elif other := self._other(member, "name", folder_of(name)):
            if other.topology.name == name:
                yield ("name",), f"{name!r} is already the name of another control plane: choose another"
            else:
                yield ("name",), f"{name!r} would share its folder with control plane {other.name}: choose another"
        elif folder_of(name) in self._folders_of_gateways:
            yield ("name",), f"{name!r} is what the folder of a gateway is called: choose another"

    def _external_cluster(self, member: _Member) -> _Found:
        topology = member.topology
        cluster, namespace = topology.external_cluster.name, topology.namespace
        problem: str | None
        if self._accesses.setdefault(cluster, member.external) != member.external:
            problem = f"{cluster!r} is the name of another external cluster too: give each cluster its own"
            yield ("external_cluster", "name"), problem
        elif (name := self._names.setdefault(member.external, cluster)) != cluster:
            problem = f"{cluster!r} has the kubeconfig and context of cluster {name!r}: give each cluster its own"
            yield ("external_cluster", "name"), problem
        if problem := self._namespace(member, member.external, cluster, namespace, "namespace"):
            yield ("namespace",), problem
        yield from self._cluster_wide_names(member, member.external)
        yield from self._istio_resource(member, member.external, cluster)
        if member.has_gateway:
            of_gateway = topology.gateway.namespace
            if problem := self._namespace(member, member.external, cluster, of_gateway, _OF_THE_GATEWAY):
                yield ("gateway", "namespace"), problem

    def _cluster_wide_names(self, member: _Member, access: _Access) -> _Found:
        """Yield that revision and namespace, which names of cluster-wide objects join, make names of another."""
        topology = member.topology
        revision, namespace = topology.revision, topology.namespace
        joined = namespace if revision is None else f"{revision}-{namespace}"
        other = self._other(member, "joined", access, joined)
        if other is not None and (other.topology.revision, other.topology.namespace) != (revision, namespace):
            problem = (
                f"{namespace!r} and the revision make names of cluster-wide objects with {joined!r}, as those of "
                f"control plane {other.name} do: choose another"
            )
            yield ("namespace",), problem

    def _address(self, member: _Member) -> _Found:
        address = member.topology.address
        reached_at = member.topology.reached_at
        key = address if isinstance(reached_at, Hostname) else str(ip_address(address))
        if other := self._other(member, "address", key):
            yield ("address",), f"{address!r} is already the address of control plane {other.name}: choose another"

    def _gateway(self, member: _Member) -> _Found:
        """Yield why control planes cannot share a gateway, or cannot have two in a cluster."""
        if not member.has_gateway:
            return
        topology = member.topology
        gateway, external = topology.gateway, member.external
        other = self._other(member, "gateway", external, gateway.namespace, gateway.name)
        if other is None and gateway.api == "istio":
            selector = gateway.selector or {"istio": gateway_labels(gateway.name)["istio"]}
            other = self._other(member, "selector", external, *sorted(selector.items()))
        if other is not None and not (_can_share(topology) and _can_share(other.topology)):
            problem = (
                f"serves control plane {other.name} too, and by IP address a gateway serves one alone: give "
                "each a gateway with a name and a namespace of its own"
            )
            yield ("gateway",), problem
            return
        installs = member.installs_gateway or (other is not None and other.installs_gateway)
        if other is not None and installs and other.topology.gateway.webhook_port != gateway.webhook_port:
            problem = f"is not that of control plane {other.name}, which shares the gateway: make them equal"
            yield ("gateway", "webhook_port"), problem
            return
        if member.installs_gateway:
            yield from self._installed_gateway(member)

    def _installed_gateway(self, member: _Member) -> _Found:
        """Yield why a gateway cannot be installed beside, or together with, that of another control plane."""
        topology, external = member.topology, member.external
        gateway, cluster = topology.gateway, topology.external_cluster.name
        if leader := self._owners.get(("revision", external, None)):
            problem = (
                f"has an istiod of its own, which would inject pods of cluster {cluster!r} as control plane "
                f"{leader.name} does: give that one a revision"
            )
            yield ("gateway",), problem
        if shares_gateway(topology):
            yield from self._folder_of_gateway(member)
        installed = self._other(member, "installed gateway", external, gateway.namespace)
        if installed is None:
            self._owners.setdefault(("installed gateway", external), member)
            yield from self._definitions(member, external, cluster)
            if topology.install == "sail" and (other := self._other(member, "istio resource", external, "default")):
                problem = (
                    f"would be a second one in cluster {cluster!r}, beside that of control plane {other.name}, and the "
                    "Sail Operator has one Istio called 'default': share it, or use one that is there already"
                )
                yield ("gateway",), problem
            return
        theirs = installed.topology.gateway
        if theirs.name != gateway.name:
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
                    "give one a gateway with a name and a namespace of its own"
                )
                yield (key,), problem

    def _folder_of_gateway(self, member: _Member) -> _Found:
        """Yield that cluster and namespace, which the name of the folder joins, make that of another gateway."""
        topology = member.topology
        folder, namespace = folder_of_gateway(topology), topology.gateway.namespace
        other = self._other(member, "folder of a gateway", folder)
        if other is not None and other.topology.external_cluster.name != topology.external_cluster.name:
            problem = (
                f"{namespace!r} would share the folder {folder!r} with the gateway of control plane {other.name}: "
                "choose another"
            )
            yield ("gateway", "namespace"), problem

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
        if problem := self._namespace(member, access, cluster.name, topology.namespace, "namespace"):
            yield ("namespace",), problem
        yield from self._cluster_wide_names(member, access)
        yield from self._revision(member, access, cluster.name)
        yield from self._istio_resource(member, access, cluster.name)
        is_config_cluster = cluster is topology.config_cluster
        if is_config_cluster or (topology.install == "helm" and not topology.istio.has_istiod_remote_chart):
            yield from self._definitions(member, access, cluster.name)
        yield from self._plugin(member, access, cluster.name)
        yield from self._stored_kubeconfig(member, cluster.name)
        wanted = cluster.gateways
        if wanted.namespace is not None and wanted.namespace != topology.namespace:
            problem = self._namespace(member, access, cluster.name, wanted.namespace, "namespace of gateways")
            if problem is not None:
                yield (*place, "gateways", "namespace"), problem
        if cluster.sample is not None and (other := self._other(member, "sample", access)):
            yield (*place, "sample"), f"is already deployed by control plane {other.name}: leave it out"

    def _stored_kubeconfig(self, member: _Member, cluster: str) -> _Found:
        """Yield that another control plane has its kubeconfig of a cluster at the same place of a store."""
        topology = member.topology
        if topology.secret_store is None:
            return
        store, key = topology.secret_store, topology.key_in_store(cluster)
        in_namespace = topology.namespace if store.kind == "SecretStore" else None
        if other := self._other(member, "kubeconfig", member.external, store.kind, store.name, in_namespace, key):
            problem = f"has {key!r} in the store for control plane {other.name} too, with another token: choose another"
            yield ("secret_store", "prefix"), problem

    def _revision(self, member: _Member, access: _Access, cluster: str) -> _Found:
        revision = member.topology.revision
        other = self._other(member, "revision", access, revision)
        if revision is not None:
            if other is not None:
                yield ("revision",), _taken(revision, "revision", other, cluster)
            return
        if other is not None:
            problem = (
                f"is left out, as by control plane {other.name}, so that both would inject pods of cluster "
                f"{cluster!r}: give one of them a revision"
            )
            yield ("revision",), problem
        installed = self._owners.get(("installed gateway", access))
        if installed is not None and installed is not member:
            problem = (
                f"is left out, and the istiod of the gateway of control plane {installed.name} would inject pods of "
                f"cluster {cluster!r} too: add one"
            )
            yield ("revision",), problem

    def _definitions(self, member: _Member, access: _Access, cluster: str) -> _Found:
        """Yield that two control planes bring Istio's definitions into a cluster, and Helm is among what does."""
        install = member.topology.install
        other = self._other(member, "definitions", access)
        if other is not None and "helm" in (install, other.topology.install):
            problem = (
                f"is {install}, and control plane {other.name} has Istio's definitions in cluster {cluster!r} by "
                f"{other.topology.install}, while Helm shares them with nothing: use istioctl for both"
            )
            yield ("install",), problem

    def _plugin(self, member: _Member, access: _Access, cluster: str) -> _Found:
        """Yield that another control plane has the CNI plugin, or what it needs."""
        topology = member.topology
        if topology.cni is None or topology.cni.install == "none":
            return
        if other := self._other(member, "cni", access):
            problem = (
                f"installs the plugin in cluster {cluster!r}, as control plane {other.name} does: set install to "
                "none in one of them"
            )
            yield ("cni",), problem
        elif (namespace := namespace_of_cni(topology)) != "kube-system":
            problem = self._namespace(member, access, cluster, namespace, "namespace of the CNI plugin") or ""
            if problem:
                yield ("cni", "namespace"), problem

    def _istio_resource(self, member: _Member, access: _Access, cluster: str) -> _Found:
        """Yield that the Sail Operator already has a resource of the same name in a cluster."""
        revision = member.topology.revision
        if member.topology.install != "sail" or revision is None:
            return
        if other := self._other(member, "istio resource", access, revision):
            yield ("revision",), _taken(revision, "revision", other, cluster)


_OF_THE_GATEWAY = "namespace of the gateway"


_SAME_FOR_A_GATEWAY = ("gateway", "install", "hub", "charts", "pull_policy", "pull_secrets", "platform")
"""The fields of which a gateway is made, beside the release."""


def _can_share(topology: Topology) -> bool:
    return topology.exposure.shares_gateway


def _trust_domain(topology: Topology) -> Any:
    for mesh_config in (topology.mesh_config, topology.config_cluster.mesh_config):
        for key in ("trustDomain", "trust_domain"):
            if key in mesh_config:
                return mesh_config[key]
    return "cluster.local"


def _taken(text: str, what: str, other: _Member, cluster: str) -> str:
    return f"{text!r} is already the {what} of control plane {other.name} in cluster {cluster!r}: choose another"
