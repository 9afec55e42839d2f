"""What a plan consists of: steps with documents, commands and checks."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, Literal, Protocol, overload

from extcp_manifests import yaml
from extcp_manifests.builders.overrides import WithOverrides
from extcp_manifests.documents.model import Model
from extcp_manifests.records import Record

Argv = tuple[str, ...]
"""One program with its arguments, word by word."""


Tool = Literal["kubectl", "istioctl", "helm"]

FileKind = Literal["applied", "install", "values"]
"""What a file is for: kubectl applies it as it is, istioctl installs it, or it has the values of a chart."""

Part = Literal[
    "shared gateway", "config cluster", "external istiod", "remote cluster", "cni", "gateway", "east-west gateway"
]
"""A part of the installation, which a tool installs and removes as a whole."""


class Pipeline(Record):
    """Programs of which each reads what the one before it writes; most often there is just one."""

    programs: tuple[Argv, ...]
    into: str | None = None
    """The file that gets what the last one writes; None for the terminal."""

    def __str__(self) -> str:
        text = " |\n  ".join(map(shlex.join, self.programs))
        return text if self.into is None else f"{text} > {shlex.quote(self.into)}"


class Command(Record):
    """What is pasted into a shell at once: pipelines in order, each run only where the one before it succeeded."""

    pipelines: tuple[Pipeline, ...]

    def __str__(self) -> str:
        """Return the text for a shell, with every word quoted that needs it."""
        return " &&\n".join(map(str, self.pipelines))

    @property
    def programs(self) -> tuple[Argv, ...]:
        """All programs, in order."""
        return tuple(program for pipeline in self.pipelines for program in pipeline.programs)


def piped(*programs: Argv) -> Command:
    """Return the command of one pipeline."""
    return Command((Pipeline(programs),))


class Builder(Protocol):
    """Frozen inputs from which a document can be built."""

    def build(self) -> Model: ...


class Access(Record):
    """How commands reach a cluster's API server."""

    context: str
    """The context in the kubeconfig."""
    kubeconfig: str | None = None
    """The file that has the context; None for the one that the tools find by themselves."""

    def flags(self, context: str = "--context") -> Argv:
        """Return the flags of a tool; Helm calls a context in another way."""
        flags = (f"{context}={self.context}",)
        return flags if self.kubeconfig is None else (f"--kubeconfig={self.kubeconfig}", *flags)


class Action(Protocol):
    """What is done in a cluster, most often with a file, and how it is undone."""

    tool: ClassVar[Tool]
    """The program that reads the file."""

    def command(self, access: Access, file: str) -> Command:
        """Return the command for a cluster and a file."""
        ...

    def undo(self, access: Access, file: str) -> tuple[Command, ...]:
        """Return the commands that remove exactly what that command made, in order."""
        ...


class Check(Record):
    """A command to run after a step, and what it should show."""

    command: Command
    expect: str


class Step(Record, kw_only=True):
    """One thing to do in one cluster."""

    stage: str
    """The stage of the guide that the step belongs to."""
    cluster: str
    access: Access
    """How commands reach the cluster."""
    folder: str
    """The folder of the cluster's files in the output."""
    why: str
    """One sentence."""
    action: Action
    part: Part | None = None
    """The part of the installation that the step sets up; None for documents that are only applied."""
    path: str | None = None
    """The step's file, relative to the output folder, always with `/`; None where there is no file."""
    builders: tuple[Builder, ...] = ()
    """What builds the file's documents."""
    verify: tuple[Check, ...] = ()
    secret: bool = False
    """Whether the file holds a token."""
    stands_alone: bool = False
    """Whether a kustomize tree has the file by itself, since each further cluster has one in the same cluster."""

    @property
    def context(self) -> str:
        """The cluster's context in the kubeconfig."""
        return self.access.context

    @property
    def tool(self) -> Tool:
        """The program that reads the step's file."""
        return self.action.tool

    @property
    def file_kind(self) -> FileKind:
        """What the step's file is for."""
        return _FILE_KINDS[self.tool]

    @property
    def command(self) -> Command:
        """What is run in the output folder."""
        return self.action.command(self.access, self.path or "")

    @property
    def undo(self) -> tuple[Command, ...]:
        """The commands that undo the step, in order."""
        return self.action.undo(self.access, self.path or "")

    @property
    def documents(self) -> tuple[Model, ...]:
        """The documents of the step's file, built anew each time."""
        return tuple(builder.build() for builder in self.builders)


_FILE_KINDS: Mapping[Tool, FileKind] = {"kubectl": "applied", "istioctl": "install", "helm": "values"}


class StepSequence(Sequence[Step]):
    """Steps that are made anew in every iteration; subclasses define `__iter__` and `__reversed__`."""

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Step: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Step]: ...

    def __getitem__(self, index: int | slice) -> Step | Sequence[Step]:
        return list(self)[index]


def text_of(builders: tuple[Builder, ...]) -> bytes:
    """Return the text of a file with the documents of these builders."""
    return yaml.dump_all(builder.build() for builder in builders).encode()


def texts_made_once(most: int) -> Callable[[tuple[Builder, ...]], bytes]:
    """Return `text_of` that remembers up to so many texts, since many clusters have the same files.

    Texts with overrides are made each time: equal ones may differ there, as those of 1 and True.
    """
    remembered = lru_cache(maxsize=most)(text_of)

    def text(builders: tuple[Builder, ...]) -> bytes:
        has_overrides = any(isinstance(builder, WithOverrides) and builder.overrides for builder in builders)
        return text_of(builders) if has_overrides else remembered(builders)

    return text
