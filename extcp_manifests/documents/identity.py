"""Which object of a cluster a plain document describes."""

from typing import Any, NamedTuple

from extcp_manifests.documents.lookup import mapping_of, text_of


class Identity(NamedTuple):
    """Which object of a cluster a document describes.

    The version of its API is not part of that: kubectl applies `v1` and `v1beta1` of the same name to one object.
    """

    group: str
    """The API group; empty for Kubernetes' core, or where apiVersion says none."""
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Kind, namespace and name for people, as in `Gateway istio-system/gw`; empty where it has none."""
        name = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.kind} {name}".strip()


def identity_of(document: Any, group: str | None = None) -> Identity:
    """Return which object a plain document describes, whatever its shape; parts that it lacks are empty.

    A group is given by those who know better than apiVersion, as for a document without one.
    """
    head = mapping_of(document)
    metadata = mapping_of(head.get("metadata"))
    if group is None:
        group = text_of(head.get("apiVersion")).rpartition("/")[0]
    return Identity(group, _text(head.get("kind")), _text(metadata.get("namespace")), _text(metadata.get("name")))


def _text(part: Any) -> str:
    return str(part) if part else ""


def document_name(document: Any) -> str:
    """Return the kind, namespace and name of a plain document for people; empty where it has none."""
    return str(identity_of(document))
