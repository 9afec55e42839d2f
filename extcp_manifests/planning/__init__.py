"""From a topology to ordered steps, files, a runbook and a kustomize tree."""
