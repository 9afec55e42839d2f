"""A plan as a kustomize tree: a base for what is applied together, and one for each file that istioctl or Helm takes.

    CLUSTER/kustomization.yaml              all that is applied in a cluster
    CLUSTER/STAGE/kustomization.yaml        what a stage of the plan applies there
    CLUSTER/secrets/NAME/                   a Secret with a token, by itself
    CLUSTER/install/NAME/                   an IstioOperator, for `kubectl kustomize ... | istioctl install -f -`
    CLUSTER/values/NAME/                    a chart's values, as a file and as a ConfigMap
    overlays/OVERLAY/...                    a skeleton over every base, for people to patch

Source: kustomize 5.8.1, run: it keeps the order of documents with `sortOptions` alone (kubectl from 1.27),
reads no file outside of a base, and merges lists by the keys of an `openapi` schema.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import chain
from posixpath import basename, dirname

from extcp_manifests import output, yaml
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.output import Entry
from extcp_manifests.runbook import RUNBOOK, runbook
from extcp_manifests.step import Pipeline, Step, StepSequence, text_of
from extcp_manifests.text import dns_label
from extcp_manifests.topology import Topology

KUSTOMIZATION = "kustomization.yaml"
OPENAPI = "istio-operator.openapi.json"
OVERLAYS = "overlays"


@dataclass(frozen=True)
class KustomizeTree:
    """The bases of a plan; files are made when they are asked for, and not kept."""

    topology: Topology
    steps: Sequence[Step]
    """The plan's steps."""

    def entries(self) -> Iterator[Entry]:
        """Every file of the tree, the runbook at the end."""
        once = lru_cache(maxsize=64)(text_of)  # many clusters have the same files
        parts: dict[str, dict[str, list[str]]] = {}
        for step in self.relocated:
            if step.path is None:
                continue
            base, file = dirname(step.path), basename(step.path)
            yield Entry(step.path, (once(step.builders),), secret=step.secret)
            cluster, part, *own = base.split("/")
            if own:
                yield from _own_base(base, file, part)
            else:
                parts.setdefault(cluster, {}).setdefault(part, []).append(file)
        for cluster, stages in parts.items():
            for stage, files in stages.items():
                yield _kustomization(f"{cluster}/{stage}", *files)
            yield _kustomization(cluster, *stages)
        yield Entry(RUNBOOK, (piece.encode() for piece in runbook(self.topology, self.relocated)))

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Each file, path and content, one at a time."""
        return ((entry.path, b"".join(entry.pieces)) for entry in self.entries())

    def write(
        self,
        folder: str | os.PathLike[str],
        *,
        overlays: Iterable[str] = (),
        force: bool = False,
        on_file: Callable[[str], None] | None = None,
    ) -> list[str]:
        """Write the tree and the overlays of these names into a folder, as `Plan.write` does."""
        return output.write(folder, self._with_overlays(overlays), owner=self._owner, force=force, on_file=on_file)

    def changes(self, folder: str | os.PathLike[str], *, overlays: Iterable[str] = ()) -> Iterator[output.FileChange]:
        """Yield what `write` would change in a folder; nothing is written. Raises OutputError."""
        return output.changes(folder, self._with_overlays(overlays), owner=self._owner)

    def _with_overlays(self, overlays: Iterable[str]) -> Iterator[Entry]:
        skeletons = [entry for name in dict.fromkeys(overlays) for entry in self.overlay(name)]
        return chain(self.entries(), skeletons)

    @property
    def _owner(self) -> output.Owner:
        return output.owner_of(self.topology, "kustomize")

    def overlay(self, name: str) -> Iterator[Entry]:
        """A kustomization over every base, below overlays/NAME, for people to add their patches to.

        `write` leaves alone those that are there already. Raises InvalidInput for a name that is no DNS label.
        """
        if problem := dns_label(name):
            raise InvalidInput([Problem("overlay", problem)])
        bases = (dirname(entry.path) for entry in self.entries() if basename(entry.path) == KUSTOMIZATION)
        return (_skeleton(name, base) for base in bases)

    @cached_property
    def relocated(self) -> Sequence[Step]:
        """The steps with their files in the tree, and commands that read them through kustomize."""
        return _Relocated(self.steps)


# --------------------------------------------------------------------------------------------------------------- bases


def part_of(step: Step) -> str:
    """What becomes of a step's file: it is `applied`, or is for istioctl (`install`) or Helm (`values`)."""
    return {"kubectl": "applied", "istioctl": "install", "helm": "values"}[step.command[0][0]]


