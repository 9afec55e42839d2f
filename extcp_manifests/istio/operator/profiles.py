"""The profiles of istioctl, by release.

Source: istio 1.15.7 to 1.30.3: manifests/profiles, in `schema/profiles.yaml`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.releases import Release, ReleaseRange
from extcp_manifests.istio.schema.tables import data_file

Tree = Mapping[str, Any]
"""Plain data of an IstioOperator: its spec, or values."""


@cache
def read_profile(name: str, release: Release) -> Tree:
    """Return the spec of a profile. Raises InvalidInput for one that the release does not have."""
    known = [each for each in _profiles() if release in ReleaseRange(each.get("since"), each.get("until"))]
    for each in known:
        if each["name"] == name:
            spec: Tree = each["spec"]
            return spec
    names = ", ".join(each["name"] for each in known)
    problem = f"is {name!r}, which Istio {release} does not have: known are {names}"
    raise InvalidInput([Problem(("spec", "profile"), problem)])


@cache
def _profiles() -> list[dict[str, Any]]:
    text = data_file("profiles.yaml")
    profiles: list[dict[str, Any]] = yaml.load(text)
    return profiles
