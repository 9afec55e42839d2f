"""Make the schema data of mesh_config.json, values.json and networking.json from Istio's own files.

    python tests/istio/schema/generate.py mesh_config FOLDER
    python tests/istio/schema/generate.py values FOLDER
    python tests/istio/schema/generate.py networking FOLDER

FOLDER has a folder for each Istio minor, by its name, with files that a person downloaded into it, wherever below it:

    mesh_config   the .proto files of github.com/istio/api: mesh/v1alpha1, and those that they import
    values        values_types.proto of github.com/istio/istio
    networking    the CustomResourceDefinitions: crd-all.gen.yaml of github.com/istio/istio

The file is written in place. Its title and notes stay, and so do the messages and the records of fields that are marked
with x-istio-by-hand.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from extcp_manifests.istio.schema.tables import parse_schema, snake_case

Node = dict[str, Any]
"""A piece of a schema as JSON."""


@dataclass
class Definitions:
    """What one release has: the fields of each message and the values of each enum, in their order, without ranges."""

    messages: dict[str, dict[str, Node]] = field(default_factory=dict)
    enums: dict[str, dict[str, Node]] = field(default_factory=dict)


def main() -> None:
    """Write the file that the command line names."""
    name, folder = sys.argv[1:]
    path = Path(str(resources.files("extcp_manifests.istio.schema"))) / "data" / f"{name}.json"
    path.write_text(generate(name, Path(folder), json.loads(path.read_text("utf-8"))), "utf-8")


def generate(name: str, folder: Path, base: Node) -> str:
    """Return the text of a schema file, whose title, notes and messages by hand are those of a base."""
    releases = sorted((each.name for each in folder.iterdir()), key=_numbers)
    if name in PROTO_SCHEMAS:
        kind = PROTO_SCHEMAS[name]
        definitions = merge({release: read_protos(folder / release, kind) for release in releases}, kind.is_ordered)
    else:
        definitions = _shared(merge({release: read_crds(folder / release) for release in releases}, is_ordered=True))
    _keep_records_by_hand(definitions, base["$defs"])
    by_hand = {each: node for each, node in base["$defs"].items() if "x-istio-by-hand" in node}
    text = format_schema({**base, "$defs": by_hand | definitions})
    parse_schema(text, f"{name}.json")
    return text


def _keep_records_by_hand(definitions: Mapping[str, Node], base: Mapping[str, Node]) -> None:
    """Put a base's records by hand in the place of those that were made for the same range."""
    for name, key, kept in _records_by_hand(base):
        made = definitions[name]["properties"].get(key, {}) if name in definitions else {}
        for record in _records_of(made):
            if _ends(record) == _ends(kept):
                record.clear()
                record.update(kept)


def _records_by_hand(base: Mapping[str, Node]) -> Iterator[tuple[str, str, Node]]:
    """Yield the records by hand of a base with their message and field."""
    for name, definition in base.items():
        for key, node in definition.get("properties", {}).items():
            for record in _records_of(node):
                if "x-istio-by-hand" in record:
                    yield name, key, record


def _ends(record: Node) -> tuple[str | None, str | None]:
    return record.get("x-istio-since"), record.get("x-istio-until")


def _records_of(node: Node) -> list[Node]:
    records: list[Node] = node.get("anyOf", [node])
    return records


def _numbers(release: str) -> list[int]:
    return [int(number) for number in release.split(".")]


# ------------------------------------------------------------------------------------------------------------- protobuf


@dataclass(frozen=True)
class ProtoSchema:
    """What is made of .proto files."""

    roots: tuple[str, ...]
    """Messages of one package, whose other messages go without its name."""
    is_ordered: bool
    """Whether fields are in the order of decoding; else they are by name."""
    kubernetes: str | None = None
    """Where the messages of Kubernetes are, if not among the .proto files."""


PROTO_SCHEMAS: Mapping[str, ProtoSchema] = {
    "mesh_config": ProtoSchema(("MeshConfig", "ProxyConfig", "MeshNetworks"), is_ordered=True),
    # The order of values changed from release to release, and nothing depends on it.
    "values": ProtoSchema(("Values",), is_ordered=False, kubernetes="kubernetes_proto.json#/$defs/proto."),
}

