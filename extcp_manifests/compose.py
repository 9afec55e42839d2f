"""Composing IstioOperators: files and `--set` flags of one istioctl call, merged as its release does.

Source: istio 1.24.6 to 1.30.3: operator/pkg/render/manifest.go, operator/pkg/values/map.go, of which 1.30.3 was run;
1.15.7 to 1.23.6: operator/pkg/manifest/shared.go, operator/pkg/util/merge_iop.go, confirmed on a part of its struct.
Profiles are not part of this: the result is what the user says, before istioctl lays it over a profile.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from deepmerge import Merger
from pydantic import ValidationError

from extcp_manifests import yaml
from extcp_manifests.dropped import Dropped, Loss, Path, identity, losses
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.istio_operator import GATEWAY_CHARTS, IstioOperator
from extcp_manifests.merge import interleaved, overlay
from extcp_manifests.mesh import path_text
from extcp_manifests.patch import PatchError, split_path, write_into
from extcp_manifests.release import Release, find_release

Input = IstioOperator | Mapping[str, Any] | str | bytes
"""An IstioOperator: typed, plain, or the YAML text of one document."""


@dataclass(frozen=True, slots=True)
class Composition:
    """What files and flags come to, and how it came about."""

    plain: dict[str, Any]
    """The IstioOperator as plain data, explicit nulls included, of which 1.24 and later make something."""
    dropped: tuple[Dropped, ...]
    """What later files and flags took away from earlier ones by replacing a list or a mapping."""
    _origins: Mapping[str, str]
    _sources: Sequence["_Source"]

    @property
    def operator(self) -> IstioOperator:
        """The IstioOperator; a typed one has no explicit null under its own keys.

        Raises InvalidInput for keys that no IstioOperator has.
        """
        try:
            known = {key: value for key, value in self.plain.items() if value is not None}
            return IstioOperator.model_validate({"metadata": {}, "spec": {}, **known})
        except ValidationError as error:
            places = (".".join(map(str, details["loc"])) for details in error.errors())
            problem = "is no part of an IstioOperator as it is: correct it"
            raise InvalidInput(self.located(Problem(place, problem)) for place in places) from None

    def located(self, problem: Problem) -> Problem:
        """Return a problem of the whole with the last file that says something at its place, and the line there."""
        origin = self._origins.get(problem.path)
        if origin is not None and all(source.name != origin for source in self._sources):
            return problem  # a flag's
        keys = tuple(problem.path.partition("[")[0].split("."))  # items may have another place in the file
        for source in reversed(self._sources):
            above = _value_at(source.tree, keys[:-1])
            if isinstance(above, Mapping) and keys[-1] in above:
                return replace(problem, file=source.name, line=source.line(problem.path))
        return problem

    def origin(self, path: str) -> str:
        """Return who said the value of a leaf last, by its path: a file, or `set[0]`.

        Raises KeyError where there is no leaf.
        """
        return self._origins[path]

    def origins(self) -> Iterator[tuple[str, Any, str]]:
        """Yield each leaf of the IstioOperator with its path and who said it."""
        for path, value in leaves(self.plain):
            text = path_text(path)
            yield text, value, self._origins[text]


def compose_files(
    *files: Input,
    names: Sequence[str] = (),
    set: Iterable[str] = (),  # noqa: A002
    release: Release | str,
) -> Composition:
    """Compose files and `--set` flags as one call of istioctl does, and keep account of what becomes of each value.

    Later files beat earlier ones, flags beat files, later flags earlier ones. Messages call the files by `names`; one
    without a name is `files[0]`. Raises InvalidInput, with all problems of all files and flags, for what is not an
    IstioOperator, and for flags that istioctl refuses, misreads or crashes at.
    """
    record = find_release(release)
    flags = checked_flags(set)
    sources = _read_all(files, names, flags, record)
    run = _Run(sources, record)
    run.merge_files()
    run.assign(flags)
    return Composition(run.tree, tuple(run.dropped), run.origins, sources)


def compose(
    base: Input,
    *overlays: Input,
    names: Sequence[str] = (),
    set: Iterable[str] = (),  # noqa: A002
    release: Release | str,
) -> IstioOperator:
    """Return the IstioOperator that files and `--set` flags come to; errors are those of `compose_files`."""
    return compose_files(base, *overlays, names=names, set=set, release=release).operator


def compose_plain(
    base: Input,
    *overlays: Input,
    names: Sequence[str] = (),
    set: Iterable[str] = (),  # noqa: A002
    release: Release | str,
) -> dict[str, Any]:
    """Return the same as plain data, explicit nulls included."""
    return compose_files(base, *overlays, names=names, set=set, release=release).plain


# --------------------------------------------------------------------------------------------------------------- files


@dataclass(frozen=True)
class _Source:
    """A file, as it was read."""

    name: str
    tree: Mapping[str, Any]
    text: str | bytes | None

    def line(self, path: str) -> int | None:
        """Return the line at which a path begins, where the file is a text."""
        return None if self._lines is None else self._lines.line(path)

    @cached_property
    def _lines(self) -> yaml.Lines | None:
        return None if self.text is None else yaml.Lines(self.text)


def _read_all(
    files: Sequence[Input], names: Sequence[str], flags: Sequence[str], release: Release
) -> Sequence[_Source]:
    """Read every file; where one cannot be read, tell of the flags too, as far as they are wrong by themselves."""
    sources: list[_Source] = []
    problems: list[Problem] = []
    for index, file in enumerate(files):
        try:
            sources.append(_read(file, names[index] if index < len(names) else f"files[{index}]"))
        except InvalidInput as error:
            problems += error.problems
    if not problems:
        return sources
    for index, flag in enumerate(flags):
        try:
            split_flag(flag, release)
        except PatchError as wrong:
            problems.append(_flag_problem(index, flag, wrong))
    raise InvalidInput(problems)


def _read(file: Input, name: str) -> _Source:
    data: Any = file.plain() if isinstance(file, IstioOperator) else file
    text = data if isinstance(data, str | bytes) else None
    try:
        if text is not None:
            data = yaml.load(text)
        if not isinstance(data, Mapping) or not data.get("kind"):
            raise InvalidInput([Problem("", "must be a mapping with `kind: IstioOperator`")])
        yaml.require_plain(data)
    except InvalidInput as error:
        raise InvalidInput(replace(each, file=name) for each in error.problems) from None
    return _Source(name, data, text)


def _flag_problem(index: int, flag: str, error: PatchError) -> Problem:
    return Problem(_flag_name(index), f"{flag!r} {error}")


def _flag_name(index: int) -> str:
    return f"set[{index}]"


class _Run:
    """Files and flags on their way into one tree."""

    def __init__(self, sources: Sequence[_Source], release: Release) -> None:
        self._sources = sources
        self._release = release
        # The first file is taken as it is, so that up to 1.23 its nulls still delete what the profile says.
        self.tree: dict[str, Any] = {"apiVersion": "install.istio.io/v1alpha1", **deepcopy(dict(sources[0].tree))}
        self.dropped: list[Dropped] = []
        self.origins: dict[str, str] = {}

    def merge_files(self) -> None:
        """Merge every file into the first one."""
        merge = overlay if self._release.untyped_operator else strategic_merge
        for index, source in enumerate(self._sources[1:], start=1):
            try:
                merged = merge(self.tree, source.tree)
            except NamelessItem as error:
                raise InvalidInput([self._placed(error, index)]) from None
            for loss in losses(self.tree, merged, source.tree):
                path = path_text(loss.path)
                holders = self._holders(loss, index)
                self.dropped.append(Dropped(path, loss.kind, loss.items, source.name, holders, source.line(path)))
            self.tree = merged
        said = [(source.name, source.tree) for source in self._sources]
        self.origins = {path_text(path): name for path, name in _origins(self.tree, said, ())}

    def assign(self, flags: Sequence[str]) -> None:
        """Write the values of flags into the tree."""
        problems: list[Problem] = []
        for index, flag in enumerate(flags):
            try:
                changed = _with_flag(self.tree, flag, self._release)
            except PatchError as error:
                problems.append(_flag_problem(index, flag, error))
                continue
            name = _flag_name(index)
            for loss in losses(self.tree, changed):
                holders = self._holders(loss, len(self._sources))
                self.dropped.append(Dropped(path_text(loss.path), loss.kind, loss.items, name, holders))
            self._note_origins(changed, flag, name)
            self.tree = changed
        if problems:
            raise InvalidInput(problems)

    def _note_origins(self, changed: Mapping[str, Any], flag: str, name: str) -> None:
        """A flag said what is new or different, and the very value that it names."""
        before = {path_text(path): value for path, value in leaves(self.tree)}
        own = path_text(tuple(split_path(f"spec.{split_flag(flag, self._release)[0]}")))
        origins: dict[str, str] = {}
        for path, value in leaves(changed):
            text = path_text(path)
            is_old = text in before and before[text] == value and text != own
            origins[text] = self.origins[text] if is_old else name
        self.origins = origins

    def _holders(self, loss: Loss, index: int) -> tuple[str, ...]:
        """Return the files before one that had said what was lost: of a list the last one, of a mapping all."""
        if loss.kind == "list":
            return (self._last_with(loss.path, index).name,)
        holders: list[str] = []
        for source in self._sources[:index]:
            said = _value_at(source.tree, loss.path)
            if isinstance(said, Mapping) and any(key in said for key in loss.items):
                holders.append(source.name)
        return tuple(holders) or (self._sources[0].name,)

    def _last_with(self, path: Path, index: int) -> _Source:
        """Return the last of the files before one that says something at a path."""
        for source in reversed(self._sources[:index]):
            if _value_at(source.tree, path) is not None:
                return source
        return self._sources[0]

    def _placed(self, error: "NamelessItem", index: int) -> Problem:
        """Return the problem of an item with the file that has it."""
        problem = error.problems[0]
        source = self._last_with(error.list_path, index) if error.in_base else self._sources[index]
        return replace(problem, file=source.name, line=source.line(problem.path))


def _value_at(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _origins(value: Any, said: Sequence[tuple[str, Any]], path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each leaf's path and the last file that says its value; items of lists are found by their names."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            below = [(name, node[key]) for name, node in said if isinstance(node, Mapping) and key in node]
            yield from _origins(item, below, (*path, key))
    elif isinstance(value, list | tuple) and value:
        lists = [
            (name, {identity(item): item for item in node}) for name, node in said if isinstance(node, list | tuple)
        ]
        for index, item in enumerate(value):
            key = identity(item)
            below = [(name, items[key]) for name, items in lists if key in items]
            yield from _origins(item, below, (*path, index))
    else:
        names = [name for name, node in said if node == value and type(node) is type(value)]
        yield path, names[-1] if names else "istioctl"


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield each value that is not a list or mapping with something in it, and its path."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def checked_flags(given: Any) -> tuple[str, ...]:
    """Return `--set` flags. Raises InvalidInput for what is no list of texts."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidInput([Problem("set", "must be a list of flags, as in ['values.global.meshID=mesh1']")])
    flags = tuple(given)
    for index, flag in enumerate(flags):
        require(flag, str, f"set[{index}]", "text, as in 'values.global.meshID=mesh1'")
    return flags


