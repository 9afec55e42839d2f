"""Clusters of one shape: what differs between them by plain names alone is made once, and filled in for each.

Most clusters of a large mesh differ by name, network and context only. What is made of the steps of a stage is made for
a stand-in whose names are marks, and the names of each cluster of the shape take the place of the marks. That is right
for names that nothing on the way changes, quotes or shortens; `_plain_names` decides which names those are. For other
clusters, for the config cluster, and for those with credentials or with an address of their API server, everything is
made as always.

A shape is trusted only after a trial: what was made for a stand-in with short names, filled with long ones, must be
what is made for a stand-in with these long names.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from extcp_manifests import yaml
from extcp_manifests.planning.resolved import RemoteTarget, Resolved, Target
from extcp_manifests.planning.stages import StageRun
from extcp_manifests.planning.step import Step
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import MeshCluster

Texts = tuple[bytes, ...]
"""Texts that belong together, such as the path and the content of a file."""

_Names = tuple[bytes, bytes, bytes]
"""The name, the network and the context of a cluster."""


class Templates:
    """What is made of the steps of each cluster in each stage, made once for clusters of one shape."""

    def __init__(self, resolved: Resolved, make: Callable[[Iterable[Step]], Sequence[Texts]]) -> None:
        self._credentials = resolved.credentials
        self._config_cluster = resolved.remotes[0]
        self._make = make
        self._templates: dict[tuple[object, ...], Sequence[_Template] | None] = {}

    def texts(self, run: StageRun) -> Sequence[Texts] | None:
        """Return what is made of a stage's steps for one cluster, or None where it must be made of its own steps."""
        cluster = run.remote.cluster
        if run.remote is self._config_cluster:
            return None
        if cluster.api_server is not None or cluster.kubeconfig is not None or cluster.overrides:
            return None
        if cluster.name in self._credentials:
            return None
        names = _plain_names(run.remote)
        if names is None:
            return None
        shape = (run.number, cluster.gateways, cluster.sample)
        try:
            templates = self._templates[shape]
        except KeyError:
            templates = self._templates[shape] = self._new_templates(run)
        if templates is None:
            return None
        return [template.filled(names) for template in templates]

    def _new_templates(self, run: StageRun) -> "Sequence[_Template] | None":
        made = self._make(run.with_(remote=_stand_in(run.remote.cluster, _SHORT)).steps())
        trial = self._make(run.with_(remote=_stand_in(run.remote.cluster, _LONG)).steps())
        templates = [_Template.of(texts) for texts in made]
        is_right = [template.filled(_LONG) for template in templates] == list(trial)
        return templates if is_right else None


def _stand_in(cluster: MeshCluster, names: _Names) -> RemoteTarget:
    name, network, context = (each.decode() for each in names)
    stand_in = replace(cluster, name=name, network=network, context=context)
    return RemoteTarget(stand_in, Target.of(stand_in))


# Names that begin alike, so that one look tells whether a cluster's own name has one of them in it; none of those of a
# stand-in is a part of another. The long ones have the greatest lengths that plain names have.
_BEGINNING = "zqjv"
_SHORT: _Names = (b"zqjv0n", b"zqjv0w", b"zqjv0c")
_LONG: _Names = (b"zqjv1n".ljust(63, b"n"), b"zqjv1w".ljust(63, b"w"), b"zqjv1c".ljust(200, b"c"))


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


def _plain_names(remote: RemoteTarget) -> _Names | None:
    """Return the names of a cluster if YAML, shells, URLs, folders and Markdown all carry them as they are, or None."""
    cluster, target = remote.cluster, remote.target
    if target.folder != target.name or not _is_plain(target.name) or not _is_plain(cluster.network):
        return None
    if _CONTEXT.fullmatch(target.access.context) is None:
        return None
    return target.name.encode(), cluster.network.encode(), target.access.context.encode()


@lru_cache(maxsize=2**13)
def _is_plain(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and yaml.dump(name) == f"{name}\n"


# A DNS label without `--`, as which an injection path writes a slash.
_NAME = re.compile(rf"(?!.*(?:--|{_BEGINNING}))[a-z][a-z0-9-]{{0,61}}[a-z0-9]")
# What no shell quotes (shlex.quote of Python), without what could be an option.
_CONTEXT = re.compile(rf"(?!.*{_BEGINNING})[a-zA-Z0-9][a-zA-Z0-9@:,./_-]{{0,199}}")
