"""Side-by-side measurements against peers. Read README.md first, then cases.py and run.py."""
