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
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from posixpath import basename, dirname
from typing import Literal

from extcp_manifests import yaml
from extcp_manifests.documents.istio_operator import GATEWAY_CHARTS
from extcp_manifests.documents.name_forms import dns_label
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.planning.commands import Apply, ApplyBase, Built, Install, InstallGatewayChart, RenderAndApply
from extcp_manifests.planning.folder import writing
from extcp_manifests.planning.folder.writing import Entry
from extcp_manifests.planning.resolved import Resolved
from extcp_manifests.planning.runbook import RUNBOOK, runbook
from extcp_manifests.planning.step import Action, Step, StepSequence, text_of

KUSTOMIZATION = "kustomization.yaml"
OPENAPI = "istio-operator.openapi.json"
OVERLAYS = "overlays"
VALUES = "values.yaml"

_MORE_VALUES = b"# Values that beat those of the base.\n{}\n"


BaseKind = Literal["applied", "install", "values", "secrets"]


@dataclass(frozen=True, slots=True)
class Base:
    """A folder of the tree that kustomize builds by itself."""

    cluster: str
    """The cluster's folder."""
    kind: BaseKind
    name: str
    """The name of the file that it is for, or of the stage that is applied."""

    @property
    def path(self) -> str:
        """The folder, with `/`."""
        return f"{self.cluster}/{self.name}" if self.kind == "applied" else f"{self.cluster}/{self.kind}/{self.name}"

    @property
    def rendered(self) -> str:
        """The folder for what istioctl renders of an IstioOperator."""
        return f"{self.cluster}/rendered/{self.name}"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file of the plan is in the tree."""

    base: Base
    file: str

    @property
    def path(self) -> str:
        return f"{self.base.path}/{self.file}"


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """A step as the tree has it, and the base of its file; None where it has none."""

    step: Step
    base: Base | None


@dataclass(frozen=True)
class KustomizeTree:
    """The bases of a plan; files are made when they are asked for, and not kept."""

    resolved: Resolved
    steps: Sequence[Step]
    """The plan's steps."""
    overlays: tuple[str, ...] = ()
    """The overlays that commands read instead of the bases; each has a runbook of its own where there are several."""

    def __post_init__(self) -> None:
        problems = [Problem(("overlay",), problem) for name in self.overlays if (problem := dns_label(name))]
        if problems:
            raise InvalidInput(problems)

    def entries(self) -> Iterator[Entry]:
        """Every file of the tree, runbooks at the end."""
        once = lru_cache(maxsize=64)(text_of)  # many clusters have the same files
        stages_of: dict[str, dict[str, list[str]]] = {}
        for placed in self.placed():
            step, base = placed.step, placed.base
            if step.path is None or base is None:
                continue
            file = basename(step.path)
            yield Entry(step.path, (once(step.builders),), secret=step.secret)
            if base.kind == "applied":
                stages_of.setdefault(base.cluster, {}).setdefault(base.name, []).append(file)
            else:
                yield from _own_base(base, file)
        for cluster, stages in stages_of.items():
            for stage, files in stages.items():
                yield _kustomization(f"{cluster}/{stage}", *files)
            yield _kustomization(cluster, *stages)
        for path, steps in self.runbooks():
            yield Entry(path, (piece.encode() for piece in runbook(self.resolved, steps)))

    def runbooks(self) -> Iterator[tuple[str, Sequence[Step]]]:
        """Each runbook's path with the steps that it tells."""
        if len(self.overlays) < 2:
            yield RUNBOOK, self.followed
            return
        for name in self.overlays:
            yield f"RUNBOOK-{name}.md", _Relocated(self.steps, f"{OVERLAYS}/{name}/")

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Each file, path and content, one at a time."""
        return ((entry.path, b"".join(entry.pieces)) for entry in self.entries())

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
        """A kustomization over every base for each overlay, for people to add their patches to.

        Beside charts' values it is a further file of values. `write` leaves alone those that are there already.
        """
        for name in self.overlays:
            for base in self._bases():
                place = f"{OVERLAYS}/{name}/{base}"
                yield _skeleton(name, base)
                if base.split("/")[1:2] == ["values"]:
                    yield Entry(f"{place}/{VALUES}", (_MORE_VALUES,), keep=True)

    def _bases(self) -> Iterator[str]:
        return (dirname(entry.path) for entry in self.entries() if basename(entry.path) == KUSTOMIZATION)

    def left_over(self, folder: str | os.PathLike[str]) -> list[str]:
        """Return the folders of overlays in a written tree that stand over a base that is gone, as paths with `/`.

        Where a whole cluster is gone it is that cluster's folder.
        """
        bases = set(self._bases())
        root = Path(folder)
        gone: list[str] = []
        found = root.glob(f"{OVERLAYS}/*/**/{KUSTOMIZATION}")
        for kustomization in sorted(found, key=lambda path: (len(path.parts), path)):
            place = kustomization.parent.relative_to(root).as_posix()
            base = place.split("/", 2)[2] if place.count("/") > 1 else ""
            is_ours = bool(base) and _reads_base(kustomization, base)
            covered = any(place.startswith(f"{above}/") for above in gone)
            if is_ours and not covered and base not in bases:
                gone.append(place)
        return gone

    def unread_overlays(self, folder: str | os.PathLike[str]) -> list[str]:
        """Return the names of overlays in a written tree that no command of this one reads."""
        found = sorted(path.name for path in Path(folder).glob(f"{OVERLAYS}/*") if path.is_dir())
        return [name for name in found if name not in self.overlays]

    def placed(self) -> Iterator[PlacedStep]:
        """Yield the steps with their files in the tree, and commands that read them through the bases."""
        return self._relocated.placed()

    @cached_property
    def _relocated(self) -> "_Relocated":
        return _Relocated(self.steps, "")

    @cached_property
    def followed(self) -> Sequence[Step]:
        """The same, with commands that read the first overlay, where there is one."""
        return _Relocated(self.steps, f"{OVERLAYS}/{self.overlays[0]}/") if self.overlays else self._relocated


def _reads_base(kustomization: Path, base: str) -> bool:
    """Whether a kustomization of an overlay still stands over its own base, as the skeleton did."""
    try:
        content = yaml.load(kustomization.read_bytes())
    except InvalidInput:
        return False
    resources = content.get("resources") if isinstance(content, Mapping) else None
    return isinstance(resources, list) and f"{'../' * (base.count('/') + 3)}{base}" in resources


def _places(steps: Iterable[Step]) -> dict[str, "_Place"]:
    """Return the place of each file in the tree, by its path in the plan.

    What a stage applies in a cluster one after the other shares a base; what comes behind another step has a further
    one, so that no document goes before the steps that it waits for.
    """
    places: dict[str, _Place] = {}
    taken: dict[tuple[str, str], int] = {}
    before: tuple[str, str] | None = None
    for step in steps:
        stage: tuple[str, str] | None = None
        if step.path is not None:
            cluster, file = step.path.split("/", 1)[0], basename(step.path)
            name = file.removesuffix(".yaml").removesuffix(".values")
            if step.secret:
                places[step.path] = _Place(Base(cluster, "secrets", name), file)
            elif step.file_kind == "values":
                places[step.path] = _Place(Base(cluster, "values", name), VALUES)
            elif step.file_kind == "install":
                places[step.path] = _Place(Base(cluster, "install", name), file)
            else:
                stage = cluster, step.stage.lower().replace(" ", "-")
                if stage != before:
                    taken[stage] = taken.get(stage, 0) + 1
                number = f"-{taken[stage]}" if taken[stage] > 1 else ""
                places[step.path] = _Place(Base(cluster, "applied", f"{stage[1]}{number}"), file)
        before = stage
    return places


def _own_base(base: Base, file: str) -> Iterator[Entry]:
    """Yield the kustomization of a base that has one file."""
    if base.kind == "install":
        yield _kustomization(base.path, file, openapi=True)
        yield Entry(f"{base.path}/{OPENAPI}", (_openapi(),))
    elif base.kind == "values":
        generator = {"name": f"{base.name}-values", "files": [file]}
        content = {**_HEAD, "configMapGenerator": [generator], "generatorOptions": {"disableNameSuffixHash": True}}
        yield Entry(f"{base.path}/{KUSTOMIZATION}", (yaml.dump(content).encode(),))
    else:
        yield _kustomization(base.path, file)


_HEAD = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


def _kustomization(base: str, *resources: str, openapi: bool = False) -> Entry:
    return Entry(f"{base}/{KUSTOMIZATION}", (_kustomization_text(resources, openapi),))


def _skeleton(overlay: str, base: str) -> Entry:
    """A kustomization over a base, which is people's own once it is there."""
    way = f"{'../' * (base.count('/') + 3)}{base}"
    return replace(_kustomization(f"{OVERLAYS}/{overlay}/{base}", way), keep=True)


