"""Artifact Registry on this machine: a real OCI registry behind a front that answers as `<location>-docker.pkg.dev`.

part.py is for the rig (standard library only), __main__.py is the process; README.md says what it is based on.
"""
