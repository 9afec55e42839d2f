"""What inputs share: how a file spells them, how they are read, and how their problems are reported.

Fields are snake case in Python and camel case in files, with Istio's `ID`. Parts of an input are records that accept
anything; the whole checks them, so that all problems are reported at once.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, field, make_dataclass
from dataclasses import Field as DataclassField
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, dataclass_transform, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetPydanticSchema, ValidationError
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from extcp_manifests import yaml
from extcp_manifests.errors import InvalidInput, Problem, kind_of, require, unknown_key
from extcp_manifests.records import Record, is_fresh

# --------------------------------------------------------------------------------------------------- places and fields


class Key(str):
    """A key that is the user's own and not one of our fields, so that its spelling stays."""

    __slots__ = ()


Place = tuple[str | int, ...]
"""Where a problem is: `("remote_clusters", 1, "network")`."""


def file_spelling(field: str) -> str:
    """Return the key in files of a field: `meshID` for `mesh_id`."""
    first, *rest = field.split("_")
    return first + "".join(word.upper() if word in ("ca", "id", "ip") else word.capitalize() for word in rest)


def place_of(place: Place, *, from_file: bool, start: Place = ()) -> Place:
    """Return a place as the input spells it: `("spec", "remoteClusters", 1, "network")`."""
    parts = list(start)
    for part in place:
        if from_file and isinstance(part, str) and not isinstance(part, Key):
            parts.append(file_spelling(part))
        else:
            parts.append(part)
    return tuple(parts)


FROM_FILE = "file"
"""The validation context of values that were read from a file."""

CONFIG = ConfigDict(
    frozen=True,
    extra="forbid",
    # A file is read with by_alias=True, by_name=False; Python knows the names alone.
    alias_generator=file_spelling,
    validate_by_name=True,
    validate_by_alias=False,
    # Parts are records that accept anything, so that it is the whole that checks them.
    revalidate_instances="always",
    hide_input_in_errors=True,
    defer_build=True,
)
"""The configuration of every input."""

_CORE_CONFIG: Any = {
    "extra_fields_behavior": CONFIG.get("extra"),
    "validate_by_name": CONFIG.get("validate_by_name"),
    "validate_by_alias": CONFIG.get("validate_by_alias"),
    "revalidate_instances": CONFIG.get("revalidate_instances"),
    "hide_input_in_errors": CONFIG.get("hide_input_in_errors"),
}
"""The same, as the core of pydantic has it."""


class _DataclassFields(dict[str, "DataclassField[Any]"]):
    """The fields of a part as a dataclass would have them, made when somebody asks for them.

    Found without asking, it has the fields of `Part` itself: none.
    """

    def __get__(self, _part: object, kind: Any) -> "dict[str, DataclassField[Any]]":
        return _dataclass_fields(kind)


