"""The data path of the rig's Kubernetes: Services, routes and Knative's splits carried out by one HAProxy."""
