"""The node stand-in of the rig's Kubernetes: nodes that are registered, and pods that run or play a script."""
