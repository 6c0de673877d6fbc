"""What `make` runs: standard library only, so that it starts on any Python 3.11 or later."""
