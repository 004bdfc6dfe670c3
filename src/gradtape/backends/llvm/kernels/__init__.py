"""The kernels of the functions, by family; each is straight-line code in the words of `Kernel`.

A kernel is a function of a `Kernel` and its operands. `library` holds the table of them all.
"""
