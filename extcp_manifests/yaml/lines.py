"""The lines of a YAML text, by the places of its values.

The text is parsed a second time for that, so that reading a good text does not pay for what only problems need.
"""

from extcp_manifests.errors import Path
from extcp_manifests.patterns import pattern


class Lines:
    """The lines of a YAML text, by the places of its values; the text is one that `load_all` has read."""

    def __init__(self, text: str | bytes) -> None:
        from extcp_manifests.yaml.outline import outlines_of  # loads PyYAML

        self._documents = outlines_of(text)

    def line(self, place: Path, document: int = 0) -> int | None:
        """Return the line, from 1, at which the value at a place such as `("spec", "servers", 0)` begins.

        Where the text goes no further along the place, as for a key that is missing, it is the line of the last value
        on the way; None only for a document that is not there.
        """
        if not 0 <= document < len(self._documents):
            return None
        value = self._documents[document]
        line = value.line
        for part in place:
            if isinstance(part, str) and part in value.entries:
                line, value = value.entries[part]
            elif isinstance(part, int) and part < len(value.items):
                value = value.items[part]
                line = value.line
            else:
                break
        return line


def begins_block(line: str) -> bool:
    """Return whether a line of YAML ends with the sign of a block, so that a text begins in the line below."""
    return _BLOCK.search(line) is not None


_BLOCK = pattern(r"[|>][-+0-9]*\s*(?:#.*)?$")
