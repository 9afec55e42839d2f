"""Every manifest of an Istio external control plane, from one typed topology.

Data goes one way::

    Topology --plan()--> Plan: ordered steps (cluster, action, file, documents, why, checks) --> files, runbook,
                                                                                  kustomize tree, GitOps documents

The wings in reading order, in which each imports only from those before it::

    records, patterns, errors, schemas, tables, injection, yaml
                                the ground: frozen values; regular expressions; problems with their places; published
                                schemas; tables for notebooks; injection paths; YAML
    documents                   typed documents, and what every reader of plain data needs
    istio                       what Istio makes of documents: releases, schemas, rules, mesh config, IstioOperators
    builders                    from inputs to one typed document; what the kind of address decides
    topology                    the input: model, rules between values, fleets, files, credentials
    pictures                    clusters and which way requests go, as SVG and Mermaid
    planning                    steps and their commands in the order of the guide, by each method of installation;
                                runbook, output folder, kustomize
    pipelines                   the plan for Argo CD, Flux and KRM functions
    cli, testing                the command line, and a pytest plugin for golden files

Nothing here calls a cluster. Beside the package's own data, files are read by `load` and `load_credentials`, read and
written by `write` and `changes` of plans and kustomize trees (by way of `planning.folder`), read by `left_over` and
`unread_overlays` of trees, and written by `pipelines.exec_plugin.install` and `schemas.install_schema`; `cli` and
`testing` do both.
"""

from typing import TYPE_CHECKING

from extcp_manifests.lazy import handing_on

if TYPE_CHECKING:
    from extcp_manifests.errors import ExtcpError, InvalidInput, OutputError
    from extcp_manifests.planning.fleet import FleetPlan, plan_fleet
    from extcp_manifests.planning.plan import Plan, plan
    from extcp_manifests.planning.step import Step
    from extcp_manifests.topology.clusters import (
        ExternalCluster,
        GatewayOverrides,
        MeshCluster,
        MeshGateways,
        Sample,
    )
    from extcp_manifests.topology.credentials import ClusterCredentials, load_credentials
    from extcp_manifests.topology.fleet import Fleet
    from extcp_manifests.topology.fleet_file import load_fleet
    from extcp_manifests.topology.model import Topology
    from extcp_manifests.topology.topology_file import load
    from extcp_manifests.topology.trust import PrivateCA, SecretStore
    from extcp_manifests.topology.workloads import (
        Autoscaling,
        CNIPlugin,
        Istiod,
        Resources,
        ServiceOfIstiod,
        ServiceSettings,
        SharedGateway,
    )

__version__ = "0.2.0"

__all__ = [
    "Autoscaling",
    "CNIPlugin",
    "ClusterCredentials",
    "ExtcpError",
    "ExternalCluster",
    "Fleet",
    "FleetPlan",
    "GatewayOverrides",
    "InvalidInput",
    "Istiod",
    "MeshCluster",
    "MeshGateways",
    "OutputError",
    "Plan",
    "PrivateCA",
    "Resources",
    "Sample",
    "SecretStore",
    "ServiceOfIstiod",
    "ServiceSettings",
    "SharedGateway",
    "Step",
    "Topology",
    "load",
    "load_credentials",
    "load_fleet",
    "plan",
    "plan_fleet",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = handing_on(
        __name__,
        {
            "Autoscaling": "topology.workloads",
            "CNIPlugin": "topology.workloads",
            "ClusterCredentials": "topology.credentials",
            "ExtcpError": "errors",
            "ExternalCluster": "topology.clusters",
            "Fleet": "topology.fleet",
            "FleetPlan": "planning.fleet",
            "GatewayOverrides": "topology.clusters",
            "InvalidInput": "errors",
            "Istiod": "topology.workloads",
            "MeshCluster": "topology.clusters",
            "MeshGateways": "topology.clusters",
            "OutputError": "errors",
            "Plan": "planning.plan",
            "PrivateCA": "topology.trust",
            "Resources": "topology.workloads",
            "Sample": "topology.clusters",
            "SecretStore": "topology.trust",
            "ServiceOfIstiod": "topology.workloads",
            "ServiceSettings": "topology.workloads",
            "SharedGateway": "topology.workloads",
            "Step": "planning.step",
            "Topology": "topology.model",
            "load": "topology.topology_file",
            "load_credentials": "topology.credentials",
            "load_fleet": "topology.fleet_file",
            "plan": "planning.plan",
            "plan_fleet": "planning.fleet",
        },
    )
