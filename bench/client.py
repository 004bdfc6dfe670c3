"""The parent's end of a worker: start it, ask it, notice when it dies or hangs."""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
from pathlib import Path
from typing import Any

from bench.environments import ROOT, measured_environment, without_folders
from bench.peers import Peer


class WorkerFailure(Exception):
    """The worker could not do what it was asked; the message is the reason for the table."""


class WorkerProcess:
    """A running `bench.worker`; what its library prints goes to a log file.

    `timeout` bounds every single answer, in seconds; `core` is the first of its cores.
    """

    def __init__(
        self, peer: Peer, python: Path, *, threads: int, log: Path, timeout: float = 300.0,
        core: int = 0,
    ) -> None:  # fmt: skip
        self.peer = peer
        self.timeout = timeout
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [str(python), "-m", "bench.worker", peer.library, str(threads), str(core)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env=measured_environment(threads, peer),
                text=True,
            )
        try:
            self._read()
        except WorkerFailure:
            self.close()
            raise

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and return its reply; raise `WorkerFailure` with the reason."""
        assert self._process.stdin is not None
        try:
            print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        except OSError as error:
            raise WorkerFailure(self._death()) from error
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        # One reply is one line, written at once: when it is readable, it is whole.
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self.timeout):
                self.kill()
                raise WorkerFailure(f"no answer within {self.timeout:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise WorkerFailure(self._death())
        reply: dict[str, Any] = json.loads(line)
        if not reply.pop("ok"):
            raise WorkerFailure(without_folders(reply["reason"]))
        return reply

    def _death(self) -> str:
        return f"the process ended with code {self._process.wait(timeout=10)}"

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the worker, politely first."""
        if self.is_alive:
            try:
                assert self._process.stdin is not None
                print('{"do": "quit"}', file=self._process.stdin, flush=True)
                self._process.wait(timeout=10)
            except (OSError, subprocess.TimeoutExpired):
                self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # a request that the dead never read
                    pipe.close()
