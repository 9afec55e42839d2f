"""The errors of this library, and the problems that they carry.

    ExtcpError            whatever this library refuses
    |-- InvalidInput      an input is wrong; .problems has every problem found, .path the place of the first
    `-- OutputError       a folder cannot be written as asked; .path is the file or folder

A problem knows its place as keys and indices and becomes text only where it is printed, so that whoever looked at a
part of a document can put the problem under the place of that part. No message holds a token or a key.
"""

import json
from collections.abc import Iterable, Mapping
from types import UnionType

from extcp_manifests.patterns import pattern
from extcp_manifests.records import Record

Path = tuple[str | int, ...]
"""A place in plain data: the keys of mappings and the indices of lists that lead there."""


class Problem(Record):
    """One thing that is wrong: where it is, and what to do about it.

    As text it is one line: `mesh.yaml:12: spec.remoteClusters[1].network: ...`.
    """

    place: Path
    """The place in the data, such as `("spec", "remoteClusters", 1, "network")`; empty for the whole."""
    message: str
    file: str = ""
    """What was read, as the reader named it; empty for data, and for a text without a name."""
    line: int | None = None
    """The line in that text, from 1, where it is known."""

    @property
    def location(self) -> str:
        """File and line: `mesh.yaml:12`, `mesh.yaml`, `line 12`, or nothing."""
        if self.line is None:
            return self.file
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"

    @property
    def path(self) -> str:
        """The place as text: `spec.remoteClusters[1].network`."""
        return path_text(self.place)

    def under(self, *place: str | int) -> "Problem":
        """Return the same problem with its place below another one."""
        return self.with_(place=(*place, *self.place))

    def __str__(self) -> str:
        parts = (self.location, self.path, self.message)
        line = visible(": ".join(part for part in parts if part))
        return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


_LONGEST_LINE = 1000


def path_text(path: Path) -> str:
    """Return a place as text: `defaultConfig.proxyMetadata["a.b"]`, `extensionProviders[0].name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _SIMPLE_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


_SIMPLE_KEY = pattern(r'[^.\["\]]+')


# -------------------------------------------------------------------------------------------------------------- errors


class ExtcpError(Exception):
    """Base of every error that this library raises on purpose."""

    path: str
    """Where it is wrong: a place in an input, such as `spec.address`, or a file; empty for an input as a whole."""


class InvalidInput(ExtcpError):
    """An input is wrong.

    `problems` has everything that was found, at least one problem; the text has a line for each. `path` is the place of
    the first.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        self.path = self.problems[0].path
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the problems, of which the text is made, so that errors cross processes."""
        return type(self), (self.problems,)


class OutputError(ExtcpError):
    """A file or a folder cannot be written as asked.

    It is as it was before, unless the text says more. `path` is the file or folder; `problems` begins with what is
    wrong there, and the text has a line for each problem.
    """

    def __init__(self, path: str, message: str, *others: Problem) -> None:
        self.problems = (Problem((), message, path), *others)
        self.path = path
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle what the text is made of."""
        first, *others = self.problems
        return type(self), (self.path, first.message, *others)


def require(value: object, kinds: type[object] | UnionType, place: Path, wanted: str) -> None:
    """Refuse an argument of another type, for callers without a type checker.

    Raises InvalidInput with the place, such as the argument's name; `wanted` says what is right, as in `must be text`.
    """
    if not isinstance(value, kinds):
        raise InvalidInput([Problem(place, f"must be {wanted}, not {kind_of(value)}")])


# ---------------------------------------------------------------------------------------------------------------- text


def visible(text: str) -> str:
    """Return the text in one line, with every character that a reader would not see written as an escape.

    These are line breaks, control characters, surrogates, and Unicode's format characters (category Cf), which change
    the direction of text or have no width. All that is printed for people goes through here, so that no name can forge
    a line, a command of a build server or an escape sequence of a terminal.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    # What Python calls unprintable: categories Cc, Cf, Cs, Co, Cn, Zl, Zp, and Zs but for the blank itself.
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def kind_of(value: object) -> str:
    """Return what a value is, in words for people and without the value itself: `a number`."""
    match value:
        case None:
            return "empty"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def nearest(text: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known text that is most like another one, or None where none is; the cutoff is that of difflib."""
    names = list(known)
    if not text or not names:
        return None
    from difflib import get_close_matches  # takes longer to load than all errors

    return next(iter(get_close_matches(text, names, n=1, cutoff=cutoff)), None)


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the sentence for a key that is not known, with the one that was most likely meant."""
    names = list(known)
    if meant := nearest(key, names, cutoff=0.5):
        return f"unknown key: did you mean {meant!r}?"
    return f"unknown key: known are {', '.join(names)}" if names else "unknown key: it has no keys of its own here"


def why_not_text(text: str) -> str | None:
    """Return why no file in UTF-8 can hold the text, or None."""
    if not text.isascii() and _SURROGATE.search(text):
        return "is not valid text, since it has half of a surrogate pair: correct it"
    return None


_SURROGATE = pattern("[\ud800-\udfff]")
