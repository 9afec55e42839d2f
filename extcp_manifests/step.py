"""What a plan consists of: steps with documents, commands and checks."""

from dataclasses import dataclass
from typing import Protocol

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


def text_of(builders: tuple[Builder, ...]) -> bytes:
    """The text of a file with the documents of these builders."""
    return yaml.dump_all(builder.build().plain() for builder in builders).encode()
