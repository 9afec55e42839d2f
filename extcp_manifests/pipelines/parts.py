"""What Argo CD or Flux applies in one go."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from posixpath import normpath
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.name_forms import stand_in, why_not_dns_label, why_not_dns_subdomain, why_not_printable
from extcp_manifests.documents.sail import Istio
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.planning.fleet import FleetPlan
from extcp_manifests.planning.folder.writing import Entry
from extcp_manifests.planning.kustomize import OVERLAYS, VALUES, Base
from extcp_manifests.planning.plan import Plan
from extcp_manifests.planning.resolved import Resolved
from extcp_manifests.planning.stages import ClusterStages, StageRun
from extcp_manifests.planning.step import Step
from extcp_manifests.planning.tools.helm import InstallChart
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import ExternalCluster, MeshCluster, context_of
from extcp_manifests.topology.inputs import Place
from extcp_manifests.topology.model import placed_clusters


class Repository(Record, kw_only=True):
    """Where a kustomize tree is in Git. Raises InvalidInput for what is not text, or leads out of the repository."""

    url: str | None = None
    """The repository's URL; Flux has it from its own GitRepository."""
    revision: str = "main"
    path: str = "."
    """The folder of the tree."""
    overlay: str | None = None
    """The overlay of the tree that is applied, instead of the bases themselves."""

    def __post_init__(self) -> None:
        texts = {"revision": self.revision, "path": self.path}
        if self.url is not None:
            texts["repo"] = self.url
        for key, text in texts.items():
            require(text, str, (key,), "text")
        problems = []
        for key, text in texts.items():
            if problem := why_not_printable(text):
                problems.append(Problem((key,), problem))
            if text.startswith("-"):
                problems.append(Problem((key,), f"begins with '-', which commands take for an option: {text!r}"))
        if self.path.startswith("/") or ".." in re.split(r"[/\\]", self.path):
            problems.append(Problem(("path",), f"{self.path!r} leads out of the repository: name a folder in it"))
        if self.overlay is not None and (problem := why_not_dns_label(self.overlay)):
            problems.append(Problem(("overlay",), problem))
        if problems:
            raise InvalidInput(problems)

    def below(self, folder: str) -> "Repository":
        """Return where the tree in a folder of this one is."""
        return self.with_(path=normpath(f"{self.path}/{folder}"))

    def folder(self, path: str) -> str:
        """Return the folder of a base, or of the overlay over it."""
        above = "" if self.overlay is None else f"{OVERLAYS}/{self.overlay}/"
        return normpath(f"{self.path}/{above}{path}")

    def values(self, base: Base) -> list[str]:
        """Return the files of a chart's values, of which later ones win."""
        files = [normpath(f"{self.path}/{base.path}/{VALUES}")]
        if self.overlay is not None:
            files.append(f"{self.folder(base.path)}/{VALUES}")
        return files


class Part(Record):
    """What a tool applies in one go: a base of the tree, what istioctl rendered of one, or a chart."""

    name: str
    cluster: str
    step: Step
    """The first step of the base."""
    base: Base
    written_by_istiod: tuple["WebhookFields", ...] = ()
    """The fields of its webhooks that istiod writes."""
    is_ready_later: bool = False
    """Whether it is ready only when parts after it are, or never, so that nothing may wait for that."""

    @property
    def chart(self) -> InstallChart | None:
        """The chart that is installed; None for manifests that are applied."""
        return self.step.action if isinstance(self.step.action, InstallChart) else None

    @property
    def folder(self) -> str:
        """The folder of its manifests; those of an IstioOperator must be rendered first."""
        return self.base.rendered if self.base.kind == "install" else self.base.path


class PartStep(Record):
    """A step, with the part that begins with it."""

    step: Step
    part: Part | None


class OrderedPart(Record):
    """A part with its place in the order."""

    part: Part
    wave: int
    """Its place in the order of Argo CD: a part is applied after those of lower waves."""
    after: tuple[str, ...]
    """The names of the parts of its own kind, charts or others, that it waits for."""


