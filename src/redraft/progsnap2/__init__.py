"""ProgSnap2 data sets from Python: read one, write one, check one, and write a dataset of redraft as one.

    >>> from redraft import progsnap2
    >>> data = progsnap2.read("itap")                                       # doctest: +SKIP
    >>> sum(event["EventType"] == "Submit" for event in data.events())      # doctest: +SKIP
    2010
    >>> [one.rule for one in progsnap2.validate("itap")]                    # doctest: +SKIP

    reading      a folder or zip, in any layout: metadata, events, code states
    writing      a folder in the Table layout, whole or absent
    validation/  every deviation from the specification, with its row and rule
    exporting    a dataset's traces as such a data set

Nothing here loads torch. docs/progsnap2.md tells what is read and written, and what is lost each way.
"""

from redraft.progsnap2.exporting import export
from redraft.progsnap2.reading import CodeState, DataSet, read
from redraft.progsnap2.validation import RULES, Deviation, validate
from redraft.progsnap2.writing import write

__all__ = ["RULES", "CodeState", "DataSet", "Deviation", "export", "read", "validate", "write"]
