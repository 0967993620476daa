r"""
Slopes, summits and passes of a real landscape
==============================================

You will see gradient and Hessian at work on measured heights: arrows that cross the level lines at
right angles, and the points where they vanish, sorted into summits, hollows and passes by the
signs of two curvatures. The heights are whole metres, so a nudge of one grid step won't do.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib import cbook

from dlbook import plot

plot.use_style()

# %%
# Matplotlib ships the heights of a piece of Tennessee, near Jacksboro, in metres, on a grid of
# three seconds of arc. We cut out 72 rows and 80 columns, and measure distances in kilometres, to
# the east and to the north.

data = cbook.get_sample_data("jacksboro_fault_dem.npz")
heights = torch.tensor(data["elevation"][150:222, 120:200].astype(np.float64))
arc = float(data["dy"]) * 111.2  # a degree of latitude is about 111.2 km
north_step, east_step = arc, arc * np.cos(np.radians(36.6))
rows, columns = heights.shape
east = torch.arange(columns, dtype=torch.float64) * east_step
north = torch.arange(rows - 1, -1, -1, dtype=torch.float64) * north_step  # row 0 is in the north
print(
    f"a grid step is {1000 * east_step:.0f} m to the east, {1000 * north_step:.0f} m to the north"
)

# %%
# Around each point, fit Taylor's model of second order to the heights of the :math:`9 \times 9`
# window by least squares: a value, two slopes, three second derivatives. With 81 heights for six
# numbers, the rounding to whole metres averages out.

k = 4
reach = torch.arange(-k, k + 1, dtype=torch.float64)
v, u = torch.meshgrid(-reach * north_step, reach * east_step, indexing="ij")
terms = torch.stack([torch.ones_like(u), u, v, u * u / 2, u * v, v * v / 2])
solver = torch.linalg.pinv(terms.reshape(6, -1).T)  # heights of a window -> six numbers
windows = heights.unfold(0, 2 * k + 1, 1).unfold(1, 2 * k + 1, 1)
model = windows.reshape(rows - 2 * k, columns - 2 * k, -1) @ solver.T
value, gradient, h = model[..., 0], model[..., 1:3], model[..., 3:]
hessian = torch.stack([h[..., 0], h[..., 1], h[..., 1], h[..., 2]], -1).unflatten(-1, (2, 2))
east_in, north_in = east[k:-k], north[k:-k]

# %%
# The model is stationary where gradient plus Hessian times move is zero. Keep the points whose
# move stays within half a grid step, and of close neighbours the one with the shortest. There,
# the smallest and the largest curvature over all directions decide: both negative is a summit,
# both positive a hollow, one of each a pass.

move = -torch.linalg.solve(hessian, gradient) / torch.tensor([east_step, north_step])
size = move.abs().amax(-1)  # in grid steps
shortest = -torch.nn.functional.max_pool2d(-size[None], 5, stride=1, padding=2)[0]
near = (size < 0.5) & (size == shortest)
low, high = torch.linalg.eigvalsh(hessian).unbind(-1)  # least and largest curvature
kinds = {
    "summit": near & (high < 0),
    "pass": near & (low < 0) & (high > 0),
    "hollow": near & (low > 0),
}
for name, found in kinds.items():
    print(f"{name:7s} {int(found.sum())}")

# %%

# sphinx_gallery_alt = "Contour map of a ridge with side ridges and valleys, six kilometres across."
# sphinx_gallery_alt = "Small arrows point uphill, across the contour lines. Triangles stand on"
# sphinx_gallery_alt = "closed contours along the ridge, crosses between them and in gaps of the"
# sphinx_gallery_alt = "side ridges."
figure, ax = plt.subplots(figsize=(5.2, 5.6))
ax.contourf(east_in, north_in, value, levels=16, cmap="Greys", alpha=0.35)
lines = ax.contour(east_in, north_in, value, levels=16, colors=plot.MUTED, linewidths=0.6)
every = (slice(2, None, 5), slice(2, None, 5))
arrows = gradient / gradient.norm(dim=-1, keepdim=True)
ax.quiver(
    east_in[every[1]],
    north_in[every[0]],
    arrows[..., 0][every],
    arrows[..., 1][every],
    scale=28,
    width=0.004,
    color=plot.PALETTE[0],
)
for (name, found), marker, colour in zip(kinds.items(), "^Xv", (plot.INK, *plot.PALETTE[1:3])):
    i, j = found.nonzero(as_tuple=True)
    ax.plot(east_in[j], north_in[i], marker, color=colour, markersize=8, label=name, mec="white")
ax.set(xlabel="km to the east", ylabel="km to the north", aspect="equal")
ax.grid(False)
ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=3)
plt.show()

# %%
# The angle between level lines and gradient, measured: for each short piece of a drawn line, its
# direction, and the gradient of the drawn surface half-way along it. That gradient comes from
# central differences at the grid points, interpolated between the four nearest.

down_rows, along_columns = torch.gradient(value)  # central differences, a grid step each
uphill = torch.stack([along_columns / east_step, -down_rows / north_step], -1)


def between(field, x, y):
    """The values of a field at places between its grid points, bilinear."""
    column = ((x - east_in[0]) / east_step).clamp(0, field.shape[1] - 1.001)
    row = ((north_in[0] - y) / north_step).clamp(0, field.shape[0] - 1.001)
    j, i = column.long(), row.long()
    s, t = (column - j)[:, None], (row - i)[:, None]
    upper = (1 - s) * field[i, j] + s * field[i, j + 1]
    return (1 - t) * upper + t * ((1 - s) * field[i + 1, j] + s * field[i + 1, j + 1])


angles = []
for path in lines.get_paths():
    for piece in path.to_polygons(closed_only=False):
        ends = torch.from_numpy(np.ascontiguousarray(piece))
        along, middle = ends.diff(dim=0), (ends[1:] + ends[:-1]) / 2
        up = between(uphill, *middle.unbind(1))
        cosine = (along * up).sum(1) / (along.norm(dim=1) * up.norm(dim=1))
        angles.append(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1)) - torch.pi / 2).abs())
angles = torch.cat(angles)
angles = angles[angles.isfinite()]  # pieces of no length have no direction
half, most = angles.quantile(torch.tensor([0.5, 0.9], dtype=torch.float64)).tolist()
print(f"{len(angles)} pieces of line: half of them within {half:.1f} degrees of a right angle,")
print(f"nine tenths within {most:.1f} degrees")
assert half < 5

# %%
# Walk through the pass with the strongest bends, along the directions of its largest and smallest
# curvature. Marks are the measured heights, each at the grid point nearest to the way.

bends = torch.where(kinds["pass"], torch.minimum(high, -low), 0)
i, j = divmod(int(bends.argmax()), bends.shape[1])
curvatures, directions = torch.linalg.eigh(hessian[i, j])
walk = torch.linspace(-0.4, 0.4, 13, dtype=torch.float64)

# sphinx_gallery_alt = "Heights over the distance from a pass, in two directions. Along one, marks"
# sphinx_gallery_alt = "and a parabola rise on both sides of the middle; along the other they fall"
# sphinx_gallery_alt = "on both sides."
figure, ax = plt.subplots()
ends = []
for number, name in enumerate(("least curvature", "largest curvature")):
    direction, colour = directions[:, number], plot.PALETTE[number]
    column = ((east_in[j] + walk * direction[0]) / east_step).round().long()
    row = rows - 1 - ((north_in[i] + walk * direction[1]) / north_step).round().long()
    measured = heights[row, column]
    parabola = value[i, j] + walk * (gradient[i, j] @ direction) + walk**2 * curvatures[number] / 2
    ax.plot(walk, parabola, color=colour, linestyle=plot.LINESTYLES[number])
    ax.plot(walk, measured, plot.MARKERS[number], color=colour, markersize=4, label=name)
    ends.append(measured[[0, 6, -1]].tolist())
    print(f"{name}: {curvatures[number]:.0f} m per km², heights at the ends {ends[-1]}")
ax.set(xlabel="km from the pass", ylabel="height in m")
ax.legend()
plt.show()

(fall_left, top, fall_right), (rise_left, bottom, rise_right) = ends
assert max(fall_left, fall_right) < top and min(rise_left, rise_right) > bottom

# %%
# **What to notice.** On the crests summits and passes alternate: between two summits the way along
# the crest goes down and up again, while to both sides it only falls. Arrows shrunk to
# equal length hide the slope; close lines show it.
#
# **What to change.** Set ``k = 1``, windows of nine heights, and count the passes again. Then
# explain the new ones: a curvature divides differences of heights by the square of a small
# distance, and with them their rounding to whole metres. It is the far side of the error curve
# again, with half a metre in place of the last binary digit.
