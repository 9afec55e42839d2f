"""YAML for Kubernetes: an emitter whose text every parser reads back alike, and a reader that trusts nobody.

`dump`, `dump_all`, `load` and `load_all` are the public functions; the other names serve the rest of this library. Both
directions know plain data alone: mappings with text keys, lists, text, numbers, booleans and None.
"""

from extcp_manifests.yaml.emitter import MAX_DEPTH, dump, dump_all, require_plain, unwritable
from extcp_manifests.yaml.limits import MAX_BYTES, MAX_NODES, NotYaml
from extcp_manifests.yaml.lines import Lines, begins_block
from extcp_manifests.yaml.reader import load, load_all, load_first
from extcp_manifests.yaml.scalars import resolve

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Lines",
    "NotYaml",
    "begins_block",
    "dump",
    "dump_all",
    "load",
    "load_all",
    "load_first",
    "require_plain",
    "resolve",
    "unwritable",
]
