"""GradBench's problems: value and gradient, compiled. Read `objectives.py`.

GradBench (gradbench.github.io) compares tools of automatic differentiation; several of its problems
come from ADBench (Srajer, Kukelova and Fitzgibbon 2018) and from Siskind and Pearlmutter. They are
written anew here from what they compute, over the namespace of `bench.npbench`, whose machinery
runs and checks them. Where GradBench asks for a Jacobian (bundle adjustment, hand tracking) or for
a diagonal of a Hessian (k-means), what is measured is the gradient of the objective.
"""
