"""From a topology to everything there is to do: ordered steps, their files, and the runbook."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import IO

from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.planning.folder import writing
from extcp_manifests.planning.kustomize import KustomizeTree
from extcp_manifests.planning.resolved import Resolved
from extcp_manifests.planning.runbook import RUNBOOK
from extcp_manifests.planning.stages import StageRun, reversed_runs_of, runs_of
from extcp_manifests.planning.step import Step, StepSequence, texts_made_once
from extcp_manifests.planning.templates import filled_entries, filled_runbook
from extcp_manifests.records import Record
from extcp_manifests.topology.credentials import ClusterCredentials, checked_credentials
from extcp_manifests.topology.model import Topology
from extcp_manifests.topology.part_check import part_problems

_MOST_ROWS = 200
"""How many steps notebooks show."""


def plan(topology: Topology, *, credentials: Mapping[str, ClusterCredentials] | None = None) -> "Plan":
    """Return everything there is to do for a topology, in order.

    With credentials, by the clusters' names, the Secrets for istiod become files; without, the plan has the istioctl
    commands that make them. Raises InvalidInput for credentials that do not match a cluster or the release, and
    for settings and overrides of parts that cannot be.
    """
    require(topology, Topology, ("topology",), "a Topology, as `load` gives it")
    api_servers = {cluster.name: cluster.api_server for cluster in topology.mesh_clusters}
    given, problems = checked_credentials(credentials or {}, api_servers=api_servers, release=topology.istio)
    del credentials  # where they are plain texts, no traceback that shows variables may show them
    if given and topology.secret_store is not None:
        problem = "have no use where Secrets are made of what a store has: leave them out, or leave secret_store out"
        problems.append(Problem(("credentials",), problem))
    problems += part_problems(topology, from_file=False)
    if problems:
        raise InvalidInput(problems)
    return Plan(topology=topology, credentials=given)


class Plan(Record, kw_only=True, hidden=("credentials",)):
    """The steps of an external control plane; documents are built when they are needed, and not kept."""

    topology: Topology
    credentials: Mapping[str, ClusterCredentials] = {}
    gateway_alone: bool = False
    """Whether there is nothing to do but to open the external cluster, for several control planes."""

    @cached_property
    def resolved(self) -> Resolved:
        """What all steps ask for, worked out once."""
        return Resolved.of(self.topology, self.credentials, gateway_alone=self.gateway_alone)

    @property
    def steps(self) -> "Steps":
        """The steps in their order."""
        return Steps(self.resolved)

    def _repr_html_(self) -> str:
        """Return the first steps as a table, which notebooks show."""
        from extcp_manifests.tables import html_table  # for notebooks alone

        rows = ((step.stage, step.cluster, step.path or "", str(step.command)) for step in self.steps)
        return html_table(("stage", "cluster", "file", "command"), islice(rows, _MOST_ROWS))

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield each file of documents, path and content, one at a time."""
        for entry in self._files():
            yield entry.path, b"".join(entry.pieces)

    def render(self) -> Mapping[str, bytes]:
        """Return all files of documents by their paths; the runbook is not among them."""
        return dict(self.files())

    def kustomize(self, *, overlays: Sequence[str] = ()) -> KustomizeTree:
        """Return the same files as bases for kustomize; with overlays, commands read those.

        Raises InvalidInput for names of overlays that are not DNS labels.
        """
        return KustomizeTree(self.resolved, tuple(overlays))

    def runbook(self) -> str:
        """Return the commands in order and the clean-up in reverse order, as Markdown."""
        return "".join(self.runbook_lines())

    def runbook_lines(self) -> Iterator[str]:
        """Yield the runbook, piece by piece."""
        return filled_runbook(self.resolved, StageRun.steps)

    def write(
        self, folder: str | os.PathLike[str], *, force: bool = False, on_file: Callable[[str], None] | None = None
    ) -> list[str]:
        """Write all files and the runbook into a folder, and return their paths.

        Files of an earlier run that are no longer part of the plan are removed; a file that was not written by this
        library is never touched, and one that was edited by hand, or a folder of another control plane, only with
        `force`. Files with tokens get mode 0600. `on_file` is called with each path. Raises OutputError, with the
        folder as it was before.
        """
        return writing.write(folder, self.entries(), owner=self._owner, force=force, on_file=on_file)

    def write_tar(self, stream: IO[bytes]) -> None:
        """Write all files and the runbook into a stream, as a tar archive with the same bytes on every machine."""
        from extcp_manifests.planning.folder.archive import write_tar  # loads tarfile

        write_tar(stream, self.entries())

    def changes(self, folder: str | os.PathLike[str]) -> Iterator[writing.FileChange]:
        """Yield what `write` would change in a folder; nothing is written. Raises OutputError."""
        return writing.changes(folder, self.entries(), owner=self._owner)

    @property
    def _owner(self) -> writing.Owner:
        return writing.owner_of(self.topology, "generate")

    def entries(self) -> Iterator[writing.Entry]:
        """Yield every file to write, the runbook at the end."""
        yield from self._files()
        yield writing.Entry(RUNBOOK, writing.Streamed(self.runbook_lines))

    def _files(self) -> Iterator[writing.Entry]:
        text_of = texts_made_once(512)

        def files_of(run: StageRun) -> Iterator[writing.Entry]:
            for step in run.steps():
                if step.path is not None:
                    yield writing.Entry(step.path, (text_of(step.builders),), secret=step.secret)

        return filled_entries(runs_of(self.resolved), files_of)


class Steps(StepSequence):
    """The steps of a plan; each is made anew in every iteration, so that thousands of clusters need little memory."""

    def __init__(self, resolved: Resolved) -> None:
        self._resolved = resolved

    def __iter__(self) -> Iterator[Step]:
        for run in runs_of(self._resolved):
            yield from run.steps()

    def __reversed__(self) -> Iterator[Step]:
        for run in reversed_runs_of(self._resolved):
            yield from reversed(list(run.steps()))
