"""What is read of YAML, and what is not."""

from extcp_manifests.errors import InvalidInput

MAX_BYTES = 16 * 1024 * 1024
"""The longest text that is read."""

MAX_NODES = 2_000_000
"""The most values of a text, with every alias written out."""


class NotYaml(InvalidInput):
    """A text that no YAML parser reads, in contrast to YAML that this reader refuses."""
