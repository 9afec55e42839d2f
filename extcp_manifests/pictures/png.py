"""Pictures as PNG, drawn of SVG by resvg, which the extra `png` installs."""

from importlib import import_module
from typing import Any

from extcp_manifests.errors import InvalidInput, Problem


def png(svg: str) -> bytes:
    """Return an SVG as PNG. Raises InvalidInput where resvg is not installed."""
    try:
        resvg: Any = import_module("resvg_py")
    except ImportError:
        problem = "a PNG needs resvg: pip install 'extcp-manifests[png]', or write svg"
        raise InvalidInput([Problem((), problem)]) from None
    return bytes(resvg.svg_to_bytes(svg_string=svg))
