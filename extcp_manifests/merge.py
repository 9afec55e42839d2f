"""Merging of plain data; no argument is ever changed."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from deepmerge import Merger

_OVERLAY = Merger([(dict, ["merge"])], ["override"], ["override"])


def overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings as one, key by key on every level; where both have a value that is no mapping, `over` wins."""
    merged: dict[str, Any] = _OVERLAY.merge(deepcopy(dict(base)), deepcopy(dict(over)))
    return merged
