"""What kubectl, istioctl and Helm do in a plan: each action with its command, and with the commands that remove exactly
what that command made; one module a tool.

Nothing here purges: `istioctl uninstall --purge` removes every control plane of a cluster, others' too. Nothing pipes
into istioctl, which reads an empty file as its whole default profile. Istio's CRDs stay wherever they were made, since
removing them removes all configuration of the mesh, other control planes' too.
"""
