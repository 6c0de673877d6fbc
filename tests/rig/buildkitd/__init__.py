"""BuildKit for the builders of `[image]`: the engine's own behind a port or ssh, and a real buildkitd built by Go."""
