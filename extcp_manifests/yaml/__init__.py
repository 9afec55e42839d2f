"""YAML for Kubernetes: a small, exact emitter and a strict reader."""

from extcp_manifests.yaml.emitter import MAX_DEPTH, dump, dump_all, require_plain, unwritable
from extcp_manifests.yaml.reader import MAX_BYTES, MAX_NODES, Lines, NotYaml, begins_block, load, load_all, load_first
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
