"""Knative Serving's kinds of objects, and where the API server keeps them. Pure."""

from __future__ import annotations

from shipper_targets.kubernetes.kinds import Kind

GROUP = "serving.knative.dev"

AUTOSCALING = "autoscaling.knative.dev"
"""Of annotations, and of the classes of autoscalers."""

SERVICE = Kind(GROUP, "v1", "services", "Service")
REVISION = Kind(GROUP, "v1", "revisions", "Revision")

OF_SERVICE = f"{GROUP}/service"
"""Label of revisions and pods: the name of their Knative Service."""

OF_REVISION = f"{GROUP}/revision"
SERVICE_UID = f"{GROUP}/serviceUID"
VISIBILITY = "networking.knative.dev/visibility"
CLUSTER_LOCAL = "cluster-local"
NO_GC = f"{GROUP}/no-gc"
"""Annotation of a revision: Knative's own garbage collection leaves it alone."""

PROGRESS_DEADLINE = f"{GROUP}/progress-deadline"
USER_CONTAINER = "user-container"
"""What Knative calls the only container of a template that gives it no name."""
