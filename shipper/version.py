"""The version, as a literal: `shipper --version` must not read package metadata (it costs more than click)."""

__version__ = "0.1.0"
