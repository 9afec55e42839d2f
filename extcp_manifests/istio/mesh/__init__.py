"""Mesh config: built-in defaults, sources, merging and networks."""
