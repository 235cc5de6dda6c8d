"""Compare a run's samples with the real traces: agreement by split and model, with intervals.

The claims are printed with their verdicts.
"""
