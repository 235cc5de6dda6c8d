"""The colours a program names.

CSS has 148 names for 139 colours: grey is gray, aqua is cyan, fuchsia is magenta. Names of one colour count as one.
In: a program's words. Out: counts by colour. Only whole words count: `skyblue` holds no `blue`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

_SYNONYMS = {"aqua": "cyan", "fuchsia": "magenta"} | {
    f"{shade}grey": f"{shade}gray" for shade in ("", "dark", "darkslate", "dim", "light", "lightslate", "slate")
}

_NAMES = """
aliceblue antiquewhite aquamarine azure beige bisque black blanchedalmond blue blueviolet brown burlywood
cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan darkgoldenrod darkgray
darkgreen darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred darksalmon darkseagreen darkslateblue
darkslategray darkturquoise darkviolet deeppink deepskyblue dimgray dodgerblue firebrick floralwhite forestgreen
gainsboro ghostwhite gold goldenrod gray green greenyellow honeydew hotpink indianred indigo ivory khaki lavender
lavenderblush lawngreen lemonchiffon lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen
lightpink lightsalmon lightseagreen lightskyblue lightslategray lightsteelblue lightyellow lime limegreen linen
magenta maroon mediumaquamarine mediumblue mediumorchid mediumpurple mediumseagreen mediumslateblue
mediumspringgreen mediumturquoise mediumvioletred midnightblue mintcream mistyrose moccasin navajowhite navy
oldlace olive olivedrab orange orangered orchid palegoldenrod palegreen paleturquoise palevioletred papayawhip
peachpuff peru pink plum powderblue purple rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown
seagreen seashell sienna silver skyblue slateblue slategray snow springgreen steelblue tan teal thistle tomato
turquoise violet wheat white whitesmoke yellow yellowgreen
"""

COLOURS = tuple(_NAMES.split())
"""The 139 colours that CSS names, in the order of every colour vector."""

_INDEX = {name: index for index, name in enumerate(COLOURS)}
_INDEX |= {synonym: _INDEX[name] for synonym, name in _SYNONYMS.items()}
_WORD = re.compile(r"\b(?:" + "|".join(_INDEX) + r")\b")


def colour_counts(words: Mapping[str, int]) -> Counter[int]:
    """How often each colour (index into `COLOURS`) is named, from the counts of a program's whole words."""
    counts: Counter[int] = Counter()
    for word in words.keys() & _INDEX.keys():
        counts[_INDEX[word]] += words[word]
    return counts


def mask_colours(line: str) -> str:
    """`line` with every colour word replaced by one placeholder."""
    return _WORD.sub("\0", line)