_DURATION: Node = {"type": "string", "format": "go-duration"}
_SCALARS: Mapping[str, Node] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    **{each: {"type": "integer", "format": each} for each in ("int32", "uint32", "int64", "uint64")},
    **{each: {"type": "number", "format": each} for each in ("float", "double")},
}
_WELL_KNOWN: Mapping[str, Node] = {
    "google.protobuf.Duration": _DURATION,
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    **{
        f"google.protobuf.{name}Value": {**_SCALARS[scalar], "x-istio-wrapper": True}
        for name, scalar in (
            ("Bool", "bool"), ("String", "string"), ("Double", "double"), ("Float", "float"),
            ("Int32", "int32"), ("UInt32", "uint32"), ("Int64", "int64"), ("UInt64", "uint64"),
        )
    },
}  # fmt: skip


@dataclass
class ProtoField:
    """A field as a .proto file declares it."""

    name: str
    type: str
    is_list: bool = False
    is_map: bool = False
    oneof: str | None = None
    json_name: str | None = None


@dataclass
class ProtoFiles:
    """All messages and enums of some .proto files, by their full names."""

    messages: dict[str, list[ProtoField]] = field(default_factory=dict)
    enums: dict[str, dict[str, int]] = field(default_factory=dict)

    def find(self, name: str, scope: str) -> str | None:
        """Return the full name of what a message calls by a name: that of the innermost scope that has it."""
        if name.startswith("."):
            return name[1:]
        while True:
            full = f"{scope}.{name}" if scope else name
            if full in self.messages or full in self.enums or full in _WELL_KNOWN:
                return full
            if not scope:
                return None
            scope = scope.rpartition(".")[0]


def read_protos(folder: Path, kind: ProtoSchema) -> Definitions:
    """Return what the roots reach in the .proto files of a release."""
    files = ProtoFiles()
    for path in sorted(folder.rglob("*.proto")):
        _ProtoParser(path.read_text("utf-8"), files).file()
    return _Reached(files, kind).definitions()


class _Reached:
    """Gathers the messages and enums that some roots reach."""

    def __init__(self, files: ProtoFiles, kind: ProtoSchema) -> None:
        self._files = files
        self._kind = kind
        first = next(each for each in files.messages if each.rpartition(".")[2] == kind.roots[0])
        self._package = first.rpartition(".")[0]
        self._waiting: list[str] = []

    def definitions(self) -> Definitions:
        definitions = Definitions()
        roots = [f"{self._package}.{root}" for root in self._kind.roots]
        self._waiting += [root for root in roots if root in self._files.messages]
        while self._waiting:
            full = self._waiting.pop()
            name = self._short(full)
            if full in self._files.enums:
                numbers = self._files.enums[full]
                definitions.enums[name] = {word: {"x-istio-number": number} for word, number in numbers.items()}
            elif name not in definitions.messages:
                fields = self._files.messages[full]
                definitions.messages[name] = {_json_name(each): self._node(each, full) for each in fields}
        return definitions

    def _short(self, full: str) -> str:
        return full.removeprefix(f"{self._package}.")

    def _node(self, each: ProtoField, scope: str) -> Node:
        """Return a field's type and keywords."""
        node = self._type(each.type, scope)
        if each.is_list:
            node = {"type": "array", "items": node}
        if each.is_map:
            node = {"type": "object", "additionalProperties": node}
        if each.name != snake_case(_json_name(each)):
            node["x-istio-proto-name"] = each.name
        if each.oneof is not None:
            node["x-istio-oneof"] = each.oneof
        return node

    def _type(self, type_: str, scope: str) -> Node:
        """Return a type; what it refers to is added to what waits."""
        if type_ in _SCALARS:
            return dict(_SCALARS[type_])
        full = self._files.find(type_, scope)
        if full is None and type_.startswith("k8s.io.") and self._kind.kubernetes is not None:
            return {"$ref": f"{self._kind.kubernetes}{type_.rpartition('.')[2]}"}
        if full is None:
            raise SystemExit(f"{type_}: no file has it: add the .proto file that does")
        if full in _WELL_KNOWN:
            return dict(_WELL_KNOWN[full])
        if full.rpartition(".")[2] == "IntOrString":
            return {"x-kubernetes-int-or-string": True}
        self._waiting.append(full)
        return {"$ref": f"#/$defs/{self._short(full)}"}


def _json_name(each: ProtoField) -> str:
    return each.json_name or re.sub(r"_(.)", lambda letter: letter[1].upper(), each.name)


