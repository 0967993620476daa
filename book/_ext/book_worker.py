"""Execute one notebook in this process's kernel: ``python book_worker.py request.json``.

The request names the page and where the result goes. The result is the executed notebook, or the
cell that raised.
"""

import json
import logging
import os
import re
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import book_pages
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets.config import Config

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def connection(folder: str) -> dict[str, str]:
    """Return how the kernel is reached: by sockets that are files of this run's own.

    Ports are chosen free and taken a moment later, when another kernel of the same build may have
    them; so a port is used only where there are no such sockets (Windows).
    """
    if os.name != "posix":
        return {}
    return {"transport": "ipc", "connection_file": str(Path(folder, "kernel.json"))}


def main(request: dict[str, str]) -> dict[str, object]:
    page = book_pages.read(Path(request["path"]), request["docname"])
    assert page is not None
    notebook = page.notebook
    current = {"index": 0}
    seconds: dict[int, float] = {}
    began: dict[int, float] = {}

    def on_start(cell: nbformat.NotebookNode, cell_index: int) -> None:
        current["index"] = cell_index
        began[cell_index] = time.perf_counter()

    def on_done(cell: nbformat.NotebookNode, cell_index: int, **_: object) -> None:
        seconds[cell_index] = time.perf_counter() - began.get(cell_index, time.perf_counter())

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            config=Config({"KernelManager": connection(folder)}),
            timeout=int(request["timeout"]),
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            on_cell_start=on_start,
            on_cell_executed=on_done,
        )
        failure = None
        try:
            client.execute()
        except CellExecutionError as fault:
            failure = fault.traceback
        except CellTimeoutError:
            failure = f"the cell was still running after {request['timeout']} s"
        except DeadKernelError:
            failure = "the kernel died"
    elapsed = time.perf_counter() - started
    line = page.notebook.metadata.source_map[current["index"]]
    raised = re.search(r"Cell In\[\d+\], line (\d+)", ANSI.sub("", failure or ""))
    if raised:
        line = page.code_line(current["index"], int(raised.group(1)))
    result: dict[str, object] = {"seconds": elapsed, "failure": failure, "line": line}
    result["cell"] = 1 + sum(c.cell_type == "code" for c in notebook.cells[: current["index"]])
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            cell.metadata.pop("execution", None)
    notebook.metadata["dlbook"] = {
        "key": request["key"],
        "seconds": elapsed,
        "cells": {str(i): s for i, s in seconds.items()},
    }
    if failure is None:
        target = Path(request["target"])
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        part.write_text(nbformat.writes(notebook), "utf8")
        part.replace(target)
    return result


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    request = json.loads(Path(sys.argv[1]).read_text("utf8"))
    Path(request["result"]).write_text(json.dumps(main(request)), "utf8")