class _Parameters:
    """What a dataclass that inherits from a part asks of it."""

    frozen = True


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Part(Record):
    """Base of the parts of inputs: records that take any values, by name.

    To pydantic, and to functions such as `dataclasses.replace`, a part is a dataclass.
    """

    __pydantic_config__: ClassVar[ConfigDict] = CONFIG
    __dataclass_fields__: ClassVar = _DataclassFields()
    __dataclass_params__: ClassVar = _Parameters
    fresh_default: ClassVar[bool] = True
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, *, hidden: tuple[str, ...] = ()) -> None:
        super().__init_subclass__(kw_only=True, hidden=hidden)
        if "__slots__" in vars(cls):
            raise TypeError(f"{cls.__qualname__} cannot have slots, which a part has no fields in: leave them out")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return what pydantic makes of a dataclass with these fields, in half the time.

        A part of somebody else's may have all that pydantic knows of dataclasses, and so is left to pydantic.
        """
        if cls.__module__.partition(".")[0] != __name__.partition(".")[0]:
            return handler(source)
        fields = []
        for name, annotation in cls._fields.items():
            schema = handler.generate_schema(annotation)
            if name in cls._defaults:
                schema = _with_default(schema, cls._defaults[name])
            key = file_spelling(name)
            fields.append(
                core_schema.dataclass_field(
                    name, schema, kw_only=True, validation_alias=key, serialization_alias=key, frozen=True
                )
            )
        config: Any = {"title": cls.__name__, **_CORE_CONFIG}
        return core_schema.dataclass_schema(
            cls,
            core_schema.dataclass_args_schema(cls.__name__, fields),
            list(cls._fields),
            ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
            frozen=True,
            config=config,
        )


def _with_default(schema: CoreSchema, default: Any) -> CoreSchema:
    """Return the schema of a field with a default; that of a factory is in no JSON Schema, as keys say the same."""
    if is_fresh(default):
        return core_schema.with_default_schema(schema, default_factory=type(default))
    return core_schema.with_default_schema(schema, default=default)


@cache
def _dataclass_fields(kind: Any) -> "dict[str, DataclassField[Any]]":
    """Return the fields of a dataclass with the fields of a part, of which nothing else is made."""
    fields = []
    for name, annotation in kind._fields.items():
        default: Any = kind._defaults.get(name, MISSING)
        value: Any = {"default_factory": type(default)} if is_fresh(default) else {"default": default}
        given: Any = field(**value, repr=name not in kind._hidden, hash=name in kind._hashed)
        fields.append((name, annotation, given))
    alike: Any = make_dataclass(kind.__name__, fields, init=False, repr=False, eq=False, match_args=False, kw_only=True)
    made: dict[str, DataclassField[Any]] = alike.__dataclass_fields__
    return made


def matching(why_not: Callable[[str], str | None]) -> GetPydanticSchema:
    """Return a validator that accepts the texts for which `why_not` has no sentence."""

    def check(text: str) -> str:
        if problem := why_not(text):
            raise refusal(problem)
        return text

    # As AfterValidator, which looks at the signature of every function first.
    return GetPydanticSchema(
        lambda source, handler: core_schema.no_info_after_validator_function(check, handler(source))
    )


def parsed(parse: Callable[[str], object]) -> GetPydanticSchema:
    """Return a validator that accepts the texts that `parse` can read."""

    def why_not(text: str) -> str | None:
        try:
            parse(text)
        except InvalidInput as error:
            return error.problems[0].message
        return None

    return matching(why_not)


def refusal(sentence: str) -> PydanticCustomError:
    """Return the error by which a validator refuses a value with a sentence of this library."""
    return PydanticCustomError("own_sentence", "{sentence}", {"sentence": sentence})


# -------------------------------------------------------------------------------------------------------------- sources


Readable = str | bytes | os.PathLike[str] | Mapping[str, Any]
"""A path, a YAML text, or a mapping with a file's keys.

Bytes are a text, and so is a str with a newline or `: `, or one that begins with `{`; any other str is a path.
"""


class Content(Record):
    """What was read from a source."""

    data: Any
    text: str | bytes | None = None
    """The text that holds the data; None for data that was given as such."""
    file: str = ""
    """The name of the text, for people."""
    document: int = 0
    """Which document of the text it is."""

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return problems of the data with the file and the lines where they are."""
        if self.text is None:
            return list(problems)
        lines = yaml.Lines(self.text)
        return [self.located_in(lines, each) for each in problems]

    def located_in(self, lines: yaml.Lines, problem: Problem) -> Problem:
        """Return a problem of the data with the file and the line, which the outline of the text has."""
        return problem.with_(file=self.file, line=problem.line or lines.line(problem.place, self.document))


def read(source: Readable, *, name: str = "") -> Content:
    """Read the plain data of a source; a text is called by the name, a file by its path.

    Raises InvalidInput for what is not YAML as it is read here, OSError for a file that cannot be read.
    """
    require(source, str | bytes | os.PathLike | Mapping, ("source",), "a path, a YAML text or a mapping")
    if isinstance(source, Mapping):
        return Content(source)
    text, file = _text_of(source, name)
    with _named(file):
        return Content(yaml.load(text), text, file)


def read_all(source: Readable, *, name: str = "") -> list[Content]:
    """Read every document of a source that has any, of a folder those of every `.yaml` and `.yml` file in it.

    Errors are those of `read`; of a folder they are those of all its files.
    """
    require(source, str | bytes | os.PathLike | Mapping, ("source",), "a path, a YAML text or a mapping")
    if isinstance(source, Mapping):
        return [Content(source)]
    if isinstance(source, bytes) or (isinstance(source, str) and is_text(source)):
        return _documents(source, name)
    files = _files_of(Path(source))
    if files is None:
        return _documents(source, name)
    if not files:
        raise InvalidInput([Problem((), "has no .yaml or .yml file: name another folder", str(source))])
    contents: list[Content] = []
    problems: list[Problem] = []
    for file in files:
        try:
            contents += _documents(file, name)
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return contents


