"""The errors of this library.

    ExtcpError            whatever this library refuses
    |-- InvalidInput      an input is wrong; .problems has every problem found, .path the place of the first
    `-- OutputError       a folder cannot be written as asked; .path is the file or folder

No message holds a token or a key.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import UnionType

from extcp_manifests.text import kind_of, visible


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it is, and what to do about it.

    As text it is one line: `mesh.yaml:12: spec.remoteClusters[1].network: ...`.
    """

    path: str
    """The place in the data, such as `spec.remoteClusters[1].network`; empty for the whole."""
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

    def under(self, place: str) -> "Problem":
        """Return the same problem with its path below a place."""
        joint = "." if place and self.path and not self.path.startswith("[") else ""
        return replace(self, path=f"{place}{joint}{self.path}")

    def __str__(self) -> str:
        parts = (self.location, self.path, self.message)
        line = visible(": ".join(part for part in parts if part))
        return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


_LONGEST_LINE = 1000


class ExtcpError(Exception):
    """Base of every error that this library raises on purpose."""

    path: str


class InvalidInput(ExtcpError):
    """An input is wrong; the text has one line for each problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        self.path = self.problems[0].path
        super().__init__("\n".join(map(str, self.problems)))


def require(value: object, kinds: type[object] | UnionType, path: str, wanted: str) -> None:
    """Refuse an argument that is not of its kind, for callers without a type checker.

    Raises InvalidInput with the path, such as the argument's name; `wanted` says what is right, as in `must be text`.
    """
    if not isinstance(value, kinds):
        raise InvalidInput([Problem(path, f"must be {wanted}, not {kind_of(value)}")])


class OutputError(ExtcpError):
    """A folder cannot be written as asked, and is as it was unless the text says more; a line for each problem."""

    def __init__(self, path: str, message: str, *others: Problem) -> None:
        self.problems = (Problem(path, message), *others)
        self.path = path
        super().__init__("\n".join(map(str, self.problems)))
