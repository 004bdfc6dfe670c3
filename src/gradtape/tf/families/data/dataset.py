"""tf.data.Dataset: elements that are made when they are asked for, anew in each iteration.

A dataset is a function that starts a stream of items. Where it comes from arrays, the items are
the numbers of their rows: shuffling, taking and repeating move numbers about, and a batch is one
indexing of the arrays. Otherwise an item is the element itself. All runs in the caller's thread;
`num_parallel_calls` and `prefetch` change no result, and nothing here.
"""

from __future__ import annotations

import functools
import itertools
import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np

from ....core.positions import decode, here
from ....errors import three_part
from ...base import seeds
from ...base.dtypes import DTYPES
from ...base.errors import KINDS, RefusedType, invalid
from ...base.names import export
from ...base.specs import TensorSpec, needs
from ...base.structure import pack
from ...base.tensors import make
from . import elements, sources, streams
from .elements import INFINITE, UNKNOWN
from .iterators import Iterator as _Iterator
from .iterators import NumpyIterator
from .options import Options
from .returned import demand_same, first_of, found_spec, later, truth_of

int64 = DTYPES["int64"]


@export("data.Dataset")
class Dataset:
    """A sequence of elements: tensors, or tuples and dicts of them.

    Examples
    --------
    >>> import gradtape.tf as tf
    >>> for x in tf.data.Dataset.range(5).batch(2):
    ...     print(x.numpy())
    [0 1]
    [2 3]
    [4]
    """

    def __init__(self, variant_tensor: Any) -> None:
        raise RefusedType(
            three_part(
                "tf.data.Dataset cannot be made by calling the class.",
                f"Called at {decode(*here())}.",
                "Use tf.data.Dataset.from_tensor_slices((x, y)).",
            )
        )

    _kind: str
    _stream: streams.Stream
    _count: int
    _spec: Any  # a spec, or a function that finds it
    _arrays: list[Any] | None  # whose row numbers the items are, in the structure of the spec
    _options: Options

    # ------------------------------------------------------------------ questions

    @property
    def element_spec(self) -> Any:
        """What is known of each element."""
        if callable(self._spec):
            self._spec = self._spec()
        return self._spec

    def cardinality(self, name: Any = None) -> Any:
        """The number of elements; -1 is infinite, -2 not known."""
        return make(np.int64(self._count))

    def __len__(self) -> int:
        if self._count < 0:
            what = "dataset is infinite" if self._count == INFINITE else "dataset length is unknown"
            raise RefusedType(
                three_part(
                    f"The {what}.",
                    f"Its length was asked at {decode(*here())}.",
                    "Take a number of elements, ds.take(100), or count: sum(1 for _ in ds).",
                )
            )
        return self._count

    def __bool__(self) -> bool:
        return True

    def options(self) -> Options:
        """The options that were set with `with_options`."""
        return self._options

    def __repr__(self) -> str:
        return f"<{self._kind} element_spec={self.element_spec!r}>"

    # ------------------------------------------------------------------ reading

    def _elements(self) -> Iterator[Any]:
        if self._arrays is None:
            return self._stream()
        return map(self._row, self._stream())

    def _row(self, i: int) -> Any:
        parts = [elements.row(a, i) for a in self._arrays or ()]
        return pack(self.element_spec, parts, elements.nested)

    def __iter__(self) -> Any:
        return _Iterator.over(self)

    def as_numpy_iterator(self) -> NumpyIterator:
        """The elements as NumPy arrays."""
        return NumpyIterator(self)

    def get_single_element(self, name: Any = None) -> Any:
        """The only element."""
        found = list(itertools.islice(self._elements(), 2))
        if len(found) != 1:
            raise invalid(
                f"Dataset {'had more than one element' if found else 'was empty'}.",
                f"get_single_element was called at {decode(*here())}.",
                "Read it in a loop, or ds.take(1).",
            )
        return found[0]

    def reduce(self, initial_state: Any, reduce_func: Any, name: Any = None) -> Any:
        """`reduce_func(state, element)` over all elements, from `initial_state`."""
        elements.callable_or_raise(reduce_func, "reduce_func")
        state = elements.element(initial_state)
        wanted = elements.spec_of(state)
        for item in self._elements():
            state = elements.returned(elements.without_tapes(reduce_func, state, item))
            found = elements.spec_of(state)
            demand_same(found, wanted, "the state of a reduction")
        return state

    # ------------------------------------------------------------------ the same elements

    def _same(self, kind: str, stream: streams.Stream, count: int) -> Dataset:
        """A dataset of the same items, in another order or number."""
        return build(kind, stream, count, lambda: self.element_spec, self._arrays, self._options)

    def shuffle(
        self,
        buffer_size: Any,
        seed: Any = None,
        reshuffle_each_iteration: Any = True,
        name: Any = None,
    ) -> Dataset:
        """The elements in random order: each is drawn from a buffer of `buffer_size` of them.

        With the global seed or `seed`, the orders of the first, second, … iteration are the same
        in every run. They are not TensorFlow's.
        """
        size = elements.count(buffer_size, "buffer_size")
        if size < 1 and size != UNKNOWN:
            raise invalid(
                "buffer_size must be greater than zero or UNKNOWN_CARDINALITY.",
                f"shuffle({size}) was called at {decode(*here())}.",
                "Pass the number of elements: ds.shuffle(len(ds)).",
            )
        words = seeds.pair(seed) or (secrets.randbits(63), secrets.randbits(63))
        again = reshuffle_each_iteration is None or bool(reshuffle_each_iteration)
        rounds = itertools.count() if again else itertools.repeat(0)

        def stream() -> Iterator[Any]:
            rng = seeds.fresh("dataset", *words, next(rounds))
            return streams.shuffled(self._stream, size, rng)

        return self._same("_ShuffleDataset", stream, self._count)

    def repeat(self, count: Any = None, name: Any = None) -> Dataset:
        """The elements `count` times over; for ever by default."""
        times = -1 if count is None else elements.count(count, "count")
        n = self._count
        total = 0 if n == 0 or times == 0 else INFINITE if times < 0 or n == INFINITE else (
            UNKNOWN if n < 0 else n * times)  # fmt: skip
        return self._same("_RepeatDataset", lambda: streams.repeated(self._stream, times), total)

    def take(self, count: Any, name: Any = None) -> Dataset:
        """The first `count` elements; all if it is negative."""
        k, n = elements.count(count, "count"), self._count
        total = n if k < 0 else k if n == INFINITE else n if n < 0 else min(n, k)
        stop = None if k < 0 else k
        return self._same("_TakeDataset", lambda: itertools.islice(self._stream(), stop), total)

    def skip(self, count: Any, name: Any = None) -> Dataset:
        """The elements after the first `count`; none if it is negative."""
        k, n = elements.count(count, "count"), self._count
        total = n if n < 0 and k >= 0 else 0 if k < 0 else max(0, n - k)
        start, stop = (0, 0) if k < 0 else (k, None)
        return self._same(
            "_SkipDataset", lambda: itertools.islice(self._stream(), start, stop), total
        )

    def shard(self, num_shards: Any, index: Any, name: Any = None) -> Dataset:
        """Every `num_shards`-th element, from number `index` on."""
        k, first = elements.count(num_shards, "num_shards"), elements.count(index, "index")
        if k < 1 or not 0 <= first < k:
            raise invalid(
                f"Index must be between 0 and {k - 1} (currently index = {first})." if k > 0 else
                f"Number of shards must be greater than zero (currently num_shards = {k}).",
                f"shard was called at {decode(*here())}.",
                "Pass the number of shards, and which of them: ds.shard(4, 0).",
            )  # fmt: skip
        n = self._count
        total = n if n < 0 else (n - first + k - 1) // k
        return self._same(
            "_ShardDataset", lambda: itertools.islice(self._stream(), first, None, k), total
        )

    def prefetch(self, buffer_size: Any, name: Any = None) -> Dataset:
        """The same elements; nothing is made ahead of its time."""
        size = elements.count(buffer_size, "buffer_size")
        if size < -1:
            raise invalid(
                f"buffer_size must be >= 0 or set buffer_size to be -1 for auto-tuning, not "
                f"{size}.",
                f"prefetch was called at {decode(*here())}.",
                "Use ds.prefetch(tf.data.AUTOTUNE).",
            )
        return self._same("_PrefetchDataset", self._stream, self._count)

    def cache(self, filename: Any = "", name: Any = None) -> Dataset:
        """The same elements, kept in memory once an iteration has come to its end."""
        if filename:
            raise KINDS["UnimplementedError"](
                None,
                None,
                three_part(
                    f"cache: a dataset is kept in memory, and not in the file {filename!r:.60}.",
                    f"Called at {decode(*here())}.",
                    "Leave the name out: ds.cache().",
                ),
            )
        return self._same("CacheDataset", streams.Kept(self._stream), self._count)

    def with_options(self, options: Any, name: Any = None) -> Dataset:
        """The same elements; options change no result here."""
        if not isinstance(options, Options):
            raise RefusedType(
                three_part(
                    f"`options` is a {type(options).__name__}, no tf.data.Options.",
                    f"with_options was called at {decode(*here())}.",
                    "Make one: options = tf.data.Options().",
                )
            )
        out = self._same("_OptionsDataset", self._stream, self._count)
        out._options = self._options.merge(options)
        return out

    # ------------------------------------------------------------------ other elements

    def _other(self, kind: str, stream: streams.Stream, count: int, spec: Any) -> Dataset:
        return build(kind, stream, count, spec, None, self._options)

    def batch(
        self,
        batch_size: Any,
        drop_remainder: Any = False,
        num_parallel_calls: Any = None,
        deterministic: Any = None,
        name: Any = None,
    ) -> Dataset:
        """Elements with a row for each of `batch_size` elements; the last may have fewer."""
        size, n = elements.count(batch_size, "batch_size"), self._count
        if size < 1:
            raise invalid(
                "Batch size must be greater than zero.",
                f"batch({size}) was called at {decode(*here())}.",
                "Pass a number of elements: ds.batch(32).",
            )
        drop = bool(drop_remainder)
        join = self._gather if self._arrays is not None else elements.stack
        total = n if n < 0 else n // size if drop else -(-n // size)

        def spec() -> Any:
            return elements.with_length(self.element_spec, size if drop else None)

        return self._other(
            "_BatchDataset", lambda: map(join, streams.batched(self._stream, size, drop)), total,
            spec,
        )  # fmt: skip

    def _gather(self, numbers: list[int]) -> Any:
        parts = [make(a[numbers]) for a in self._arrays or ()]
        return pack(self.element_spec, parts, elements.nested)

    def unbatch(self, name: Any = None) -> Dataset:
        """An element for each row of each element."""
        spec = elements.unbatched(self.element_spec)
        lengths = {s.shape[0] for s in elements.leaves(self.element_spec) if s.shape.known} - {None}
        known = self._count > 0 and len(lengths) == 1
        total = self._count * lengths.pop() if known else 0 if self._count == 0 else (
            self._count if self._count == INFINITE and lengths else UNKNOWN)  # fmt: skip
        return self._other(
            "_UnbatchDataset",
            lambda: itertools.chain.from_iterable(map(elements.rows, self._elements())),
            total, spec,
        )  # fmt: skip

    def map(
        self,
        map_func: Any,
        num_parallel_calls: Any = None,
        deterministic: Any = None,
        synchronous: Any = None,
        use_unbounded_threadpool: Any = False,
        name: Any = None,
    ) -> Dataset:
        """`map_func` of each element; it is called with the parts of a tuple as arguments."""
        elements.callable_or_raise(map_func, "func")

        def apply(x: Any) -> Any:
            result = elements.call(map_func, x)
            found = () if result is None else elements.returned(result)
            if not elements.leaves(found):
                raise invalid(
                    "An element has at least one tensor.",
                    f"map_func returned {result!r:.60}, for the dataset read at {decode(*here())}.",
                    "Return a tensor, or a tuple or dict of tensors.",
                )
            return found

        out = self._other(
            "_MapDataset" if num_parallel_calls is None else "_ParallelMapDataset",
            lambda: map(apply, self._elements()), self._count, None,
        )  # fmt: skip
        out._spec = functools.partial(found_spec, out, map_func, self)
        return out

    def filter(self, predicate: Any, name: Any = None) -> Dataset:
        """The elements for which `predicate` returns True."""
        elements.callable_or_raise(predicate, "predicate")
        return self._other(
            "_FilterDataset", lambda: filter(truth_of(predicate), self._elements()), UNKNOWN,
            lambda: self.element_spec,
        )  # fmt: skip

    def take_while(self, predicate: Any, name: Any = None) -> Dataset:
        """The elements before the first for which `predicate` returns False."""
        elements.callable_or_raise(predicate, "predicate")
        return self._other(
            "_TakeWhileDataset",
            lambda: itertools.takewhile(truth_of(predicate), self._elements()), UNKNOWN,
            lambda: self.element_spec,
        )  # fmt: skip

    def enumerate(self, start: Any = 0, name: Any = None) -> Dataset:
        """Pairs of a number and an element."""
        first = elements.count(start, "start")

        def stream() -> Iterator[Any]:
            return ((make(np.int64(i)), x) for i, x in enumerate(self._elements(), first))

        return self._other(
            "_ZipDataset", stream, self._count, lambda: (TensorSpec((), int64), self.element_spec)
        )

    def scan(self, initial_state: Any, scan_func: Any, name: Any = None) -> Dataset:
        """What `scan_func(state, element) -> (state, output)` puts out."""
        elements.callable_or_raise(scan_func, "scan_func")

        def stream() -> Iterator[Any]:
            state = elements.element(initial_state)
            for item in self._elements():
                state, found = elements.without_tapes(scan_func, state, item)
                state = elements.element(state)
                yield elements.returned(found)

        out = self._other("_ScanDataset", stream, self._count, None)
        out._spec = functools.partial(found_spec, out, None, self)
        return out

    def unique(self, name: Any = None) -> Dataset:
        """The elements that were not there before."""

        def key(x: Any) -> Any:
            return tuple((t.value.shape, t.value.tobytes() if t.value.dtype != object
                          else tuple(t.value.ravel())) for t in elements.leaves(x))  # fmt: skip

        return self._other(
            "_UniqueDataset", lambda: streams.unique(self._elements(), key), UNKNOWN,
            lambda: self.element_spec,
        )  # fmt: skip

    def concatenate(self, dataset: Any, name: Any = None) -> Dataset:
        """These elements, and then those of another dataset."""
        demand_dataset(dataset, "concatenate")
        mine, theirs = self.element_spec, dataset.element_spec
        try:
            pairs = zip(elements.leaves(mine), elements.leaves(theirs), strict=True)
            joined = [a.most_specific_common_supertype([b]) for a, b in pairs]
        except (ValueError, AttributeError):
            joined = [None]
        if None in joined:
            needs(mine, theirs, "dataset elements")
        a, b = self._count, dataset._count
        total = INFINITE if INFINITE in (a, b) else UNKNOWN if UNKNOWN in (a, b) else a + b
        return self._other(
            "_ConcatenateDataset",
            lambda: itertools.chain(self._elements(), later(dataset._elements)), total,
            pack(mine, joined, elements.nested),
        )  # fmt: skip

    def flat_map(self, map_func: Any, name: Any = None) -> Dataset:
        """The elements of the datasets that `map_func` returns, one after the other."""
        elements.callable_or_raise(map_func, "map_func")

        def inner(x: Any) -> Dataset:
            found = elements.call(map_func, x)
            if not isinstance(found, Dataset):
                raise RefusedType(
                    three_part(
                        "The `map_func` argument must return a `Dataset` object. Got "
                        f"{type(found).__name__!r}.",
                        f"It belongs to the flat_map of the dataset read at {decode(*here())}.",
                        "Return one, tf.data.Dataset.from_tensor_slices(x), or use map.",
                    )
                )
            return found

        def stream() -> Iterator[Any]:
            return (item for x in self._elements() for item in inner(x)._elements())

        def spec() -> Any:
            return inner(first_of(self._elements())).element_spec

        return self._other("_FlatMapDataset", stream, UNKNOWN, spec)

    def window(
        self,
        size: Any,
        shift: Any = None,
        stride: Any = 1,
        drop_remainder: Any = False,
        name: Any = None,
    ) -> Dataset:
        """Datasets of `size` elements each, starting `shift` elements after one another."""
        k = elements.count(size, "size")
        step = k if shift is None else elements.count(shift, "shift")
        apart = elements.count(stride, "stride")
        if min(k, step, apart) < 1:
            what = "size" if k < 1 else "shift" if step < 1 else "stride"
            raise invalid(
                f"Window {what} must be greater than zero.",
                f"window was called at {decode(*here())}.",
                "Pass lengths: ds.window(5, shift=1, drop_remainder=True).",
            )
        drop, n = bool(drop_remainder), self._count
        span = (k - 1) * apart + 1
        total = n if n < 0 else max(0, (n - span) // step + 1) if drop else -(-n // step)

        def one(items: list[Any]) -> Any:
            if not elements.nested(self.element_spec):
                return _held(items, self.element_spec)
            columns = zip(*map(elements.leaves, items), strict=True)
            kinds = elements.leaves(self.element_spec)
            parts = [_held(list(c), s) for c, s in zip(columns, kinds, strict=True)]
            return pack(self.element_spec, parts, elements.nested)

        return self._other(
            "_WindowDataset",
            lambda: map(one, streams.windows(self._elements, k, step, apart, drop)), total,
            lambda: elements.each(elements.DatasetSpec, self.element_spec),
        )  # fmt: skip

    def apply(self, transformation_func: Any) -> Any:
        """What a function makes of the dataset."""
        found = transformation_func(self)
        demand_dataset(found, "apply")
        return found

    # ------------------------------------------------------------------ sources

    @staticmethod
    def from_tensor_slices(tensors: Any, name: Any = None) -> Dataset:
        """An element for each row of the tensors."""
        return build(*sources.slices(tensors))

    @staticmethod
    def from_tensors(tensors: Any, name: Any = None) -> Dataset:
        """One element, the tensors themselves."""
        return build(*sources.whole(tensors))

    @staticmethod
    def from_generator(
        generator: Any,
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: Any = None,
    ) -> Dataset:
        """What a generator function yields; an exception of its own comes out as it is."""
        return build(
            *sources.generated(generator, output_types, output_shapes, args, output_signature)
        )

    @staticmethod
    def range(*args: Any, **kwargs: Any) -> Dataset:
        """Whole numbers, as Python's range has them."""
        return build(*sources.numbers(args, **kwargs))

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: Any = None) -> Dataset:
        """Elements put together from one of each dataset, to the end of the shortest."""
        if not args and datasets is None:
            raise RefusedType(
                three_part(
                    "Must pass at least one dataset to `zip`.",
                    f"Called at {decode(*here())}.",
                    "Use tf.data.Dataset.zip(a, b).",
                )
            )
        given = datasets if datasets is not None else args[0] if len(args) == 1 else args
        for part in elements.leaves(given):
            demand_dataset(part, "zip")
        parts = elements.leaves(given)
        counts = [d._count for d in parts if d._count != INFINITE]
        total = INFINITE if not counts else UNKNOWN if UNKNOWN in counts else min(counts)

        def stream() -> Iterator[Any]:
            rows = zip(*[d._elements() for d in parts], strict=False)
            return (pack(given, row, elements.nested) for row in rows)

        return build(
            "_ZipDataset", stream, total,
            lambda: pack(given, [d.element_spec for d in parts], elements.nested),
        )  # fmt: skip


def build(
    kind: str,
    stream: streams.Stream,
    count: int,
    spec: Any,
    arrays: list[Any] | None = None,
    options: Options | None = None,
) -> Dataset:
    """A dataset of a stream of items."""
    out = Dataset.__new__(Dataset)
    out._kind, out._stream, out._count = kind, stream, count
    out._spec, out._arrays, out._options = spec, arrays, options or Options()
    return out


def _held(items: list[Any], spec: Any) -> Dataset:
    return build("_VariantDataset", lambda: iter(items), UNKNOWN, spec)


def demand_dataset(x: Any, name: str) -> None:
    """Refuse what is no dataset."""
    if not isinstance(x, Dataset):
        raise RefusedType(
            three_part(
                f"Invalid input to `{name}`: expected tf.data.Dataset objects in tuples or dicts, "
                f"but encountered an object of type {type(x)}.",
                f"Called at {decode(*here())}.",
                f"Make datasets first, in a tuple: {name}((tf.data.Dataset.range(3), ds)).",
            )
        )
