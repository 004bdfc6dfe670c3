"""Run folders spoiled at random: in cells of the database by values of every kind, and in bytes.

`python -m tests.viewer.fuzzing --first 0 --count 500` asks every endpoint about each of so many
spoiled copies of a run and prints what took long or ended otherwise than in an answer.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

from tests.viewer import demo
from tests.viewer.test_hostile import ask_all

NUMBERS = [0, -1, 1, 2, 7, 2**31, 2**53 + 1, 2**62, 2**63 - 1, -(2**63), 0.5, -1e308, 1e-320]
WORDS = [
    "", "x", "value/slope", "input/0", "cost", "\x00", "NaN", "[]", "{}", "[[[[]]]]", "-1", "1e999",
    "\u2028", "<script>", "a" * 100_000, "../../x", "|O", "<f8", "<c16", "|b1", "[0]", "[4, 4]",
    "[9223372036854775807]", "running", '"running"', '"finished"',
]  # fmt: skip
JSON = [
    None, True, False, 0, -1, 1, 3, 99, 2**70, 0.5, -1e308, "", "x", "value/slope", "input/0",
    "multiply", "matmul", "reshape", "mean", "variable", "input", "constant", [], {}, [[]],
    [0], [1, 2, 3], [-1], [10**9, 10**9], [0] * 3000, {"a": 1}, ["d"], ["t", []],
    ["d", ["axis", 5]], ["d", ["axis", "x"]], "a" * 10_000,
]  # fmt: skip


def spoil(run: Path, seed: int) -> str:
    """Spoil a run, and say how."""
    noise = random.Random(seed)
    if noise.random() < 0.15:
        return spoil_bytes(run, noise)
    told = []
    database = sqlite3.connect(run / "run.db")
    try:
        for _ in range(noise.choice([1, 1, 2, 4])):
            told.append(spoil_cell(database, noise))
        database.commit()
    finally:
        database.close()
    return "; ".join(told)


def spoil_bytes(run: Path, noise: random.Random) -> str:
    path = noise.choice([each for each in run.iterdir() if each.is_file()])
    content = bytearray(path.read_bytes())
    count = noise.choice([1, 4, 32, 500])
    for _ in range(count):
        content[noise.randrange(len(content))] = noise.randrange(256)
    if noise.random() < 0.2:
        del content[noise.randrange(len(content)) :]
    path.write_bytes(bytes(content))
    return f"{count} bytes of {path.name}"


def spoil_cell(database: sqlite3.Connection, noise: random.Random) -> str:
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE sql <> ''")]
    table = noise.choice(tables)
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
    column = noise.choice(columns)
    rows = database.execute(f'SELECT DISTINCT "{column}" FROM "{table}"').fetchall()
    if not rows:
        return f"{table} is empty"
    old = noise.choice(rows)[0]
    new = other(old, noise)
    where = f'WHERE "{column}" IS ?'
    every = noise.random() < 0.2
    try:
        database.execute(
            f'UPDATE OR IGNORE "{table}" SET "{column}" = ? {"" if every else where}',
            (new,) if every else (new, old),
        )
    except sqlite3.Error as error:
        return f"{table}.{column}: {error}"
    return f"{table}.{column}: {str(old)[:60]!r} -> {str(new)[:60]!r}"


def other(old: object, noise: random.Random) -> object:
    """Another value in place of one: of its kind, changed a little, or of another kind."""
    if isinstance(old, str) and old[:1] in '{["' and noise.random() < 0.8:
        try:
            return json.dumps(other_json(json.loads(old), noise))
        except ValueError:
            pass
    if isinstance(old, bytes) and noise.random() < 0.7 and old:
        changed = bytearray(old)
        for _ in range(noise.choice([1, 8, 100])):
            changed[noise.randrange(len(changed))] = noise.choice([0, 255, 127, 240, 248, 128])
        if noise.random() < 0.3:
            del changed[noise.randrange(len(changed)) :]
        return bytes(changed)
    if isinstance(old, int) and noise.random() < 0.5:
        return max(-(2**63), min(2**63 - 1, old + noise.choice([-1, 1, 8, -8, 100, 10**6])))
    return noise.choice([noise.choice(NUMBERS), noise.choice(WORDS), None, b"", b"\xff" * 64])


def other_json(value: object, noise: random.Random) -> object:
    """JSON with one place of it changed."""
    if isinstance(value, dict) and value and noise.random() < 0.93:
        key = noise.choice(list(value))
        if noise.random() < 0.08:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: other_json(value[key], noise)}
    if isinstance(value, list) and value and noise.random() < 0.93:
        place = noise.randrange(len(value))
        if noise.random() < 0.08:
            return value[:place] + value[place + 1 :]
        if noise.random() < 0.05:
            return value + value
        return [*value[:place], other_json(value[place], noise), *value[place + 1 :]]
    if isinstance(value, int) and not isinstance(value, bool) and noise.random() < 0.5:
        return value + noise.choice([-1, 1, 2, 1000, 10**12])
    return noise.choice(JSON)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0, help="what counts as long")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clean = [
            demo.write(made, Path(folder) / f"clean{i}")
            for i, made in enumerate([demo.line(12), demo.classes(12), demo.line(6, n=3000)])
        ]
        worst = 0.0
        for seed in range(arguments.first, arguments.first + arguments.count):
            run = Path(folder) / f"{seed}" / "run"
            shutil.copytree(clean[seed % 3], run)
            how = spoil(run, seed)
            print(seed, how, end="", flush=True)
            begun = time.monotonic()
            try:
                ask_all(run.parent, run)
                ending = ""
            except BaseException as error:
                ending = f"  FAILED {type(error).__name__}: {str(error)[:300]}"
            seconds = time.monotonic() - begun
            worst = max(worst, seconds)
            slow = seconds > arguments.seconds
            print(ending or (f"  SLOW {seconds:.1f} s" if slow else ""), flush=True)
            shutil.rmtree(run.parent)
        print(f"the longest took {worst:.2f} s")


if __name__ == "__main__":
    main()
