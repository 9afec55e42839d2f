"""The errors of this library.

    ExtcpError            whatever this library refuses
    |-- InvalidInput      an input is wrong; .problems has every problem found, .path the place of the first
    `-- OutputError       a folder cannot be written as asked; .path is the file or folder

No message holds a token or a key.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands (`spec.remoteClusters[1].network`) and what to do about it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


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
