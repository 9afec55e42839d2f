"""A plan as a kustomize tree: a base for what is applied together, and one for each file that istioctl or Helm takes.

    CLUSTER/kustomization.yaml              all that is applied in a cluster
    CLUSTER/STAGE/kustomization.yaml        what a stage of the plan applies there
    CLUSTER/secrets/NAME/                   a Secret with a token, by itself
    CLUSTER/install/NAME/                   an IstioOperator, to be built into a file for istioctl
    CLUSTER/values/NAME/                    a chart's values, as a file and as a ConfigMap
    overlays/OVERLAY/...                    a skeleton over every base, for people to patch

With an overlay all commands read it instead of the bases. Source: kustomize 5.8.1, run: it keeps the order of documents
with `sortOptions` alone (kubectl from 1.27), reads no file outside of a base, and merges lists by the keys of an
`openapi` schema.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from posixpath import basename
from typing import Literal

from extcp_manifests import yaml
from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.documents.name_forms import why_not_dns_label
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.planning.folder import writing
from extcp_manifests.planning.folder.writing import Entry, Streamed
from extcp_manifests.planning.resolved import Resolved
from extcp_manifests.planning.runbook import RUNBOOK
from extcp_manifests.planning.stages import ClusterStages, StageRun, clusters_of, reversed_runs_of, runs_of
from extcp_manifests.planning.step import Action, Step, StepSequence, texts_made_once
from extcp_manifests.planning.templates import filled_entries, filled_runbook
from extcp_manifests.planning.tools.helm import InstallChart
from extcp_manifests.planning.tools.istioctl import Built, Install, RenderAndApply
from extcp_manifests.planning.tools.kubectl import Apply, ApplyBase
from extcp_manifests.records import Record

KUSTOMIZATION = "kustomization.yaml"
OPENAPI = "istio-operator.openapi.json"
OVERLAYS = "overlays"
VALUES = "values.yaml"

_MORE_VALUES = b"# Values that beat those of the base.\n{}\n"


BaseKind = Literal["cluster", "applied", "install", "values", "secrets", "external-secrets"]
"""What a base is for: all that is applied in a cluster, what one stage applies there, or a single file."""


class Base(Record):
    """A folder of the tree that kustomize builds by itself."""

    cluster: str
    """The cluster's folder."""
    kind: BaseKind
    name: str = ""
    """The name of the stage that is applied, of the file, or of the Helm release; empty for a whole cluster."""

    @property
    def path(self) -> str:
        """The folder, with `/`."""
        if self.kind == "cluster":
            return self.cluster
        if self.kind == "applied":
            return f"{self.cluster}/{self.name}"
        return f"{self.cluster}/{self.kind}/{self.name}"

    @property
    def rendered(self) -> str:
        """The folder for what istioctl renders of an IstioOperator."""
        return f"{self.cluster}/rendered/{self.name}"


class PlacedStep(Record):
    """A step with the file and the command of the tree."""

    step: Step
    base: Base | None
    """The base of the step's file; None where it has no file."""
    is_first: bool = True
    """Whether the step is the first of its base."""

    @property
    def file(self) -> str:
        """The name of the step's file in its base."""
        return basename(self.step.path or "")


