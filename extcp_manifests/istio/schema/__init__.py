"""Istio's typed schemas by release: data in JSON files, their strict reader, the decoder."""
