"""What there is to say of a key that a release does not know."""

from collections.abc import Iterable, Mapping

from extcp_manifests.errors import nearest
from extcp_manifests.istio.releases import RELEASES, Release, ReleaseRange
from extcp_manifests.istio.schema.model import Field, Schema

# Kubernetes' types have what these hold in the place of them; protobuf has them as fields.
_EMBEDDED = frozenset({"localObjectReference", "volumeSource"})


def why_unknown(schema: Schema, message: str, key: str, release: Release) -> str:
    """Return why a release does not know a key of a message, and what to write instead."""
    fields = schema.fields(message, release)
    for holder in _EMBEDDED & fields.keys():
        held = fields[holder].type.partition(":")[2]
        if key in schema.fields(held, release):
            return f"is unknown to Istio: did you mean '{holder}.{key}'?"
    elsewhere = _joined(field.releases for field in schema.messages[message] if key in (field.name, field.proto))
    if elsewhere:
        return f"is known to {' and '.join(map(str, elsewhere))}, not to {release}"
    if key in _EMBEDDED:
        return "is unknown to Istio here: write what it holds in its place"
    meant = _nearest_name(key, fields)
    return "is unknown to Istio: leave it out" if meant is None else f"is unknown to Istio: did you mean {meant!r}?"


def _nearest_name(key: str, fields: Mapping[str, Field]) -> str | None:
    names = sorted({field.name for field in fields.values()})
    if meant := nearest(key, names):
        return meant
    for name in names:
        if name.lower() == key.lower():
            return name
    return None


def _joined(ranges: Iterable[ReleaseRange]) -> list[ReleaseRange]:
    """Return ranges in the order of releases, with one in the place of those that follow each other."""
    order = list(RELEASES)
    result: list[ReleaseRange] = []
    for each in ranges:
        earlier = result[-1] if result else None
        if earlier and earlier.until and each.since and order.index(each.since) == order.index(earlier.until) + 1:
            result[-1] = ReleaseRange(earlier.since, each.until)
        else:
            result.append(each)
    return result
