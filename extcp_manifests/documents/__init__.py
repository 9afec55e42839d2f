"""Typed documents, and what every reader of plain documents needs."""
