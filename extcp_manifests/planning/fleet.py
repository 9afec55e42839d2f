"""A fleet as folders: one for each control plane, and one for each gateway that several of them may share.

RUNBOOK.md                    the order of the others
gateway-CLUSTER-NAMESPACE/    a gateway by host name, with its own runbook, which is installed once
NAME/                         a control plane, as `plan` makes it for a gateway that is there already
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import IO

from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.planning.folder import writing
from extcp_manifests.planning.folder.listing import Kind
from extcp_manifests.planning.kustomize import KustomizeTree
from extcp_manifests.planning.plan import Plan
from extcp_manifests.planning.runbook import RUNBOOK, code, markdown
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import MeshCluster, folder_of
from extcp_manifests.topology.credentials import ClusterCredentials, checked_credentials
from extcp_manifests.topology.fleet import Fleet, folder_of_gateway, shares_gateway
from extcp_manifests.topology.model import Topology
from extcp_manifests.topology.part_check import part_problems


def plan_fleet(fleet: Fleet, *, credentials: Mapping[str, ClusterCredentials] | None = None) -> "FleetPlan":
    """Return everything there is to do for the control planes of a fleet.

    With credentials, by the clusters' names, the Secrets for istiod become files, as with `plan`. Raises InvalidInput
    for credentials that do not match a cluster of just one control plane, and for settings and overrides of parts that
    cannot be.
    """
    require(fleet, Fleet, ("fleet",), "a Fleet, as `load_fleet` gives it")
    given, problems = _checked_credentials(fleet, credentials or {})
    del credentials  # where they are plain texts, no traceback that shows variables may show them
    for index, topology in enumerate(fleet.control_planes):
        found = part_problems(topology, from_file=False)
        problems += [problem.under("control_planes", index) for problem in found]
    if problems:
        raise InvalidInput(problems)
    return FleetPlan(fleet, given)


def plan_read_fleet(fleet: Fleet, *, credentials: Mapping[str, ClusterCredentials] | None = None) -> "FleetPlan":
    """Return the same for a fleet that was read, whose settings and overrides of parts were checked then."""
    given, problems = _checked_credentials(fleet, credentials or {})
    del credentials  # as above
    if problems:
        raise InvalidInput(problems)
    return FleetPlan(fleet, given)


def _checked_credentials(
    fleet: Fleet, credentials: Mapping[str, ClusterCredentials]
) -> tuple[dict[str, ClusterCredentials], list[Problem]]:
    """Return the credentials, and why they do not fit the control plane that has the cluster; nothing is raised."""
    if not credentials:
        return {}, []
    first = fleet.control_planes[0]
    if not isinstance(credentials, Mapping):
        return checked_credentials(credentials, api_servers={}, release=first.istio)
    users: dict[str, list[tuple[Topology, MeshCluster]]] = {}
    for topology in fleet.control_planes:
        for cluster in topology.mesh_clusters:
            users.setdefault(cluster.name, []).append((topology, cluster))
    given: dict[str, ClusterCredentials] = {}
    problems: list[Problem] = []
    for name, each in credentials.items():
        owners = users.get(name, [])
        release = owners[0][0].istio if owners else first.istio
        api_servers = {cluster.name: cluster.api_server for _, cluster in owners}
        right, found = checked_credentials({name: each}, api_servers=api_servers, release=release)
        given |= right
        problems += found
        problems += _why_not_theirs(name, [topology for topology, _ in owners])
    return given, problems


def _why_not_theirs(name: str, topologies: Sequence[Topology]) -> Iterator[Problem]:
    """Yield why the control planes of a cluster cannot take credentials for it."""
    if len(topologies) > 1:
        problem = (
            f"is a cluster of control planes {topologies[0].name!r} and {topologies[1].name!r}, which need tokens of "
            "accounts of their own: leave it out, and let the runbooks make its Secrets"
        )
        yield Problem(("credentials", name), problem)
    elif topologies and topologies[0].secret_store is not None:
        problem = "has no use where the control plane takes Secrets from a store: leave it out"
        yield Problem(("credentials", name), problem)


class FleetPlan(Record, hidden=("credentials",)):
    """The plans of a fleet, each with its folder; they are made when they are needed, and not kept."""

    fleet: Fleet
    credentials: Mapping[str, ClusterCredentials] = {}

    def gateways(self) -> Iterator[tuple[str, Plan]]:
        """Yield the plan of each gateway that control planes may share, with its folder."""
        for topology in self._gateways().values():
            name = folder_of_gateway(topology)
            yield name, Plan(topology=topology.model_copy(update={"name": name}), gateway_alone=True)

    def control_planes(self) -> Iterator[tuple[str, Plan]]:
        """Yield the plan of each control plane, with its folder."""
        for topology in self.fleet.control_planes:
            names = [cluster.name for cluster in topology.mesh_clusters] if self.credentials else []
            given = {name: self.credentials[name] for name in names if name in self.credentials}
            alone = _without_gateway(topology) if shares_gateway(topology) else topology
            yield folder_of(str(topology.name)), Plan(topology=alone, credentials=given)

    def gateways_by_name(self) -> dict[str, Plan]:
        """Return the plan of the gateway that is followed before each control plane which shares one, by its name."""
        plans = dict(self.gateways())
        sharing = (topology for topology in self.fleet.control_planes if shares_gateway(topology))
        return {str(topology.name): plans[folder_of_gateway(topology)] for topology in sharing}

    def plans(self) -> Iterator[tuple[str, Plan]]:
        """Yield all plans in the order in which they are followed."""
        yield from self.gateways()
        yield from self.control_planes()

    def _gateways(self) -> Mapping[str, Topology]:
        """Return for each gateway that is shared a control plane of the newest release that uses it."""
        newest: dict[str, Topology] = {}
        for topology in self.fleet.control_planes:
            if shares_gateway(topology):
                other = newest.setdefault(folder_of_gateway(topology), topology)
                if _number(topology.release) > _number(other.release):
                    newest[folder_of_gateway(topology)] = topology
        return newest

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield each file of documents, path and content, one at a time."""
        for folder, plan in self.plans():
            for path, content in plan.files():
                yield f"{folder}/{path}", content

    def render(self) -> Mapping[str, bytes]:
        """Return all files of documents by their paths; the runbooks are not among them."""
        return dict(self.files())

    def kustomize(self, *, overlays: Sequence[str] = ()) -> "FleetTree":
        """Return the same files as a kustomize tree in each folder; with overlays, commands read those.

        Raises InvalidInput for names of overlays that are not DNS labels.
        """
        return FleetTree(self, tuple(overlays))

    def runbook(self) -> str:
        """Return the order in which the runbooks of the folders are followed, as Markdown."""
        return "".join(self._order(RUNBOOK, _IN_THE_FOLDER))

    def _order(self, name: str, place: str) -> Iterator[str]:
        """Yield the order in which the runbooks or notes of the folders are followed, piece by piece."""
        topologies = self.fleet.control_planes
        waits = any(each.cni is not None and each.cni.install == "none" for each in topologies)
        brings = any(each.cni is not None and each.cni.install != "none" for each in topologies)
        order = _PLUGINS_FIRST if waits and brings else _ANY_ORDER
        yield _HEAD.format(title=markdown(self.fleet.name), name=name, place=place, order=order)
        for number, (folder, plan) in enumerate(self.plans(), start=1):
            topology = plan.topology
            if plan.gateway_alone:
                what = f"the gateway of control planes in {code(topology.external_cluster.name)}"
            else:
                what = f"Istio {topology.release} at {code(topology.address)}"
            yield f"{number}. {code(f'{folder}/{name}')}: {what}\n"
        yield _TAIL

    def in_folders(
        self, entries_of: Callable[[str, Plan], Iterable[writing.Entry]], *, guide: str, place: str
    ) -> Iterator[writing.Entry]:
        """Yield the files of every plan below its folder, and their order in a file of the name of their guides.

        `place` says where the commands of a guide are run.
        """
        for folder, plan in self.plans():
            for entry in entries_of(folder, plan):
                yield entry.with_(path=f"{folder}/{entry.path}")
        yield writing.Entry(guide, writing.Streamed(partial(self._order, guide, place)))

    def write(
        self, folder: str | os.PathLike[str], *, force: bool = False, on_file: Callable[[str], None] | None = None
    ) -> list[str]:
        """Write all files and runbooks into a folder, as `Plan.write` does, and return their paths."""
        return writing.write(folder, self.entries(), owner=self._owner, force=force, on_file=on_file)

    def write_tar(self, stream: IO[bytes]) -> None:
        """Write all files and runbooks into a stream, as a tar archive with the same bytes on every machine."""
        from extcp_manifests.planning.folder.archive import write_tar  # loads tarfile

        write_tar(stream, self.entries())

    def changes(self, folder: str | os.PathLike[str]) -> Iterator[writing.FileChange]:
        """Yield what `write` would change in a folder; nothing is written. Raises OutputError."""
        return writing.changes(folder, self.entries(), owner=self._owner)

    def entries(self) -> Iterator[writing.Entry]:
        """Yield every file to write, the runbook of the whole at the end."""
        return self.in_folders(lambda _, plan: plan.entries(), guide=RUNBOOK, place=_IN_THE_FOLDER)

    @property
    def _owner(self) -> writing.Owner:
        return self.owner("generate")

    def owner(self, kind: Kind) -> writing.Owner:
        """Return who owns a folder with the files of the fleet; no control plane can be called like that."""
        return writing.Owner(kind, f"fleet {self.fleet.name}")


