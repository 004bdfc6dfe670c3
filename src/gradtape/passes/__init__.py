"""Passes: Graph -> Graph. One file per pass; its docstring shows a graph before and after.

Read `pipeline.py` first: the order, and what is published of each pass. A pass is a function from a
graph to a new graph; it changes none of the nodes it is given, because derivatives are taken from
the graph as it was traced. It keeps inputs and their order, outputs, and effects.
"""