class KustomizeTree(Record):
    """The bases of a plan; files are made when they are asked for, and not kept."""

    resolved: Resolved
    overlays: tuple[str, ...] = ()
    """The overlays that commands read instead of the bases; each has a runbook of its own where there are several."""

    def __post_init__(self) -> None:
        problems = [Problem(("overlay",), problem) for name in self.overlays if (problem := why_not_dns_label(name))]
        if problems:
            raise InvalidInput(problems)

    def entries(self) -> Iterator[Entry]:
        """Yield every file of the tree, runbooks at the end."""
        text_of = texts_made_once(64)

        def files_of(run: StageRun) -> Iterator[Entry]:
            for placed in self.placed_in(run):
                step, base = placed.step, placed.base
                if step.path is None or base is None:
                    continue
                yield Entry(step.path, (text_of(step.builders),), secret=step.secret)
                if base.kind != "applied":
                    yield from _single_file_base(base, placed.file)

        yield from filled_entries(runs_of(self.resolved), files_of)
        yield from filled_entries(clusters_of(self.resolved), self._kustomizations_of)
        for path, steps in self.runbooks():
            yield Entry(path, Streamed(steps.runbook))

    def _kustomizations_of(self, cluster: ClusterStages) -> Iterator[Entry]:
        """Yield what kubectl applies: the files of each stage, and all stages of a cluster."""
        for folder, stages in self._applied_in(cluster).items():
            for base, files in stages.items():
                yield _kustomization(base, files)
            yield _kustomization(Base(folder, "cluster"), [base.name for base in stages])

    def _applied_in(self, cluster: ClusterStages) -> dict[str, dict[Base, list[str]]]:
        """Return the files of the base of each stage, by the folder of the cluster in which they are applied.

        The stages of the config cluster apply files in the external cluster too.
        """
        applied: dict[str, dict[Base, list[str]]] = {}
        for run in cluster.runs():
            for placed in self.placed_in(run):
                base = placed.base
                if base is not None and base.kind == "applied":
                    applied.setdefault(base.cluster, {}).setdefault(base, []).append(placed.file)
        return applied

    def runbooks(self) -> "Iterator[tuple[str, TreeSteps]]":
        """Yield each runbook's path with its steps."""
        if len(self.overlays) < 2:
            yield RUNBOOK, self.runbook_steps
            return
        for name in self.overlays:
            yield f"RUNBOOK-{name}.md", TreeSteps(self.resolved, _overlay_folder(name))

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield each file, path and content, one at a time."""
        for entry in self.entries():
            yield entry.path, b"".join(entry.pieces)

    def write(
        self,
        folder: str | os.PathLike[str],
        *,
        force: bool = False,
        on_file: Callable[[str], None] | None = None,
    ) -> list[str]:
        """Write the tree and its overlays into a folder, as `Plan.write` does; overlays that are there stay."""
        entries = chain(self.entries(), self.skeletons())
        return writing.write(folder, entries, owner=self._owner, force=force, on_file=on_file)

    def changes(self, folder: str | os.PathLike[str]) -> Iterator[writing.FileChange]:
        """Yield what `write` would change in a folder; nothing is written. Raises OutputError."""
        return writing.changes(folder, chain(self.entries(), self.skeletons()), owner=self._owner)

    @property
    def _owner(self) -> writing.Owner:
        return writing.owner_of(self.resolved.topology, "kustomize")

    def skeletons(self) -> Iterator[Entry]:
        """Yield a kustomization over every base for each overlay, for people to add their patches to.

        For the values of a chart there is a further file of values beside it. `write` leaves alone those that are there
        already.
        """
        for name in self.overlays:
            yield from self._skeletons(name)

    def _skeletons(self, overlay: str) -> Iterator[Entry]:
        def over_files(run: StageRun) -> Iterator[Entry]:
            for base in self._single_file_bases(run):
                yield _skeleton(overlay, base)
                if base.kind == "values":
                    yield Entry(f"{_overlay_folder(overlay)}{base.path}/{VALUES}", (_MORE_VALUES,), keep=True)

        def over_stages(cluster: ClusterStages) -> Iterator[Entry]:
            for base in self._applied_bases(cluster):
                yield _skeleton(overlay, base)

        yield from filled_entries(runs_of(self.resolved), over_files, keep=True)
        yield from filled_entries(clusters_of(self.resolved), over_stages, keep=True)

    def bases(self) -> Iterator[Base]:
        """Yield every base once: those of single files in the plan's order, then the stages of each cluster."""
        for run in runs_of(self.resolved):
            yield from self._single_file_bases(run)
        for cluster in clusters_of(self.resolved):
            yield from self._applied_bases(cluster)

    def _single_file_bases(self, run: StageRun) -> Iterator[Base]:
        for placed in self.placed_in(run):
            if placed.base is not None and placed.base.kind != "applied":
                yield placed.base

    def _applied_bases(self, cluster: ClusterStages) -> Iterator[Base]:
        for folder, stages in self._applied_in(cluster).items():
            yield from stages
            yield Base(folder, "cluster")

    def left_over(self, folder: str | os.PathLike[str]) -> list[str]:
        """Return the folders of overlays in a written tree whose base is gone, as paths with `/`.

        Where a whole cluster is gone it is that cluster's folder.
        """
        root = Path(folder)
        found = list(root.glob(f"{OVERLAYS}/*/**/{KUSTOMIZATION}"))
        if not found:
            return []
        bases = {base.path for base in self.bases()}
        gone: list[str] = []
        for kustomization in sorted(found, key=lambda path: (len(path.parts), path)):
            place = kustomization.parent.relative_to(root).as_posix()
            _, _, base = place.removeprefix(f"{OVERLAYS}/").partition("/")
            if not base or base in bases:
                continue
            is_covered = any(place.startswith(f"{above}/") for above in gone)
            if not is_covered and _reads_base(kustomization, base):
                gone.append(place)
        return gone

    def unread_overlays(self, folder: str | os.PathLike[str]) -> list[str]:
        """Return the names of overlays in a written tree that no command of this one reads."""
        found = sorted(path.name for path in Path(folder).glob(f"{OVERLAYS}/*") if path.is_dir())
        return [name for name in found if name not in self.overlays]

    def placed(self) -> Iterator[PlacedStep]:
        """Yield the steps with their files in the tree, and commands that read them through the bases."""
        for run in runs_of(self.resolved):
            yield from self.placed_in(run)

    def placed_in(self, run: StageRun) -> Iterator[PlacedStep]:
        """Yield the same for a stage of one cluster."""
        return _placed(run.steps(), "")

    @property
    def runbook_steps(self) -> "TreeSteps":
        """The same steps, with commands that read the first overlay, where there is one."""
        return TreeSteps(self.resolved, _overlay_folder(self.overlays[0]) if self.overlays else "")


