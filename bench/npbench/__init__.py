"""The differentiable part of NPBench: value and gradient of its kernels, compiled.

Read `kernels.py`, then `dense.py` as an example. NPBench is Ziogas, Ben-Nun, Schneider and Hoefler,
NPBench: A Benchmarking Suite for High-Performance NumPy (2021); the kernels here are written anew
from what they compute, at sizes that suit a gradient. What has no gradient is left out: kernels of
integers (crc16, nussinov), of complex numbers (mandelbrot, stockham_fft, contour_integral, the
scattering self energies), and those whose loops end by a test of their values (channel_flow runs a
fixed number of steps instead).
"""
