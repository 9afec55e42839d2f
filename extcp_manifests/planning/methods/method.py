"""What a method of installation says of each part: which files it reads, and what is done with them."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from extcp_manifests.planning.stage import Stage
from extcp_manifests.planning.step import Action, Builder, Check
from extcp_manifests.records import Record


class Installation(Record):
    """A file of a part, and what is done with it."""

    file: str
    action: Action
    document: Builder
    why: str | None = None
    """What the file is for, in one sentence, where it is not the part itself but what the part needs."""
    verify: tuple[Check, ...] = ()
    """What to check of this file, before all checks of the part."""


class Method(Protocol):
    """A method of installation; the last file of each part is the part itself."""

    default_validator: ClassVar[bool]
    """Whether the config cluster gets the validating webhook of the default revision too."""

    def shared_gateway(self, stage: Stage) -> Sequence[Installation]:
        """Return what installs the external cluster's gateway, with an istiod of its own and Istio's CRDs."""
        ...

    def config_cluster(self, stage: Stage) -> Sequence[Installation]:
        """Return what sets up the config cluster."""
        ...

    def external_istiod(self, stage: Stage) -> Sequence[Installation]:
        """Return what installs the external istiod."""
        ...

    def remote_cluster(self, stage: Stage) -> Sequence[Installation]:
        """Return what sets up a further remote cluster."""
        ...

    def cni(self, stage: Stage) -> Sequence[Installation]:
        """Return what installs the CNI plugin of a remote cluster."""
        ...

    def ingress_gateway(self, stage: Stage) -> Sequence[Installation]:
        """Return what installs the ingress gateway of a remote cluster."""
        ...

    def egress_gateway(self, stage: Stage) -> Sequence[Installation]:
        """Return what installs the egress gateway of a remote cluster."""
        ...

    def east_west_gateway(self, stage: Stage) -> Sequence[Installation]:
        """Return what installs the gateway by which other networks reach a remote cluster's services."""
        ...
