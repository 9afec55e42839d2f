"""The input: one external control plane with all its clusters."""
