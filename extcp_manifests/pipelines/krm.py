"""A KRM function: a ResourceList in, a ResourceList out, with a topology as its configuration.

The topology may say in `spec.emit` which clusters and which documents are wanted. What is emitted takes the place of
items of the same kind, namespace and name, or comes last; all other items stay as they are, in their order. All items
are validated, and what is found is told as results.

Source: github.com/kubernetes-sigs/kustomize: cmd/config/docs/api-conventions/functions-spec.md (v1).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from traceback import extract_tb
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.kubernetes import Identity, document_name, identity_of
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.istio.releases import Release
from extcp_manifests.istio.validation import validate
from extcp_manifests.planning.plan import Plan, plan
from extcp_manifests.planning.step import Step
from extcp_manifests.topology.check import TOPOLOGY_CHECKS
from extcp_manifests.topology.file import load

API_VERSION = "config.kubernetes.io/v1"


PARTS = ("applied", "install", "values")
"""What can be emitted: what kubectl applies, IstioOperators, and values of charts, each as a ConfigMap."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function gives back."""

    resource_list: dict[str, Any] = field(repr=False)
    text: str = field(repr=False)
    """The same as YAML; where the given text is YAML that is refused, that text itself, so that no item is lost."""

    @property
    def failed(self) -> bool:
        """Whether a result is an error; the process then ends with 1."""
        return bool(self.errors)

    @property
    def errors(self) -> list[str]:
        """The messages of results that are errors."""
        results = self.resource_list.get("results", ())
        return [result["message"] for result in results if result["severity"] == "error"]


@dataclass(frozen=True, slots=True)
class _Emit:
    """Which documents are wanted."""

    clusters: tuple[str, ...]
    parts: tuple[str, ...]

    def has(self, step: Step) -> bool:
        return step.path is not None and step.cluster in self.clusters and step.file_kind in self.parts


def run(text: str | bytes) -> Answer:
    """Answer a ResourceList; no text makes this fail, and none loses an item.

    Items are read as Go's parser reads YAML 1.1, so that `yes` is a boolean unless it stands in quotes.
    """
    require(text, str | bytes, ("text",), "text or bytes")
    try:
        resource_list = _answered(yaml.load(text))
        return Answer(resource_list, yaml.dump(resource_list))
    except yaml.NotYaml as error:
        resource_list = _list([], [_result(problem) for problem in error.problems])
        return Answer(resource_list, yaml.dump(resource_list))
    except InvalidInput as error:
        problems = error.problems
    except Exception as error:
        problems = (_fault(error),)
    resource_list = _list([], [_result(problem) for problem in problems])
    return Answer(resource_list, text if isinstance(text, str) else text.decode("utf-8", "replace"))


def _fault(error: Exception) -> Problem:
    """What is told of an exception that should not be; its own text may hold what is in the items."""
    package = Path(__file__).parents[1]
    ours = [frame for frame in extract_tb(error.__traceback__) if package in Path(frame.filename).parents]
    file = Path(ours[-1].filename).relative_to(package).as_posix()
    place = f"{file}, line {ours[-1].lineno}"
    problem = (
        f"{type(error).__name__} in {place}, which is a fault of extcp-manifests: all items are given back as they"
    )
    return Problem((), f"{problem} came; please report it with a ResourceList that shows it")


def _answered(given: Any) -> dict[str, Any]:
    items = given.get("items") if isinstance(given, Mapping) else None
    known = list(items) if isinstance(items, list) else []
    try:
        _require_resource_list(given)
        the_plan, emit = _read(given.get("functionConfig"))
        merged = _merged(known, emitted(the_plan, emit))
        return _list(merged, list(_validated(merged, the_plan.topology.istio)), given)
    except InvalidInput as error:
        return _list(known, [_result(problem) for problem in error.problems], given)
    except Exception as error:
        return _list(known, [_result(_fault(error))], given)


def generate(text: str | bytes) -> list[dict[str, Any]]:
    """The documents of a topology with `spec.emit`. Raises InvalidInput with every problem."""
    return emitted(*_read(yaml.load(text)))


def _require_resource_list(given: Any) -> None:
    if not isinstance(given, Mapping) or given.get("kind") != "ResourceList":
        raise InvalidInput([Problem(("kind",), "must be a ResourceList, with items and a functionConfig")])
    items = given.get("items")
    if not isinstance(items, list | None):
        raise InvalidInput([Problem(("items",), "must be a list of documents")])
    wrong = [
        Problem(("items", index), "must be a mapping: leave it out")
        for index, item in enumerate(items or ())
        if not isinstance(item, Mapping)
    ]
    if wrong:
        raise InvalidInput(wrong)


# -------------------------------------------------------------------------------------------------------- configuration


