"""Output for pipelines: KRM functions, Argo CD, Flux and an exec plugin."""
