"""A KRM function: a ResourceList in, a ResourceList out, with a topology as its configuration.

The topology may say in `spec.emit` which clusters and which documents to emit. What is emitted replaces items of the
same kind, namespace and name, or comes last; all other items stay as they are, in their order. All items are validated,
and the findings are results.

Source: github.com/kubernetes-sigs/kustomize: cmd/config/docs/api-conventions/functions-spec.md (v1).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from traceback import extract_tb
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.identity import Identity, document_name, identity_of
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.istio.releases import Release
from extcp_manifests.istio.validation import validate
from extcp_manifests.planning.plan import Plan, plan
from extcp_manifests.planning.step import FileKind, Step
from extcp_manifests.planning.tools.helm import InstallChart
from extcp_manifests.records import Record
from extcp_manifests.topology.document_check import TOPOLOGY_CHECKS
from extcp_manifests.topology.topology_file import load

API_VERSION = "config.kubernetes.io/v1"


FILE_KINDS: tuple[FileKind, ...] = ("applied", "install", "values")
"""What can be emitted: what kubectl applies, IstioOperators, and values of charts, each as a ConfigMap."""


class Answer(Record, hidden=("resource_list", "text")):
    """What the function returns."""

    resource_list: dict[str, Any]
    text: str
    """The same as YAML; for YAML that is refused the given text itself, so that no item is lost."""

    @property
    def failed(self) -> bool:
        """Whether a result is an error; the process then exits with 1."""
        return bool(self.errors)

    @property
    def errors(self) -> list[str]:
        """The messages of results that are errors."""
        results = self.resource_list.get("results", ())
        return [result["message"] for result in results if result["severity"] == "error"]


class _Emit(Record):
    """Which documents to emit."""

    clusters: tuple[str, ...]
    documents: tuple[str, ...]

    def includes(self, step: Step) -> bool:
        """Return whether to emit the documents of a step."""
        return step.path is not None and step.cluster in self.clusters and step.file_kind in self.documents


def run(text: str | bytes) -> Answer:
    """Answer a ResourceList; whatever the text is, this does not fail and loses no item.

    Items are read as Go's parser reads YAML 1.1, so that `yes` is a boolean unless it is quoted.
    """
    require(text, str | bytes, ("text",), "text or bytes")
    try:
        resource_list = _output_for(yaml.load(text))
        return Answer(resource_list, yaml.dump(resource_list))
    except yaml.NotYaml as error:
        resource_list = _list([], [_result(problem) for problem in error.problems])
        return Answer(resource_list, yaml.dump(resource_list))
    except InvalidInput as error:
        problems = error.problems
    except Exception as error:
        problems = (_internal_error(error),)
    resource_list = _list([], [_result(problem) for problem in problems])
    return Answer(resource_list, text if isinstance(text, str) else text.decode("utf-8", "replace"))


def _internal_error(error: Exception) -> Problem:
    """Return a problem for a bug of this package; the exception's own text is left out, for it may quote the items."""
    package = Path(__file__).parents[1]
    ours = [frame for frame in extract_tb(error.__traceback__) if package in Path(frame.filename).parents]
    file = Path(ours[-1].filename).relative_to(package).as_posix()
    bug = f"{type(error).__name__} in {file}, line {ours[-1].lineno}, which is a bug in extcp-manifests"
    way_out = "all items are returned unchanged; please report it with a ResourceList that shows it"
    return Problem((), f"{bug}: {way_out}")


def _output_for(given: Any) -> dict[str, Any]:
    """Return the ResourceList that answers another one; where something is wrong, with the given items."""
    items = given.get("items") if isinstance(given, Mapping) else None
    given_items = list(items) if isinstance(items, list) else []
    try:
        _require_resource_list(given)
        the_plan, emit = _read_config(given.get("functionConfig"))
        merged = _merged(given_items, _emitted(the_plan, emit))
        return _list(merged, list(_validated(merged, the_plan.resolved.release)), given)
    except InvalidInput as error:
        return _list(given_items, [_result(problem) for problem in error.problems], given)
    except Exception as error:
        return _list(given_items, [_result(_internal_error(error))], given)


def generate(text: str | bytes) -> list[dict[str, Any]]:
    """Return the documents of a topology with `spec.emit`. Raises InvalidInput with every problem."""
    the_plan, emit = _read_config(yaml.load(text))
    return _emitted(the_plan, emit)


def _require_resource_list(given: Any) -> None:
    """Refuse what is not a ResourceList of mappings."""
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


def _read_config(config: Any) -> tuple[Plan, _Emit]:
    """Return the plan of a topology, and what to emit; annotations and labels of the configuration are ignored."""
    if not isinstance(config, Mapping):
        raise InvalidInput([Problem(("functionConfig",), "is required: give a topology, `kind: ExternalControlPlane`")])
    metadata, spec = config.get("metadata"), config.get("spec")
    document = dict(config)
    if isinstance(metadata, Mapping):
        document["metadata"] = {key: value for key, value in metadata.items() if key == "name"}
    if isinstance(spec, Mapping):
        document["spec"] = {key: value for key, value in spec.items() if key != "emit"}
    the_plan = plan(load(document))
    emit = spec.get("emit") if isinstance(spec, Mapping) else None
    return the_plan, _read_emit(emit, the_plan)


