"""What a kubelet does with one pod, over a runtime that is the Docker engine or a script."""
