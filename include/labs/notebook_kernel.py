"""`python -m include.labs.notebook_kernel FOLDER NOTEBOOK...`: runs notebooks from start to end in one
kernel. FOLDER gets them with what they gave.

A process of its own, because Jupyter reads the environment of the process it is in.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

_CELL_S = 300  # the longest cell takes 20 s on an idle machine
# Forgets all names of the notebook before. Spark stays, because starting it takes most of a short notebook's
# time.
_FORGET = "get_ipython().run_line_magic('reset', '-f')"


def main(words: list[str]) -> int:
    """Returns the exit code: 1 when a cell failed. The cell is printed, and no further notebook is run."""
    folder, *paths = map(Path, words)
    kernel = KernelManager(kernel_name="python3")
    try:
        return 0 if all(_run(kernel, path, folder / path.name) for path in paths) else 1
    finally:
        if kernel.has_kernel:
            kernel.shutdown_kernel(now=True)


def _run(kernel: KernelManager, path: Path, target: Path) -> bool:
    print(f"{path.name} ...", flush=True)
    start = time.monotonic()
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, km=kernel, timeout=_CELL_S, resources={"metadata": {"path": str(target.parent)}}
    )
    try:
        client.execute(reset_kc=True, cleanup_kc=False)
        client.kc.execute(_FORGET, silent=True, reply=True, timeout=_CELL_S)
    except (CellExecutionError, DeadKernelError) as error:
        print(f"{path.name}: {_failure(notebook, error)} ({target})", flush=True)
        return False
    finally:
        nbformat.write(notebook, target)
    print(f"{path.name}: done in {time.monotonic() - start:.1f} s ({target})", flush=True)
    return True


def _failure(notebook: Any, error: Exception) -> str:
    """The failed cell and its error, in one line."""
    if not isinstance(error, CellExecutionError):
        return "the kernel died"
    executed = [cell for cell in notebook.cells if cell.get("execution_count")]
    at = executed[-1]["id"]  # by the count: a foreseen error leaves no traceback in its cell
    return f"cell {at} failed: {error.ename}: {' '.join(str(error.evalue).split())[:500]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