class Parts:
    """The parts of a plan, worked out for one stage of a cluster when they are asked for.

    The parts of the external and the config cluster form one chain, in which each waits for the one before it. Those of
    a further cluster form a chain of their own, in which each waits for what is before it in both chains.
    """

    def __init__(self, plan: Plan, *, after: "Parts | None" = None) -> None:
        """Make the parts of a plan; of a fleet, after those of the gateway that is there before it."""
        self._resolved = plan.resolved
        self._tree = plan.kustomize()
        self._prefix = plan.topology.name or plan.topology.mesh_id
        self._main = ClusterStages(self._resolved, self._resolved.remotes[0])
        self._main_ends: dict[int, _End] = {}
        """Where the chain of the external and the config cluster ends, by the number of the stage."""
        self._start: _End = _NOTHING if after is None else after._end
        end = self._start
        for stage in self._main.runs():
            for ordered in self.in_order(stage):
                end = end.followed_by(ordered)
            self._main_ends[stage.number] = end
        self._end: _End = end

    @property
    def charts(self) -> str:
        """The name of the repository of charts, which is the plan's own."""
        return _name(f"{self._prefix}-istio-charts")

    @property
    def longest_name(self) -> int:
        """The greatest length of a cluster's name with which the names of all its parts are DNS labels."""
        return 63 - len(f"{self._prefix}--install-istio-ingressgateway")

    def steps_of(self, run: StageRun) -> Iterator[PartStep]:
        """Yield the steps of a stage in one cluster, each with the part that begins with it."""
        all_placed = list(self._tree.placed_in(run))
        late = {placed.base for placed in all_placed if _is_ready_later(placed.step)}
        for placed in all_placed:
            step, base = placed.step, placed.base
            if base is None or step.secret or not placed.is_first:
                yield PartStep(step, None)
                continue
            part = Part(
                name=_name(f"{self._prefix}-{base.path.replace('/', '-')}"),
                cluster=step.cluster,
                step=step,
                base=base,
                written_by_istiod=tuple(_written_by_istiod(self._resolved, step)),
                is_ready_later=base in late,
            )
            yield PartStep(step, part)

    def of(self, run: StageRun) -> Iterator[Part]:
        """Yield the parts of a stage in one cluster."""
        for each in self.steps_of(run):
            if each.part is not None:
                yield each.part

    def in_order(self, run: StageRun) -> Iterator[OrderedPart]:
        """Yield the same with their places in the order, worked out from all stages of the cluster up to this one."""
        is_main = run.remote is self._main.remote
        end = self._start if is_main else _NOTHING
        for stage in ClusterStages(self._resolved, run.remote).runs():
            if stage.number > run.number:
                return
            main_end = _NOTHING if is_main else self._main_end(stage)
            for part in self.of(stage):
                ordered = _ordered(part, end, main_end)
                if stage.number == run.number:
                    yield ordered
                end = end.followed_by(ordered)

    def _main_end(self, run: StageRun) -> "_End":
        """Return where the chain of the external and the config cluster ends when a further cluster has its stage."""
        end = _NOTHING
        for number, main_end in self._main_ends.items():
            if number <= run.number:
                end = main_end
        return end


class _End(Record):
    """Where a chain of parts ends so far."""

    wave: int
    chart: str | None = None
    """The name of the last part that is a chart."""
    applied: str | None = None
    """The name of the last part that is none."""

    def followed_by(self, ordered: OrderedPart) -> "_End":
        """Return the end of the chain with one more part."""
        part = ordered.part
        if part.chart is None:
            return _End(ordered.wave, self.chart, part.name)
        return _End(ordered.wave, part.name, self.applied)


_NOTHING = _End(wave=-1)


def _ordered(part: Part, *ends: _End) -> OrderedPart:
    """Return a part that comes after the ends of chains."""
    wave = max(end.wave for end in ends) + 1
    before = [end.applied if part.chart is None else end.chart for end in ends]
    return OrderedPart(part, wave, tuple(name for name in before if name is not None))


