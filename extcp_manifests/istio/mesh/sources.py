"""Where a mesh config or mesh networks may come from: a text by itself, or a document that holds it.

Source: istio 1.24.6 to 1.30.3: istio-discovery/templates/configmap.yaml; sail-operator, branch main:
api/v1/istio_types.go. Read, and not run.
"""

from collections.abc import Callable, Iterator, Mapping
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
from extcp_manifests.records import Record

Source = Literal["defaults", "shared", "local"]
"""Who set a value: Istio, the mesh admin in the config cluster, or the mesh operator in istiod's own file."""

Input = str | bytes | Mapping[str, Any] | MeshConfig | IstioOperator | None
"""YAML text, a mapping or a typed document: a mesh config by itself, a whole ConfigMap, an IstioOperator, or an Istio
of the Sail operator; None stands for a source that is not there."""

Key = Literal["mesh", "meshNetworks"]
"""The key of a ConfigMap."""


class SourceContent(Record):
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
    """Keys of the data that the document lacks: what is below them in the data is at `place` in the document."""
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
        if path[:added] == self.above:
            return (*self.place, *path[added:])
        return (*self.place, *path)

    @cached_property
    def _lines(self) -> yaml.Lines | None:
        if self.text is None or (self.has_more and not _is_readable(self.text)):
            return None
        return yaml.Lines(self.text)


def _is_readable(text: str | bytes) -> bool:
    """Return whether all documents of a text can be read, also those behind the first one, which nobody uses."""
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
    kind = _kind(content.data)
    if kind not in _READERS:
        raise InvalidInput([_wrong_kind(content)])
    held = _READERS[kind](content, key, release)
    if held is not None:
        _refuse_other_keys(held)
    return held


def _wrong_kind(content: SourceContent) -> Problem:
    kind = str(content.data["kind"])
    way_out = _ELSEWHERE.get(kind, "give a mesh config, its ConfigMap, an IstioOperator or an Istio of Sail")
    return content.problem(("kind",), f"{kind!r} does not hold what istiod reads: {way_out}")


# What holds no mesh config itself, and what of it does.
_ELSEWHERE = {
    "ExternalControlPlane": "generate it, and give its external-istiod.yaml",
    "List": "give one of its items",
}


def _parsed(name: str, given: Input) -> SourceContent:
    """Return a source as a mapping, whatever it is. Raises InvalidInput for what is not YAML or not a mapping."""
    data: Any = given.plain() if isinstance(given, MeshConfig | IstioOperator) else given
    text: str | bytes | None = None
    has_more = False
    if isinstance(data, str | bytes):
        text = data
        try:
            data, has_more = yaml.load_first(text)
        except InvalidInput as error:
            raise InvalidInput(each.with_(file=name) for each in error.problems) from None
    if not isinstance(data, Mapping | None):
        raise InvalidInput([Problem((), "must be a mapping, as in `accessLogFile: /dev/stdout`", file=name)])
    content = SourceContent(name, data or {}, has_more, text)
    _refuse_other_keys(content)
    return content


def _refuse_other_keys(content: SourceContent) -> None:
    problems: list[Problem] = []
    for key in content.data:
        if not isinstance(key, str):
            problem = f"the key {key!r} is no text: write it as a string"
            problems.append(Problem(content.place, problem, file=content.name))
    if problems:
        raise InvalidInput(problems)


def _is_document(data: Mapping[str, Any]) -> bool:
    """Return whether data is a whole document; a mesh config has none of these keys."""
    if not isinstance(data.get("kind"), str):
        return False
    return "apiVersion" in data or "metadata" in data or _kind(data) in _READERS


def _kind(data: Mapping[str, Any]) -> str:
    """Return the kind of a document, that of Sail with its group, since other projects have an Istio too."""
    kind = str(data["kind"])
    if kind != "Istio":
        return kind
    group = str(data.get("apiVersion")).rpartition("/")[0]
    return f"{group}/{kind}"


def _of_config_map(content: SourceContent, key: Key, _release: Release) -> SourceContent | None:
    held = content.data.get("data") or {}
    if not isinstance(held, Mapping):
        raise InvalidInput([content.problem(("data",), f"must be a mapping with the key {key!r}")])
    if key not in held:
        return None
    inner = held[key] or ""
    if not isinstance(inner, str):
        raise InvalidInput([content.problem(("data", key), "must be text: write it as a block, with |")])
    first_line = _first_line(content, key)
    try:
        read = _parsed(content.name, inner)
    except InvalidInput as error:
        raise InvalidInput(_moved(each, first_line) for each in error.problems) from None
    return read.with_(first_line=first_line)


