"""Figures: one style, and the drawings that more than one page needs.

Every drawing takes the axes to draw on (``ax=``) or makes its own, and returns them. matplotlib is
imported when the first of these names is used.
"""

from dlbook._lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    modules=["architectures", "decisions", "graphs", "lines", "pictures", "styles", "surfaces"],
    names={
        "architectures": ["architecture"],
        "decisions": ["decision_lines"],
        "graphs": ["graph", "network"],
        "lines": ["bands", "curves"],
        "pictures": ["images"],
        "styles": [
            "COTANGENT",
            "INK",
            "LINESTYLES",
            "MARKERS",
            "MUTED",
            "PALETTE",
            "PANEL",
            "VALUE",
            "style",
            "use_style",
        ],
        "surfaces": ["contours"],
    },
)
