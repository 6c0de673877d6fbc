"""The engine: order from types, threads, cancellation; the journal; events on their way to sinks."""
