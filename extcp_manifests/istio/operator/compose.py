"""Composing IstioOperators: files and `--set` flags of one istioctl call, merged as its release does.

Source: istio 1.24.6 to 1.30.3: operator/pkg/render/manifest.go, operator/pkg/values/map.go, of which 1.30.3 was run;
1.15.7 to 1.23.6: operator/pkg/manifest/shared.go, operator/pkg/util/merge_iop.go, confirmed on a part of its struct.
Profiles are not part of this: the result is what the user says, before istioctl lays it over a profile.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.dropped import (
    MISSING,
    Change,
    Dropped,
    Loss,
    identity,
    losses,
    losses_of_change,
    value_at,
)
from extcp_manifests.documents.istio_operator import IstioOperator
from extcp_manifests.documents.lookup import at, copied, mapping_of
from extcp_manifests.documents.paths import before_lists, leaves
from extcp_manifests.errors import InvalidInput, Path, Problem, path_text
from extcp_manifests.istio.operator.merging import (
    NamelessItem,
    find_by_name,
    overlay_onto,
    strategic_merge_onto,
    touched,
)
from extcp_manifests.istio.operator.set_flags import FlagWriter, checked_flags, split_flag
from extcp_manifests.istio.operator.tree_paths import PatchError, split_path
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.records import Record

Input = IstioOperator | Mapping[str, Any] | str | bytes
"""An IstioOperator: typed, plain, or the YAML text of one document."""


class Composition(Record):
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
            return IstioOperator.from_plain({"metadata": {}, "spec": {}, **known})
        except InvalidInput as error:
            raise InvalidInput(map(self.located, error.problems)) from None

    def located(self, problem: Problem) -> Problem:
        """Return a problem of the whole with the last file that says something at its place, and the line there."""
        origin = self._origins.get(problem.path)
        is_of_a_flag = origin is not None and all(source.name != origin for source in self._sources)
        if is_of_a_flag:
            return problem
        keys = before_lists(problem.place)  # items may have another place in the file
        for source in reversed(self._sources):
            if keys and keys[-1] in mapping_of(at(source.tree, *keys[:-1])):
                return problem.with_(file=source.name, line=source.line(problem.place))
        return problem

    def origin(self, path: str) -> str:
        """Return who set the value of a leaf last, by its path: a file, or `set[0]`.

        Raises KeyError where there is no leaf.
        """
        return self._origins[path]

    def origins(self) -> Iterator[tuple[str, Any, str]]:
        """Yield each leaf of the IstioOperator with its path and who set it."""
        for path, value in leaves(self.plain):
            text = path_text(path)
            yield text, value, self._origins[text]


def compose_files(
    *files: Input,
    names: Sequence[str] = (),
    set: Iterable[str] = (),  # noqa: A002
    release: Release | str,
) -> Composition:
    """Compose files and `--set` flags as one call of istioctl does, and note what becomes of each value.

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
    """Return what files and `--set` flags come to as plain data, explicit nulls included."""
    return compose_files(base, *overlays, names=names, set=set, release=release).plain


# --------------------------------------------------------------------------------------------------------------- files


class _Source(Record):
    """A file, as it was read."""

    name: str
    tree: Mapping[str, Any]
    text: str | bytes | None

    def line(self, path: Path) -> int | None:
        """Return the line at which a path begins, where the file is a text."""
        return None if self._lines is None else self._lines.line(path)

    @cached_property
    def _lines(self) -> yaml.Lines | None:
        return None if self.text is None else yaml.Lines(self.text)


def _read_all(
    files: Sequence[Input], names: Sequence[str], flags: Sequence[str], release: Release
) -> Sequence[_Source]:
    """Read every file. Raises InvalidInput with all problems of files, and of flags that are wrong by themselves."""
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
            raise InvalidInput([Problem((), "must be a mapping with `kind: IstioOperator`")])
        yaml.require_plain(data)
    except InvalidInput as error:
        raise InvalidInput(each.with_(file=name) for each in error.problems) from None
    return _Source(name, data, text)


def _flag_problem(index: int, flag: str, error: PatchError) -> Problem:
    return Problem(("set", index), f"{flag!r} {error}")


def _flag_name(index: int) -> str:
    return f"set[{index}]"


