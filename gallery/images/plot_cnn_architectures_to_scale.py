"""
Five networks to scale
======================

You will see LeNet-5, AlexNet, VGG-16, GoogLeNet and ResNet-50 drawn from the networks themselves,
all on one scale: a box is as wide as the layer has channels and as high as its maps have rows.
Then the same networks as two running totals, of their parameters and of their multiply-adds.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.models import AlexNet2012, GoogLeNet2014, LeNet5, ResNet, summary, vgg16
from dlbook.models.resnet import Bottleneck2015

plot.use_style()

# %%
# The networks are made on PyTorch's meta device, where tensors have shapes but no numbers: the 138
# million parameters of VGG-16 take no memory. A summary then lists the layers in the order in
# which they are called. ``depth`` says how far blocks are opened: an inception module or a
# residual block is one box here.

MAKE = {
    "LeNet-5, 1998": (LeNet5, (1, 32, 32), None),
    "AlexNet, 2012": (AlexNet2012, (3, 227, 227), None),
    "VGG-16, 2014": (vgg16, (3, 224, 224), None),
    "GoogLeNet, 2014": (lambda: GoogLeNet2014(aux_logits=False), (3, 224, 224), 1),
    "ResNet-50, 2015": (lambda: ResNet(Bottleneck2015, (3, 4, 6, 3)), (3, 224, 224), 2),
}
drawn, opened = {}, {}
for name, (make, size, depth) in MAKE.items():
    with torch.device("meta"):
        model = make().eval()
    drawn[name] = summary(model, size, depth=depth)
    opened[name] = summary(model, size)
    table = drawn[name]
    print(f"{name:16s} {table.parameters:11,} parameters {table.multiply_adds:14,} multiply-adds")

# %%

# sphinx_gallery_alt = "Five drawings, one below the other, on one scale of channels and rows."
# sphinx_gallery_alt = "LeNet-5 is a speck at the lower left. In the others boxes get lower and"
# sphinx_gallery_alt = "wider from left to right. AlexNet and VGG-16 end in long flat lines, the"
# sphinx_gallery_alt = "affine layers; VGG-16 has many high boxes. GoogLeNet and ResNet-50 are"
# sphinx_gallery_alt = "low soon and end in short lines; ResNet-50 is the longest."
figure, axes = plt.subplots(5, 1, figsize=(5.2, 8.6), sharex=True, sharey=True)
for ax, (name, table) in zip(axes, drawn.items()):
    plot.architecture(table, gap=60, ax=ax)
    for flat in ax.patches:
        if flat.get_height() == 1:  # one row: drawn thicker than it is, to be seen
            flat.set(linewidth=2.5, zorder=3)
    ax.set(title=name, xlabel="")
axes[0].set(xlim=(-150, 19_800), ylim=(0, 235), xticks=range(0, 17_000, 4_000))
axes[-1].set_xlabel("channels, one layer after the other")
plt.show()
assert max(b.get_x() + b.get_width() for ax in axes for b in ax.patches) < 19_800
heights = [table[0].input_shape[1] for table in drawn.values()]
assert heights == [32, 227, 224, 224, 224]

# %%
# Where the numbers sit. Going through the layers from the first to the last, how much of all
# parameters and of all multiply-adds has been seen? Where the two lines part, a layer is rich in
# the one and poor in the other.

# sphinx_gallery_alt = "Five panels of two rising lines from 0 to 1 over the share of layers"
# sphinx_gallery_alt = "passed. In all of them multiply-adds rise early. Parameters stay near 0"
# sphinx_gallery_alt = "for a long time and rise at the end: in AlexNet and VGG-16 by a leap at"
# sphinx_gallery_alt = "the first affine layer."
figure, axes = plt.subplots(5, 1, figsize=(5.2, 9.2), sharex=True)
halves = {}
for ax, (name, table) in zip(axes, opened.items()):
    rows = [row for row in table if row.multiply_adds]
    place = torch.arange(len(rows) + 1) / len(rows)
    for k, kind in enumerate(("parameters", "multiply_adds")):
        numbers = torch.tensor([0.0] + [float(getattr(row, kind)) for row in rows])
        total = numbers.cumsum(0) / numbers.sum()
        ax.plot(place, total, color=plot.PALETTE[k], linestyle=plot.LINESTYLES[k])
        halves[name, kind] = place[(total >= 0.5).nonzero()[0]].item()
    ax.set(title=name, ylim=(-0.03, 1.03))
axes[0].legend(["parameters", "multiply-adds"], loc="upper left")
axes[-1].set_xlabel("share of the layers passed")
plt.show()
for name in MAKE:
    early, late = halves[name, "multiply_adds"], halves[name, "parameters"]
    print(f"{name:16s} half of the products by {early:.0%} of the layers, half of the", end=" ")
    print(f"weights by {late:.0%}")
    assert early < late

# %%
# **What to notice.** Cost lies where maps are large, parameters where channels are many: at
# opposite ends. The affine layers of AlexNet and VGG-16, thin lines in the drawing, hold most of
# their parameters. GoogLeNet and ResNet-50 average the last maps instead: two short lines, the
# average and the one affine layer.
#
# **What to change.** Draw ``vgg19``, or torchvision's forms of the others. Open the residual
# blocks with ``depth=None``: what do the bottlenecks look like? Feed images of 448 × 448 to
# ResNet-50: which of the two totals changes?