def _relocate(steps: Iterable[Step]) -> dict[str, str]:
    """The path of each file in the tree.

    What a stage applies in a cluster one after the other shares a base; what comes behind another step has a further
    one, so that no document goes before the steps that it waits for.
    """
    paths: dict[str, str] = {}
    taken: dict[str, int] = {}
    before = ""
    for step in steps:
        path, stage = step.path or "", ""
        cluster, file = path.split("/", 1)[0], basename(path)
        name = file.removesuffix(".yaml").removesuffix(".values")
        match "secrets" if step.secret else part_of(step) if path else "":
            case "applied":
                stage = f"{cluster}/{step.stage.lower().replace(' ', '-')}"
                taken[stage] = taken.get(stage, 0) + (stage != before)
                paths[path] = f"{stage}-{taken[stage]}/{file}" if taken[stage] > 1 else f"{stage}/{file}"
            case "values":
                paths[path] = f"{cluster}/values/{name}/values.yaml"
            case "install" | "secrets" as part:
                paths[path] = f"{cluster}/{part}/{name}/{file}"
        before = stage
    return paths


def _own_base(base: str, file: str, part: str) -> Iterator[Entry]:
    if part == "install":
        yield _kustomization(base, file, openapi=True)
        yield Entry(f"{base}/{OPENAPI}", (_openapi(),))
    elif part == "values":
        generator = {"name": f"{basename(base)}-values", "files": [file]}
        content = {**_HEAD, "configMapGenerator": [generator], "generatorOptions": {"disableNameSuffixHash": True}}
        yield Entry(f"{base}/{KUSTOMIZATION}", (yaml.dump(content).encode(),))
    else:
        yield _kustomization(base, file)


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
_COMPONENT = {
    "env": ("name",),
    "overlays": ("kind", "name"),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
}


_OPERATOR = {"group": "install.istio.io", "kind": "IstioOperator", "version": "v1alpha1"}


@lru_cache(maxsize=1)
def _openapi() -> bytes:
    """The schema by which kustomize merges the lists of IstioOperators."""
    ports = _object(ports=_list(("port",), _object()))
    lists = {key: _list(keys, _object()) for key, keys in _COMPONENT.items()}
    definitions = {"extcp.component": _object(k8s=_object(service=ports, **lists))}
    component = {"$ref": "#/definitions/extcp.component"}
    single = dict.fromkeys(("base", "pilot", "cni", "ztunnel", "istiodRemote"), component)
    gateways = {name: _list(("name",), component) for name in ("ingressGateways", "egressGateways")}
    mesh_config = _object(extensionProviders=_list(("name",), _object()))
    operator = {
        **_object(spec=_object(components=_object(**single, **gateways), meshConfig=mesh_config)),
        "x-kubernetes-group-version-kind": [
            {"group": "install.istio.io", "kind": "IstioOperator", "version": "v1alpha1"}
        ],
    }
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

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[Step]:
        return self._relocated(self._steps)

    def __reversed__(self) -> Iterator[Step]:
        return self._relocated(reversed(self._steps))

    @cached_property
    def _paths(self) -> dict[str, str]:
        return _relocate(self._steps)

    @cached_property
    def _firsts(self) -> dict[str, str]:
        """For each base the file whose step applies it."""
        firsts: dict[str, str] = {}
        for path in self._paths.values():
            firsts.setdefault(dirname(path), path)
        return firsts

    def _relocated(self, steps: Iterable[Step]) -> Iterator[Step]:
        for step in steps:
            if step.path is None:
                yield step
                continue
            path = self._paths[step.path]
            first = self._firsts[dirname(path)] == path
            yield replace(
                step,
                path=path,
                command=_through_kustomize(step.command, step.path, path),
                undo=tuple(_through_kustomize(each, step.path, path) for each in step.undo) if first else (),
            )


def _through_kustomize(pipeline: Pipeline, old: str, new: str) -> Pipeline:
    """The same commands on the base of a file; what istioctl uninstalls and Helm installs is the file itself."""
    base = dirname(new)
    match pipeline[0][:2]:
        case ("istioctl", "install" | "manifest"):
            through = tuple(tuple("-" if word == old else word for word in argv) for argv in pipeline)
            return (("kubectl", "kustomize", base), *through)
        case ("kubectl", _):
            return tuple(_with_base(argv, old, base) for argv in pipeline)
        case _:
            return tuple(tuple(new if word == old else word for word in argv) for argv in pipeline)


def _with_base(argv: tuple[str, ...], old: str, base: str) -> tuple[str, ...]:
    if old not in argv:
        return argv
    place = argv.index(old)
    return (*argv[: place - 1], "-k", base, *argv[place + 1 :])