class _Mentions:
    """Which files say something at a place, and at the places below, by the files' numbers."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._with_a_value: list[int] = []
        self._below: dict[str, _Mentions] = {}

    def add(self, number: int, value: Any) -> None:
        """Take what a file has at the place."""
        self._numbers.append(number)
        if value is not None:
            self._with_a_value.append(number)
        for key, item in mapping_of(value).items():
            self._below.setdefault(key, _Mentions()).add(number, item)

    def taken(self, loss: Loss) -> Sequence[int]:
        """Return the files that had what was lost, of a list the last one; they have it no more."""
        node = self
        for key in loss.path:
            node = node._below.get(str(key), _Mentions())
        if loss.kind == "list":
            return node._with_a_value[-1:]
        taken = (node._below.pop(item, _Mentions())._numbers for item in loss.items)
        return sorted({number for numbers in taken for number in numbers})


class _Run:
    """Merges files and flags into one tree, and notes who set what and what was lost."""

    def __init__(self, sources: Sequence[_Source], release: Release) -> None:
        self._sources = sources
        self._release = release
        # The first file is taken as it is, so that up to 1.23 its nulls still delete what the profile says.
        self.tree: dict[str, Any] = {"apiVersion": "install.istio.io/v1alpha1", **copied(sources[0].tree)}
        self.dropped: list[Dropped] = []
        self._mentions = _Mentions()
        self.origins: dict[str, str] = {}

    def merge_files(self) -> None:
        """Merge every file into the first one."""
        strategic = not self._release.merges_plain_trees
        merge_onto = strategic_merge_onto if strategic else overlay_onto
        self._mentions.add(0, self._sources[0].tree)
        for index, source in enumerate(self._sources[1:], start=1):
            if strategic:
                find_by_name(self.tree)
            before = touched(self.tree, source.tree)
            try:
                merge_onto(self.tree, source.tree)
            except NamelessItem as error:
                raise InvalidInput([self._placed(error, index)]) from None
            after = touched(self.tree, source.tree)
            for loss in losses(before, after, source.tree):
                path = loss.path
                holders = tuple(self._sources[number].name for number in self._mentions.taken(loss)) or (
                    self._sources[0].name,
                )
                self.dropped.append(Dropped(path, loss.kind, loss.items, source.name, holders, source.line(path)))
            self._mentions.add(index, source.tree)
        self.tree = copied(self.tree)
        parts = [_Part(source.name, source.tree) for source in self._sources]
        self.origins = {path_text(path): file for path, file in _leaf_origins(self.tree, parts)}

    def assign(self, flags: Sequence[str]) -> None:
        """Write the values of flags into the tree."""
        problems: list[Problem] = []
        writer = FlagWriter(self.tree, self._release)
        for index, flag in enumerate(flags):
            try:
                changes = writer.write(flag)
            except PatchError as error:
                problems.append(_flag_problem(index, flag, error))
                continue
            name = _flag_name(index)
            for change in _topmost(changes):
                for loss in losses_of_change(self.tree, change):
                    self.dropped.append(Dropped(loss.path, loss.kind, loss.items, name, self._setters(loss, change)))
                self._note_origins(change, name)
            own = path_text(tuple(split_path(f"spec.{split_flag(flag, self._release)[0]}")))
            if own in self.origins:
                self.origins[own] = name  # also where the value was the same
        if problems:
            raise InvalidInput(problems)

    def _note_origins(self, change: Change, name: str) -> None:
        """Note that a flag set what is new or different."""
        before = _leaves_by_path(change.place, change.before)
        after = _leaves_by_path(change.place, value_at(self.tree, change.place))
        parent = change.place[:-1]
        if change.before is MISSING:
            self.origins.pop(path_text(parent), None)  # it was empty, and so a leaf itself
        elif not after and not at(self.tree, *parent):
            self.origins[path_text(parent)] = name
        for path in before.keys() - after.keys():
            del self.origins[path]
        for path, value in after.items():
            if path not in before or before[path] != value:
                self.origins[path] = name

    def _setters(self, loss: Loss, change: Change) -> tuple[str, ...]:
        """Return the files and flags that had set what a change took away."""
        lost = at(change.before, *loss.path[len(change.place) :])
        setters = dict.fromkeys(self.origins[path_text(path)] for path, _ in leaves(lost, loss.path))
        named = tuple(name for name in setters if name != _MERGING)
        return named or (self._last_with(loss.path, len(self._sources)).name,)

    def _last_with(self, path: Path, index: int) -> _Source:
        """Return the last of the files before one that says something at a path."""
        for source in reversed(self._sources[:index]):
            if at(source.tree, *path) is not None:
                return source
        return self._sources[0]

    def _placed(self, error: "NamelessItem", index: int) -> Problem:
        """Return the problem of an item with the file that has it."""
        problem = error.problems[0]
        source = self._last_with(error.list_path, index) if error.in_base else self._sources[index]
        return problem.with_(file=source.name, line=source.line(problem.place))


def _topmost(changes: Iterable[Change]) -> list[Change]:
    """Return changes without those of what an earlier one has made."""
    kept: list[Change] = []
    for change in changes:
        is_below = any(change.place[: len(other.place)] == other.place for other in kept)
        if not is_below:
            kept.append(change)
    return kept


def _leaves_by_path(place: Path, value: Any) -> dict[str, Any]:
    """Return the leaves of the value at a place by their paths as text."""
    if value is MISSING:
        return {}
    return {path_text(path): leaf for path, leaf in leaves(value, place)}


class _Part(Record):
    """What a file has at some place."""

    file: str
    value: Any


def _leaf_origins(value: Any, parts: Sequence[_Part], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield each leaf's path and the last file that has its value there; items of lists are found by their names."""
    if isinstance(value, Mapping) and value:
        below = _below(parts)
        for key, item in value.items():
            yield from _leaf_origins(item, below.get(key, ()), (*path, key))
    elif isinstance(value, list | tuple) and value:
        below = _below(_by_identity(part) for part in parts if isinstance(part.value, list | tuple))
        for index, item in enumerate(value):
            yield from _leaf_origins(item, below.get(identity(item), ()), (*path, index))
    else:
        yield path, _last_file_with(value, parts)


def _below(parts: Iterable[_Part]) -> Mapping[Hashable, Sequence[_Part]]:
    """Return for each key what parts have there, in the order of the parts."""
    below: dict[Hashable, list[_Part]] = {}
    for part in parts:
        for key, item in mapping_of(part.value).items():
            below.setdefault(key, []).append(_Part(part.file, item))
    return below


def _by_identity(part: _Part) -> _Part:
    """Return a list as a mapping of its items by what they are known by."""
    return _Part(part.file, {identity(item): item for item in part.value})


def _last_file_with(value: Any, parts: Sequence[_Part]) -> str:
    for part in reversed(parts):
        if part.value == value and type(part.value) is type(value):
            return part.file
    return _MERGING


_MERGING = "istioctl"
"""Who set a leaf that no file has as it is."""