_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/"  # comments have no group
    r"""|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[\w.+-]+)|(?P<sign>[^\s\w])""",
    re.DOTALL,
)


class _ProtoParser:
    """Reads what a .proto file declares of messages and enums; options and services are skipped."""

    def __init__(self, text: str, files: ProtoFiles) -> None:
        tokens = [match[0] for match in _TOKEN.finditer(text) if match.lastgroup is not None]
        self._tokens: Iterator[str] = iter(tokens)
        self._files = files

    def file(self) -> None:
        package = ""
        for token in self._tokens:
            if token == "package":
                package = next(self._tokens)
                self._skip_statement()
            elif token in ("message", "enum"):
                self._declaration(token, package)
            elif token in ("service", "extend"):
                self._skip_block()
            else:
                self._skip_statement()

    def _declaration(self, kind: str, scope: str) -> None:
        name = next(self._tokens)
        full = f"{scope}.{name}" if scope else name
        self._expect("{")
        if kind == "enum":
            self._enum(full)
        else:
            self._files.messages[full] = []
            self._message(full, None)

    def _message(self, full: str, oneof: str | None) -> None:
        for token in self._tokens:
            if token == "}":
                return
            if token in ("message", "enum"):
                self._declaration(token, full)
            elif token == "oneof":
                name = next(self._tokens)
                self._expect("{")
                self._message(full, name)
            elif token in ("option", "reserved", "extensions"):
                self._skip_statement()
            elif token != ";":
                self._files.messages[full].append(self._field(token, oneof))

    def _field(self, first: str, oneof: str | None) -> ProtoField:
        is_list = first == "repeated"
        type_ = next(self._tokens) if first in ("repeated", "optional", "required") else first
        is_map = type_ == "map"
        if is_map:
            self._expect("<")
            next(self._tokens)
            self._expect(",")
            type_ = next(self._tokens)
            self._expect(">")
        found = ProtoField(next(self._tokens), type_, is_list, is_map, oneof)
        rest = self._skip_statement()
        for option, value in zip(rest, rest[2:], strict=False):
            if option == "json_name":
                found.json_name = value.strip("\"'")
        return found

    def _enum(self, full: str) -> None:
        values: dict[str, int] = {}
        for token in self._tokens:
            if token == "}":
                break
            rest = self._skip_statement()
            if token not in ("option", "reserved"):
                values[token] = int(rest[1])
        self._files.enums[full] = values

    def _expect(self, wanted: str) -> None:
        found = next(self._tokens)
        if found != wanted:
            raise SystemExit(f"{found!r} is not the {wanted!r} that was expected")

    def _skip_statement(self) -> list[str]:
        """Return the tokens up to the semicolon of a statement, which may have options in braces."""
        tokens = []
        depth = 0
        for token in self._tokens:
            if token == ";" and not depth:
                break
            depth += {"{": 1, "}": -1}.get(token, 0)
            tokens.append(token)
        return tokens

    def _skip_block(self) -> None:
        depth = 0
        for token in self._tokens:
            depth += {"{": 1, "}": -1}.get(token, 0)
            if token == "}" and not depth:
                return


# ----------------------------------------------------------------------------------------------------------------- CRDs

KINDS = ("Gateway", "VirtualService", "DestinationRule")


def read_crds(folder: Path) -> Definitions:
    """Return the specs of the kinds in the CRDs of a release, whose messages are named by where they are."""
    definitions = Definitions()
    for path in sorted(folder.rglob("*.yaml")):
        for crd in yaml.load_all(path.read_text("utf-8"), yaml.CSafeLoader):
            if not crd or crd["kind"] != "CustomResourceDefinition" or crd["spec"]["names"]["kind"] not in KINDS:
                continue
            kind = crd["spec"]["names"]["kind"]
            versions = [each for each in crd["spec"]["versions"] if each["served"]]
            specs = [each["schema"]["openAPIV3Schema"]["properties"]["spec"] for each in versions]
            found = []
            for spec in specs:
                of_version = Definitions()
                _crd_message(spec, f"{kind}Spec", of_version)
                found.append(of_version)
            if any(each != found[0] for each in found):
                raise SystemExit(f"{path}: the served versions of {kind} differ: that is not provided for")
            definitions.messages |= found[0].messages
            definitions.enums |= found[0].enums
    return definitions


