"""Where a mesh config or mesh networks may come from: a text by itself, or a document that holds it.

Source: istio 1.24.6 to 1.30.3: istio-discovery/templates/configmap.yaml; sail-operator, branch main:
api/v1/istio_types.go. Read, and not run.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from extcp_manifests import yaml
from extcp_manifests.documents.istio_operator import IstioOperator
from extcp_manifests.documents.lookup import at, mapping_of
from extcp_manifests.documents.mesh_config import MeshConfig
from extcp_manifests.errors import InvalidInput, Path, Problem, path_text
from extcp_manifests.istio.operator.merging import operator_mesh_config, operator_values
from extcp_manifests.istio.releases import Release
from extcp_manifests.istio.schema.decoder import Decoded, decode
from extcp_manifests.istio.schema.tables import read_schema

Source = Literal["defaults", "shared", "local"]
"""Who set a value: Istio, the mesh admin in the config cluster, or the mesh operator in istiod's own file."""


Input = str | bytes | Mapping[str, Any] | MeshConfig | IstioOperator | None
"""YAML text, a mapping or a typed document: a mesh config by itself, a whole ConfigMap, an IstioOperator, or an Istio
of the Sail operator; None is no source."""


Key = Literal["mesh", "meshNetworks"]
"""The key of a ConfigMap."""


@dataclass(frozen=True)
class SourceContent:
    """What is in a source, and where."""

    name: str
    """What messages call the source."""
    data: Mapping[str, Any]
    has_more: bool = False
    """Whether the text has further documents."""
    text: str | bytes | None = None
    """The text that holds the data, where there is one."""
    place: Path = ()
    """Where in the text's document the data is."""
    above: Path = ()
    """A key of the data that the document does not have above what is at its place."""
    first_line: int = 1
    """The line of a file at which the text begins."""

    def problem(self, path: Path, message: str) -> Problem:
        """Return a problem at a path of the data, with the file, the line and the path of the whole document."""
        return Problem(self._whole(path), message, self.name, self.line(path))

    def line(self, path: Path) -> int | None:
        """Return the line of a path of the data, where the source is a text."""
        if self._lines is None:
            return None
        line = self._lines.line(self._whole(path))
        return None if line is None else line + self.first_line - 1

    def _whole(self, path: Path) -> Path:
        """Return a path of the data as one of the document."""
        added = len(self.above)
        return (*self.place, *(path[added:] if path[:added] == self.above else path))

    @cached_property
    def _lines(self) -> yaml.Lines | None:
        if self.text is None or (self.has_more and not _is_readable(self.text)):
            return None
        return yaml.Lines(self.text)


def _is_readable(text: str | bytes) -> bool:
    """Whether the documents behind the first one, which nobody reads, can be read."""
    try:
        yaml.load_all(text)
    except InvalidInput:
        return False
    return True


def read_source(name: str, given: Input, key: Key, release: Release) -> SourceContent | None:
    """Return the content of a source, or None for a ConfigMap that has no such key.

    Raises InvalidInput for a text that is not YAML or not a mapping, and for a document of another kind.
    """
    content = _parsed(name, given)
    if not _is_document(content.data):
        return content
    read = _KINDS.get(_kind(content.data))
    if read is None:
        kind = str(content.data["kind"])
        way_out = _ELSEWHERE.get(kind, "give a mesh config, its ConfigMap, an IstioOperator or an Istio of Sail")
        raise InvalidInput([content.problem(("kind",), f"{kind!r} does not hold what istiod reads: {way_out}")])
    held = read(content, key, release)
    if held is not None:
        _refuse_other_keys(held)
    return held


def _parsed(name: str, given: Input) -> SourceContent:
    """Return a source as a mapping, whatever it is."""
    data: Any = given.plain() if isinstance(given, MeshConfig | IstioOperator) else given
    text = data if isinstance(data, str | bytes) else None
    has_more = False
    if text is not None:
        try:
            data, has_more = yaml.load_first(text)
        except InvalidInput as error:
            raise InvalidInput(replace(each, file=name) for each in error.problems) from None
    if not isinstance(data, Mapping | None):
        raise InvalidInput([Problem((), "must be a mapping, as in `accessLogFile: /dev/stdout`", file=name)])
    content = SourceContent(name, data or {}, has_more, text)
    _refuse_other_keys(content)
    return content


def _refuse_other_keys(content: SourceContent) -> None:
    wrong = [key for key in content.data if not isinstance(key, str)]
    if wrong:
        problem = "the key {!r} is no text: write it as a string"
        raise InvalidInput(Problem(content.place, problem.format(key), file=content.name) for key in wrong)


def _is_document(data: Mapping[str, Any]) -> bool:
    """Whether data is a whole document; a mesh config has none of these keys."""
    if not isinstance(data.get("kind"), str):
        return False
    return "apiVersion" in data or "metadata" in data or _kind(data) in _KINDS


def _kind(data: Mapping[str, Any]) -> str:
    """Return the kind of a document; that of Sail has a group that tells it from others of its name."""
    kind = str(data["kind"])
    group = str(data.get("apiVersion")).rpartition("/")[0]
    return f"{group}/{kind}" if kind == "Istio" else kind


# What holds no mesh config itself, and what of it does.
_ELSEWHERE = {
    "ExternalControlPlane": "generate it, and give its external-istiod.yaml",
    "List": "give one of its items",
}


