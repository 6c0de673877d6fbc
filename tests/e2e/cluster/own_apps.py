"""Manifests as other people write them: plain files, a kustomize overlay, a Helm chart. Nothing in them knows shipper.

Each is one web service: a Deployment whose image has a tag, a ConfigMap, a Service, an Ingress, a ServiceAccount.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: storefront
  labels: {app: storefront, tier: web}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: storefront
  template:
    metadata:
      labels:
        app: storefront
        tier: web
    spec:
      serviceAccountName: storefront
      containers:
        - name: web
          image: IMAGE   # the team's habit: a tag
          ports:
            - name: http
              containerPort: 8080
          envFrom:
            - configMapRef:
                name: storefront-config
          readinessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 1
          resources:
            requests: {cpu: 10m, memory: 32Mi}
            limits: {memory: 128Mi}
"""

_REST = """\
# Everything else of the storefront.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: storefront
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: storefront-config
data:
  SHOP_GREETING: "WORDS"
  SHOP_RETRIES: "3"
---
apiVersion: v1
kind: Service
metadata:
  name: storefront
spec:
  selector:
    app: storefront
  ports:
    - name: http
      port: 80
      targetPort: http
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: storefront
spec:
  rules:
    - host: HOST
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: storefront
                port: {name: http}
"""


def plain(folder: Path, *, image: str, host: str, greeting: str) -> None:
    """Two files in `deploy/`."""
    there = folder / "deploy"
    there.mkdir(parents=True, exist_ok=True)
    (there / "deployment.yaml").write_text(_DEPLOYMENT.replace("IMAGE", f"{image}:v1"))
    (there / "rest.yaml").write_text(_REST.replace("WORDS", greeting).replace("HOST", host))


def kustomize(folder: Path, *, image: str, host: str, greeting: str) -> None:
    """A base, and an overlay that generates the ConfigMap with a hash in its name."""
    base, overlay = folder / "base", folder / "overlays" / "prod"
    base.mkdir(parents=True, exist_ok=True)
    overlay.mkdir(parents=True, exist_ok=True)
    parts = _REST.replace("HOST", host).split("---\n")
    (base / "deployment.yaml").write_text(_DEPLOYMENT.replace("IMAGE", image))
    (base / "rest.yaml").write_text("---\n".join(part for part in parts if "kind: ConfigMap" not in part))
    (base / "kustomization.yaml").write_text("resources: [deployment.yaml, rest.yaml]\n")
    (overlay / "kustomization.yaml").write_text(
        textwrap.dedent(f"""\
            resources: [../../base]
            labels:
              - pairs: {{environment: prod}}
            images:
              - name: {image}
                newTag: stable
            replicas:
              - name: storefront
                count: 2
            configMapGenerator:
              - name: storefront-config
                literals: ["SHOP_GREETING={greeting}", "SHOP_RETRIES=5"]
            """)
    )


def chart(folder: Path, *, image: str, host: str, greeting: str) -> None:
    """A Helm chart in `chart/`, with values."""
    templates = folder / "chart" / "templates"
    templates.mkdir(parents=True, exist_ok=True)
    (folder / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: storefront\nversion: 1.0.0\nappVersion: '1'\n")
    (folder / "chart" / "values.yaml").write_text(
        f'image: {{repository: "{image}", tag: v1}}\nhost: {host}\ngreeting: "{greeting}"\n'
    )
    labels = "labels: {app: storefront, tier: web, app.kubernetes.io/managed-by: {{ .Release.Service }}}"
    deployment = _DEPLOYMENT.replace("labels: {app: storefront, tier: web}", labels, 1)
    (templates / "deployment.yaml").write_text(
        deployment.replace("IMAGE ", '"{{ .Values.image.repository }}:{{ .Values.image.tag }}" ')
    )
    (templates / "rest.yaml").write_text(
        _REST.replace('"WORDS"', "{{ .Values.greeting | quote }}").replace("HOST", "{{ .Values.host }}")
    )
