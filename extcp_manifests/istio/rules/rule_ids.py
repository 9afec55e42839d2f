"""The rules of validation by their ids: what each is about, and what to do.

Reports name a rule by its id (`networking/unreachable-route`), so that people can search for it and leave it out.
"""

from collections.abc import Mapping

from extcp_manifests.records import Record


class About(Record):
    """What a rule is about."""

    short: str
    help: str


RULES: Mapping[str, About] = {
    # ------------------------------------------------------------------------------------------------- whole documents
    "yaml/syntax": About(
        "The text is not valid YAML, or is YAML that parsers read in different ways.",
        "Correct the text at the line that is named; tags, keys that are not text and keys given twice are refused.",
    ),
    "yaml/empty": About(
        "The text has no document to check.",
        "Give a file with documents; the command that should have written it may have failed.",
    ),
    "document/api-version": About(
        "The API group or version is missing, misspelt or not served by the release.",
        "Write one of the versions that the release serves; the API server refuses any other.",
    ),
    "document/kind": About(
        "The kind is missing or not one of its API group.",
        "Correct the kind; a document of an unknown kind is refused or ignored, but never used.",
    ),
    "document/list": About(
        "A list has items that are not documents.",
        "Leave out what is not a document, with an apiVersion and a kind of its own.",
    ),
    "document/ignore": About(
        "An ignore comment accepts a finding that does not exist.",
        "Remove ids from the comment that match no finding on its line, or on the next one.",
    ),
    "document/release": About(
        "The documents name different releases of Istio.",
        "Choose the release with --release.",
    ),
    # ------------------------------------------------------------------------------------- Gateways and VirtualServices
    "networking/wrong-value": About(
        "A value has a type or a form that the CRD refuses.",
        "Correct the value; the API server refuses the document as it is.",
    ),
    "networking/unknown-key": About(
        "A key that the CRD does not know.",
        "Correct the spelling or leave the key out; the API server silently drops it.",
    ),
    "networking/name": About("The document's name is not one that istiod takes.", "Use letters, digits and inner '-'."),
    "networking/export-to": About(
        "exportTo has an entry that is not a namespace, or the same one twice.", "Use '.', '*' or names of namespaces."
    ),
    "networking/servers": About("A Gateway has no server.", "Add a server."),
    "networking/port": About("A port of a Gateway is wrong.", "Give each server a port with a name of its own."),
    "networking/bind": About("The address that a server binds to is wrong.", "Use an IP address or a unix socket."),
    "networking/hosts": About(
        "A host is not a valid host name, or overlaps another.", "Use valid host names, each once."
    ),
    "networking/wildcard-host": About(
        "The host '*' would take all traffic of the mesh.", "Name gateways, and leave mesh out of them."
    ),
    "networking/tls": About(
        "TLS settings do not fit the protocol, the mode or each other.",
        "Give the mode what it needs, from one source, and leave out what it excludes.",
    ),
    "networking/ciphers": About("Cipher suites are unknown, given twice or missing.", "Use BoringSSL's names."),
    "networking/delegate": About(
        "A VirtualService without hosts is a delegate, which may only have HTTP routes without delegates.",
        "Add hosts, or leave out what a delegate must not have.",
    ),
    "networking/gateways": About("The name of a gateway is not valid.", "Write name or namespace/name."),
    "networking/no-route": About("A VirtualService has no route.", "Add http, tls or tcp."),
    "networking/routes": About("A route has no action, or several.", "Give each route exactly one action."),
    "networking/fault": About("A fault does nothing, or has values that istiod refuses.", "Add an abort or a delay."),
    "networking/retries": About(
        "Retries are turned off beside their settings, or have values that istiod refuses.",
        "Set attempts, and use Envoy's conditions in retryOn.",
    ),
    "networking/redirect": About(
        "A redirect changes nothing, or has a wrong value.", "Set at least one field that the redirect changes."
    ),
    "networking/rewrite": About(
        "A rewrite changes nothing, or has a wrong value.", "Set at least one field that the rewrite changes."
    ),
    "networking/direct-response": About("A direct response has a wrong status or is too big.", "Make it smaller."),
    "networking/cors": About("A CORS policy has a wrong value.", "Use origins, methods and headers that istiod takes."),
    "networking/mirrors": About("Mirroring has a wrong share or two forms.", "Use one form, with 0 to 100 percent."),
    "networking/headers": About("The name or value of a header is wrong.", "Use the names and values of HTTP."),
    "networking/claims": About("Claims of a token only match at a gateway.", "Name gateways, without mesh."),
    "networking/match": About("A match has a value that istiod refuses.", "Correct the value."),
    "networking/destinations": About("A destination is missing or not a service.", "Name a service."),
    "networking/weights": About("A route has several destinations and no weight.", "Give each a weight."),
    "networking/sni-hosts": About(
        "An SNI host is not valid, or is not a host of the document.", "Add it to spec.hosts."
    ),
    "networking/unreachable-route": About(
        "No request reaches a route.", "Move the route that takes everything to the end, or give it a match."
    ),
    "networking/duplicate-match": About("The same match appears earlier.", "Leave it out."),
    "networking/overlapping-match": About(
        "An earlier match with a shorter prefix takes the requests of this one.", "Put the longer prefix first."
    ),
    # ---------------------------------------------------------------------------------------------------DestinationRule
    "networking/traffic-policy": About("A traffic policy has a value that istiod refuses.", "Correct the value."),
    "networking/empty-policy": About("A traffic policy has no settings.", "Add a setting, or leave it out."),
    "networking/failover": About("Failover has no effect without outlierDetection.", "Add outlierDetection."),
    "networking/secret-of-others": About(
        "A certificate is taken from a ConfigMap of another namespace.", "Use one in the document's own namespace."
    ),
    "networking/subsets": About("The name of a subset is missing, wrong or used twice.", "Name each subset."),
    "networking/workload-selector": About(
        "A workloadSelector has labels that istiod refuses, or an exportTo that does not fit it.", "Use plain labels."
    ),
    # ---------------------------------------------------------------------------------------------------- IstioOperator
    "operator/wrong-value": About("A value has a type or form that istioctl refuses.", "Correct the value."),
    "operator/unknown-key": About("A key that istioctl does not know.", "Correct the spelling or leave the key out."),
    "operator/revision": About("The revision is not a valid DNS label.", "Use letters, digits and inner '-'."),
    "operator/image": About("A hub or tag is not valid for an image.", "Write them as in docker.io/istio and 1.24.6."),
    "operator/gateway-name": About("istioctl refuses the name of a gateway.", "Use a-z, 0-9, '-' and '.'."),
    "operator/port": About(
        "A gateway that does not run as root cannot listen on the port.", "Use target ports from 1024."
    ),
    "operator/range": About(
        "A range of addresses or a list of ports is not valid.", "Write them as in 10.0.0.0/8 and 80,443."
    ),
    "operator/profile": About("The release does not have the profile.", "Use the profile that the message suggests."),
    "operator/outdated": About("The setting is deprecated or gone.", "Use what the message suggests."),
    "operator/ignored": About(
        "istioctl accepts the setting and silently ignores it.", "Use what the message suggests."
    ),
    "operator/webhooks": About(
        "The installation of a gateway would switch off the injection webhooks of a remote cluster.",
        "Set values.global.operatorManageWebhooks to true, as it is in our documents.",
    ),
    "operator/replicas": About("Autoscaling overrules the number of replicas.", "Keep one of the two."),
    "operator/overlay": About(
        "An entry of k8s.overlays does nothing, deletes something or makes the object unreadable.",
        "Give each patch a path and a value, and leave kind and apiVersion alone.",
    ),
    "operator/service-port": About(
        "The API server refuses a port of a Service.", "Give each port its own name and number."
    ),
    # ------------------------------------------------------------------------------------------------- external istiod
    "external-istiod/variables": About(
        "Variables that make istiod an external one are missing or wrong.",
        "Repeat them where a list of your own replaces ours, or set yours as values.pilot.env.",
    ),
    "external-istiod/cluster": About(
        "istiod and its proxies know the config cluster by different names.", "Use the same name in both places."
    ),
    "external-istiod/webhooks": About(
        "istiod would write to webhooks that are not its own, or would not write to its own.",
        "Set the two names of webhooks: empty by host name, those of the remote clusters by IP address.",
    ),
    "external-istiod/mounts": About(
        "The ConfigMaps that istiod reads as files are not mounted.",
        "Repeat the mounts where a list of your own replaces ours.",
    ),
    "external-istiod/addresses": About(
        "Two settings give proxies different addresses of istiod.", "Use the same host in both."
    ),
    "external-istiod/namespaces": About(
        "Settings disagree about istiod's namespace.", "Use the same namespace in all of them."
    ),
    # ------------------------------------------------------------------------------------- mesh config, networks, input
    "mesh-config/wrong-value": About("istiod cannot read the mesh config.", "Correct the value."),
    "mesh-config/refused": About("istiod refuses the mesh config.", "Correct the value."),
    "mesh-config/logged": About("istiod accepts the mesh config and logs a warning.", "Check the value."),
    "mesh-config/ignored": About(
        "istiod silently ignores a key of the mesh config.", "Correct the spelling or leave it out."
    ),
    "mesh-networks/refused": About("istiod refuses the mesh networks.", "Correct the value."),
    "mesh-networks/ignored": About("istiod silently ignores a key of the mesh networks.", "Correct the spelling."),
    "topology/doubtful": About(
        "A topology says something that is allowed and most likely not meant.",
        "Follow the advice of the finding, or accept it by a comment where it is meant.",
    ),
    "topology/invalid": About("Nothing can be generated from the topology.", "Do what the message says."),
    # ------------------------------------------------------------------------------------------- documents side by side
    "agreement/namespace": About(
        "Two parts of a document name different namespaces.", "Use the same namespace in both."
    ),
    "agreement/host": About("A host names istiod in another namespace.", "Use the namespace of the document."),
    "agreement/gateway": About(
        "No Gateway here has the name that a VirtualService uses.", "Correct the name, or add the Gateway."
    ),
    "agreement/secret-name": About(
        "istiod does not mount a Secret of this name.", "Use the name that the message gives."
    ),
    "agreement/twice": About("A document is defined twice.", "Leave one out."),
    "agreement/shared-port": About(
        "Two Gateways of one gateway take the same host on the same port.",
        "Give each control plane a host name of its own; by IP address give it a gateway of its own.",
    ),
    "agreement/shared-address": About(
        "Two control planes have the same address, so that a gateway cannot tell their requests apart.",
        "Give each control plane its own address.",
    ),
}
