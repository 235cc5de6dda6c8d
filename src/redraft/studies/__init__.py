"""Studies: each reads models and datasets and writes results rows."""
