"""Which clusters are alike but for plain names: those of one shape."""

from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from extcp_manifests import yaml
from extcp_manifests.patterns import pattern
from extcp_manifests.topology.clusters import MeshCluster, context_of, folder_of

STAND_INS = "zqjv"
"""How the names of stand-ins begin, which no plain name has in it, so that one look tells."""


class Shape(NamedTuple):
    """What clusters of one shape have in common, each part by a number."""

    gateways: int
    sample: int


class Shapes:
    """Finds the shapes of clusters; those with credentials have none."""

    def __init__(self, with_credentials: Collection[str]) -> None:
        self._with_credentials = with_credentials
        self._numbers: dict[object, int] = {}

    def shape(self, cluster: MeshCluster) -> Shape | None:
        """Return the shape of a cluster, or None where all is made for the cluster itself.

        That is so with credentials, overrides, a kubeconfig or an address of the API server, and with names that YAML,
        shells, URLs, folders or Markdown do not carry as they are.
        """
        if cluster.api_server is not None or cluster.kubeconfig is not None or cluster.overrides:
            return None
        if cluster.name in self._with_credentials or not _has_plain_names(cluster):
            return None
        # Equal overrides need not be alike in a document: 1 is no boolean there, and keys have an order.
        overrides = cluster.gateways.overrides
        written = repr((overrides.ingress, overrides.egress, overrides.east_west))
        return Shape(self._number((cluster.gateways, written)), self._number(cluster.sample))

    def _number(self, part: object) -> int:
        return self._numbers.setdefault(part, len(self._numbers))


def _has_plain_names(cluster: MeshCluster) -> bool:
    if folder_of(cluster.name) != cluster.name or not _is_plain(cluster.name) or not _is_plain(cluster.network):
        return False
    return _CONTEXT.fullmatch(context_of(cluster)) is not None


@lru_cache(maxsize=2**13)
def _is_plain(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and yaml.dump(name) == f"{name}\n"


# A DNS label without `--`, as which an injection path writes a slash.
_NAME = pattern(rf"(?!.*(?:--|{STAND_INS}))[a-z][a-z0-9-]{{0,61}}[a-z0-9]")
# What no shell quotes (shlex.quote of Python), without what could be an option.
_CONTEXT = pattern(rf"(?!.*{STAND_INS})[a-zA-Z0-9][a-zA-Z0-9@:,./_-]{{0,199}}")
