"""Each case in each library's own idiom, one module per library and mode.

A module has `VERSION`, `setup(threads)`, `to_numpy(x)`, and per case a function named after it
(`sin50-1000` is `sin50` on other data) that takes the case's data and returns `run`. Calling
`run` does the work once and returns the outputs that the case's reference names; its first call
starts from the given data.
"""
