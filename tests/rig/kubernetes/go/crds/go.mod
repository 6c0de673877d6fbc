// Manifests only, nothing is built from it: go.sum pins the zip that they are read from.
module rig.test/crds

go 1.24.0

require sigs.k8s.io/gateway-api v1.4.1
