"""The colours that the released code looks for.

In: a program's text. Out: how often each name stands in it, also inside other words: `skyblue` holds a `blue`.
"""

from __future__ import annotations

_NAMES = """
white gainsboro silver darkgray gray dimgray black whitesmoke lightgray lightcoral rosybrown indianred red maroon snow
mistyrose salmon orangered chocolate brown darkred seashell peachpuff tomato darkorange peru firebrick olive linen
bisque darksalmon orange goldenrod sienna darkolivegreen oldlace antiquewhite coral gold limegreen saddlebrown
darkgreen floralwhite navajowhite lightsalmon darkkhaki lime darkgoldenrod green cornsilk blanchedalmond sandybrown
yellow mediumseagreen olivedrab forestgreen ivory papayawhip burlywood yellowgreen springgreen seagreen darkslategray
beige moccasin tan chartreuse mediumspringgreen lightseagreen teal lightyellow wheat khaki lawngreen aqua
darkturquoise darkcyan lightgoldenrodyellow lemonchiffon greenyellow darkseagreen cyan deepskyblue midnightblue
honeydew palegoldenrod lightgreen mediumaquamarine cadetblue steelblue navy mintcream palegreen skyblue turquoise
dodgerblue blue darkblue azure aquamarine lightskyblue mediumturquoise lightslategray blueviolet mediumblue lightcyan
paleturquoise lightsteelblue cornflowerblue slategray darkorchid darkslateblue aliceblue powderblue thistle
mediumslateblue royalblue fuchsia indigo ghostwhite lightblue plum mediumpurple slateblue magenta darkviolet lavender
pink violet orchid mediumorchid mediumvioletred purple lavenderblush lightpink hotpink palevioletred deeppink crimson
darkmagenta
"""

COLOURS = tuple(_NAMES.split())
"""The 140 names, in the released code's order: CSS's, without its spellings with `grey` and `rebeccapurple`."""

_WITHIN = {name: tuple(other for other in COLOURS if name in other) for name in COLOURS}
_ROOTS = tuple(name for name in COLOURS if not any(other != name and other in name for other in COLOURS))
"""The names that hold no other: where none of them stands, no name does."""


def colour_substrings(program: str) -> dict[str, int]:
    """Occurrences of each name that occurs, in the order of `COLOURS`, upper case or lower."""
    low = program.lower()
    possible = {name for root in _ROOTS if root in low for name in _WITHIN[root]}
    counts = ((name, low.count(name)) for name in COLOURS if name in possible)
    return {name: count for name, count in counts if count}
