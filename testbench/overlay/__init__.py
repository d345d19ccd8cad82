"""A directory whose changes stay aside until they are applied or discarded, for Python code and for children.

`_overlay` is the life of one. `_view` is the directory where changes go, `_ground` says which path leads there,
`_redirects` and `_children` let the functions of Python and the programs it starts go there, `_guard` stops what they
do not see. `_comparing` finds what has changed, `_difference` says it as data, `_patch` as git does, and `_bringing`
does it to the root.
"""

from __future__ import annotations

from testbench.overlay._difference import Change, Diff, State
from testbench.overlay._overlay import Overlay

__all__ = ["Change", "Diff", "Overlay", "State"]
