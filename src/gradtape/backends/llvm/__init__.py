"""The LLVM backend: scalar vocabulary, vector mathematics, machine code.

The only place that imports llvmlite; nothing here is imported before a function is compiled. May
import what is below `backends/`, and no other backend. Read first: `scalars.py` (what a lowering
may say), then `kernel.py` and one of `kernels/`, `library.py` (how a loop gets at them and what
becomes of rare arguments), `compile.py`.
"""