def _read(config: Any) -> tuple[Plan, _Emit]:
    """The plan of a topology, and what of it is wanted; annotations and labels of the configuration do not matter."""
    if not isinstance(config, Mapping):
        raise InvalidInput([Problem(("functionConfig",), "is required: give a topology, `kind: ExternalControlPlane`")])
    metadata, spec = config.get("metadata"), config.get("spec")
    document = dict(config)
    if isinstance(metadata, Mapping):
        document["metadata"] = {key: value for key, value in metadata.items() if key == "name"}
    if isinstance(spec, Mapping):
        document["spec"] = {key: value for key, value in spec.items() if key != "emit"}
    the_plan = plan(load(document))
    return the_plan, _emit(spec.get("emit") if isinstance(spec, Mapping) else None, the_plan)


def _emit(given: Any, the_plan: Plan) -> _Emit:
    topology = the_plan.topology
    clusters = (topology.external_cluster.name, *(cluster.name for cluster in topology.mesh_clusters))
    if given is None:
        return _Emit(clusters, PARTS[:1])
    if not isinstance(given, Mapping):
        raise InvalidInput([Problem(("spec", "emit"), "must be a mapping with the keys clusters and documents")])
    problems = [
        Problem(("spec", "emit", key), "unknown key: use clusters and documents")
        for key in given
        if key not in ("clusters", "documents")
    ]
    chosen = [
        _chosen(given, "clusters", clusters, clusters, problems),
        _chosen(given, "documents", PARTS, PARTS[:1], problems),
    ]
    if problems:
        raise InvalidInput(problems)
    return _Emit(*chosen)


def _chosen(
    given: Mapping[str, Any], key: str, known: tuple[str, ...], default: tuple[str, ...], problems: list[Problem]
) -> tuple[str, ...]:
    names = given.get(key)
    if names is None:
        return default
    if not isinstance(names, list):
        problems.append(Problem(("spec", "emit", key), f"must be a list of {', '.join(known[:5])}"))
        return ()
    for index, name in enumerate(names):
        if name not in known:
            shown = f"{', '.join(known[:5])}{', ...' if len(known) > 5 else ''}"
            problems.append(Problem(("spec", "emit", key, index), f"is {name!r}: use {shown}"))
    return tuple(names)


# ------------------------------------------------------------------------------------------------------------ documents


def emitted(the_plan: Plan, emit: _Emit) -> list[dict[str, Any]]:
    """The documents that are wanted, in the plan's order.

    Raises InvalidInput where two clusters have one of the same kind, namespace and name, which one list cannot hold.
    """
    documents: dict[Identity, tuple[str, dict[str, Any]]] = {}
    for step in the_plan.steps:
        for document in _documents(step) if emit.has(step) else ():
            before, _ = documents.setdefault(identity_of(document), (step.cluster, document))
            if before != step.cluster:
                problem = f"{document_name(document)} stands in {before!r} and in {step.cluster!r}: emit one cluster"
                raise InvalidInput([Problem(("spec", "emit", "clusters"), problem)])
    return [document for _, document in documents.values()]


def _documents(step: Step) -> Iterator[dict[str, Any]]:
    for document in step.documents:
        if step.file_kind != "values":
            yield yaml.load(yaml.dump(document.plain()))
        else:
            name = f"{str(step.path).rpartition('/')[2].split('.')[0]}-values"
            data = {"values.yaml": yaml.dump(document.plain())}
            yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _merged(items: list[Any], ours: list[dict[str, Any]]) -> list[Any]:
    waiting = {identity_of(document): document for document in ours}
    merged = [waiting.pop(identity_of(item), item) for item in items]
    return [*merged, *waiting.values()]


# -------------------------------------------------------------------------------------------------------------- results


def _validated(items: list[Any], release: Release) -> Iterator[dict[str, Any]]:
    for document, level, problem in validate(items, release=release, more=TOPOLOGY_CHECKS):
        given = document.get("metadata")
        metadata = given if isinstance(given, Mapping) else {}
        reference = {key: document[key] for key in ("apiVersion", "kind") if isinstance(document.get(key), str)}
        names = {key: metadata[key] for key in ("name", "namespace") if isinstance(metadata.get(key), str)}
        yield {**_result(problem, level), "resourceRef": {**reference, **names}}


def _result(problem: Problem, severity: str = "error") -> dict[str, Any]:
    place = {"field": {"path": problem.path}} if problem.path else {}
    return {"message": str(problem), "severity": severity, **place}


def _list(items: list[Any], results: list[dict[str, Any]], given: Any = None) -> dict[str, Any]:
    config = given.get("functionConfig") if isinstance(given, Mapping) else None
    return {
        "apiVersion": API_VERSION,
        "kind": "ResourceList",
        "items": items,
        **({"functionConfig": config} if config is not None else {}),
        **({"results": results} if results else {}),
    }