class FleetTree(Record):
    """The kustomize trees of a fleet, each in its folder."""

    plan: FleetPlan
    overlays: tuple[str, ...] = ()

    def trees(self) -> Iterator[tuple[str, KustomizeTree]]:
        """Yield each tree with its folder."""
        for folder, plan in self.plan.plans():
            yield folder, plan.kustomize(overlays=self.overlays)

    def entries(self) -> Iterator[writing.Entry]:
        """Yield every file of all trees, overlays among them."""

        def entries_of(_: str, plan: Plan) -> Iterator[writing.Entry]:
            tree = plan.kustomize(overlays=self.overlays)
            return chain(tree.entries(), tree.skeletons())

        return self.plan.in_folders(entries_of, guide=RUNBOOK, place=_IN_THE_FOLDER)

    def write(
        self, folder: str | os.PathLike[str], *, force: bool = False, on_file: Callable[[str], None] | None = None
    ) -> list[str]:
        """Write all trees into a folder, as `KustomizeTree.write` does, and return the paths of their files."""
        return writing.write(folder, self.entries(), owner=self._owner, force=force, on_file=on_file)

    def changes(self, folder: str | os.PathLike[str]) -> Iterator[writing.FileChange]:
        """Yield what `write` would change in a folder; nothing is written. Raises OutputError."""
        return writing.changes(folder, self.entries(), owner=self._owner)

    @property
    def _owner(self) -> writing.Owner:
        return self.plan.owner("kustomize")


def _without_gateway(topology: Topology) -> Topology:
    """Return a control plane whose gateway is there already."""
    return topology.model_copy(update={"gateway": topology.gateway.as_there_already()})


def _number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


_HEAD = """\
# {title}: external control planes of Istio

Each folder has a {name} of its own, whose commands are run {place}. Follow them in this order;
{order}

"""


_ANY_ORDER = "those of control planes in any order, or at once."


_PLUGINS_FIRST = """\
those of control planes in any order, or at once, but those that install a CNI plugin first, and to clean up, last."""


_IN_THE_FOLDER = "in that folder"


_TAIL = """
To clean up, begin with the control planes; a gateway goes only when no control plane uses it any more.
"""
