"""The rules of ProgSnap2 1.0 that `validate` knows, and what it says when one is broken.

In: nothing. Out: `RULES`, by name, and `Deviation`. A broken rule is an error; what the specification only advises
against, and what is of an earlier version, is a warning. Messages never hold a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule."""

    says: str
    """What holds in a data set that keeps it."""
    level: Level = "error"


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """A place where a data set deviates from the specification."""

    rule: str
    """The name of the rule, one of `RULES`."""
    level: Level
    """error: the rule is broken; warning: it is advice, or of an earlier version."""
    file: str
    """The file's path in the data set."""
    row: int | None
    """The row below the header, from 1; None: the file as a whole."""
    column: str | None
    message: str

    def __str__(self) -> str:
        place = "".join(
            [self.file, f", row {self.row:,}" if self.row else "", f", {self.column}" if self.column else ""]
        )
        return f"{place}: {self.level}: {self.message} [{self.rule}]"


RULES = {
    # files
    "main-table-missing": Rule(says="there is a MainTable.csv"),
    "metadata-missing": Rule(says="there is a DatasetMetadata.csv"),
    "code-states-missing": Rule(says="code states are where CodeStateRepresentation says"),
    "file-name": Rule(says="files have the names of the specification, in its case"),
    "file-unexpected": Rule(says="the folder holds nothing that isn't the specification's", level="warning"),
    "file-unreadable": Rule(says="tables are UTF-8 CSV with a header, separated by commas, to their end"),
    "row-malformed": Rule(says="each row has as many cells as the header"),
    "row-not-utf8": Rule(says="each row is UTF-8"),
    "row-too-long": Rule(says="each cell can be read"),
    # metadata
    "metadata-header": Rule(says="the metadata's columns are Property and Value"),
    "property-unknown": Rule(says="properties are the specification's, or begin with X-"),
    "property-twice": Rule(says="each property is given once"),
    "property-value": Rule(says="a property's value is of its type"),
    "version-other": Rule(says="the version is 1.0", level="warning"),
    "scope-columns-missing": Rule(says="EventOrderScopeColumns is given if EventOrderScope is Restricted"),
    "scope-columns-unknown": Rule(says="EventOrderScopeColumns names columns of the main table, separated by ;"),
    "order-missing": Rule(says="there is a column Order if EventOrderScope is Global or Restricted"),
    "input-table-missing": Rule(says="ProgramInputLinkTable names a table in LinkTables"),
    # columns
    "column-missing": Rule(says="every required column is there"),
    "column-unknown": Rule(says="columns are the specification's, or begin with X-"),
    "column-twice": Rule(says="each column stands there once"),
    # cells
    "value-missing": Rule(says="EventType, EventID, SubjectID and ToolInstances have a value in every row"),
    "event-id-twice": Rule(says="each EventID stands there once"),
    "event-type-unknown": Rule(says="event types are the specification's, or begin with X-"),
    "event-value-missing": Rule(says="an event has a value in the columns that its type requires"),
    "event-value-unexpected": Rule(says="an event has no value in columns that aren't for its type", level="warning"),
    "not-an-integer": Rule(says="integers are whole numbers"),
    "not-a-number": Rule(says="reals are numbers"),
    "out-of-range": Rule(says="Score and ExtraCreditScore are from 0 to 1, Attempt from 1"),
    "not-a-boolean": Rule(says="booleans are true or false"),
    "not-a-timestamp": Rule(says="timestamps are like 2021-03-01T10:00:00.000+0000"),
    "timestamp-without-zone": Rule(says="timestamps have a zone", level="warning"),
    "not-a-value": Rule(says="an enumeration's value is one of its own, or begins with X-"),
    "not-a-path": Rule(says="a CodeStateSection is a relative path within its code state"),
    "destination-alone": Rule(says="DestinationCodeStateSection has a value only beside CodeStateSection"),
    "parent-missing": Rule(says="a ParentEventID is an EventID"),
    "code-state-missing": Rule(says="a CodeStateID has a code state"),
    "section-in-table": Rule(says="a table without sections needs no CodeStateSection", level="warning"),
    # code states
    "code-state-twice": Rule(says="each code state, or section of one, stands once in its table"),
    "code-state-blank": Rule(says="each code state has an id"),
    "section-needless": Rule(says="a table has no CodeStateSection where no code state has two", level="warning"),
    "code-state-unreadable": Rule(says="the files of a code state can be read as text"),
    # link tables
    "link-table-without-id": Rule(says="a link table has a column of ids that the main table has"),
}
"""Name -> rule."""


def deviation(rule: str, file: str, message: str, *, row: int | None = None, column: str | None = None) -> Deviation:
    """A deviation from the rule called `rule`, with its level."""
    return Deviation(rule=rule, level=RULES[rule].level, file=file, row=row, column=column, message=message)
