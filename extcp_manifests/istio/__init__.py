"""What Istio makes of documents, by release."""
