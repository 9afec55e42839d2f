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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from posixpath import basename
from typing import Literal

from extcp_manifests import yaml
from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.documents.name_forms import why_not_dns_label
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.planning.folder import writing
from extcp_manifests.planning.folder.writing import Entry
from extcp_manifests.planning.resolved import Resolved
from extcp_manifests.planning.runbook import RUNBOOK, runbook_of_steps
from extcp_manifests.planning.step import Action, Step, StepSequence, text_of
from extcp_manifests.planning.tools.helm import InstallGatewayChart
from extcp_manifests.planning.tools.istioctl import Built, Install, RenderAndApply
from extcp_manifests.planning.tools.kubectl import Apply, ApplyBase
from extcp_manifests.records import Record

KUSTOMIZATION = "kustomization.yaml"
OPENAPI = "istio-operator.openapi.json"
OVERLAYS = "overlays"
VALUES = "values.yaml"

_MORE_VALUES = b"# Values that beat those of the base.\n{}\n"


BaseKind = Literal["cluster", "applied", "install", "values", "secrets"]
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


class _TreeFile(Record):
    """A file of the plan in the tree."""

    base: Base
    file: str

    @property
    def path(self) -> str:
        return f"{self.base.path}/{self.file}"


class PlacedStep(Record):
    """A step with the file and the command of the tree."""

    step: Step
    base: Base | None
    """The base of the step's file; None where it has no file."""


class KustomizeTree(Record):
    """The bases of a plan; files are made when they are asked for, and not kept."""

    resolved: Resolved
    steps: Sequence[Step]
    """The plan's steps."""
    overlays: tuple[str, ...] = ()
    """The overlays that commands read instead of the bases; each has a runbook of its own where there are several."""

    def __post_init__(self) -> None:
        problems = [Problem(("overlay",), problem) for name in self.overlays if (problem := why_not_dns_label(name))]
        if problems:
            raise InvalidInput(problems)

    def entries(self) -> Iterator[Entry]:
        """Yield every file of the tree, runbooks at the end."""
        once = lru_cache(maxsize=64)(text_of)  # many clusters have the same files
        applied: dict[str, dict[Base, list[str]]] = {}  # the files of each stage's base, by cluster
        for placed in self.placed():
            step, base = placed.step, placed.base
            if step.path is None or base is None:
                continue
            file = basename(step.path)
            yield Entry(step.path, (once(step.builders),), secret=step.secret)
            if base.kind == "applied":
                applied.setdefault(base.cluster, {}).setdefault(base, []).append(file)
            else:
                yield from _single_file_base(base, file)
        for cluster, files_of in applied.items():
            for base, files in files_of.items():
                yield _kustomization(base, files)
            yield _kustomization(Base(cluster, "cluster"), [base.name for base in files_of])
        for path, steps in self.runbooks():
            yield Entry(path, (piece.encode() for piece in runbook_of_steps(self.resolved, steps)))

    def runbooks(self) -> Iterator[tuple[str, Sequence[Step]]]:
        """Yield each runbook's path with its steps."""
        if len(self.overlays) < 2:
            yield RUNBOOK, self.runbook_steps
            return
        for name in self.overlays:
            yield f"RUNBOOK-{name}.md", _TreeSteps(self.steps, _overlay_folder(name))

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
            for base in self.bases():
                yield _skeleton(name, base)
                if base.kind == "values":
                    yield Entry(f"{_overlay_folder(name)}{base.path}/{VALUES}", (_MORE_VALUES,), keep=True)

    def bases(self) -> Iterator[Base]:
        """Yield every base once: those of single files in the plan's order, then the stages of each cluster."""
        found: set[Base] = set()
        applied: dict[str, list[Base]] = {}
        for placed in self.placed():
            base = placed.base
            if base is None or base in found:
                continue
            found.add(base)
            if base.kind == "applied":
                applied.setdefault(base.cluster, []).append(base)
            else:
                yield base
        for cluster, stages in applied.items():
            yield from stages
            yield Base(cluster, "cluster")

    def left_over(self, folder: str | os.PathLike[str]) -> list[str]:
        """Return the folders of overlays in a written tree whose base is gone, as paths with `/`.

        Where a whole cluster is gone it is that cluster's folder.
        """
        bases = {base.path for base in self.bases()}
        root = Path(folder)
        gone: list[str] = []
        found = root.glob(f"{OVERLAYS}/*/**/{KUSTOMIZATION}")
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
        return self._tree_steps.placed()

    @cached_property
    def _tree_steps(self) -> "_TreeSteps":
        return _TreeSteps(self.steps, "")

    @cached_property
    def runbook_steps(self) -> Sequence[Step]:
        """The same steps, with commands that read the first overlay, where there is one."""
        if self.overlays:
            return _TreeSteps(self.steps, _overlay_folder(self.overlays[0]))
        return self._tree_steps


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