def _overlay_folder(name: str) -> str:
    """Return what the paths of all files of an overlay begin with."""
    return f"{OVERLAYS}/{name}/"


def _reads_base(kustomization: Path, base: str) -> bool:
    """Return whether a kustomization of an overlay still reads its own base, as the skeleton did."""
    try:
        content = yaml.load(kustomization.read_bytes())
    except InvalidInput:
        return False
    resources = content.get("resources") if isinstance(content, Mapping) else None
    return isinstance(resources, list) and _way_to_base(base) in resources


def _way_to_base(base: str) -> str:
    """Return the relative path to a base from the same folder of an overlay."""
    depth = len((OVERLAYS, "NAME", *base.split("/")))
    return f"{'../' * depth}{base}"


def _placed(steps: Iterable[Step], overlay_folder: str) -> Iterator[PlacedStep]:
    """Yield the steps of a stage in one cluster with their files in the tree.

    What the stage applies one after the other shares a base; what comes after another step has a further one, so that
    no document is applied before the steps that it waits for. No two stages apply something in the same cluster under
    one title, so each numbers its bases alone; a test looks at that.
    """
    count: dict[Base, int] = {}  # how many bases the stage has so far, by the cluster in which they are applied
    before: Base | None = None  # the first base of the stage where the step before has one of the stage's bases
    for step in steps:
        if step.path is None:
            before = None
            yield PlacedStep(step, None)
            continue
        file = basename(step.path)
        if step.secret or step.stands_alone or step.file_kind != "applied":
            before = None
            is_values = isinstance(step.action, InstallChart)
            yield _in_tree(step, _single_base(step, file), VALUES if is_values else file, overlay_folder)
            continue
        stage = Base(step.folder, "applied", step.stage.lower().replace(" ", "-"))
        is_first = stage != before
        if is_first:
            count[stage] = count.get(stage, 0) + 1
        number = count[stage]
        base = stage if number == 1 else stage.with_(name=f"{stage.name}-{number}")
        yield _in_tree(step, base, file, overlay_folder, is_first=is_first)
        before = stage


def _single_base(step: Step, file: str) -> Base:
    """Return the base that a file has by itself."""
    if isinstance(step.action, InstallChart):
        return Base(step.folder, "values", file.removesuffix(".values.yaml"))
    kind: BaseKind = "install"
    if step.secret:
        kind = "secrets"
    elif step.stands_alone:
        kind = "external-secrets"
    return Base(step.folder, kind, file.removesuffix(".yaml"))


def _in_tree(step: Step, base: Base, file: str, overlay_folder: str, *, is_first: bool = True) -> PlacedStep:
    """Return a step with its file in a base, and an action that reads the base or an overlay over it."""
    action = _action(step.action, base, overlay_folder, is_first=is_first)
    return PlacedStep(step.with_(path=f"{base.path}/{file}", action=action), base, is_first)


def _action(action: Action, base: Base, overlay_folder: str, *, is_first: bool) -> Action:
    folder = f"{overlay_folder}{base.path}"
    match action:
        case Apply():
            return ApplyBase(folder, is_first=is_first)
        case RenderAndApply() | Install():
            return Built(action, folder)
        case InstallChart() if overlay_folder:
            return action.with_(more_values=(f"{folder}/{VALUES}",))
        case _:
            return action


def _single_file_base(base: Base, file: str) -> Iterator[Entry]:
    """Yield the kustomization of a base that has one file."""
    if base.kind == "install":
        yield _kustomization(base, [file], openapi=True)
        yield Entry(f"{base.path}/{OPENAPI}", (_openapi(),))
    elif base.kind == "values":
        generator = {"name": f"{base.name}-values", "files": [file]}
        content = {**_HEAD, "configMapGenerator": [generator], "generatorOptions": {"disableNameSuffixHash": True}}
        yield Entry(f"{base.path}/{KUSTOMIZATION}", (yaml.dump(content).encode(),))
    else:
        yield _kustomization(base, [file])


