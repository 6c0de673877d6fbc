"""Google Cloud on this machine: Cloud Run, the APIs beside it, identity and Artifact Registry."""
