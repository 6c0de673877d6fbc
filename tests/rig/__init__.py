"""The test rig: a Docker engine, a registry, images and a scanner, found or made on this machine."""