_HEAD = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


def _kustomization(base: Base, resources: Iterable[str], *, openapi: bool = False) -> Entry:
    return Entry(f"{base.path}/{KUSTOMIZATION}", (_kustomization_text(tuple(resources), openapi),))


def _skeleton(overlay: str, base: Base) -> Entry:
    """Return a kustomization over a base, which belongs to the user once it is there."""
    content = _kustomization_text((_way_to_base(base.path),), False)
    return Entry(f"{_overlay_folder(overlay)}{base.path}/{KUSTOMIZATION}", (content,), keep=True)


@lru_cache(maxsize=64)
def _kustomization_text(resources: tuple[str, ...], openapi: bool) -> bytes:
    schema = {"openapi": {"path": OPENAPI}} if openapi else {}
    return yaml.dump({**_HEAD, "resources": resources, "sortOptions": {"order": "fifo"}, **schema}).encode()


# ---------------------------------------------------------------------------------------------------- merging by name

# The lists of an IstioOperator's component that merge, and the keys that identify their items. An overlay's patches are
# not among them: a path may appear twice, as `volumes[100]` does for two volumes.
# The ports of a Service merge by `name` too. An item of a patch that lacks the key is lost, and the whole list with it
# where that is the only item (kubectl 1.37, run): `validate` refuses a Service without ports.
_COMPONENT = {
    "env": ("name",),
    "overlays": ("kind", "name"),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
}


# The lists of the values of istiod's chart that merge.
_PILOT_VALUES = {"volumes": ("name",), "volumeMounts": ("mountPath",)}


_OPERATOR = {"group": "install.istio.io", "kind": "IstioOperator", "version": "v1alpha1"}


@lru_cache(maxsize=1)
def _openapi() -> bytes:
    """Return the schema by which kustomize merges the lists of IstioOperators."""
    ports = _object(ports=_list(("name",), _object()))
    lists = {key: _list(keys, _object()) for key, keys in _COMPONENT.items()}
    definitions = {"extcp.component": _object(k8s=_object(service=ports, **lists))}
    component = {"$ref": "#/definitions/extcp.component"}
    single = dict.fromkeys(("base", "pilot", "cni", "ztunnel", "istiodRemote"), component)
    gateways = {name: _list(("name",), component) for name in GATEWAY_CHARTS}
    mesh_config = _object(extensionProviders=_list(("name",), _object()))
    values = _object(pilot=_object(**{key: _list(keys, _object()) for key, keys in _PILOT_VALUES.items()}))
    spec = _object(
        components=_object(**single, **gateways), meshConfig=mesh_config, values=values, unvalidatedValues=values
    )
    operator = {**_object(spec=spec), "x-kubernetes-group-version-kind": [_OPERATOR]}
    schema = {"definitions": {"io.istio.install.v1alpha1.IstioOperator": operator, **definitions}}
    return f"{json.dumps(schema, separators=(',', ':'))}\n".encode()


def _object(**properties: object) -> dict[str, object]:
    return {"type": "object", **({"properties": properties} if properties else {})}


def _list(keys: tuple[str, ...], items: object) -> dict[str, object]:
    """Return the schema of a list that merges by one key, or by several."""
    merge = {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": keys[0]}
    several = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys} if len(keys) > 1 else {}
    return {"type": "array", "items": items, **merge, **several}


# ------------------------------------------------------------------------------------------------------------ commands


class TreeSteps(StepSequence):
    """Steps as the tree has them; what is applied together is one command, at the first of its steps."""

    def __init__(self, resolved: Resolved, overlay_folder: str) -> None:
        self._resolved = resolved
        self._overlay_folder = overlay_folder
        """What commands add before the paths of bases: nothing, or the folder of an overlay."""

    def __iter__(self) -> Iterator[Step]:
        for run in runs_of(self._resolved):
            yield from self._steps_of(run)

    def __reversed__(self) -> Iterator[Step]:
        for run in reversed_runs_of(self._resolved):
            yield from reversed(list(self._steps_of(run)))

    def runbook(self) -> Iterator[str]:
        """Yield their runbook, piece by piece."""
        return filled_runbook(self._resolved, self._steps_of)

    def _steps_of(self, run: StageRun) -> Iterator[Step]:
        for placed in _placed(run.steps(), self._overlay_folder):
            yield placed.step
