"""Runs a script as `python script.py` would, or a notebook, with gradtape around it.

`run_script` gives the script its own `__main__`, `sys.argv`, `sys.path[0]` and exit code, and
prints its traceback without our frames. `run_notebook` executes the cells in a kernel of their
own (nbclient) and writes the notebook with its outputs.
"""

from __future__ import annotations

import asyncio
import builtins
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any, Protocol

from .errors import GradtapeError, three_part

_HERE = str(Path(__file__).resolve().parent) + os.sep
NOTEBOOK = ".ipynb"


class ScriptError(GradtapeError):
    """A script or notebook that cannot be run at all: nothing of it has run."""


class Recording(Protocol):
    """What records a run: a context, of which a notebook's kernel makes one like it."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *error: Any) -> Any: ...
    @property
    def path(self) -> Path: ...


def run(
    path: str,
    arguments: Sequence[str] = (),
    *,
    tensorflow: bool = False,
    recording: Recording | None = None,
) -> int:
    """Run a script or a notebook (`.ipynb`), and return its exit code.

    Parameters
    ----------
    path : str
        The file.
    arguments : sequence of str
        What the script finds in `sys.argv[1:]`; a notebook takes none.
    tensorflow : bool
        Serve `gradtape.tf` to its `import tensorflow`.
    recording : gradtape.Recording, optional
        Records the run: entered when the script stands where it would if Python ran it. A
        notebook's kernel makes one for the same folder.

    Raises
    ------
    ScriptError
        If the file is missing, is a folder, or (a notebook) cannot be read.
    """
    file = Path(path)
    if not file.is_file():
        raise ScriptError(
            three_part(
                f"{path} cannot be run.",
                "It is a folder." if file.is_dir() else "There is no such file.",
                "Name a Python script or a notebook: gradtape run train.py",
            )
        )
    if file.suffix == NOTEBOOK:
        if arguments:
            raise ScriptError(
                three_part(
                    f"{path} was given arguments: {' '.join(arguments)}",
                    "A notebook has no sys.argv.",
                    "Leave them out, or make it a script.",
                )
            )
        return run_notebook(file, tensorflow=tensorflow, recording=recording)
    return run_script(path, arguments, tensorflow=tensorflow, recording=recording)


# --- scripts ------------------------------------------------------------------------------------


def run_script(
    path: str,
    arguments: Sequence[str] = (),
    *,
    tensorflow: bool = False,
    recording: Recording | None = None,
) -> int:
    """Run a Python script as `__main__` of this process; return its exit code.

    The interpreter is the script's from then on: `sys.argv`, `sys.path[0]` and
    `sys.modules["__main__"]` stay as they were set, so that what it started (threads, `atexit`)
    finds them.
    """
    if tensorflow:
        from .tf import serving

        serving.install()
    file = os.path.abspath(path)  # as Python shows it; sys.argv[0] stays as it was typed
    main = ModuleType("__main__")
    vars(main).update(__file__=file, __builtins__=builtins, __cached__=None)
    sys.argv = [path, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(path).resolve().parent)
    sys.modules["__main__"] = main
    try:
        code = _compiled(file)
        if recording is None:
            exec(code, vars(main))
        else:
            with recording:
                exec(code, vars(main))
    except SystemExit as leaving:
        return _exit_code(leaving)
    except BaseException as error:
        report(error)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _compiled(file: str) -> CodeType:
    with open(file, "rb") as stream:
        source = stream.read()
    # flags of this file (annotations) are not the script's
    return compile(source, file, "exec", dont_inherit=True)


def _exit_code(leaving: SystemExit) -> int:
    code = leaving.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)  # sys.exit("message")
    return 1


def report(error: BaseException) -> None:
    """Print the traceback of `error` as Python does, less the frames that are gradtape's own."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        link.__traceback__ = _theirs(link.__traceback__)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    hook = sys.excepthook
    if hook is not sys.__excepthook__:  # the script's own
        hook(type(error), error, error.__traceback__)
        return
    traceback.print_exception(type(error), error, error.__traceback__)


def _theirs(first: TracebackType | None) -> TracebackType | None:
    """A chain of the frames that are not in this package; all of it if there is none."""
    frames = []
    step = first
    while step is not None:
        if not step.tb_frame.f_code.co_filename.startswith(_HERE):
            frames.append(step)
        step = step.tb_next
    chain: TracebackType | None = None
    for step in reversed(frames):
        chain = TracebackType(chain, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return chain


# --- notebooks ----------------------------------------------------------------------------------


def run_notebook(
    file: Path, *, tensorflow: bool = False, recording: Recording | None = None
) -> int:
    """Execute a notebook in its folder and write it with its outputs; return 1 if a cell failed.

    The file is replaced as a whole at the end, also after an error: then it has the outputs up to
    the cell that failed, the error among them.

    Raises
    ------
    ScriptError
        If it is no notebook, or nbclient and ipykernel are not installed.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ModuleNotFoundError as error:
        raise ScriptError(
            three_part(
                f"{file} cannot be run.",
                f"Notebooks need {error.name}, which is not installed.",
                'pip install "gradtape[notebook]"',
            )
        ) from None
    try:
        notebook: Any = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ScriptError(
            three_part(
                f"{file} cannot be run.",
                f"It is no notebook that can be read ({type(error).__name__}).",
                "Open it in Jupyter and save it again.",
            )
        ) from None
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",  # this interpreter, whatever the notebook was written with
        resources={"metadata": {"path": str(file.resolve().parent)}},
    )
    failed: Exception | None = None
    if sys.platform == "win32":  # zmq needs a selector
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    with client.setup_kernel():
        if tensorflow:
            assert client.kc is not None
            client.kc.execute("%load_ext gradtape.tf", silent=True, store_history=False)
        if recording is not None:
            _hidden(client, _BEGIN.format(path=str(recording.path.resolve()), name=file.name))
        try:
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index, execution_count=None)
        except CellExecutionError as error:
            failed = error
        if recording is not None:
            _hidden(client, _END)
    text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    partial = file.with_name(file.name + ".part")
    partial.write_text(text + "\n", encoding="utf-8")
    os.replace(partial, file)
    if failed is not None:
        print(failed, file=sys.stderr)
        return 1
    return 0


# A cell that fails raises in IPython, not through the recording: it is told of the error.
_BEGIN = """\
import gradtape as _gradtape
_gradtape_run = _gradtape.Recording({path!r}, progress=False, name={name!r})
_gradtape_run.__enter__()
"""
_END = """\
import sys as _sys
_error = getattr(_sys, "last_value", None)
_gradtape_run.__exit__(type(_error) if _error else None, _error, None)
"""


def _hidden(client: Any, code: str) -> None:
    """Run code in the kernel as a cell that is not in the notebook."""
    import nbformat

    cell: Any = nbformat.v4.new_code_cell(code)  # type: ignore[no-untyped-call]
    cells = client.nb.cells
    cells.append(cell)  # nbclient puts back what it has run
    try:
        client.execute_cell(cell, len(cells) - 1, execution_count=None, store_history=False)
    finally:
        cells.pop()