def _moved(problem: Problem, first_line: int) -> Problem:
    """Return a problem of a text with the line of the file in which the text is."""
    if problem.line is None:
        return problem
    return problem.with_(line=problem.line + first_line - 1)


def _first_line(content: SourceContent, key: Key) -> int:
    """Return the line of the file at which the text of a ConfigMap's key begins; a block begins below its key."""
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
    place: Path = ("spec", "meshConfig")
    if not mapping_of(spec.get("meshConfig")) and mapping_of(at(spec, "values", "meshConfig")):
        place = ("spec", "values", "meshConfig")
    return content.with_(data=operator_mesh_config(spec, release), place=place)


def _of_sail(content: SourceContent, key: Key, _release: Release) -> SourceContent:
    values = mapping_of(at(content.data, "spec", "values"))
    if key == "meshNetworks":
        return _networks_of_values(content, values, ("spec", "values"))
    return content.with_(data=mapping_of(values.get("meshConfig")), place=("spec", "values", "meshConfig"))


def _networks_of_values(content: SourceContent, values: Mapping[str, Any], place: Path) -> SourceContent:
    """Return the networks of a chart's values, which the chart writes below a key of its own."""
    networks = mapping_of(at(values, "global", "meshNetworks"))
    return content.with_(data={"networks": networks}, place=(*place, "global", "meshNetworks"), above=("networks",))


_READERS: Mapping[str, Callable[[SourceContent, Key, Release], SourceContent | None]] = {
    "ConfigMap": _of_config_map,
    "IstioOperator": _of_operator,
    "sailoperator.io/Istio": _of_sail,
}


class Ignored(Record):
    """A key that istiod silently ignores."""

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
        """The ignored key as a problem of the source."""
        return Problem(self.place, self.message, line=self.line)


# ------------------------------------------------------------------------------------------------------------- decoding


class DecodedSource(Record):
    """A source by JSON names."""

    source: Source
    value: dict[str, Any]
    content: SourceContent | None
    problems: list[Problem]
    ignored: list[Ignored]
    failed: int
    """The index, in the order of decoding, of the first field that could not be decoded; -1 for what is not YAML."""


# istiod decodes the messages that it merges into others by their JSON names alone; it reads the other spelling too, and
# then throws away what it read.
_LOST_SPELLINGS = {"default_config": "defaultConfig", "default_providers": "defaultProviders"}


def decode_source(source: Source, name: str, given: Input, release: Release) -> DecodedSource | None:
    """Return what is in a source, or None for a ConfigMap that has no mesh config."""
    try:
        read = read_source(name, given, "mesh", release)
    except InvalidInput as error:
        return DecodedSource(source, {}, None, list(error.problems), [], -1)
    if read is None:
        return None
    schema = read_schema("mesh_config")
    decoded = decode(schema, "MeshConfig", read.data, release)
    ignored = ignored_keys(source, read, decoded)
    for spelling, json_name in _LOST_SPELLINGS.items():
        if spelling in read.data and json_name not in read.data:
            problem = f"is read by istiod and thrown away: write {json_name}"
            ignored.append(Ignored(source, (spelling,), problem, read.line((spelling,))))
            if not decoded.errors:
                decoded.value.pop(json_name, None)
    if read.has_more:
        ignored.append(Ignored(source, (), "has a second document, which istiod does not read: leave it out"))
    fields = schema.fields("MeshConfig", release)
    wrong = [fields[str(found.path[0])].index for found in decoded.errors]
    failed = min(wrong, default=len(fields))
    return DecodedSource(source, decoded.value, read, list(decoding_problems(read, decoded)), ignored, failed)


def decoding_problems(content: SourceContent, decoded: Decoded) -> Iterator[Problem]:
    """Yield what could not be decoded as problems of the file, with line and path."""
    for found in decoded.errors:
        yield content.problem(found.path, found.message)


def ignored_keys(source: Source, content: SourceContent, decoded: Decoded) -> list[Ignored]:
    """Return what istiod silently ignores of a source."""
    found = (*decoded.unknown, *decoded.lost)
    return [Ignored(source, each.path, each.message, content.line(each.path)) for each in found]
