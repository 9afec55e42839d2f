"""Istio's typed schemas by release, as tables in text files beside this module."""