# ------------------------------------------------------------------------------------------------- merging up to 1.23

# Lists whose items are merged by a key.
_BY_KEY: Mapping[tuple[str, ...], str] = {
    ("spec", "components", "ingressGateways"): "name",
    ("spec", "components", "egressGateways"): "name",
    ("spec", "meshConfig", "extensionProviders"): "name",
    ("spec", "meshConfig", "configSources"): "address",
    ("spec", "meshConfig", "certificates"): "secretName",
    **{
        ("spec", "values", "gateways", gateway, key): "name"
        for gateway in GATEWAY_CHARTS.values()
        for key in ("ports", "secretVolumes", "meshExpansionPorts")
    },
}
# Lists of text that become a union.
_UNIONS = {
    ("spec", "meshConfig", key)
    for key in (
        "trustDomainAliases",
        "defaultServiceExportTo",
        "defaultVirtualServiceExportTo",
        "defaultDestinationRuleExportTo",
    )
}
# Mappings that are replaced as a whole.
_REPLACED = {("spec", "meshConfig", "defaultConfig", key) for key in ("tracing", "gatewayTopology", "sds")}


def strategic_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Kubernetes' strategic merge with istioctl's keys; null deletes.

    istioctl also refuses mappings and lists that stand on both sides under a key that it does not know; those are
    merged here as if it did.
    """
    merged: dict[str, Any] = _STRATEGIC.merge(deepcopy(dict(base)), deepcopy(dict(over)))
    return merged


def _mappings(merger: Merger, path: list[Any], base: dict[str, Any], over: dict[str, Any]) -> Any:
    directive = over.pop("$patch", None)
    if directive == "delete":
        return {}
    if directive == "replace" or tuple(path) in _REPLACED:
        return _without_nulls(over)
    for key, value in over.items():
        if value is None:
            base.pop(key, None)
        elif key in base:
            base[key] = merger.value_strategy([*path, key], base[key], value)
        elif not (isinstance(value, dict) and value.get("$patch") == "delete"):
            base[key] = _without_nulls(value)
    return base


def _lists(merger: Merger, path: list[Any], base: list[Any], over: list[Any]) -> Any:
    key = _BY_KEY.get(tuple(path))
    if key is not None:
        return _by_key(merger, path, key, base, over)
    if tuple(path) in _UNIONS and all(isinstance(item, str) for item in (*base, *over)):
        place = {item: index for index, item in enumerate(base)}
        return interleaved([item for item in place if item not in over], list(dict.fromkeys(over)), place)
    return over


def _by_key(merger: Merger, path: list[Any], key: str, base: list[Any], over: list[Any]) -> list[Any]:
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in over):
        return [_without_nulls(item) for item in over if not (isinstance(item, dict) and "$patch" in item)]
    _require_names(tuple(path), key, base, in_base=True)
    _require_names(tuple(path), key, over, in_base=False)
    names = [item[key] for item in base]
    items = dict(zip(names, base, strict=True))
    changes = {item[key]: item for item in over}
    for name, item in changes.items():
        items[name] = merger.value_strategy([*path, "*"], items[name], item) if name in items else _without_nulls(item)
    left = [name for name in names if name not in changes]
    right = [name for name, item in changes.items() if items[name]]
    return [items[name] for name in interleaved(left, right, {name: place for place, name in enumerate(names)})]


class NamelessItem(InvalidInput):
    """An item of a list that is merged by a key, and lacks it."""

    def __init__(self, problem: Problem, list_path: tuple[str, ...], *, in_base: bool) -> None:
        super().__init__([problem])
        self.list_path = list_path
        self.in_base = in_base
        """Whether the item was there already, or is one of the file that is merged in."""


def _require_names(path: tuple[str, ...], key: str, items: Sequence[Any], *, in_base: bool) -> None:
    place = ".".join(path)
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get(key), str | None):
            problem = Problem(f"{place}[{index}]", f"must be a mapping whose {key} is text: correct it")
            raise NamelessItem(problem, path, in_base=in_base)
        if not item.get(key):
            problem = Problem(f"{place}[{index}].{key}", "is required where two files have the list: add it")
            raise NamelessItem(problem, path, in_base=in_base)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None and key != "$patch"}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


_STRATEGIC = Merger([(dict, [_mappings]), (list, [_lists])], ["override"], ["override"])


# --------------------------------------------------------------------------------------------------------------- --set


def _with_flag(tree: dict[str, Any], flag: str, release: Release) -> dict[str, Any]:
    path, value = split_flag(flag, release)
    changed = deepcopy(tree)
    if release.untyped_operator:
        _assign(changed, split_path(f"spec.{path}"), value)
    else:
        _write_old(changed, path, value)
    return changed


def split_flag(flag: str, release: Release) -> tuple[str, Any]:
    """The path below spec and the typed value of a `--set` flag.

    Raises PatchError with a sentence for a flag that istioctl of the release refuses or misreads.
    """
    path, equals, text = (part.strip() for part in flag.partition("="))
    if not equals or not path:
        raise PatchError("is no assignment: write path=value")
    if "=" in text and not release.set_splits_once:
        raise PatchError(f"has a second '=', at which istioctl {release} takes all of it for the path: use a file")
    if path.startswith("spec.") and release.untyped_operator:
        raise PatchError(f"begins with 'spec.', of which istioctl {release} makes spec.spec: leave it out")
    path = path.removeprefix("spec.")
    start, *pieces = split_path(f"spec.{path}")
    if start != "spec" or not pieces:
        raise PatchError("is no path below spec: name a key")
    if any(path.startswith(start) for start in release.set_as_text):
        return path, text
    return path, typed_value(text)


def typed_value(text: str) -> str | int | float | bool:
    """The value of a flag as Go's Atoi, ParseFloat and ParseBool read it, in this order; else text.

    Raises PatchError for infinities and what is no number, at which istioctl crashes later.
    """
    trimmed = text.strip()
    if _INTEGER.fullmatch(trimmed) and -(2**63) <= int(trimmed) < 2**63:
        return int(trimmed)
    if _NO_FINITE_NUMBER.fullmatch(trimmed):
        raise PatchError("has a value that istioctl takes for a number without JSON form, and crashes: use a file")
    if _HEXADECIMAL.fullmatch(trimmed):
        return _finite(float.fromhex, trimmed)
    if _DECIMAL.fullmatch(trimmed):
        return _finite(float, trimmed)
    if trimmed in _BOOLEANS:
        return _BOOLEANS[trimmed]
    return trimmed.replace("\\,", ",")


def _finite(read: Callable[[str], float], text: str) -> str | float:
    """A number, or the text itself where it is beyond all numbers."""
    try:
        number = read(text)
    except OverflowError:
        return text
    return number if math.isfinite(number) else text


_INTEGER = re.compile(r"[-+]?[0-9]{1,25}")
_DIGITS = "[0-9](?:_?[0-9])*"
_DECIMAL = re.compile(rf"[-+]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?")
_HEXADECIMAL = re.compile(r"[-+]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][-+]?[0-9]{1,4}")
_NO_FINITE_NUMBER = re.compile(r"[-+]?(?:inf|infinity)|nan", re.IGNORECASE)
_BOOLEANS = {
    **dict.fromkeys(("t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("f", "F", "FALSE", "false", "False"), False),
}


def _write_old(tree: dict[str, Any], path: str, value: Any) -> None:
    """Up to 1.23: the code of overlay patches, which also makes lists and appends to them."""
    if isinstance(value, str) and ": " in value:
        raise PatchError("has a value that reads as a YAML mapping, which would replace the key itself: use a file")
    write_into(tree, f"spec.{path}", value)


def _assign(tree: dict[str, Any], pieces: list[str], value: Any) -> None:
    """From 1.24: mappings are made on the way, a list only gets new items at its end."""
    for piece in pieces:
        if not _is_selector(piece) and ("[" in piece or "]" in piece):
            raise PatchError(f"has the segment {piece!r}, which istioctl does not know: write dots in brackets as \\.")
    node: Any = tree
    for piece, following in pairwise(pieces):
        node = _step(node, piece, following)
    last = pieces[-1]
    if isinstance(node, dict) and not _is_selector(last):
        node[last] = value
    elif isinstance(node, list) and _is_selector(last):
        if _found(node, last) is not None:
            raise PatchError(f"sets the item {last} itself, at which istioctl crashes: name a key of it")
        node.append(value)
    else:
        raise PatchError(
            f"does not fit at {last!r}, at which istioctl crashes: select items of lists, keys of mappings"
        )


def _step(node: Any, piece: str, following: str) -> Any:
    if isinstance(node, dict) and not _is_selector(piece):
        if piece not in node:
            node[piece] = [] if _is_selector(following) else {}
        elif node[piece] is None:
            raise PatchError(
                f"goes through {piece!r}, which is null, and istioctl drops it silently: take the null away"
            )
        return node[piece]
    if isinstance(node, list) and _is_selector(piece):
        found = _found(node, piece)
        if found is None:
            node.append({})
            return node[-1]
        return found
    raise PatchError(f"does not fit at {piece!r}, at which istioctl crashes: select items of lists, keys of mappings")


def _is_selector(piece: str) -> bool:
    return piece.startswith("[") and piece.endswith("]")


def _found(items: list[Any], selector: str) -> Any:
    """The item that a selector points to; None is a new one at the end."""
    inner = selector[1:-1]
    if re.fullmatch(r"[-+]?[0-9]{1,9}", inner):
        index = int(inner)
        return items[index] if 0 <= index < len(items) else None
    key, colon, value = inner.partition(":")
    if not colon:
        raise PatchError(f"has the selector {selector}: use a number or key:value")
    for item in items:
        if isinstance(item, dict) and item.get(key) == value:
            return item
    raise PatchError(f"finds nothing with {selector}: an item that is selected by its content must be there")