def _of_config_map(content: SourceContent, key: Key, _release: Release) -> SourceContent | None:
    held = content.data.get("data") or {}
    if not isinstance(held, Mapping):
        raise InvalidInput([content.problem(("data",), f"must be a mapping with the key {key!r}")])
    if key not in held:
        return None
    inner = held[key] or ""
    if isinstance(inner, str):
        first_line = _first_line(content, key)
        try:
            read = _parsed(content.name, inner)
        except InvalidInput as error:
            raise InvalidInput(_moved(each, first_line) for each in error.problems) from None
        return replace(read, first_line=first_line)
    raise InvalidInput([content.problem(("data", key), "must be text: write it as a block, with |")])


def _moved(problem: Problem, first_line: int) -> Problem:
    return problem if problem.line is None else replace(problem, line=problem.line + first_line - 1)


def _first_line(content: SourceContent, key: Key) -> int:
    """Return the line of the file at which the text of a ConfigMap's key begins: a block does below its key."""
    line = content.line(("data", key))
    if content.text is None or line is None:
        return 1
    text = content.text if isinstance(content.text, str) else content.text.decode("utf-8", "replace")
    heading = text.split("\n", line)[line - 1]
    return line + 1 if yaml.begins_block(heading) else line


def _of_operator(content: SourceContent, key: Key, release: Release) -> SourceContent:
    spec = mapping_of(content.data.get("spec"))
    if key == "meshNetworks":
        return _networks_of_values(content, operator_values(spec), ("spec", "values"))
    own, of_values = mapping_of(spec.get("meshConfig")), mapping_of(at(spec, "values", "meshConfig"))
    place = ("spec", "meshConfig") if own or not of_values else ("spec", "values", "meshConfig")
    return replace(content, data=operator_mesh_config(spec, release), place=place)


def _of_sail(content: SourceContent, key: Key, _release: Release) -> SourceContent:
    values = mapping_of(at(content.data, "spec", "values"))
    if key == "meshNetworks":
        return _networks_of_values(content, values, ("spec", "values"))
    return replace(content, data=mapping_of(values.get("meshConfig")), place=("spec", "values", "meshConfig"))


def _networks_of_values(content: SourceContent, values: Mapping[str, Any], place: Path) -> SourceContent:
    """The chart writes the networks of its values below a key of its own."""
    networks = mapping_of(at(values, "global", "meshNetworks"))
    return replace(content, data={"networks": networks}, place=(*place, "global", "meshNetworks"), above=("networks",))


_KINDS: Mapping[str, Callable[[SourceContent, Key, Release], SourceContent | None]] = {
    "ConfigMap": _of_config_map,
    "IstioOperator": _of_operator,
    "sailoperator.io/Istio": _of_sail,
}


@dataclass(frozen=True, slots=True)
class Ignored:
    """A key that istiod drops without a warning."""

    source: Source
    place: Path
    message: str
    line: int | None = None
    """The line in the source, where that is a text."""

    @property
    def path(self) -> str:
        """The key's place as text."""
        return path_text(self.place)

    @property
    def problem(self) -> Problem:
        """The same as a problem of the source."""
        return Problem(self.place, self.message, line=self.line)


# -------------------------------------------------------------------------------------------------------------- sources


@dataclass(frozen=True, slots=True)
class DecodedSource:
    """A source by JSON names."""

    source: Source
    value: dict[str, Any]
    content: SourceContent | None
    problems: list[Problem]
    ignored: list[Ignored]
    failed: int
    """The place, in the order of decoding, of the first field that could not be decoded; -1 for a text without YAML."""


# Messages that are merged into what is there already are decoded by their JSON name alone; the other spelling is read,
# then thrown away.
_LOST_SPELLINGS = {"default_config": "defaultConfig", "default_providers": "defaultProviders"}


def decode_source(source: Source, name: str, given: Input, release: Release) -> DecodedSource | None:
    """A source's content, or None for a ConfigMap that has no mesh config."""
    try:
        read = read_source(name, given, "mesh", release)
    except InvalidInput as error:
        return DecodedSource(source, {}, None, list(error.problems), [], -1)
    if read is None:
        return None
    schema = read_schema("mesh_config")
    decoded = decode(schema, "MeshConfig", read.data, release)
    ignored = ignored_keys(source, read, decoded)
    for spelling, name in _LOST_SPELLINGS.items():
        if spelling in read.data and name not in read.data:
            ignored.append(
                Ignored(source, (spelling,), f"is read by istiod and thrown away: write {name}", read.line((spelling,)))
            )
            if not decoded.errors:
                decoded.value.pop(name, None)
    if read.has_more:
        ignored.append(Ignored(source, (), "has a second document, which istiod does not read: leave it out"))
    fields = schema.fields("MeshConfig", release)
    failed = min((fields[str(found.path[0])].index for found in decoded.errors), default=len(fields))
    return DecodedSource(source, decoded.value, read, list(decoding_problems(read, decoded)), ignored, failed)


def decoding_problems(content: SourceContent, decoded: Decoded) -> Iterator[Problem]:
    """What could not be decoded, with source, line and path."""
    return (content.problem(found.path, found.message) for found in decoded.errors)


def ignored_keys(source: Source, content: SourceContent, decoded: Decoded) -> list[Ignored]:
    """What istiod drops of a source without a warning."""
    found = (*decoded.unknown, *decoded.lost)
    return [Ignored(source, each.path, each.message, content.line(each.path)) for each in found]
