"""Compiled functions: `@gt.function`, the signatures it compiles for, derivatives of programs.

Read `function.py` first. `program.py` is one compiled program; `signature.py` says what of a call
is traced and what is static, `derivative.py` makes a program one operation that tapes can record,
`stored.py` keeps programs on disk, `report.py` shows what one is made of. (The room is not called
`function`, because `gt.function` is the decorator.)
"""