def _tree_files(steps: Iterable[Step]) -> dict[str, "_TreeFile"]:
    """Return each file of the plan in the tree, by its path in the plan.

    What a stage applies in a cluster one after the other shares a base; what comes after another step has a further
    one, so that no document is applied before the steps that it waits for.
    """
    files: dict[str, _TreeFile] = {}
    count: dict[Base, int] = {}  # how many bases each stage has so far
    before: Base | None = None  # the stage of the step before, where that was applied
    for step in steps:
        if step.path is None:
            before = None
            continue
        file = basename(step.path)
        if step.secret or step.file_kind != "applied":
            files[step.path] = _single_file(step, file)
            before = None
            continue
        stage = Base(step.folder, "applied", step.stage.lower().replace(" ", "-"))
        if stage != before:
            count[stage] = count.get(stage, 0) + 1
        number = count[stage]
        base = stage if number == 1 else stage.with_(name=f"{stage.name}-{number}")
        files[step.path] = _TreeFile(base, file)
        before = stage
    return files


def _single_file(step: Step, file: str) -> _TreeFile:
    """Return the place of a file that has a base of its own."""
    if isinstance(step.action, InstallGatewayChart):
        return _TreeFile(Base(step.folder, "values", step.action.name), VALUES)
    kind: BaseKind = "secrets" if step.secret else "install"
    return _TreeFile(Base(step.folder, kind, file.removesuffix(".yaml")), file)


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


class _TreeSteps(StepSequence):
    """Steps as the tree has them; what is applied together is one command, at the first of its steps."""

    def __init__(self, steps: Sequence[Step], overlay_folder: str) -> None:
        self._steps = steps
        self._overlay_folder = overlay_folder
        """What commands add before the paths of bases: nothing, or the folder of an overlay."""

    def __iter__(self) -> Iterator[Step]:
        return map(self._in_tree, self._steps)

    def __reversed__(self) -> Iterator[Step]:
        return map(self._in_tree, reversed(self._steps))

    def placed(self) -> Iterator[PlacedStep]:
        """Yield the same steps with the bases of their files."""
        for step in self._steps:
            base = None if step.path is None else self._files[step.path].base
            yield PlacedStep(self._in_tree(step), base)

    @cached_property
    def _files(self) -> dict[str, _TreeFile]:
        return _tree_files(self._steps)

    @cached_property
    def _first_files(self) -> dict[Base, str]:
        """The first file of each base, whose step applies the whole base."""
        first: dict[Base, str] = {}
        for file in self._files.values():
            first.setdefault(file.base, file.path)
        return first

    def _in_tree(self, step: Step) -> Step:
        """Return a step with its file in the tree, and an action that reads the base of that file."""
        if step.path is None:
            return step
        file = self._files[step.path]
        return step.with_(path=file.path, action=self._action(step.action, file))

    def _action(self, action: Action, file: _TreeFile) -> Action:
        base = f"{self._overlay_folder}{file.base.path}"
        match action:
            case Apply():
                return ApplyBase(base, is_first=self._first_files[file.base] == file.path)
            case RenderAndApply() | Install():
                return Built(action, base)
            case InstallGatewayChart() if self._overlay_folder:
                return action.with_(more_values=(f"{base}/{VALUES}",))
            case _:
                return action