def _read_emit(given: Any, the_plan: Plan) -> _Emit:
    resolved = the_plan.resolved
    clusters = (resolved.external.name, *(remote.target.name for remote in resolved.remotes))
    if given is None:
        return _Emit(clusters, FILE_KINDS[:1])
    if not isinstance(given, Mapping):
        raise InvalidInput([Problem(("spec", "emit"), "must be a mapping with the keys clusters and documents")])
    problems = [
        Problem(("spec", "emit", key), "unknown key: use clusters and documents")
        for key in given
        if key not in ("clusters", "documents")
    ]
    problems += _wrong_names(given, "clusters", clusters)
    problems += _wrong_names(given, "documents", FILE_KINDS)
    if problems:
        raise InvalidInput(problems)
    wanted_clusters, wanted_documents = given.get("clusters"), given.get("documents")
    return _Emit(
        clusters=clusters if wanted_clusters is None else tuple(wanted_clusters),
        documents=FILE_KINDS[:1] if wanted_documents is None else tuple(wanted_documents),
    )


def _wrong_names(given: Mapping[str, Any], key: str, known: tuple[str, ...]) -> Iterator[Problem]:
    """Yield what is wrong about a list of names in `emit`; it may be left out."""
    names = given.get(key)
    if names is None:
        return
    if not isinstance(names, list):
        yield Problem(("spec", "emit", key), f"must be a list of {', '.join(known[:5])}")
        return
    shown = ", ".join(known[:5])
    if len(known) > 5:
        shown += ", ..."
    for index, name in enumerate(names):
        if name not in known:
            yield Problem(("spec", "emit", key, index), f"is {name!r}: use {shown}")


# ------------------------------------------------------------------------------------------------------------ documents


def _emitted(the_plan: Plan, emit: _Emit) -> list[dict[str, Any]]:
    """Return the documents to emit, in the plan's order.

    Raises InvalidInput where two clusters have one of the same kind, namespace and name, which one list cannot hold.
    """
    documents: dict[Identity, dict[str, Any]] = {}
    cluster_of: dict[Identity, str] = {}
    for step in the_plan.steps:
        if not emit.includes(step):
            continue
        for document in _documents(step):
            identity = identity_of(document)
            documents.setdefault(identity, document)
            other = cluster_of.setdefault(identity, step.cluster)
            if other != step.cluster:
                problem = f"{document_name(document)} is in {other!r} and in {step.cluster!r}: emit one cluster"
                raise InvalidInput([Problem(("spec", "emit", "clusters"), problem)])
    return list(documents.values())


def _documents(step: Step) -> Iterator[dict[str, Any]]:
    """Yield the documents of a step as plain data; values of a chart as a ConfigMap."""
    for document in step.documents:
        text = yaml.dump(document.plain())
        if isinstance(step.action, InstallChart):
            metadata = {"name": f"{step.action.name}-values"}
            yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"values.yaml": text}}
        else:
            yield yaml.load(text)


def _merged(items: list[Any], ours: list[dict[str, Any]]) -> list[Any]:
    """Return the items with ours in place of those of the same identity, and the rest of ours at the end."""
    waiting = {identity_of(document): document for document in ours}
    merged = [waiting.pop(identity_of(item), item) for item in items]
    return [*merged, *waiting.values()]


# -------------------------------------------------------------------------------------------------------------- results


def _validated(items: list[Any], release: Release) -> Iterator[dict[str, Any]]:
    """Yield a result for each finding in the items."""
    for document, level, problem in validate(items, release=release, more=TOPOLOGY_CHECKS):
        given = document.get("metadata")
        metadata = given if isinstance(given, Mapping) else {}
        reference = {key: document[key] for key in ("apiVersion", "kind") if isinstance(document.get(key), str)}
        names = {key: metadata[key] for key in ("name", "namespace") if isinstance(metadata.get(key), str)}
        yield {**_result(problem, level), "resourceRef": {**reference, **names}}


def _result(problem: Problem, severity: str = "error") -> dict[str, Any]:
    result: dict[str, Any] = {"message": str(problem), "severity": severity}
    if problem.path:
        result["field"] = {"path": problem.path}
    return result


def _list(items: list[Any], results: list[dict[str, Any]], given: Any = None) -> dict[str, Any]:
    resource_list: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "ResourceList", "items": items}
    config = given.get("functionConfig") if isinstance(given, Mapping) else None
    if config is not None:
        resource_list["functionConfig"] = config
    if results:
        resource_list["results"] = results
    return resource_list
