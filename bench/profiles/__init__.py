"""Why rows are missed: a profile of each, taken by a program. `python -m bench --only profiles`.

Read `missed.py` (which rows, from the JSON of the other parts), `taking.py` (what a measured
process does), `command.py` (the page `profiles.md`).
"""
