"""dlbook.plot: what a figure must show, and in which style."""

import re

import matplotlib as mpl
import pytest
import torch

mpl.use("agg")

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb

from dlbook import nn, plot
from dlbook.autodiff import Tape
from dlbook.data import digits
from dlbook.models import summary
from dlbook.plot.graphs import _apart, _layout
from dlbook.train import History


@pytest.fixture(autouse=True)
def _figures():
    with plot.style():
        yield
        plt.close("all")


def render(ax, path):
    """Draw the figure as the book does; return the SVG."""
    ax.figure.savefig(path, format="svg", metadata={"Date": None})
    return path.read_text()


def contrast(first, second):
    def luminance(colour):
        parts = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
        ]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


class TestStyle:
    def test_contrasts_are_as_promised(self):
        assert all(contrast(colour, plot.PANEL) >= 3 for colour in plot.PALETTE[:4])
        assert contrast(plot.VALUE, plot.PANEL) > 6
        assert contrast(plot.COTANGENT, plot.PANEL) > 5
        assert contrast(plot.INK, plot.PANEL) > 7
        assert contrast(plot.MUTED, plot.PANEL) > 4.5

    @pytest.mark.skipif("okabe_ito" not in mpl.color_sequences, reason="needs matplotlib 3.11")
    def test_the_colours_are_okabe_and_itos(self):
        named = {mpl.colors.to_hex(c) for c in mpl.color_sequences["okabe_ito"]}
        assert set(plot.PALETTE) == named - {"#f0e442"}

    def test_colour_never_stands_alone(self):
        assert len(plot.PALETTE) == len(plot.LINESTYLES) == len(plot.MARKERS)
        assert len(set(map(str, plot.LINESTYLES))) == len(set(plot.MARKERS)) == len(plot.PALETTE)
        ax = plt.subplots()[1]
        lines = [ax.plot([0, 1])[0] for _ in range(7)]
        assert len({line.get_color() for line in lines}) == 7
        assert len({str(line._dash_pattern) for line in lines}) == 7

    def test_style_ends_with_the_block_and_use_style_stays(self):
        with mpl.rc_context():
            mpl.rcParams.update(mpl.rcParamsDefault)
            with plot.style():
                assert mpl.rcParams["svg.hashsalt"] == "dlbook"
            assert mpl.rcParams["svg.hashsalt"] is None
            plot.use_style()
            assert mpl.rcParams["svg.hashsalt"] == "dlbook"

    def test_the_same_figure_is_the_same_file_and_has_its_ground(self, tmp_path):
        first, second = (
            render(plot.curves({"a": [1.0, 2.0]}), tmp_path / f"{i}.svg") for i in range(2)
        )
        assert first == second
        assert plot.PANEL in first
        assert "<text" not in first  # letters are outlines


class TestCurves:
    run = History({"loss": [2.0, 1.0], "accuracy": [0.1, 0.2]}, {"loss": [3.0, 2.0]})

    def test_one_run(self):
        train, validation = plot.curves(self.run).get_lines()
        assert list(train.get_ydata()) == [2.0, 1.0]
        assert list(train.get_xdata()) == [1, 2]
        assert list(validation.get_ydata()) == [3.0, 2.0]
        assert (train.get_label(), validation.get_label()) == ("train", "validation")
        assert train.get_linestyle() == "-"
        assert validation.get_linestyle() != "-"
        assert train.get_marker() != validation.get_marker()

    def test_runs_and_lists_by_name_on_given_axes(self):
        ax = plt.subplots()[1]
        other = History({"loss": [5.0]})
        assert plot.curves({"a": self.run, "b": other, "c": [9.0, 8.0, 7.0]}, ax=ax) is ax
        labels = [line.get_label() for line in ax.get_lines()]
        assert labels == ["a, train", "a, validation", "b, train", "c"]
        assert ax.get_ylabel() == "loss"
        assert ax.get_legend() is not None

    def test_what_cannot_be_drawn(self):
        with pytest.raises(KeyError, match="no series 'validation accuracy'"):
            plot.curves(self.run, "accuracy")
        with pytest.raises(ValueError, match="at least one number"):
            plot.curves({"a": []})


