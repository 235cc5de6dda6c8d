"""Properties of programs and traces, and how well two sets of them agree."""