@lru_cache(maxsize=64)
def _kustomization_text(resources: tuple[str, ...], openapi: bool) -> bytes:
    schema = {"openapi": {"path": OPENAPI}} if openapi else {}
    return yaml.dump({**_HEAD, "resources": resources, "sortOptions": {"order": "fifo"}, **schema}).encode()


# ---------------------------------------------------------------------------------------------------- merging by name

# The lists of an IstioOperator's component that merge, and the keys by which a person means their items. The patches of
# an overlay are none of them: their paths may stand twice, as `volumes[100]` does for two volumes.
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
    """The schema by which kustomize merges the lists of IstioOperators."""
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
    """A list that merges by one key, or by several."""
    merge = {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": keys[0]}
    several = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys} if len(keys) > 1 else {}
    return {"type": "array", "items": items, **merge, **several}


# ------------------------------------------------------------------------------------------------------------ commands


class _Relocated(StepSequence):
    """Steps as the tree has them; what is applied together is one command, at the first of its steps."""

    def __init__(self, steps: Sequence[Step], above: str) -> None:
        self._steps = steps
        self._above = above
        """Where commands find the bases: nothing, or the folder of an overlay."""

    def __iter__(self) -> Iterator[Step]:
        return map(self._relocated, self._steps)

    def __reversed__(self) -> Iterator[Step]:
        return map(self._relocated, reversed(self._steps))

    def placed(self) -> Iterator[PlacedStep]:
        """Yield the same steps with the bases of their files."""
        for step in self._steps:
            place = None if step.path is None else self._places[step.path]
            yield PlacedStep(self._relocated(step), place.base if place else None)

    @cached_property
    def _places(self) -> dict[str, _Place]:
        return _places(self._steps)

    @cached_property
    def _firsts(self) -> dict[Base, str]:
        """For each base the file whose step applies it."""
        firsts: dict[Base, str] = {}
        for place in self._places.values():
            firsts.setdefault(place.base, place.path)
        return firsts

    def _relocated(self, step: Step) -> Step:
        if step.path is None:
            return step
        place = self._places[step.path]
        base = f"{self._above}{place.base.path}"
        action: Action = step.action
        if isinstance(action, Apply):
            action = ApplyBase(base, is_first=self._firsts[place.base] == place.path)
        elif isinstance(action, RenderAndApply | Install):
            action = Built(action, base)
        elif isinstance(action, InstallGatewayChart) and self._above:
            action = replace(action, more_values=(f"{base}/{VALUES}",))
        return replace(step, path=place.path, action=action)