class TestBands:
    def test_mean_between_lowest_and_highest(self):
        runs = [History({"loss": [4.0, 1.0]}), History({"loss": [2.0, 3.0]}), [3.0, 2.0]]
        ax = plot.bands(runs, "train loss")
        assert list(ax.get_lines()[0].get_ydata()) == [3.0, 2.0]
        edge = ax.collections[0].get_paths()[0].vertices
        assert {tuple(point) for point in edge} == {(1, 2), (1, 4), (2, 1), (2, 3)}
        assert ax.get_ylabel() == "train loss"
        assert ax.get_legend() is None

    def test_settings_by_name_differ_without_colour(self):
        ax = plot.bands({"a": [[1.0, 2.0]], "b": [[2.0]]}, ax=plt.subplots()[1])
        first, second = ax.get_lines()
        assert first.get_linestyle() != second.get_linestyle()
        assert first.get_marker() != second.get_marker()
        assert ax.get_legend_handles_labels()[1] == ["a", "b"]

    def test_what_cannot_be_drawn(self):
        with pytest.raises(
            ValueError, match=r"run of 'a', all of as many epochs, got lengths \[1, 2"
        ):
            plot.bands({"a": [[1.0], [1.0, 2.0]]})
        with pytest.raises(ValueError, match=r"at least one run, all .* got lengths \[\]"):
            plot.bands([])
        with pytest.raises(ValueError, match="at least one run to draw"):
            plot.bands({})
        with pytest.raises(KeyError, match="no series 'validation loss'"):
            plot.bands([History({"loss": [1.0]})])


class TestContours:
    def bowl(self, x, y):
        return x**2 + 10 * y**2

    def test_paths(self):
        paths = {
            "short": torch.tensor([[1.0, 0.5], [0.0, 0.0]]),
            "long": [(1, 1), (0.5, 0), (0, 0)],
        }
        ax = plot.contours(self.bowl, (-2, 2), (-1, 1), paths=paths, levels=5)
        assert ax.get_xlim() == (-2, 2)
        assert ax.get_ylim() == (-1, 1)
        assert ax.get_legend_handles_labels()[1] == ["short", "long"]
        assert list(ax.get_lines()[0].get_xdata()) == [1.0, 0.0]
        markers = [line.get_marker() for line in ax.get_lines()]
        assert markers == ["o", "o", "*", "s", "o", "*"]

    def test_one_path_without_a_name_and_logarithmic_levels(self, tmp_path):
        ax = plot.contours(
            self.bowl, (-2, 2), (-1, 1), paths=[(1, 1), (0, 0)], logarithmic=True, points=30
        )
        assert ax.get_legend() is None
        render(ax, tmp_path / "c.svg")

    def test_bad_functions_and_paths(self):
        with pytest.raises(ValueError, match=r"expects to return \(121, 121\).*got \(\)"):
            plot.contours(lambda x, y: x.sum(), (0, 1), (0, 1))
        with pytest.raises(ValueError, match=r"points \(T, 2\), got \(2, 3\)"):
            plot.contours(self.bowl, (0, 1), (0, 1), paths=torch.zeros(2, 3))


