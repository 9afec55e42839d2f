"""What a plan consists of: steps with documents, commands and checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, overload

from extcp_manifests import yaml
from extcp_manifests.kubernetes import Model

Argv = tuple[str, ...]
"""One command, word by word."""

Pipeline = tuple[Argv, ...]
"""Commands of which each reads what the one before it writes; most often there is just one."""


class Builder(Protocol):
    """Frozen inputs from which a document can be built."""

    def build(self) -> Model: ...


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at after a step, and what should be seen."""

    command: Argv
    expect: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing to do in one cluster."""

    stage: str
    """The part of the whole that the step belongs to."""
    cluster: str
    why: str
    """One sentence."""
    command: Pipeline
    undo: tuple[Pipeline, ...] = ()
    """What takes the step back, in order."""
    path: str | None = None
    """The step's file, relative to the output folder, always with `/`; None where there is no file."""
    builders: tuple[Builder, ...] = ()
    """What builds the file's documents."""
    verify: tuple[Check, ...] = ()
    secret: bool = False
    """Whether the file holds a token."""

    @property
    def documents(self) -> tuple[Model, ...]:
        """The documents of the step's file, built anew each time."""
        return tuple(builder.build() for builder in self.builders)


class StepSequence(Sequence[Step]):
    """Steps that are made anew whenever they are come to; `__iter__` and `__reversed__` make them."""

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Step: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Step]: ...

    def __getitem__(self, index: int | slice) -> Step | Sequence[Step]:
        return list(self)[index]


def text_of(builders: tuple[Builder, ...]) -> bytes:
    """The text of a file with the documents of these builders."""
    return yaml.dump_all(builder.build().plain() for builder in builders).encode()
