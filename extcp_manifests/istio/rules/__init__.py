"""What Istio and Kubernetes report of documents, one module for each kind."""
