"""What ProgSnap2 1.0 says: its columns, their types and values, its events and its metadata.

In: nothing. Out: the names that readers, writers and the validator share. The facts are those of the specification of
the CSSPLICE group (Price et al., ProgSnap2, ITiCSE 2020, doi 10.1145/3341525.3387373); the words are ours.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

VERSION = "1.0"
UNKNOWN = "UNKNOWN"
"""The SubjectID of nobody in particular: missing information, and no student."""
OWN = "X-"
"""What a name begins with that isn't of the specification: of a column, a value or an event."""

Representation = Literal["Table", "Directory", "Git"]
"""How code states are kept."""
REPRESENTATIONS: tuple[Representation, ...] = get_args(Representation)
Kind = Literal["ID", "URL", "Path", "Location", "String", "Integer", "Real", "Boolean", "Timestamp", "Enum"]


class Property(NamedTuple):
    """A property of a data set, in DatasetMetadata.csv."""

    kind: Kind
    default: str
    values: tuple[str, ...] = ()


METADATA = {
    "Version": Property("String", VERSION),
    "IsEventOrderingConsistent": Property("Boolean", "false"),
    "EventOrderScope": Property("Enum", "None", ("Global", "Restricted", "None")),
    "EventOrderScopeColumns": Property("String", ""),
    "CodeStateRepresentation": Property("Enum", "Table", REPRESENTATIONS),
    "ProgramInputLinkTable": Property("String", ""),
}
OLDER_NAMES = {
    "AreEventsOrdered": "IsEventOrderingConsistent",
    "EventOrderingScope": "EventOrderScope",
    "EventOrderingScopeColumns": "EventOrderScopeColumns",
}
"""Names that properties had in earlier versions, and what they are called now."""

REQUIRED = ("EventType", "EventID", "SubjectID", "ToolInstances", "CodeStateID")
_OPTIONAL: dict[str, Kind] = {
    "Order": "Integer", "ClientTimestamp": "Timestamp", "ServerTimestamp": "Timestamp", "CourseID": "ID",
    "CourseSectionID": "ID", "TermID": "ID", "AssignmentID": "ID", "AssignmentIsGraded": "Boolean", "ProblemID": "ID",
    "ProblemIsGraded": "Boolean", "Attempt": "Integer", "ExperimentalCondition": "String", "TeamID": "ID",
    "LoggingErrorID": "ID", "IsFabricatedEvent": "Boolean",
}  # fmt: skip
_SPECIFIC: dict[str, Kind] = {
    "ParentEventID": "ID", "SessionID": "ID", "ProjectID": "ID", "ResourceID": "ID", "CodeStateSection": "Path",
    "DestinationCodeStateSection": "Path", "EventInitiator": "Enum", "EditType": "Enum", "CompileResult": "Enum",
    "CompileMessageType": "String", "CompileMessageData": "String", "SourceLocation": "Location", "ExecutionID": "ID",
    "TestID": "ID", "ExecutionResult": "Enum", "Score": "Real", "ExtraCreditScore": "Real", "ProgramInput": "URL",
    "ProgramOutput": "URL", "ProgramErrorOutput": "URL", "InterventionCategory": "Enum", "InterventionType": "String",
    "InterventionMessage": "String",
}  # fmt: skip
COLUMNS: dict[str, Kind] = {
    "EventType": "Enum", "EventID": "ID", "SubjectID": "ID", "ToolInstances": "String", "CodeStateID": "ID",
    **_OPTIONAL, **_SPECIFIC,
}  # fmt: skip
"""Each column of the main table, and what its cells are."""
ANYWHERE = frozenset({*REQUIRED, *_OPTIONAL, "ParentEventID", "SessionID", "ProjectID"})
"""Columns that any event may have a value in."""

_INITIATORS = ("User", "Instructor", "TeamMember")
VALUES = {
    "EventInitiator": (
        *(f"{who}{how}Action" for who in _INITIATORS for how in ("Direct", "Indirect")), "ToolReaction",
        "ToolTimedEvent",
    ),
    "EditType": ("Insert", "Delete", "Replace", "Move", "Paste", "Undo", "Redo", "Refactor", "Reset", "GenericEdit"),
    "CompileResult": ("Success", "Warning", "Error"),
    "ExecutionResult": ("Success", "Timeout", "Error", "TestFailed"),
    "InterventionCategory": ("Feedback", "Hint", "CodeHighlight", "CodeChange", "EarnedGrade"),
}  # fmt: skip
"""What a column of kind Enum may say, and words of one's own that begin with `X-`."""
SHARES = ("Score", "ExtraCreditScore")
"""Columns of numbers from 0 to 1."""
FROM_ONE = ("Attempt",)
"""Columns of whole numbers from 1."""


class Event(NamedTuple):
    """A type of event."""

    required: tuple[str, ...] = ()
    """The columns in which it has a value, besides those that every event has."""
    optional: tuple[str, ...] = ()


_FILE = Event(("CodeStateSection",), ("EventInitiator",))
_MOVED = Event(("CodeStateSection", "DestinationCodeStateSection"), ("EventInitiator",))
_MESSAGE = Event(("ParentEventID", "CodeStateSection", "CompileMessageType", "CompileMessageData", "SourceLocation"))
_SCORES = ("ExecutionID", "Score", "ExtraCreditScore")
_PROGRAM = Event(("ExecutionResult",), (*_SCORES, "ProgramInput", "ProgramOutput", "ProgramErrorOutput"))
_TEST = Event(
    ("ExecutionID", "TestID", "ExecutionResult"),
    ("Score", "ExtraCreditScore", "ProgramInput", "ProgramOutput", "ProgramErrorOutput"),
)
EVENTS = {
    **dict.fromkeys(("Session.Start", "Session.End"), Event(("SessionID",))),
    **dict.fromkeys(("Project.Open", "Project.Close"), Event(("ProjectID",))),
    **dict.fromkeys((f"File.{act}" for act in ("Create", "Delete", "Open", "Close", "Save", "Focus")), _FILE),
    **dict.fromkeys(("File.Rename", "File.Copy"), _MOVED),
    "File.Edit": Event(("CodeStateSection", "EditType"), ("EventInitiator", "SourceLocation")),
    "Compile": Event(("CodeStateSection", "CompileResult"), ("EventInitiator",)),
    **dict.fromkeys(("Compile.Error", "Compile.Warning"), _MESSAGE),
    "Submit": Event((), _SCORES),
    **dict.fromkeys(("Run.Program", "Debug.Program"), _PROGRAM),
    **dict.fromkeys(("Run.Test", "Debug.Test"), _TEST),
    "Resource.View": Event(("ResourceID",)),
    "Intervention": Event(("EventInitiator", "InterventionCategory", "InterventionType", "InterventionMessage")),
}
"""The types of events."""

CODE_COLUMNS = ("CodeStateID", "Code", "CodeStateSection")
"""Of the code states' table; the last one if a code state has several sections."""

TRUE = ("true", "1", "1.0", "t", "yes")
FALSE = ("false", "0", "0.0", "f", "no")
"""How booleans are written, in any case; of these `true` and `false` alone are the specification's."""


def is_own(name: str) -> bool:
    """Whether a name is one that a data set's makers may choose."""
    return name.startswith(OWN) and len(name) > len(OWN)
