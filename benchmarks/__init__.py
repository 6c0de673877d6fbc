"""Measurements against what a user would do without shipper."""
