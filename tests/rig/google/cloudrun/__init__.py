"""A stateful Cloud Run: state, fronts, and instances that run."""