def _documents(source: str | bytes | os.PathLike[str], name: str) -> list[Content]:
    text, file = _text_of(source, name)
    with _named(file):
        documents = yaml.load_all(text)
    return [Content(data, text, file, number) for number, data in enumerate(documents) if data is not None]


def _files_of(folder: Path) -> list[Path] | None:
    """Return the YAML files of a folder, or None for what is not a folder."""
    try:
        is_folder = folder.is_dir()
    except ValueError:  # of a NUL, which opening refuses
        is_folder = False
    if not is_folder:
        return None
    found = (path for path in sorted(folder.iterdir()) if path.suffix in (".yaml", ".yml"))
    return [path for path in found if not path.name.startswith(".") and path.is_file()]


def _text_of(source: str | bytes | os.PathLike[str], name: str) -> tuple[str | bytes, str]:
    """Return a text with its name, or that of a file with its path."""
    if isinstance(source, bytes) or (isinstance(source, str) and is_text(source)):
        return source, name
    return _bytes_of(Path(source), str(source)), str(source)


@contextmanager
def _named(file: str) -> Iterator[None]:
    """Name the file in problems of reading."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(each.with_(file=file) for each in error.problems) from None


def _bytes_of(path: Path, file: str) -> bytes:
    """Return the bytes of a file; of one that is too long, as many as the reader needs to refuse it."""
    try:
        with path.open("rb") as opened:
            return opened.read(yaml.MAX_BYTES + 1)
    except ValueError:  # of a NUL, or of half a surrogate pair
        raise InvalidInput([Problem((), "cannot be the path of a file: correct its characters", file)]) from None


def is_text(source: str) -> bool:
    return "\n" in source or ": " in source or source.startswith("{")


def from_file(model: type[BaseModel], content: Any, *, secret: bool = False) -> tuple[Any, list[Problem]]:
    """Return the model of a file's content, or None and what is wrong with it; of a secret file no value is shown."""
    try:
        return model.model_validate(content, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, list(problems_of(error, model, from_file=True, secret=secret))


# ------------------------------------------------------------------------------------------------------------- problems


def places_of(error: ValidationError) -> frozenset[Place]:
    """Return the places of what pydantic found, spelled as in the input."""
    return frozenset(details["loc"] for details in error.errors(include_url=False, include_input=False))


def problems_of(
    error: ValidationError, model: type[Any], *, from_file: bool, start: Place = (), secret: bool = False
) -> Iterator[Problem]:
    """Yield what pydantic found, each as one sentence with the way out.

    Numbers and booleans are shown, and unknown keys; of a secret input neither.
    """
    for details in error.errors(include_url=False):
        place = details["loc"]
        message = _sentence(details, secret=secret)
        if details["type"] in _UNKNOWN_KEY:
            if secret:
                place = place[:-1]
                message = f"has an {_unknown_key(model, details['loc'], from_file)}"
            else:
                message = _unknown_key(model, place, from_file)
        # The place is pydantic's, which spells it as the input does.
        yield Problem(place_of(place, from_file=False, start=start), message)


_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
"""The types of pydantic's errors for a key that no field has."""


def _sentence(details: ErrorDetails, *, secret: bool) -> str:
    """Return the sentence for an error of pydantic's that is not about a key."""
    given = details["input"]
    shown = kind_of(given) if secret else _shown(given)
    match details["type"]:
        case "missing":
            return "is required: add it"
        case "string_type" if isinstance(given, bytes):
            return "must be text, not bytes: decode it"
        case "string_type" if isinstance(given, list | tuple | Mapping):
            return f"must be text, not {shown}: write one text"
        case "string_type":
            return f"must be text, not {shown}: put it in quotes"
        case "bool_type":
            return f"must be true or false, not {shown}"
        case "int_type":
            return f"must be a whole number, not {shown}"
        case "greater_than_equal":
            return f"is {given}: use {details.get('ctx', {}).get('ge')} or more"
        case "less_than_equal":
            return f"is {given}: use at most {details.get('ctx', {}).get('le')}"
        case "is_instance_of" | "sequence_str":
            return f"must be a list, not {shown}"
        case "literal_error":
            return f"must be {details.get('ctx', {}).get('expected')}"
        case "tuple_type":
            return f"must be a list, not {shown}"
        case "dataclass_type" | "model_type" | "mapping_type" | "dict_type" | "model_attributes_type":
            return f"must be a mapping, not {shown}"
        case _:  # among them those of `refusal`
            return details["msg"]


def _shown(value: object) -> str:
    """Return a value for people: a number or a boolean itself, of all others what they are."""
    match value:
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float() if abs(value) < 1e20:
            return f"the number {value}"
        case _:
            return kind_of(value)


def _unknown_key(model: type[Any], place: Place, from_file: bool) -> str:
    """Return the sentence for a key that no field has, with the way to what was meant."""
    *parents, key = (str(part) for part in place)
    for parent in parents:
        model = _model_of_field(model, parent)
    if way := _WAYS.get(key.lower().replace("_", "")):
        return f"unknown key: {way}"
    known = list(_field_types(model))
    if from_file:
        if issubclass(model, BaseModel) and "name" in known:
            known.remove("name")  # the name of the whole is in the metadata of a file
        known = [file_spelling(name) for name in known]
    return unknown_key(key, known)


def _model_of_field(model: type[Any], key: str) -> type[Any]:
    """Return the part that a field's value is, or its items; the model itself for what is no field, as an index."""
    for name, annotation in _field_types(model).items():
        if key in (name, file_spelling(name)):
            for kind in _types_in(annotation):
                if isinstance(kind, type) and issubclass(kind, Part):
                    return kind
    return model


def _field_types(model: type[Any]) -> dict[str, Any]:
    """Return the annotations of a model's or a part's fields by their names."""
    if issubclass(model, Part):
        return model._fields
    return {name: field.annotation for name, field in model.model_fields.items()}


def _types_in(annotation: Any) -> Iterator[Any]:
    """Yield an annotation and all that are in it, such as `MeshCluster` in `Sequence[MeshCluster]`."""
    yield annotation
    for argument in get_args(annotation):
        yield from _types_in(argument)


_OVERRIDE = "set it in the overrides of a part: spec.istiod.overrides, spec.gateway.overrides, or those of a cluster"


_OF_PODS = f"pods are described by spec.istiod and spec.gateway; elsewhere, {_OVERRIDE}"


# Keys of an IstioOperator and of its parts for which a topology has no field, or not there.
_ONLY_BY_OVERRIDE = ["values", "components", "overlays", "k8s", "pilot", "volumes"]
_KEYS_OF_PODS = [
    "istiod",
    "env",
    "replicas",
    "resources",
    "affinity",
    "tolerations",
    "nodeselector",
    "annotations",
]


_AMBIENT = (
    "no release of Istio documents or tests ambient workloads of an external control plane, so none are written: its "
    "workloads have sidecars"
)


# Keys that people look for in a topology, in lower case and without `_`, and the way there is instead.
_WAYS: Mapping[str, str] = {
    **dict.fromkeys(_ONLY_BY_OVERRIDE, _OVERRIDE),
    **dict.fromkeys(_KEYS_OF_PODS, _OF_PODS),
    **dict.fromkeys(("ambient", "ztunnel", "waypoint", "dataplanemode"), _AMBIENT),
    "replicacount": "the number of pods is replicas, in spec.istiod and spec.gateway",
    "hpaspec": "autoscaling has min and max, in spec.istiod and spec.gateway",
    "imagepullsecrets": "it is the same in all clusters: set spec.pullSecrets",
    "imagepullpolicy": "it is the same in all clusters: set spec.pullPolicy",
    "servicetype": "the shared gateway's Service is spec.gateway.service; its type is the key type",
    "tag": "it is the same in all clusters: set spec.tag",
    "image": "images come from spec.hub and spec.tag, or those in spec.istiod and spec.gateway",
    "version": "the Istio minor is spec.release",
    "profile": f"it follows from the release and from what a cluster is for; for more, {_OVERRIDE}",
    "trustdomain": "it is a part of the mesh config: set spec.meshConfig.trustDomain",
    "clusters": "the first remote cluster is spec.configCluster, the others are spec.remoteClusters",
    "clustername": "the name of a cluster is its key name",
    "network": "every remote cluster has its own: set network in spec.configCluster and in each of spec.remoteClusters",
    "hub": "it is the same in all clusters: set spec.hub",
    "charts": "it is the same in all clusters: set spec.charts",
    "caaddress": "it follows from the address: set spec.address",
    "discoveryaddress": "it follows from the address: set spec.address",
    "remotepilotaddress": "it follows from the address: set spec.address",
    "injectionurl": "it follows from the address, the cluster's name and its network: set those",
    "injectionpath": "it follows from the address, the cluster's name and its network: set those",
    "kubeconfig": "name the context in the kubeconfig (context), or give credentials (`--credentials`)",
    "server": "the API server's address for istiod is the key apiServer of a cluster",
}
