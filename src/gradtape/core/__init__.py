"""Core (L1): what a tape is made of. Imports errors, config and events only.

Read `cards.py` first (what an op is), then `state.py` (keys, recorders), `dispatch.py` (how a
call becomes a record) and `sweep.py` (how records are played back).
"""
