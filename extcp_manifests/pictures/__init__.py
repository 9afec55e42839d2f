"""Pictures of a topology: clusters, networks and gateways, and which way xDS, webhooks and API requests go."""
