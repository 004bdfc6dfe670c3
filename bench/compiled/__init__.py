"""Every case as a compiled program: `gt.function` against the compilers of the peers.

Read `table.py` (peers and bars), then `measuring.py` and `report.py`.
"""
