"""Secrets, whose values no repr shows."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import SecretStr

from extcp_manifests.documents.kubernetes import ObjectMeta
from extcp_manifests.documents.model import Model


class Secret(Model):
    """A Secret whose values no repr shows."""

    apiVersion: Literal["v1"] = "v1"
    kind: Literal["Secret"] = "Secret"
    metadata: ObjectMeta
    type: str | None = None
    stringData: Mapping[str, SecretStr] | None = None

    def _entries_(self) -> Collection[tuple[str, Any]]:
        """Return the keys that are written, with the values of the Secret laid open."""
        entries = dict(super()._entries_())
        if self.stringData is not None:
            entries["stringData"] = {key: value.get_secret_value() for key, value in self.stringData.items()}
        return entries.items()
