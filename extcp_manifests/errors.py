"""The errors of this library.

    ExtcpError            whatever this library refuses
    |-- InvalidInput      an input is wrong; .problems has every problem found, .path the place of the first
    `-- OutputError       a folder cannot be written as asked; .path is the file or folder

No message holds a token or a key.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from extcp_manifests.text import UNPRINTABLE


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands (`spec.remoteClusters[1].network`) and what to do about it."""

    path: str
    message: str

    def __str__(self) -> str:
        line = f"{self.path}: {self.message}" if self.path else self.message
        line = UNPRINTABLE.sub(lambda character: repr(character[0])[1:-1], line)
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


class OutputError(ExtcpError):
    """A folder cannot be written as asked; nothing in it was changed."""

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        super().__init__(f"{path}: {message}")
