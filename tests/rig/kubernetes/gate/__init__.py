"""A proxy before the API server that sees what is asked, holds it, fails it, and expires watches. See ../README.md."""
