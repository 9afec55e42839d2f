"""What kubectl does in a plan."""

from typing import ClassVar

from extcp_manifests.planning.step import Access, Argv, Command, Pipeline, Tool, piped
from extcp_manifests.records import Record


def kubectl(access: Access, *words: str) -> Argv:
    """Return a call of kubectl in a cluster."""
    return ("kubectl", *access.flags(), *words)


class Apply(Record):
    """Apply a file as it is."""

    tool: ClassVar[Tool] = "kubectl"

    def command(self, access: Access, file: str) -> Command:
        return piped(kubectl(access, "apply", "-f", file))

    def undo(self, access: Access, file: str) -> tuple[Command, ...]:
        return (piped(kubectl(access, "delete", "--ignore-not-found", "-f", file)),)


class ApplyBase(Record):
    """Apply a base of kustomize: all files of one stage in one cluster."""

    base: str
    is_first: bool
    """Whether the step is the first of its base, whose undo deletes all of it."""
    tool: ClassVar[Tool] = "kubectl"

    def command(self, access: Access, file: str) -> Command:  # noqa: ARG002
        return piped(kubectl(access, "apply", "-k", self.base))

    def undo(self, access: Access, file: str) -> tuple[Command, ...]:  # noqa: ARG002
        if not self.is_first:
            return ()
        return (piped(kubectl(access, "delete", "--ignore-not-found", "-k", self.base)),)


def build(base: str, file: str) -> Pipeline:
    """Return the call of kubectl that builds a base of kustomize into a file."""
    return Pipeline((("kubectl", "kustomize", base, "-o", file),))


def delete_objects(access: Access, namespace: str, objects: tuple[str, ...]) -> Command:
    """Return the command that deletes objects by their names, if they are there."""
    return piped(kubectl(access, "delete", "--ignore-not-found", "-n", namespace, *objects))
