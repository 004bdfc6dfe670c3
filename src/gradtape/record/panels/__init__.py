"""What the panels of the page draw: a run in, arrays out. Each function takes a Reader.

Each gives a header (JSON data) and a list of float64 arrays, in the order that the page reads them,
or a sentence that says why there is nothing to draw. Read `moment.py` first: the run at one step.
"""

from __future__ import annotations

from .fit import fit
from .flow import cost, flow, validation_of
from .nodes import node, nodes
from .plane import landscape, path
from .regions import regions

__all__ = ["cost", "fit", "flow", "landscape", "node", "nodes", "path", "regions", "validation_of"]
