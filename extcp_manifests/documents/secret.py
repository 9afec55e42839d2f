"""Secrets, whose values no repr shows."""

from collections.abc import Mapping
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

    def plain(self) -> dict[str, Any]:
        """Return the Secret as mappings and texts, with its values laid open."""
        plain = super().plain()
        if self.stringData is not None:
            plain["stringData"] = {key: value.get_secret_value() for key, value in self.stringData.items()}
        return plain
