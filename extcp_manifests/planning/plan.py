"""From a topology to everything there is to do: ordered steps, their files, and the runbook."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from extcp_manifests.errors import InvalidInput, require
from extcp_manifests.planning.folder import writing
from extcp_manifests.planning.kustomize import KustomizeTree
from extcp_manifests.planning.resolved import Resolved
from extcp_manifests.planning.runbook import RUNBOOK, runbook
from extcp_manifests.planning.stages import reversed_steps_of, steps_of
from extcp_manifests.planning.step import Step, StepSequence, text_of
from extcp_manifests.topology.credentials import ClusterCredentials, checked_credentials
from extcp_manifests.topology.model import Topology


def plan(topology: Topology, *, credentials: Mapping[str, ClusterCredentials] | None = None) -> "Plan":
    """Everything there is to do for a topology, in order.

    With credentials, by the clusters' names, the Secrets for istiod become files; without, the plan has the istioctl
    commands that make them. Raises InvalidInput for credentials that fit no cluster or not the release.
    """
    require(topology, Topology, ("topology",), "a Topology, as `load` gives it")
    api_servers = {cluster.name: cluster.api_server for cluster in topology.mesh_clusters}
    given, problems = checked_credentials(credentials or {}, api_servers=api_servers, release=topology.istio)
    del credentials  # where they are plain texts, no traceback that shows variables may show them
    if problems:
        raise InvalidInput(problems)
    return Plan(topology=topology, credentials=given)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The steps of an external control plane; documents are built when they are asked for, and not kept."""

    topology: Topology
    credentials: Mapping[str, ClusterCredentials] = field(default_factory=dict, repr=False)
    resolved: Resolved = field(init=False, repr=False, compare=False)
    """What all steps ask for, worked out once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "resolved", Resolved.of(self.topology, self.credentials))

    @property
    def steps(self) -> "Steps":
        """The steps in their order."""
        return Steps(self.resolved)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Each file of documents, path and content, one at a time."""
        for path, text, _ in self._texts():
            yield path, text

    def render(self) -> Mapping[str, bytes]:
        """All files of documents by their paths; the runbook is not among them."""
        return dict(self.files())

    def kustomize(self, *, overlays: Sequence[str] = ()) -> KustomizeTree:
        """The same files as bases for kustomize; with overlays, commands read those. Raises InvalidInput for names."""
        return KustomizeTree(self.resolved, self.steps, tuple(overlays))

    def runbook(self) -> str:
        """The commands in order and the clean-up in reverse order, as Markdown."""
        return "".join(self.runbook_lines())

    def runbook_lines(self) -> Iterator[str]:
        """The runbook, piece by piece."""
        return runbook(self.resolved, self.steps)

    def write(
        self, folder: str | os.PathLike[str], *, force: bool = False, on_file: Callable[[str], None] | None = None
    ) -> list[str]:
        """Write all files and the runbook into a folder, and return their paths.

        Files of an earlier run that no longer belong are removed; a file that was not written by this library is never
        touched, and one that was edited by hand, or a folder of another control plane, only with `force`. Files with
        tokens get mode 0600. `on_file` is told each path. Raises OutputError, with the folder as it was before.
        """
        return writing.write(folder, self._entries(), owner=self._owner, force=force, on_file=on_file)

    def changes(self, folder: str | os.PathLike[str]) -> Iterator[writing.FileChange]:
        """Yield what `write` would change in a folder; nothing is written. Raises OutputError."""
        return writing.changes(folder, self._entries(), owner=self._owner)

    @property
    def _owner(self) -> writing.Owner:
        return writing.owner_of(self.topology, "generate")

    def _entries(self) -> Iterator[writing.Entry]:
        for path, text, secret in self._texts():
            yield writing.Entry(path, (text,), secret=secret)
        yield writing.Entry(RUNBOOK, (piece.encode() for piece in self.runbook_lines()))

    def _texts(self) -> Iterator[tuple[str, bytes, bool]]:
        """Each file's path, its content and whether it holds a token."""
        once = lru_cache(maxsize=64)(text_of)  # many clusters have the same files
        for step in self.steps:
            if step.path is not None:
                yield step.path, once(step.builders), step.secret


class Steps(StepSequence):
    """The steps of a plan; each is made anew whenever it is come to, so that thousands of clusters need no memory."""

    def __init__(self, resolved: Resolved) -> None:
        self._resolved = resolved

    def __iter__(self) -> Iterator[Step]:
        return steps_of(self._resolved)

    def __reversed__(self) -> Iterator[Step]:
        return reversed_steps_of(self._resolved)
