"""The viewer: a page that shows recorded runs, its read-only server, one-file exports, figures.

Imports `record/` and what lies below it, never the rooms that make runs. starlette and uvicorn
(`gradtape[view]`) are needed by the server alone; matplotlib by figures alone. Read `answers.py`
first: every endpoint of the page, as bytes. `server.py` serves them and `static.py` writes them
into one HTML file. `guard.py` is what stands between the server and everybody else.
"""