def fleet_entries(
    plan: FleetPlan, entries_of: Callable[[str, Plan, "Parts"], Iterator[Entry]], *, guide: str, place: str
) -> Iterator[Entry]:
    """Yield the files of every plan of a fleet in its folder; gateways come before the control planes that use them.

    Raises InvalidInput where two clusters have one name, by which the tool would take them for the same, and while it
    yields, where two parts have one.
    """
    _require_clusters_apart(plan)
    gateways = {name: Parts(gateway) for name, gateway in plan.gateways_by_name().items()}
    folders: dict[str, str] = {}

    def of(folder: str, each: Plan) -> Iterator[Entry]:
        for entry in entries_of(folder, each, Parts(each, after=gateways.get(str(each.topology.name)))):
            part = posixpath.basename(entry.path)
            if part not in (guide, CHARTS) and folders.setdefault(part, folder) != folder:
                problem = (
                    f"{folder!r} and a cluster of it have the joined name {part.removesuffix('.yaml')!r}, as "
                    f"{folders[part]!r} and one of its own do: rename a control plane or a cluster"
                )
                raise InvalidInput([Problem(("control_planes",), problem)])
            yield entry

    return plan.in_folders(of, guide=guide, place=place)


CHARTS = "istio-charts.yaml"
"""The file of the repository of charts, of which each plan may have one."""


def _require_clusters_apart(plan: FleetPlan) -> None:
    """Refuse clusters of one name that are not the same; GitOps tools know clusters by their names."""
    known: dict[str, tuple[str | None, str]] = {}
    problems = []
    for index, topology in enumerate(plan.fleet.control_planes):
        placed: list[tuple[Place, ExternalCluster | MeshCluster]] = [(("external_cluster",), topology.external_cluster)]
        for place, cluster in (*placed, *placed_clusters(topology)):
            access = (cluster.kubeconfig, context_of(cluster))
            if known.setdefault(cluster.name, access) != access:
                problem = f"{cluster.name!r} is the name of another cluster of the fleet too: choose another"
                problems.append(Problem(("control_planes", index, *place, "name"), problem))
    if problems:
        raise InvalidInput(problems)


def _is_ready_later(step: Step) -> bool:
    """Return whether a step applies an Istio resource of a remote cluster.

    It becomes ready when istiod serves the cluster, and by host name never (sail-operator main: controllers/webhook).
    """
    is_remote = step.part in ("config cluster", "remote cluster")
    return is_remote and any(isinstance(document, Istio) for document in step.documents)


def _name(text: str) -> str:
    return stand_in(text) if why_not_dns_label(text) else text


class WebhookFields(Record):
    """The fields of a webhook configuration that istiod writes."""

    kind: str
    name: str
    webhooks: int
    """How many webhooks it has."""
    fields: tuple[str, ...]
    """The fields of each of them, with `/` between keys."""

    @property
    def jq_paths(self) -> list[str]:
        """The fields in the language of jq."""
        return [f".webhooks[]?.{field.replace('/', '.')}" for field in self.fields]

    @property
    def json_pointers(self) -> list[str]:
        """The fields of each webhook as JSON pointers."""
        return [f"/webhooks/{index}/{field}" for index in range(self.webhooks) for field in self.fields]


_CA = "clientConfig/caBundle"
_POLICY = "failurePolicy"


def _written_by_istiod(resolved: Resolved, step: Step) -> Iterator[WebhookFields]:
    """Yield the fields of webhooks that istiod writes, where the topology lets it (istio 1.30.3: pkg/webhooks)."""
    names = resolved.names
    injector, validator = resolved.exposure.webhook_names(names)
    chart = step.action.chart if isinstance(step.action, InstallChart) else None
    if injector and chart != "base" and step.part in ("config cluster", "remote cluster"):
        yield WebhookFields("MutatingWebhookConfiguration", injector, names.injector_webhooks, (_CA,))
    if not validator or step.part != "config cluster":
        return
    if chart != "base":
        yield WebhookFields("ValidatingWebhookConfiguration", validator, 1, (_CA, _POLICY))
    if chart != "istiod":  # of a chart of its own, where there is one
        yield WebhookFields("ValidatingWebhookConfiguration", "istiod-default-validator", 1, (_CA, _POLICY))


def require_names(**names: str) -> None:
    """Refuse names that Kubernetes does not take. Raises InvalidInput with all of them."""
    for key, name in names.items():
        require(name, str, (key,), "text")
    problems = [Problem((key,), problem) for key, name in names.items() if (problem := why_not_dns_subdomain(name))]
    if problems:
        raise InvalidInput(problems)


def document_entry(path: str, document: Mapping[str, Any]) -> Entry:
    """Return a file with one document."""
    return Entry(path, (yaml.dump(document).encode(),))
