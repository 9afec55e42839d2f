"""Clusters of one shape: what differs between them by plain names alone is made once, and filled in for each.

Most clusters of a large mesh differ by name, network and context only. What is made of the steps of one stage, or of
all of them, is made for a stand-in whose names are marks, and the names of each cluster of the shape take the place of
the marks. That is right for names that nothing on the way changes, quotes or shortens; `planning.shapes` decides which
names those are. For other clusters, and for the config cluster, everything is made as always.

A shape is trusted only after a trial: what was made for a stand-in with short names, filled with long ones, must be
what is made for a stand-in with these long names.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from extcp_manifests.planning.folder.writing import Entry
from extcp_manifests.planning.resolved import RemoteTarget, Resolved, Target
from extcp_manifests.planning.runbook import StageText, runbook, step_text, undo_text
from extcp_manifests.planning.shapes import STAND_INS
from extcp_manifests.planning.stages import ClusterStages, StageRun, reversed_runs_of, runs_of
from extcp_manifests.planning.step import Step
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import MeshCluster

Texts = tuple[bytes, ...]
"""Texts that belong together, such as the path and the content of a file."""

_Names = tuple[bytes, bytes, bytes]
"""The name, the network and the context of a cluster."""


_Work = TypeVar("_Work", StageRun, ClusterStages)
"""What something is made of: one stage of a cluster, or all of them."""

_MANY = 2
"""The cluster of a shape for which templates are made; they take as long as some clusters, and often there is one."""

LONGEST_NAME = 63
"""The greatest length of a plain name."""


class Templates(Generic[_Work]):
    """What is made of the steps of each cluster, made once for clusters of one shape."""

    def __init__(
        self,
        make: Callable[[_Work], Sequence[Texts]],
        *,
        longest_name: int = LONGEST_NAME,
        unlike: str | None = None,
        of_one_stage: bool = True,
    ) -> None:
        """Clusters with a name above `longest_name`, and the one named `unlike`, get what their own steps give.

        `of_one_stage`: whether what is made of a stage depends on its own steps alone, and not on other stages.
        """
        self._make: Callable[[_Work], Sequence[Texts]] = make
        self._longest_name = longest_name
        self._unlike = unlike
        self._of_one_stage = of_one_stage
        self._templates: dict[tuple[int, ...], Sequence[_Template] | None] = {}
        self._met: dict[tuple[int, ...], int] = {}

    def texts(self, work: _Work) -> Sequence[Texts]:
        """Return what is made for a cluster."""
        filled = self.filled(work)
        return self._make(work) if filled is None else filled

    def filled(self, work: _Work) -> Sequence[Texts] | None:
        """Return what is made for a cluster, or None where it must be made of its own steps."""
        remote = work.remote
        name = remote.cluster.name
        shape = work.shape if self._of_one_stage else work.whole_shape
        if shape is None or len(name) > self._longest_name or name == self._unlike:
            return None
        if shape not in self._templates:
            met = self._met[shape] = self._met.get(shape, 0) + 1
            if met < _MANY:
                return None
            self._templates[shape] = self._new_templates(work)
        templates = self._templates[shape]
        if templates is None:
            return None
        names = (name.encode(), remote.cluster.network.encode(), remote.target.access.context.encode())
        return [template.filled(names) for template in templates]

    def _new_templates(self, work: _Work) -> "Sequence[_Template] | None":
        longest = _longest_names(self._longest_name)
        made = self._make(work.with_(remote=_stand_in(work.remote.cluster, _SHORT)))
        trial = self._make(work.with_(remote=_stand_in(work.remote.cluster, longest)))
        templates = [_Template.of(texts) for texts in made]
        is_right = [template.filled(longest) for template in templates] == list(trial)
        return templates if is_right else None


def filled_entries(
    works: Iterable[_Work],
    entries_of: Callable[[_Work], Iterable[Entry]],
    *,
    keep: bool = False,
    longest_name: int = LONGEST_NAME,
    unlike: str | None = None,
    of_one_stage: bool = True,
) -> Iterator[Entry]:
    """Yield the files of all clusters; `keep` is that of every entry. Those that are filled in have no tokens."""

    def paths_and_contents(work: _Work) -> Sequence[Texts]:
        return [(entry.path.encode(), b"".join(entry.pieces)) for entry in entries_of(work)]

    templates = Templates(paths_and_contents, longest_name=longest_name, unlike=unlike, of_one_stage=of_one_stage)
    for work in works:
        texts = templates.filled(work)
        if texts is None:
            yield from entries_of(work)
            continue
        for path, content in texts:
            yield Entry(path.decode(), (content,), keep=keep)


def filled_runbook(resolved: Resolved, steps_of: Callable[[StageRun], Iterable[Step]]) -> Iterator[str]:
    """Yield the runbook of the steps of all stages, piece by piece."""
    return runbook(resolved, _stages(resolved, steps_of), _clean_up(resolved, steps_of))


def _stages(resolved: Resolved, steps_of: Callable[[StageRun], Iterable[Step]]) -> Iterator[StageText]:
    def texts(run: StageRun) -> Sequence[Texts]:
        return [(step_text(step).encode(),) for step in steps_of(run)]

    templates = Templates(texts)
    for run in runs_of(resolved):
        for (text,) in templates.texts(run):
            yield StageText(run.title, text.decode())


def _clean_up(resolved: Resolved, steps_of: Callable[[StageRun], Iterable[Step]]) -> Iterator[str]:
    def texts(run: StageRun) -> Sequence[Texts]:
        return [(undo_text(step).encode(),) for step in steps_of(run)]

    templates = Templates(texts)
    for run in reversed_runs_of(resolved):
        for (text,) in reversed(templates.texts(run)):
            yield text.decode()


def _stand_in(cluster: MeshCluster, names: _Names) -> RemoteTarget:
    name, network, context = (each.decode() for each in names)
    stand_in = cluster.with_(name=name, network=network, context=context)
    return RemoteTarget(stand_in, Target.of(stand_in))


# Names that begin alike, so that one look tells whether a cluster's own name has one of them in it; none of those of a
# stand-in is a part of another.
_SHORT: _Names = (f"{STAND_INS}0n".encode(), f"{STAND_INS}0w".encode(), f"{STAND_INS}0c".encode())


def _longest_names(longest_name: int) -> _Names:
    """Return names of the greatest lengths that plain ones have."""
    name, network, context = (f"{STAND_INS}1{letter}".encode() for letter in "nwc")
    return name.ljust(longest_name, b"n"), network.ljust(63, b"w"), context.ljust(200, b"c")


class _Template(Record):
    """Texts with the marks of the short stand-in in them."""

    texts: Texts
    marks: tuple[tuple[int, int], ...]
    """The number of each text that has a mark, with the number of the mark."""

    @classmethod
    def of(cls, texts: Texts) -> "_Template":
        marks = [
            (number, mark) for number, text in enumerate(texts) for mark, each in enumerate(_SHORT) if each in text
        ]
        return cls(texts, tuple(marks))

    def filled(self, names: _Names) -> Texts:
        texts = list(self.texts)
        for number, mark in self.marks:
            texts[number] = texts[number].replace(_SHORT[mark], names[mark])
        return tuple(texts)
