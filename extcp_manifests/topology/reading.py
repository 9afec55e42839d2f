"""What inputs share: how a file spells them, how they are read, and how their problems are told.

Fields are snake case in Python and camel case in files, with Istio's `ID`. Parts of an input are plain dataclasses
that accept anything; the whole checks them, so that all problems are told at once.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from extcp_manifests import yaml
from extcp_manifests.errors import InvalidInput, Problem, kind_of, require


class Key(str):
    """A key that is the user's own and not one of our fields, so that its spelling stays."""

    __slots__ = ()


Place = tuple[str | int, ...]
"""Where a problem is: `("remote_clusters", 1, "network")`."""


def file_spelling(field: str) -> str:
    """The key in files of a field: `meshID` for `mesh_id`."""
    first, *rest = field.split("_")
    return first + "".join("ID" if word == "id" else word.capitalize() for word in rest)


FROM_FILE = "file"
"""The validation context of values that were read from a file."""

CONFIG = ConfigDict(
    frozen=True,
    extra="forbid",
    alias_generator=file_spelling,
    validate_by_name=True,
    validate_by_alias=False,
    revalidate_instances="always",
    hide_input_in_errors=True,
    defer_build=True,
)


def matching(why_not: Callable[[str], str | None]) -> AfterValidator:
    """Accepts the texts for which `why_not` has no sentence."""

    def check(text: str) -> str:
        if problem := why_not(text):
            raise PydanticCustomError("unfit", "{problem}", {"problem": problem})
        return text

    return AfterValidator(check)


def parsed(parse: Callable[[str], object]) -> AfterValidator:
    """Accepts the texts that `parse` can read."""

    def why_not(text: str) -> str | None:
        try:
            parse(text)
        except InvalidInput as error:
            return error.problems[0].message
        return None

    return matching(why_not)


Readable = str | bytes | os.PathLike[str] | Mapping[str, Any]
"""A path, a YAML text, or a mapping with a file's keys.

Bytes are a text, and so is a str with a newline or `: `, or one that begins with `{`; any other str is a path.
"""


