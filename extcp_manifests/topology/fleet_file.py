"""Files of several control planes.

Each is a document of kind ExternalControlPlane in a file or a folder, or an item of a document of kind
ExternalControlPlanes, which has in `spec.defaults` what its control planes share.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from extcp_manifests import yaml
from extcp_manifests.documents.lookup import at, mapping_of
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.operator.merging import overlay
from extcp_manifests.records import Record
from extcp_manifests.topology.fleet import Fleet, clashes
from extcp_manifests.topology.inputs import (
    CONFIG,
    Content,
    Part,
    Place,
    Readable,
    from_file,
    is_text,
    place_of,
    read_all,
)
from extcp_manifests.topology.model import Topology
from extcp_manifests.topology.topology_file import API_VERSION, KIND, KIND_OF_FLEETS, Metadata, schema, topology_of
from extcp_manifests.topology.workloads import Plain


def load_fleet(source: Readable, *, release: str | None = None, name: str = "") -> Fleet:
    """Read several control planes from a folder, a file, a YAML text or a mapping with a file's keys.

    A file has documents of kind ExternalControlPlane or ExternalControlPlanes; of a folder every `.yaml` and `.yml`
    file is read. A release given here replaces those of all. Raises InvalidInput with every problem, OSError for what
    cannot be read.
    """
    contents = read_all(source, name=name)
    if not contents:
        raise InvalidInput([Problem((), "has no external control plane: add one", name)])
    return fleet_and_warnings(contents, release=release, name=name_of_fleet(source))[0]


def name_of_fleet(source: Readable) -> str:
    """Return what the whole of a source is called, where no document says it: as the folder or the file."""
    if isinstance(source, bytes | Mapping) or (isinstance(source, str) and is_text(source)) or source == "-":
        return "fleet"
    path = Path(source).absolute()
    return path.name if path.is_dir() else path.stem


def fleet_and_warnings(
    contents: Sequence[Content], *, release: str | None = None, name: str = "fleet"
) -> tuple[Fleet, list[Problem]]:
    """Return the fleet of documents that were read, and what is most likely not meant.

    Errors are those of `load_fleet`. Warnings have the file and the line where the control plane, or the defaults, say
    what they are about.
    """
    found = _Problems()
    members = [member for content in contents for member in _members(content, found)]
    topologies: list[Topology] = []
    for member in members:
        topology, problems = topology_of(member.data, release=release)
        found.add(member.content, map(member.placed, problems))
        if topology is not None:
            topologies.append(topology)
    if len(topologies) == len(members):
        for clash in clashes(topologies):
            problem = Problem(place_of(clash.place, from_file=True, start=("spec",)), clash.message)
            member = members[clash.index]
            found.add(member.content, [member.placed(problem)])
    found.raise_any()
    if len(contents) == 1 and contents[0].data["kind"] == KIND_OF_FLEETS:
        name = contents[0].data["metadata"]["name"]
    fleet = Fleet(control_planes=tuple(topologies), name=name)
    warnings = _Problems()
    for problem in fleet.warnings:
        _, _, index, *rest = problem.place
        member = members[int(index)]
        warnings.add(member.content, [member.placed(problem.with_(place=("spec", *rest)))])
    return fleet, warnings.located()


class _Member(Record):
    """A control plane of a document, as the document of a topology would have it."""

    content: Content
    data: Any
    start: Place = ()
    """Where it is in a document of several; empty for a document of its own."""
    own: Mapping[str, Any] = {}
    defaults: Mapping[str, Any] = {}

    def placed(self, problem: Problem) -> Problem:
        """Return a problem at its place in the document: where the control plane says it, or the defaults."""
        if not self.start:
            return problem.with_(place=("metadata", "name")) if problem.place == ("spec", "name") else problem
        head, *rest = problem.place or ("spec",)
        if head != "spec":
            return problem.with_(place=(*self.start, *rest))
        if _depth(self.defaults, rest) > _depth(self.own, rest):
            return problem.with_(place=("spec", "defaults", *rest))
        return problem.with_(place=(*self.start, *rest))


def _depth(data: Any, place: Iterable[str | int]) -> int:
    """Return how far data goes along a place."""
    for depth, part in enumerate(place := tuple(place)):
        if not isinstance(data, Mapping | list) or (isinstance(data, Mapping) and part not in data):
            return depth
        data = at(data, part)
    return len(place)


class _Problems:
    """What is wrong, by the document in which it is."""

    def __init__(self) -> None:
        self._found: list[tuple[Content, Problem]] = []
        self._known: set[tuple[int, Place, str]] = set()

    def add(self, content: Content, problems: Iterable[Problem]) -> None:
        """Note problems of a document; what many control planes have from its defaults, once."""
        for problem in problems:
            key = (id(content), problem.place, problem.message)
            if key not in self._known:
                self._known.add(key)
                self._found.append((content, problem))

    def raise_any(self) -> None:
        """Raise InvalidInput with all problems, where there are any."""
        if self._found:
            raise InvalidInput(self.located())

    def located(self) -> list[Problem]:
        """Return all problems, each with its file and its line."""
        lines: dict[str, yaml.Lines] = {}
        located: list[Problem] = []
        for content, problem in self._found:
            if content.text is None:
                located.append(problem)
                continue
            if content.file not in lines:
                lines[content.file] = yaml.Lines(content.text)
            located.append(content.located_in(lines[content.file], problem))
        return located


def _members(content: Content, found: _Problems) -> Iterator[_Member]:
    """Yield the control planes of a document, and note what is wrong with what holds them."""
    if not isinstance(content.data, Mapping) or content.data.get("kind") != KIND_OF_FLEETS:
        yield _Member(content, content.data)
        return
    file, problems = from_file(_File, content.data)
    found.add(content, problems)
    spec = mapping_of(content.data.get("spec"))
    defaults = mapping_of(spec.get("defaults"))
    if "name" in defaults:
        found.add(content, [Problem(("spec", "defaults", "name"), "is of each control plane by itself: move it there")])
    if file is not None and not file.spec.control_planes:
        found.add(content, [Problem(("spec", "controlPlanes"), "is empty: add a control plane")])
    items = spec.get("controlPlanes")
    for index, own in enumerate(items if isinstance(items, list | tuple) else ()):
        if isinstance(own, Mapping):
            yield _Member(content, _document(own, defaults), ("spec", "controlPlanes", index), own, defaults)


def _document(own: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a topology for a control plane: its keys laid over the defaults, lists replaced."""
    spec = overlay(defaults, own)
    spec.pop("name", None)
    metadata = {"name": own["name"]} if "name" in own else {}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def fleet_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file of several control planes.

    What the defaults say a control plane may leave out, so that of its keys only the name is required.
    """
    whole = _File.model_json_schema(by_alias=True)
    one = schema()
    metadata, own = whole.pop("$defs"), _without_required(one["$defs"])
    keys = {**one["properties"]["spec"]["properties"]}
    own["ConfigCluster"] = {key: value for key, value in own["MeshCluster"].items() if key != "required"}
    keys["configCluster"] = {**keys["configCluster"], "$ref": "#/$defs/ConfigCluster"}
    definitions = {**own, **metadata}
    spec = definitions.pop("_Spec")
    properties = spec["properties"]
    open_keys = {"type": "object", "additionalProperties": False}
    properties["defaults"] = {**properties["defaults"], **open_keys, "properties": keys}
    name = {**definitions["Metadata"]["properties"]["name"], "description": "Name of the control plane."}
    item = {**open_keys, "properties": {"name": name, **keys}, "required": ["name"]}
    properties["controlPlanes"] = {**properties["controlPlanes"], "type": "array", "items": item, "minItems": 1}
    whole["properties"]["spec"] = spec
    return {
        **whole,
        "$schema": one["$schema"],
        "title": KIND_OF_FLEETS,
        "description": "Several Istio external control planes with all their clusters.",
        "$defs": definitions,
    }


def _without_required(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return definitions whose keys may be in the defaults; clusters of lists alone are whole where they are."""
    return {
        name: each if name == "MeshCluster" else {key: value for key, value in each.items() if key != "required"}
        for name, each in definitions.items()
    }


class _Spec(Part):
    """The control planes."""

    control_planes: Annotated[
        Sequence[Plain],
        Field(description="The control planes: each with its name, and the keys of spec of an ExternalControlPlane."),
    ]
    defaults: Annotated[
        Plain, Field(description="Keys of spec of an ExternalControlPlane, for each that does not say them itself.")
    ] = {}


class _File(BaseModel):
    model_config = CONFIG

    api_version: Literal["extcp-manifests/v1"]
    kind: Literal["ExternalControlPlanes"]
    metadata: Metadata
    spec: _Spec