class TestImages:
    def test_every_image_is_on_the_sheet_under_its_title(self):
        x = digits.load().test.x[:7]
        ax = plot.images(x, titles=range(7), columns=3)
        assert [text.get_text() for text in ax.texts] == [str(i) for i in range(7)]
        sheet = ax.get_images()[0].get_array()
        for index, text in enumerate(ax.texts):
            left = round(text.get_position()[0] - 3.5)
            top = round(text.get_position()[1] + 0.8)
            cut = torch.tensor(sheet[top : top + 8, left : left + 8].filled())
            assert torch.equal(cut.float().flatten(), x[index])

    def test_shapes_and_signs(self):
        for shape in [(4, 8, 8), (4, 1, 8, 8), (4, 64), (1, 6, 9)]:
            plot.images(torch.rand(shape))
        picture = plot.images(torch.tensor([[[-2.0, 1.0]]]), signed=True).get_images()[0]
        assert picture.get_clim() == (-2, 2)
        ax = plt.subplots()[1]
        assert plot.images(torch.zeros(3, 4), ax=ax) is ax

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"x": torch.zeros(3)}, r"images: expects .* got \(3,\)"),
            ({"x": torch.zeros(3, 7)}, r"got \(3, 7\)"),
            ({"x": torch.zeros(3, 3, 8, 8)}, r"got \(3, 3, 8, 8\)"),
            ({"x": torch.zeros(0, 8, 8)}, r"got \(0, 8, 8\)"),
            ({"x": torch.zeros(3, 4), "titles": ["a"]}, "expects 3 titles, one an image, got 1"),
            ({"x": torch.zeros(3, 4), "columns": 0}, "columns expects an integer >= 1"),
        ],
    )
    def test_bad_input(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            plot.images(**arguments)


def texts(ax, kind):
    return [text.get_text() for text in ax.texts if text.get_gid() == kind]


class TestGraph:
    def circuit(self):
        """(x + y) · max(y, z), with the values of CS231n's example of intersecting branches."""
        tape = Tape()
        x, y, z = (tape.variable(v, name=n) for n, v in (("x", 1.0), ("y", 2.0), ("z", 0.0)))
        f = (x + y) * torch.maximum(y, z)
        tape.gradient(f, (x, y, z))
        return tape

    def test_values_forward_and_cotangents_backward(self):
        ax = plot.graph(self.circuit())
        assert texts(ax, "label") == ["x", "y", "z", "+", "max", "×"]
        assert texts(ax, "value") == ["1", "2", "0", "3", "2", "6"]
        assert texts(ax, "cotangent") == ["← 2", "← 5", "← 0", "← 2", "← 3", "← 1"]
        for value, cotangent in zip(
            [t for t in ax.texts if t.get_gid() == "value"],
            [t for t in ax.texts if t.get_gid() == "cotangent"],
            strict=True,
        ):
            assert value.get_position()[1] > cotangent.get_position()[1]
            assert value.get_color() == plot.VALUE
            assert cotangent.get_color() == plot.COTANGENT

    def test_without_a_gradient_there_are_no_cotangents(self):
        tape = Tape()
        x = tape.variable(-0.0, name="x")
        x * 2
        ax = plot.graph(tape, legend=False)
        assert texts(ax, "cotangent") == []
        assert "2" in texts(ax, "label")  # the constant
        assert "−0" not in texts(ax, "value")
        assert all(text.get_gid() for text in ax.texts)

    def test_digits_symbols_and_shapes(self):
        tape = Tape()
        w = tape.variable(torch.ones(2, 3), name="W")
        v = tape.variable(torch.tensor([1.0, 2.0, -1.23456]), name="v")
        torch.tanh(w * v)
        ax = plot.graph(tape, digits=2, symbols={"tanh": "φ"})
        assert texts(ax, "label") == ["W", "v", "×", "φ"]
        assert texts(ax, "value")[:2] == ["2×3", "(1, 2, −1.2)"]

    def test_edges_go_right_and_parallel_edges_are_both_drawn(self):
        tape = Tape()
        x = tape.variable(3.0, name="x")
        tape.gradient(x * x, x)
        ax = plot.graph(tape)
        arrows = [p for p in ax.patches if type(p).__name__ == "FancyArrowPatch"]
        assert len(arrows) == 2

    def test_twenty_five_nodes_stay_apart(self, tmp_path):
        tape = Tape()
        xs = [tape.variable(float(i), name=f"x{i}") for i in range(6)]
        a = xs[0] * xs[1] + torch.tanh(xs[2] * 2 - xs[3])
        b = torch.exp(a / 3) + xs[4] ** 2
        c = torch.maximum(a, b) * torch.sin(b) - xs[0] * a + xs[5] * xs[5]
        tape.gradient(torch.exp(-c), xs)
        ax = plot.graph(tape)
        places = [t.get_position() for t in ax.texts if t.get_gid() == "label"]
        assert 22 <= len(places) <= 30
        for i, (x0, y0) in enumerate(places):
            for x1, y1 in places[:i]:
                assert abs(x0 - x1) > 0.9 or abs(y0 - y1) > 0.9
        render(ax, tmp_path / "g.svg")
        figure = ax.figure
        figure.canvas.draw()
        boxes = [t.get_window_extent() for t in ax.texts if t.get_text()]
        edge = figure.bbox
        assert all(b.x0 >= edge.x0 - 1 and b.x1 <= edge.x1 + 1 for b in boxes)

    def test_empty(self):
        with pytest.raises(ValueError, match="got an empty one"):
            plot.graph(Tape())

    def test_layout_layers_run_left_to_right(self):
        import networkx as nx

        picture = nx.MultiDiGraph([(0, 2), (1, 2), (2, 3), (0, 4), (3, 4)])
        places, routes = _layout(picture)
        assert all(places[a][0] < places[b][0] for a, b in picture.edges())
        assert len(routes[0, 4]) == places[4][0] - places[0][0] - 1

    def test_apart(self):
        assert _apart([0.0]) == [0.0]
        assert _apart([5.0, 0.0]) == [5.0, 0.0]
        assert _apart([0.0, 0.0, 0.0]) == [1.0, 0.0, -1.0]


class TestNetwork:
    def test_units_edges_and_texts(self):
        ax = plot.network([3, 4, 2], titles=["in", "hidden", "out"])
        circles = [p for p in ax.patches if type(p).__name__ == "Circle"]
        assert len(circles) == 9
        assert len(ax.get_lines()) == 3 * 4 + 4 * 2
        assert [text.get_text() for text in ax.texts] == ["in", "hidden", "out"]

    def test_weights_and_values(self, tmp_path):
        weights = [torch.tensor([[1.0, -2.0], [0.5, 0.25]]), torch.tensor([[3.0, -1.5]])]
        ax = plot.network([2, 2, 1], weights=weights, values=[[1, 2], [3, 4], torch.tensor([5.0])])
        written = [text.get_text() for text in ax.texts]
        assert {"1", "−2", "0.5", "0.25", "3", "−1.5", "5"} <= set(written)
        dashes = [str(line._dash_pattern) for line in ax.get_lines()]
        assert len(set(dashes)) > 1
        assert re.search("svg", render(ax, tmp_path / "n.svg"))

    def test_large_layers_are_shortened(self):
        ax = plot.network([64, 3], most=5)
        circles = [p for p in ax.patches if type(p).__name__ == "Circle"]
        assert len(circles) == 4 + 3
        assert [text.get_text() for text in ax.texts] == ["⋮"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"sizes": [3]}, r"two layers or more of units, got \[3\]"),
            ({"sizes": [3, 0]}, r"got \[3, 0\]"),
            (
                {"sizes": [2, 3], "weights": [torch.zeros(2, 3)]},
                r"weights expects shapes \[\(3, 2\)\], got \[\(2, 3\)\]",
            ),
            ({"sizes": [2, 1], "values": [[1, 2]]}, r"lengths \[2, 1\], got \[2\]"),
            ({"sizes": [2, 1], "labels": [["a"], ["b"]]}, r"labels .* got \[1, 1\]"),
            ({"sizes": [2, 1], "titles": ["a"]}, "titles expects 2 texts, got 1"),
            ({"sizes": [2, 1], "most": 2}, "most expects 3 or more"),
        ],
    )
    def test_bad_input(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            plot.network(**arguments)


class TestArchitecture:
    def test_boxes_are_to_scale_and_in_the_order_of_the_calls(self):
        net = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(128, 10),
        )  # fmt: skip
        ax = plot.architecture(summary(net, (3, 8, 8)), gap=2)
        boxes = [(b.get_x(), b.get_width(), b.get_height()) for b in ax.patches]
        assert boxes == [(0, 3, 8), (5, 8, 8), (15, 8, 4), (25, 10, 1)]
        empty = [to_rgb(b.get_facecolor()) == to_rgb(plot.PANEL) for b in ax.patches]
        assert empty == [True, False, True, False]
        assert ax.get_xlim() == (-2, 37)
        assert ax.get_ylim() == (0, 8.4)

    def test_blocks_and_given_axes(self):
        ax = plt.subplots()[1]
        net = nn.Sequential(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()), nn.ReLU())
        assert plot.architecture(summary(net, (1, 6, 6), depth=1), ax=ax) is ax
        assert [b.get_width() for b in ax.patches] == [1, 4]

    def test_nothing_to_draw(self):
        with pytest.raises(ValueError, match="expects rows of a summary"):
            plot.architecture(summary(nn.ReLU(), (1, 4, 4)))
