"""Server-sent events: a run that is written is followed, and nobody can make the server wait."""

import asyncio
import json
import threading
import time

import numpy as np
import pytest

from gradtape.record.writer import Writer
from gradtape.viewer import watch as module
from gradtape.viewer.library import Library
from gradtape.viewer.shelf import Shelf, run_id
from gradtape.viewer.watch import Watch
from tests.viewer import demo


@pytest.fixture
def root(tmp_path):
    demo.write(demo.line(10), tmp_path / "line")
    return tmp_path


class Client:
    """A browser that listens: what it was sent, and whether it takes any more."""

    def __init__(self, watch, method="GET"):
        self.started, self.chunks, self.stuck = None, [], False
        self.gone = asyncio.Event()
        self.task = asyncio.create_task(watch({"method": method}, self.receive, self.send))

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        while self.stuck:
            await asyncio.sleep(0.01)
        if message["type"] == "http.response.start":
            self.started = message
        else:
            self.chunks.append(message.get("body", b""))

    @property
    def states(self):
        lines = b"".join(self.chunks).decode().split("\n\n")
        return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]

    async def until(self, is_so, seconds=10.0):
        end = time.monotonic() + seconds
        while not is_so(self):
            assert time.monotonic() < end, self.chunks
            await asyncio.sleep(0.01)

    async def leave(self):
        self.gone.set()
        await asyncio.wait_for(self.task, 10)


def during(root, talk, **options):
    """Run `talk(watch)`, a coroutine, with a Watch over a folder."""

    async def run():
        watch = Watch(Library(Shelf(root)), interval=0.02, **options)
        try:
            await asyncio.wait_for(talk(watch), 40)
        finally:
            watch.close()

    asyncio.run(run())


def test_whoever_comes_is_told_the_state_of_every_run(root):
    async def talk(watch):
        client = Client(watch)
        await client.until(lambda c: c.states)
        assert client.started["status"] == 200
        kind = dict(client.started["headers"])[b"content-type"]
        assert kind == b"text/event-stream; charset=utf-8"
        (state,) = client.states
        assert state == {"run": run_id(root / "line"), "version": state["version"], "last": 9,
                         "status": "finished"}  # fmt: skip
        second = Client(watch)
        await second.until(lambda c: c.states)
        assert second.states == client.states
        await client.leave()
        await second.leave()
        assert not watch.listeners

    during(root, talk)


def test_each_commit_is_told_and_a_new_run_and_its_end(root, monkeypatch):
    monkeypatch.setattr("gradtape.viewer.shelf.FRESH", 0.05)

    async def talk(watch):
        client = Client(watch)
        await client.until(lambda c: c.states)
        writer = Writer(root / "live")
        layout = writer.layout([writer.column("cost", "cost")])
        for step in range(5):
            writer.rows(layout, np.array([[step, 1.0]]))
            writer.flush()
            await client.until(lambda c, step=step: c.states[-1]["last"] == step)
            assert client.states[-1]["status"] == "running"
        writer.close("stopped")
        await client.until(lambda c: c.states[-1]["status"] == "stopped")
        assert client.states[-1]["run"] == run_id(root / "live")
        versions = [s["version"] for s in client.states if s["run"] == run_id(root / "live")]
        assert versions == sorted(versions)
        await client.leave()

    during(root, talk)


def test_a_run_that_goes_away_is_told(root, monkeypatch):
    import shutil

    monkeypatch.setattr("gradtape.viewer.shelf.FRESH", 0.05)

    async def talk(watch):
        client = Client(watch)
        await client.until(lambda c: c.states)
        shutil.rmtree(root / "line")
        await client.until(lambda c: c.states[-1]["status"] == "gone")
        await client.leave()

    during(root, talk)


def test_a_slow_browser_has_one_entry_per_run_waiting_and_sees_the_latest(root):
    async def talk(watch):
        client = Client(watch)
        await client.until(lambda c: c.states)
        client.stuck = True
        (listener,) = watch.listeners
        for i in range(10_000):
            listener.put({"run": f"{i % 3}", "version": i, "last": i, "status": "running"})
        assert len(listener.pending) <= 3
        client.stuck = False
        await client.until(lambda c: {s["version"] for s in c.states} >= {9997, 9998, 9999})
        assert len(client.states) < 10
        for i in range(10_000):
            listener.put({"run": f"run {i}", "version": 1, "last": 1, "status": "running"})
        assert len(listener.pending) <= module.MOST_WATCHED
        await client.leave()

    during(root, talk)


def test_a_browser_that_takes_nothing_is_left(root, monkeypatch):
    monkeypatch.setattr(module, "STALLED", 0.1)

    async def talk(watch):
        client = Client(watch)
        await client.until(lambda c: c.states)
        client.stuck = True
        (listener,) = watch.listeners
        listener.put({"run": "x", "version": 1, "last": 1, "status": "running"})
        await asyncio.wait_for(asyncio.shield(client.task), 10)
        assert not watch.listeners

    during(root, talk)


def test_there_is_a_limit_to_how_many_listen(root, monkeypatch):
    monkeypatch.setattr(module, "MOST_LISTENERS", 3)

    async def talk(watch):
        clients = [Client(watch) for _ in range(3)]
        for client in clients:
            await client.until(lambda c: c.states)
        more = Client(watch)
        await more.task
        assert more.started["status"] == 503
        assert dict(more.started["headers"])[b"retry-after"] == b"5"
        await clients[0].leave()
        again = Client(watch)
        await again.until(lambda c: c.states)
        for client in [*clients[1:], again]:
            await client.leave()

    during(root, talk)


def test_there_are_signs_of_life(root, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)

    async def talk(watch):
        client = Client(watch)
        await client.until(lambda c: c.chunks.count(b": \n\n") > 2)
        await client.leave()

    during(root, talk)


def test_nothing_is_looked_at_while_nobody_listens(root):
    async def talk(watch):
        looks = []
        true = watch.changes
        watch.changes = lambda: looks.append(1) or true()
        await asyncio.sleep(0.1)
        assert not looks
        client = Client(watch)
        await client.until(lambda c: len(looks) > 2)
        await client.leave()
        await asyncio.sleep(0.1)
        seen = len(looks)
        await asyncio.sleep(0.2)
        assert len(looks) == seen

    during(root, talk)


def test_close_ends_the_streams(root):
    async def talk(watch):
        client = Client(watch)
        await client.until(lambda c: c.states)
        watch.close()
        await asyncio.wait_for(client.task, 5)
        after = Client(watch)
        await after.task
        assert after.started["status"] == 503

    during(root, talk)


def test_a_damaged_run_is_told_and_does_not_end_the_watch(root):
    (root / "bad").mkdir()
    (root / "bad" / "run.db").write_bytes(b"nothing")

    async def talk(watch):
        client = Client(watch)
        await client.until(lambda c: len(c.states) == 2)
        assert {s["status"] for s in client.states} == {"finished", "unreadable"}
        await client.leave()

    during(root, talk)


def test_a_million_steps_do_not_hold_up_the_others(root):
    """Looking happens in a thread of its own: the loop that answers stays free."""

    async def talk(watch):
        true = watch.changes
        watch.changes = lambda: time.sleep(0.5) or true()
        client = Client(watch)
        begun, waits = time.monotonic(), []
        while not client.states:
            start = time.monotonic()
            await asyncio.sleep(0.005)
            waits.append(time.monotonic() - start)
        assert time.monotonic() - begun > 0.4
        assert np.median(waits) < 0.2
        assert threading.current_thread() is threading.main_thread()
        await client.leave()

    during(root, talk)