@dataclass(frozen=True, slots=True)
class Content:
    """What was read from a source."""

    data: Any
    text: str | bytes | None = None
    """The text that holds the data; None for data that was given as such."""
    file: str = ""
    """The name of the text, for people."""

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return problems of the data with the file and the lines where they are."""
        if self.text is None:
            return list(problems)
        lines = yaml.Lines(self.text)
        return [replace(each, file=self.file, line=each.line or lines.line(each.path)) for each in problems]


def read(source: Readable, *, name: str = "") -> Content:
    """Read the plain data of a source; a text is called by the name, a file by its path.

    Raises InvalidInput for what is not YAML as it is read here, OSError for a file that cannot be read.
    """
    require(source, str | bytes | os.PathLike | Mapping, "source", "a path, a YAML text or a mapping")
    if isinstance(source, Mapping):
        return Content(source)
    if isinstance(source, bytes) or (isinstance(source, str) and _is_text(source)):
        text: str | bytes = source
        file = name
    else:
        file = str(source)
        text = _content(Path(source), file)
    try:
        return Content(yaml.load(text), text, file)
    except InvalidInput as error:
        raise InvalidInput(replace(each, file=file) for each in error.problems) from None


def _content(path: Path, file: str) -> bytes:
    try:
        with path.open("rb") as opened:
            return opened.read(yaml.MAX_BYTES + 1)
    except ValueError:  # of a NUL, or of half a surrogate pair
        raise InvalidInput([Problem("", "cannot be the path of a file: correct its characters", file)]) from None


def _is_text(source: str) -> bool:
    return "\n" in source or ": " in source or source.startswith("{")


def from_file(model: type[BaseModel], content: Any, *, secret: bool = False) -> tuple[Any, list[Problem]]:
    """The model of a file's content, or None and what is wrong with it; of a secret file no value is told."""
    try:
        return model.model_validate(content, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, list(problems_of(error, model, from_file=True, secret=secret))


def path_of(place: Place, *, from_file: bool, start: str = "") -> str:
    """A place in the words of the input: `spec.remoteClusters[1].network`."""
    path = start
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            word = file_spelling(part) if from_file and not isinstance(part, Key) else part
            path += f".{word}" if path else word
    return path


def problems_of(
    error: ValidationError, model: type[Any], *, from_file: bool, start: str = "", secret: bool = False
) -> Iterator[Problem]:
    """What pydantic found, each as one sentence with the way out; numbers and booleans are shown, if not secret."""
    for details in error.errors(include_url=False):
        sentence = _sentence(details, model, from_file, kind_of if secret else _shown)
        hidden = secret and details["type"] in _UNKNOWN_KEY
        place = details["loc"][:-1] if hidden else details["loc"]
        yield Problem(path_of(place, from_file=False, start=start), f"has an {sentence}" if hidden else sentence)


def places_of(error: ValidationError) -> frozenset[Place]:
    """Return the places of what pydantic found, spelled as in the input."""
    return frozenset(details["loc"] for details in error.errors(include_url=False, include_input=False))


_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")


def _sentence(details: ErrorDetails, model: type[Any], from_file: bool, shown: Callable[[object], str]) -> str:
    match details["type"]:
        case "unfit":
            return details["msg"]
        case "missing":
            return "is required: add it"
        case "string_type" if isinstance(details["input"], bytes):
            return "must be text, not bytes: decode it"
        case "string_type":
            return f"must be text, not {shown(details['input'])}: put it in quotes"
        case "bool_type":
            return f"must be true or false, not {shown(details['input'])}"
        case "literal_error":
            return f"must be {details.get('ctx', {}).get('expected')}"
        case "tuple_type":
            return f"must be a list, not {shown(details['input'])}"
        case kind if kind in _UNKNOWN_KEY:
            return _unknown_key(details["loc"], model, from_file)
        case "dataclass_type" | "model_type" | "mapping_type" | "dict_type" | "model_attributes_type":
            return f"must be a mapping, not {shown(details['input'])}"
        case _:
            return details["msg"]


def _shown(value: object) -> str:
    match value:
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float() if abs(value) < 1e20:
            return f"the number {value}"
        case _:
            return kind_of(value)


def _unknown_key(place: Place, model: type[Any], from_file: bool) -> str:
    for part in place[:-1]:
        model = _part(model, part)
    # In a file the name of the whole stands in its metadata.
    hidden = "name" if from_file and issubclass(model, BaseModel) else None
    known = [file_spelling(name) if from_file else name for name in _fields(model) if name != hidden]
    if way := _WAYS.get(str(place[-1]).lower().replace("_", "")):
        return f"unknown key: {way}"
    nearest = get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
    return f"unknown key: did you mean {nearest[0]!r}?" if nearest else f"unknown key: known are {', '.join(known)}"


_PATCH = (
    "patch the IstioOperator in an overlay (`extcp-manifests kustomize --overlay`), or compose it with your own file"
)


# Keys that people look for in a topology, in lower case, and the way there is instead.
_WAYS = {
    "tag": f"images have the tag of the istioctl that installs them; to set another, {_PATCH}",
    **dict.fromkeys(
        ("env", "replicas", "replicacount", "resources", "affinity", "tolerations", "nodeselector", "annotations"),
        _PATCH,
    ),
    **dict.fromkeys(("values", "components", "overlays", "k8s", "pilot", "istiod"), _PATCH),
    **dict.fromkeys(("hpaspec", "volumes", "imagepullsecrets", "servicetype"), _PATCH),
    "image": f"images come from spec.hub; to set another for istiod, {_PATCH}",
    "version": "the Istio minor is spec.release",
    "profile": f"it follows from the release and from what a cluster is for; for more, {_PATCH}",
    "trustdomain": "it is a part of the mesh config: set spec.meshConfig.trustDomain",
    "clusters": "the first remote cluster is spec.configCluster, the others are spec.remoteClusters",
    "clustername": "the name of a cluster is its key name",
    "network": "every remote cluster has its own: set network in spec.configCluster and in each of spec.remoteClusters",
    "hub": "it is the same in all clusters: set spec.hub",
    "charts": "it is the same in all clusters: set spec.charts",
    "caaddress": "it is made of the address: set spec.address",
    "discoveryaddress": "it is made of the address: set spec.address",
    "remotepilotaddress": "it is made of the address: set spec.address",
    "injectionurl": "it is made of the address, the cluster's name and its network: set those",
    "injectionpath": "it is made of the address, the cluster's name and its network: set those",
    "kubeconfig": "name the context in the kubeconfig (context), or give credentials (`--credentials`)",
    "server": "the API server's address for istiod is the key apiServer of a cluster",
}


def _part(model: type[Any], part: str | int) -> type[Any]:
    """The model of a part; an item of a list has the model of the list."""
    for name, hint in _fields(model).items():
        if part in (name, file_spelling(name)):
            return next((kind for kind in _flat([hint]) if isinstance(kind, type) and is_dataclass(kind)), model)
    return model


def _fields(model: type[Any]) -> dict[str, Any]:
    if is_dataclass(model):
        return {field.name: field.type for field in fields(model)}
    return {name: field.annotation for name, field in model.model_fields.items()}


def _flat(annotations: list[Any]) -> Iterator[Any]:
    for annotation in annotations:
        yield annotation
        yield from _flat(list(get_args(annotation)))
