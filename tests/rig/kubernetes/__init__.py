"""A real Kubernetes control plane and Knative's own webhooks and reconcilers on this machine: see README.md."""
