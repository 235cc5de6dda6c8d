"""The stages in order, resumably: `demo` on a simulated class, `reproduce` on any dataset.

settings: everything a run is made with; protocols; what fits into a budget.
stages, study: what is done is not done again; from a dataset to a report.
"""

from redraft.pipeline.study import demo, reproduce

__all__ = ["demo", "reproduce"]
