"""The reader: YAML text into plain data, strictly, as Go's parser reads it.

Text that two parsers could read differently is refused, and so is text that would cost too much: tags, duplicate keys,
keys that are not text, deep nesting, and aliases that grow beyond measure once they are written out. Text that is
written in the usual way is read line by line, and no parser is loaded for it.
"""

from typing import Any

from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.yaml.limits import MAX_BYTES
from extcp_manifests.yaml.usual_lines import usual_documents


def load(text: str | bytes) -> Any:
    """Return the one document of a YAML text as plain data; an empty text is None.

    Raises InvalidInput, whose problems name the line, for text that is not YAML or has more than one document, for
    tags, duplicate keys and keys that are not text, and for anything beyond 16 MiB, 100 levels or 2,000,000 values with
    every alias written out.
    """
    documents = load_all(text)
    if len(documents) > 1:
        raise InvalidInput([Problem((), f"{len(documents)} documents where one is expected: keep the first")])
    return documents[0] if documents else None


def load_all(text: str | bytes) -> list[Any]:
    """Return every document of a YAML text as plain data; limits and errors as in `load`."""
    usual = _ascii(text)
    documents = None if usual is None else usual_documents(usual)
    if documents is None:
        from extcp_manifests.yaml.events import documents_of_events

        documents = documents_of_events(text)
    return documents


def load_first(text: str | bytes) -> tuple[Any, bool]:
    """Return the first document of a YAML text, and whether anything follows it.

    What follows is not read, so it may be another document or not YAML at all. Limits and errors as in `load`; an empty
    text is None.
    """
    usual = _ascii(text)
    documents = None if usual is None or "\n---" in usual else usual_documents(usual)
    if documents is None:
        from extcp_manifests.yaml.events import first_of_events

        return first_of_events(text)
    return (documents[0] if documents else None), False


def _ascii(text: str | bytes) -> str | None:
    """Return the text where all of it is ASCII, or None. Raises InvalidInput for text that is too long."""
    require(text, str | bytes, ("text",), "text or bytes")
    encoded = text if isinstance(text, bytes) or text.isascii() else text.encode("utf-8", "surrogatepass")
    if len(encoded) > MAX_BYTES:
        problem = f"{len(encoded)} bytes are more than the {MAX_BYTES} that are read: split the file"
        raise InvalidInput([Problem((), problem)])
    if not text.isascii():
        return None
    return text if isinstance(text, str) else text.decode("ascii")
