"""Helm 3, built by Go: beside shipper in benchmarks, and for charts in `make sweep`."""