def _crd_message(schema: Node, name: str, definitions: Definitions) -> Node:
    groups = _exclusive(schema)
    fields: dict[str, Node] = {}
    definitions.messages[name] = fields
    for key, each in schema["properties"].items():
        node = _crd_node(each, f"{name}.{key}", definitions)
        if key in groups:
            node["x-istio-oneof"] = groups[key]
        if key in schema.get("required", ()):
            node["required"] = True
        fields[key] = node
    return {"$ref": f"#/$defs/{name}"}


def _crd_node(schema: Node, name: str, definitions: Definitions) -> Node:
    """Return a type; nullable and lengths of text, lists and maps are left out."""
    if "properties" in schema:
        return _crd_message(schema, name, definitions)
    if "enum" in schema:
        definitions.enums[name] = {word: {} for word in schema["enum"]}
        return {"$ref": f"#/$defs/{name}"}
    match schema.get("type"):
        case "array":
            return {"type": "array", "items": _crd_node(schema["items"], name, definitions)}
        case "object" if "additionalProperties" in schema:
            return {
                "type": "object",
                "additionalProperties": _crd_node(schema["additionalProperties"], name, definitions),
            }
        case "string":
            rules = [each["rule"] for each in schema.get("x-kubernetes-validations", ())]
            is_interval = any("duration('1ms')" in rule for rule in rules)
            return {"type": "string", "format": "go-duration-from-1ms"} if is_interval else {"type": "string"}
        case "integer":
            return _crd_integer(schema)
        case "number":
            return {"type": "number", **_crd_bounds(schema)}
        case "object" | "boolean" as kind:
            return {"type": kind}
        case kind:
            raise SystemExit(f"{name}: the type {kind!r} is not provided for")


def _crd_integer(schema: Node) -> Node:
    if schema.get("format") == "int32":
        return {"type": "integer", "format": "int32"}
    bounds = _crd_bounds(schema)
    if bounds == {"minimum": 0, "maximum": 2**32 - 1}:
        return {"type": "integer", "format": "uint32"}
    return {"type": "integer", **bounds}


def _crd_bounds(schema: Node) -> Node:
    return {key: int(schema[key]) for key in ("minimum", "maximum") if key in schema}


def _exclusive(schema: Node) -> dict[str, str]:
    """Return the keys of which there is one or none, with the first of their group as its name."""
    groups = {}
    for part in (schema, *schema.get("allOf", ())):
        members = [each["required"][0] for each in part.get("oneOf", ()) if "required" in each]
        for member in members:
            groups[member] = members[0]
    return groups


def _shared(definitions: dict[str, Node]) -> dict[str, Node]:
    """Return definitions in which those that are alike are one, with the shortest of their names."""
    alike: dict[str, list[str]] = {}
    representatives: dict[str, str] = {}
    # The innermost come first, so that those around them are compared by what is left of them.
    for name in sorted(definitions, key=lambda name: -name.count(".")):
        text = json.dumps([name] if "." not in name else _renamed(definitions[name], representatives))
        same = alike.setdefault(text, [])
        same.append(name)
        representatives[name] = same[0]
    names: dict[str, str] = {}
    for same in alike.values():
        shortest = min(same, key=lambda name: (name.count("."), name))
        names |= dict.fromkeys(same, shortest)
    return {name: _renamed(node, names) for name, node in definitions.items() if names[name] == name}


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_renamed(each, names) for each in node]
    if not isinstance(node, dict):
        return node
    result = {key: _renamed(each, names) for key, each in node.items()}
    if isinstance(result.get("$ref"), str):
        name = result["$ref"].removeprefix("#/$defs/")
        result["$ref"] = f"#/$defs/{names.get(name, name)}"
    return result


# -------------------------------------------------------------------------------------------------------------- merging


def merge(by_release: Mapping[str, Definitions], is_ordered: bool) -> dict[str, Node]:
    """Return the definitions of all releases with the ranges in which they hold, messages before enums, by name."""
    releases = list(by_release)
    merged: dict[str, Node] = {}
    for name in sorted({name for each in by_release.values() for name in each.messages}):
        versions = {release: each.messages[name] for release, each in by_release.items() if name in each.messages}
        around = _range(list(versions), releases)
        properties: dict[str, Node] = {}
        keys = _merged_order(versions.values(), name) if is_ordered else sorted(set().union(*versions.values()))
        for key in keys:
            records = _records(key, versions, releases, around)
            properties[key] = records[0] if len(records) == 1 else {"anyOf": records}
        merged[name] = {**around, "type": "object", "properties": properties}
    for name in sorted({name for each in by_release.values() for name in each.enums}):
        versions = {release: each.enums[name] for release, each in by_release.items() if name in each.enums}
        around = _range(list(versions), releases)
        values = []
        for word in _merged_order(versions.values(), name):
            values += [{"const": word, **record} for record in _records(word, versions, releases, around)]
        merged[name] = {**around, "oneOf": values}
    return merged


