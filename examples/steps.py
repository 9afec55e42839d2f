"""The steps of a plan, for a tool that runs or shows them itself."""

from pathlib import Path

from extcp_manifests import load, plan

for step in plan(load(Path(__file__).with_name("guide.yaml"))).steps:
    print(step.cluster.ljust(8), "", step.command)
