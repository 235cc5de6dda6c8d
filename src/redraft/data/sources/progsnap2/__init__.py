"""ProgSnap2: the common format of programming-education data, read into states.

specification           the format's columns, their types and values, its events and metadata
layout                  where a data set's files lie, in a folder or a zip
survey                  what its main table holds, told by one look through it
codestates  gitobjects  its programs, in any of the three layouts; files of commits, without git
maintable               its rows, and what each of them says
programs                the programs that events name, in a table
said                    what the platform said of a program in other rows
keystrokes  strokes     keystrokes into drafts; the rows of a log of them, in order
source                  all that as a log format
"""

from redraft.data.sources.progsnap2.source import ProgSnap2

__all__ = ["ProgSnap2"]
