"""Validation of whole files: each document by its kind, and reports of what was found."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from extcp_manifests import yaml
from extcp_manifests.agreement import check_agreement
from extcp_manifests.checks import Findings
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.kubernetes import document_name
from extcp_manifests.mesh import merge_mesh_config
from extcp_manifests.mesh_networks import choose_mesh_networks
from extcp_manifests.networking_validation import validate_networking
from extcp_manifests.operator_validation import validate_operator
from extcp_manifests.release import Release, find_release
from extcp_manifests.text import visible
from extcp_manifests.topology import load

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Result:
    """A finding in a document of a file."""

    file: str
    document: str
    """Kind, namespace and name: `Gateway external-istiod/external-istiod-gw`; empty for the whole file."""
    level: Level
    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"{Problem('', '', self.file, self.line).location} {self.document}".rstrip()
        return visible(f"{place} {self.level}: {Problem(self.path, self.message)}")


def validate_text(file: str, text: str | bytes, *, release: Release | str) -> list[Result]:
    """Everything that is to say of the documents in a text; those of kinds that are not known are passed over.

    IstioOperators, Gateways, VirtualServices and DestinationRules are known, ConfigMaps with a key `mesh` or
    `meshNetworks`, and topologies of ours, which have a release of their own. The documents of a text are taken for
    those of one cluster, which must agree. Raises InvalidInput for an unknown release alone; a text that is no YAML is
    a result.
    """
    record = find_release(release)
    try:
        documents = yaml.load_all(text)
    except InvalidInput as error:
        return [Result(file, "", "error", problem.path, problem.message, problem.line) for problem in error.problems]
    return [
        Result(file, document_name(document), level, problem.path, problem.message)
        for document, level, problem in validate_documents(documents, release=record)
    ]


def validate_documents(
    documents: Iterable[Any], *, release: Release | str
) -> Iterator[tuple[Mapping[str, Any], Level, Problem]]:
    """The same for plain documents: each finding with its document and its level.

    Raises InvalidInput for an unknown release, and for what is no plain data.
    """
    record = find_release(release)
    require(documents, Iterable, "documents", "a list of documents")
    known = []
    for index, document in enumerate(documents):
        yaml.require_plain(document, f"documents[{index}]")
        if isinstance(document, Mapping):
            known.append(document)
    for document in known:
        check = _CHECKS.get(str(document.get("kind")))
        found = check(document, record) if check else Findings((), ())
        for problem in found.errors:
            yield document, "error", problem
        for problem in found.warnings:
            yield document, "warning", problem
    for document, each in check_agreement(known):
        yield document, "warning" if each.is_warning else "error", each.problem


def _operator(document: Mapping[str, Any], release: Release) -> Findings:
    return validate_operator(document, release=release)


def _networking(document: Mapping[str, Any], release: Release) -> Findings:
    return validate_networking(document, release=release)


def _config_map(document: Mapping[str, Any], release: Release) -> Findings:
    data = document.get("data") or {}
    if not isinstance(data, Mapping):
        return Findings((Problem("data", "must be a mapping of text"),), ())
    errors: list[Problem] = []
    warnings: list[Problem] = []
    try:
        merged = merge_mesh_config(shared=None, local=document if "mesh" in data else None, release=release)
        errors += [Problem(f"data.mesh.{each.path}", each.message) for each in merged.problems]
        warnings += [Problem(f"data.mesh.{each.path}", each.message) for each in merged.warnings]
        warnings += [Problem(f"data.mesh.{each.path}", each.message) for each in merged.ignored]
    except InvalidInput as error:
        errors += [Problem(each.path, each.message).under("data.mesh") for each in error.problems]
    try:
        choice = choose_mesh_networks(shared=None, local=document if "meshNetworks" in data else None, release=release)
        errors += [Problem(f"data.meshNetworks.{each.path}", each.message) for each in choice.problems]
        warnings += [Problem(f"data.meshNetworks.{each.path}", each.message) for each in choice.ignored]
    except InvalidInput as error:
        errors += [Problem(each.path, each.message).under("data.meshNetworks") for each in error.problems]
    return Findings(tuple(errors), tuple(warnings))


def _topology(document: Mapping[str, Any], _release: Release) -> Findings:
    """A topology, and what its own release makes of its mesh config."""
    try:
        topology = load(document)
    except InvalidInput as error:
        return Findings(error.problems, ())
    place = "spec.meshConfig"
    try:
        merged = merge_mesh_config(shared=None, local=topology.mesh_config, release=topology.release)
    except InvalidInput as error:
        return Findings(tuple(Problem(each.path, each.message).under(place) for each in error.problems), ())
    errors, logged, dropped = (
        [Problem(f"{place}.{each.path}", each.message) for each in found]
        for found in (merged.problems, merged.warnings, merged.ignored)
    )
    return Findings(tuple(errors), (*logged, *dropped))


_CHECKS: Mapping[str, Callable[[Mapping[str, Any], Release], Findings]] = {
    "IstioOperator": _operator,
    "Gateway": _networking,
    "VirtualService": _networking,
    "DestinationRule": _networking,
    "ConfigMap": _config_map,
    "ExternalControlPlane": _topology,
}


# ------------------------------------------------------------------------------------------------------------- reports


def text_report(results: Sequence[Result]) -> str:
    """A line for each finding."""
    return "".join(f"{result}\n" for result in results)


def json_report(results: Sequence[Result]) -> str:
    """A list of findings as JSON."""
    keys = ("file", "document", "level", "path", "message")
    return json.dumps([{key: getattr(result, key) for key in keys} for result in results], indent=2) + "\n"


def sarif_report(results: Sequence[Result]) -> str:
    """SARIF 2.1.0, which code hosts show beside the lines of a change."""
    found = [
        {
            "ruleId": result.document.partition(" ")[0] or "YAML",
            "level": result.level,
            "message": {"text": f"{result.document} {result.path}: {result.message}".strip()},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": result.file}}}],
        }
        for result in results
    ]
    run = {"tool": {"driver": {"name": "extcp-manifests", "rules": []}}, "results": found}
    report = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(report, indent=2) + "\n"


REPORTS: Mapping[str, Callable[[Sequence[Result]], str]] = {
    "text": text_report,
    "json": json_report,
    "sarif": sarif_report,
}
