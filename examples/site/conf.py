"""The site: `sphinx-build -W examples/site site`. Reference pages are made from the package when it is built."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from reference_pages import write_pages  # noqa: E402 - it stands beside this file

import extcp_manifests  # noqa: E402

project = "extcp_manifests"
author = "the developers of extcp_manifests"
version = release = extcp_manifests.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"extcp_manifests {release}"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # pydantic's annotations are longer than what they say
nitpicky = False
suppress_warnings = ["myst.xref_missing"]  # README, which is included, links into the repository

write_pages(HERE / "reference")
