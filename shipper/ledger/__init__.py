"""The log of what was decided and done on an object store, and the lease to write. docs/reliability.md."""
