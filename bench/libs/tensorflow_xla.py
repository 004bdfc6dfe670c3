"""Each case of `tensorflow_compiled`, with `tf.function(jit_compile=True)`."""

from __future__ import annotations

from bench.libs import tensorflow_compiled
from bench.libs.tensorflow_compiled import *  # noqa: F403

tensorflow_compiled.is_jit = True