def _records(
    key: str, versions: Mapping[str, Mapping[str, Node]], releases: Sequence[str], around: Mapping[str, str]
) -> list[Node]:
    """Return what a key is in the releases that have it: one record for those that follow each other and are alike."""
    having = [release for release in releases if release in versions and key in versions[release]]
    required = next((release for release in having if "required" in versions[release][key]), None)
    runs: list[list[str]] = []
    for release in having:
        earlier = runs[-1][-1] if runs else None
        follows = earlier is not None and releases.index(earlier) + 1 == releases.index(release)
        if earlier is not None and follows and _plain(versions[earlier][key]) == _plain(versions[release][key]):
            runs[-1].append(release)
        else:
            runs.append([release])
    records = []
    for run in runs:
        node = _plain(versions[run[0]][key])
        if required is not None:
            node["x-istio-required-since"] = required
        own = {end: release for end, release in _range(run, releases).items() if around.get(end) != release}
        records.append({**node, **own})
    return records


def _plain(node: Node) -> Node:
    """Return a record without whether it is required, which is said of all of them together."""
    return {key: value for key, value in node.items() if key != "required"}


def _range(having: Sequence[str], releases: Sequence[str]) -> dict[str, str]:
    """Return the keywords for the first and the last of releases, which are left out where the end is open."""
    ends = {}
    if having[0] != releases[0]:
        ends["x-istio-since"] = having[0]
    if having[-1] != releases[-1]:
        ends["x-istio-until"] = having[-1]
    return ends


def _merged_order(versions: Iterable[Iterable[str]], name: str) -> list[str]:
    """Return one order of keys that is right in every release: a new key follows the one that it follows there."""
    order: list[str] = []
    orders = [list(each) for each in versions]
    for keys in orders:
        place = 0
        for key in keys:
            if key not in order:
                order.insert(place, key)
            place = order.index(key) + 1
    for keys in orders:
        places = [order.index(key) for key in keys]
        if any(earlier > later for earlier, later in pairwise(places)):
            raise SystemExit(f"{name}: its keys changed their order, which one order for all releases cannot say")
    return order


# -------------------------------------------------------------------------------------------------------------- writing


def format_schema(schema: Node) -> str:
    """Return a schema file as text, with one line for each field, record, value and note."""
    entries = []
    for key, value in schema.items():
        if key == "$defs":
            definitions = [_definition(name, node) for name, node in value.items()]
            entries.append(f'"$defs": {_block(definitions, 2, "{}")}')
        elif isinstance(value, list):
            entries.append(f"{_line(key)}: {_block(map(_line, value), 2, '[]')}")
        else:
            entries.append(f"{_line(key)}: {_line(value)}")
    return f"{_block(entries, 0, '{}')}\n"


def _definition(name: str, definition: Node) -> str:
    entries = []
    for key, value in definition.items():
        if key == "properties":
            fields = [_field_lines(each, node) for each, node in value.items()]
            entries.append(f'"properties": {_block(fields, 6, "{}")}')
        elif key == "oneOf":
            entries.append(f'"oneOf": {_block(map(_line, value), 6, "[]")}')
        else:
            entries.append(f"{_line(key)}: {_line(value)}")
    return f"{_line(name)}: {_block(entries, 4, '{}')}"


def _field_lines(name: str, node: Node) -> str:
    if "anyOf" not in node:
        return f"{_line(name)}: {_line(node)}"
    return f'{_line(name)}: {{"anyOf": {_block(map(_line, node["anyOf"]), 8, "[]")}}}'


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _block(entries: Iterable[str], indent: int, brackets: str) -> str:
    """Return entries between brackets, each on lines of its own that are indented by two more."""
    lines = [f"{' ' * (indent + 2)}{entry}" for entry in entries]
    if not lines:
        return brackets
    inner = ",\n".join(lines)
    return f"{brackets[0]}\n{inner}\n{' ' * indent}{brackets[1]}"


if __name__ == "__main__":
    main()
