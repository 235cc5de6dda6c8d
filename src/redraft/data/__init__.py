"""From logs to what a model is trained on: traces, the store, sources, splits, views."""
