"""A fault in a page stops the build, with a message that names the page and the cell or line."""

import json
import sys
import textwrap
from pathlib import Path

import mini_book
import pytest

sys.path.insert(0, str(mini_book.ROOT / "book" / "_ext"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def page(text: str, head: str = mini_book.MATTER) -> str:
    return head + textwrap.dedent(text)


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


RAISING = page(
    """
    # A page that raises

    ```{code-cell} ipython3
    fine = 1
    ```

    ```{code-cell} ipython3
    raise ValueError("the loss is not finite")
    ```
    """
)
NO_ALT = page(
    """
    # A figure that says nothing

    ```{code-cell} ipython3
    a = 1
    ```

    ```{code-cell} ipython3
    import matplotlib.pyplot as plt
    plt.plot([1, 2]);
    ```
    """
)
WRONG_SOURCE = """# Shown source

Some text.

```{source} dlbook.ops.no_such_op
```
"""
WRONG_EXERCISE = """# An exercise

```{exercise} layers.no-such-exercise
```
"""
BROKEN_LINK = """# A link

See [this page](nowhere.md) and {ref}`no-such-label`.
"""
NOT_A_NOTEBOOK = """# A page whose front matter was forgotten

```{code-cell} ipython3
print("never runs")
```
"""
SKIPPED = page(
    """
    # A page whose cell is skipped

    ```{code-cell} ipython3
    :tags: [skip-execution]
    print("never runs")
    ```
    """
)
WRONG_MATTER = page(
    """
    # Front matter that leads nowhere

    ```{code-cell} ipython3
    1
    ```
    """,
    mini_book.MATTER.replace(
        "kernelspec",
        "code: [dlbook.no_such_module]\nexamples: [gallery/plot_nothing.py]\n"
        "tests: [tests/test_nothing.py]\nkernelspec",
    ),
)
NO_IMAGE_ALT = "# A picture\n\n![](picture.svg)\n"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>\n'
SCRIPT_WITHOUT_ALT = '''"""
No alt
======

A figure.
"""

import matplotlib.pyplot as plt

plt.plot([1, 2])
'''
RAISING_SCRIPT = '''"""
Raises
======

A script that raises.
"""

raise ValueError("the example is broken")
'''


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> mini_book.Built:
    """A book in which every page has a fault that shows when it is read."""
    files = {
        "book/foundations/no-alt.md": NO_ALT,
        "book/foundations/wrong-source.md": WRONG_SOURCE,
        "book/foundations/wrong-exercise.md": WRONG_EXERCISE,
        "book/foundations/broken-link.md": BROKEN_LINK,
        "book/foundations/not-a-notebook.md": NOT_A_NOTEBOOK,
        "book/foundations/skipped.md": SKIPPED,
        "book/foundations/wrong-matter.md": WRONG_MATTER,
        "book/foundations/no-image-alt.md": NO_IMAGE_ALT,
    }
    root = mini_book.make(tmp_path_factory.mktemp("reading"), files)
    (root / "book" / "foundations" / "picture.svg").write_text(SVG, "utf8")
    return mini_book.build(root)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such sockets")
def test_a_kernel_is_reached_by_sockets_of_its_own(tmp_path: Path) -> None:
    # A port that was free may be another kernel's a moment later, and a build failed by that.
    import book_worker

    config = book_worker.connection(str(tmp_path))
    client = book_worker.NotebookClient(
        book_worker.nbformat.v4.new_notebook(),
        config=book_worker.Config({"KernelManager": config}),
        kernel_name="python3",
    )
    with client.setup_kernel():
        assert client.km.transport == "ipc"
        assert client.km.ip.startswith(str(tmp_path))


def test_the_build_fails(reading: mini_book.Built) -> None:
    assert reading.code != 0


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (
            f"no-alt.md:{line_of(NO_ALT, 'import matplotlib') - 1}",
            "cell 2 draws a figure without alt",
        ),
        (f"no-alt.md:{line_of(NO_ALT, 'import matplotlib') - 1}", "without a caption"),
        ("wrong-source.md:5", "dlbook.ops has no 'no_such_op'"),
        ("wrong-exercise.md:3", "no exercise 'layers.no-such-exercise'"),
        ("broken-link.md:3", "nowhere.md"),
        ("broken-link.md:3", "no-such-label"),
        ("not-a-notebook.md:3", "code-cell"),
        (f"skipped.md:{line_of(SKIPPED, 'code-cell')}", "cell 1 was not executed"),
        ("wrong-matter.md:1", "dlbook.no_such_module is no module"),
        ("wrong-matter.md:1", "gallery/plot_nothing.py is no file of the gallery"),
        ("wrong-matter.md:1", "tests/test_nothing.py does not exist"),
        ("no-image-alt.md:3", "picture.svg has no alt text"),
    ],
)
def test_a_fault_is_named_with_page_and_line(
    reading: mini_book.Built, where: str, words: str
) -> None:
    assert reading.messages(where, words), reading.output


def test_a_fault_is_found_again_by_the_next_build(reading: mini_book.Built) -> None:
    again = mini_book.build(reading.root)
    assert again.code != 0
    assert again.messages("wrong-exercise.md:3", "no exercise"), again.output


def test_a_cell_that_raises_stops_the_build(tmp_path: Path) -> None:
    root = mini_book.make(tmp_path, {"book/foundations/raises.md": RAISING})
    built = mini_book.build(root)
    assert built.code != 0
    line = line_of(RAISING, "raise ValueError")
    assert built.messages(f"raises.md:{line}", "cell 2 raised"), built.output
    assert built.messages("ValueError: the loss is not finite"), built.output
    # and it is not taken for executed the next time
    assert mini_book.build(root).code != 0


def test_outputs_that_are_lost_stop_the_build(tmp_path: Path) -> None:
    text = page("# A page\n\n```{code-cell} ipython3\nprint(1)\n```\n")
    root = mini_book.make(tmp_path, {"book/foundations/lost.md": text})
    assert mini_book.build(root).code == 0
    kept = root / "_build" / "executed" / "foundations" / "lost.ipynb"
    notebook = json.loads(kept.read_text("utf8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    kept.write_text(json.dumps(notebook), "utf8")
    (root / "book" / "foundations" / "lost.md").write_text(text + "\nMore.\n", "utf8")
    built = mini_book.build(root)
    assert built.code != 0
    assert built.messages("lost.md:", "cell 1 was not executed"), built.output


def test_examples_that_raise_or_draw_without_alt_text_stop_the_build(tmp_path: Path) -> None:
    root = mini_book.make(
        tmp_path,
        {"gallery/plot_no_alt.py": SCRIPT_WITHOUT_ALT, "gallery/plot_raises.py": RAISING_SCRIPT},
    )
    built = mini_book.build(root)
    assert built.code != 0
    assert built.messages("plot_no_alt.py:", "no alt text for figure 1"), built.output
    assert built.messages("plot_raises.py"), built.output
    assert built.messages("ValueError: the example is broken"), built.output
