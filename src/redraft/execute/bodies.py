"""What turtles look like: the shapes that `wear` and `new Turtle` know, as SVG's elements.

In: a turtle's shape. Out: tags and attributes around the turtle's place, heading up, y downwards, at scale 1. What has
no fill of its own takes the turtle's colour. A shape that isn't here is a box of the turtle's size.
"""

from __future__ import annotations

Parts = tuple[tuple[str, dict[str, str]], ...]

_SKIN = {"fill": "#30ae48", "stroke": "#016c38", "stroke-width": "0.5", "stroke-linejoin": "round"}
_LIMBS = (
    "M-3.3 -6.3L-6.5 -8H-9L-9.4 -7.2L-5.3 -3.7V3L-7 5.2L-8.3 8H-5.7L-4.6 5.8L-2.2 5.8L-0.9 6.7L-0.6 9L-1.2 9.6H-0.1"
    "L0.8 8.7V6.7L2.2 5.8H5.2L9.2 6.2V3.8H5.6L5.2 3V-3.2L5.8 -3.8H9.2V-5.3L8.4 -6.2H3.4L1.7 -7.2V-9.2H-1.7V-7.2Z"
)
_LINES = (
    "M2.5 -7L1.5 -5.5H-1.5L-2.5 -7M1.5 -5.5L3.5 -4L2 -2H-2L-3.5 -4L-1.5 -5.5M2 -2L3.5 0L2 2H-2L-3.5 0L-2 -2"
    "M2 2L3.5 4L1.5 5.5H-1.5L-3.5 4L-2 2M3.5 -4L6 -4.5M-3.5 -4L-6 -4.5M3.5 0H7.5M-3.5 0H-7.5M3.5 4L6 4.5M-3.5 4L-6 4.5"
    "M1.5 5.5L0.5 7.5M-1.5 5.5L-0.5 7.5"
)
_WOOD = "M-0.25 -2.5H0.25L0.75 -2.3L2.75 -5.9L2 -6.2H1.5L0.3 -5.8H-0.3L-1.5 -6.2H-2L-2.75 -5.9L-0.75 -2.3Z"
_EYE = {"fill": "white", "stroke": "#808080", "stroke-width": "0.4"}

BODIES: dict[str, Parts] = {
    "turtle": (
        ("path", {"d": _LIMBS, **_SKIN}),
        ("ellipse", {"cx": "0", "cy": "-10.5", "rx": "3.2", "ry": "1.9", **_SKIN}),
        *(("circle", {"cx": x, "cy": "-12.2", "r": "0.9", **_EYE}) for x in ("-2.1", "2.1")),
        ("circle", {"r": "8"}),
        ("path", {"d": _LINES, "fill": "none", "stroke": "white", "stroke-opacity": "0.75", "stroke-width": "0.55"}),
        ("circle", {"r": "7.75", "fill": "none", "stroke": "black", "stroke-opacity": "0.4", "stroke-width": "0.55"}),
    ),
    "pointer": (("path", {"d": "M-10 6L0 -18L10 6L0 0Z"}),),
    "radius": (("path", {"d": "M0 -9A9 9 0 1 1 -0.01 -9ZL0 0", "fill": "none", "stroke": "own", "stroke-width": "2"}),),
    "dot": (("circle", {"r": "6"}),),
    "point": (("circle", {"r": "1.5"}),),
    "pencil": (
        ("path", {"d": "M-0.25 0L-3.5 -6V-23.5L-3 -24H3L3.5 -23.5V-6L0.25 0Z"}),
        ("path", {"d": _WOOD, "fill": "#ffcb6b"}),
        ("path", {"d": "M-2.75 -20V-18H2.75V-20Z", "fill": "#d1ebff"}),
    ),
}
"""A stroke called `own` has the turtle's colour."""
