"""
Parameters, multiply-adds and errors
====================================

You will see eight networks by what they cost and how well they did on ImageNet. The costs are
computed from the networks; the errors are those that the papers report, for single networks.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.models import AlexNet2012, GoogLeNet2014, ResNet, summary, vgg16, vgg19
from dlbook.models.resnet import BasicBlock, Bottleneck2015

plot.use_style()

# %%
# An error of top-5 is the share of validation images for which none of five guesses is right. All
# of these come from one network that saw several crops of each image; so they are better than what
# one look gives, and not as good as the several networks together with which the challenges were
# won.


def residual(block, *layers):
    return lambda: ResNet(block, layers)


NETWORKS = {  # name: how to make it, side of the image, top-5 error in per cent as published
    "AlexNet": (AlexNet2012, 227, 18.2),  # Krizhevsky and others (2012), one CNN
    "VGG-16": (vgg16, 224, 7.2),  # Simonyan and Zisserman (2015), Table 5, D
    "VGG-19": (vgg19, 224, 7.1),  # the same, E
    "GoogLeNet": (lambda: GoogLeNet2014(aux_logits=False), 224, 7.89),  # Szegedy (2015), Table 3
    "ResNet-34": (residual(BasicBlock, 3, 4, 6, 3), 224, 5.71),  # He and others (2016), Table 4, B
    "ResNet-50": (residual(Bottleneck2015, 3, 4, 6, 3), 224, 5.25),  # the same
    "ResNet-101": (residual(Bottleneck2015, 3, 4, 23, 3), 224, 4.60),  # the same
    "ResNet-152": (residual(Bottleneck2015, 3, 8, 36, 3), 224, 4.49),  # the same
}
cost = {}
for name, (make, side, error) in NETWORKS.items():
    with torch.device("meta"):
        table = summary(make().eval(), (3, side, side), depth=1)
    cost[name] = (table.parameters / 1e6, table.multiply_adds / 1e9)
    millions, billions = cost[name]
    print(f"{name:10s} {millions:6.1f} M parameters {billions:6.2f} G products {error:5.2f} %")

# %%

# sphinx_gallery_alt = "Two scatter plots with the top-5 error upwards, over millions of"
# sphinx_gallery_alt = "parameters and over thousand millions of multiply-adds, both on"
# sphinx_gallery_alt = "logarithmic axes. Over parameters there is no trend: GoogLeNet has the"
# sphinx_gallery_alt = "fewest, VGG the most. Over multiply-adds AlexNet is cheap and worst, VGG"
# sphinx_gallery_alt = "is dearest, and the ResNets lie lowest in between."
figure, axes = plt.subplots(2, 1, figsize=(5.2, 7.4), sharey=True)
labels = ("parameters, millions", "multiply-adds an image, thousand millions")
shift = {
    "VGG-16": (-6, 6, "right"),
    "ResNet-34": (0, 8, "center"),
    "ResNet-101": (-6, -14, "right"),
}
for k, (ax, label) in enumerate(zip(axes, labels)):
    for name, (_, _, error) in NETWORKS.items():
        family = ("AlexNet", "VGG", "GoogLeNet", "ResNet").index(name.split("-")[0])
        ax.plot(
            cost[name][k], error, plot.MARKERS[family], color=plot.PALETTE[family], markersize=9
        )
        dx, dy, side = shift.get(name, (7, 3, "left"))
        ax.annotate(
            name, (cost[name][k], error), (dx, dy), textcoords="offset points", ha=side, fontsize=10
        )
    ax.set(xscale="log", xlabel=label, ylabel="top-5 error, per cent", ylim=(3, 20))
axes[0].set_xlim(4, 400)
axes[1].set_xlim(0.4, 60)
plt.show()

vgg, deep = cost["VGG-16"], cost["ResNet-152"]
assert deep[0] < vgg[0] / 2
assert deep[1] < vgg[1]
assert NETWORKS["ResNet-152"][2] < NETWORKS["VGG-16"][2]
assert cost["GoogLeNet"][0] < cost["AlexNet"][0] / 8

# %%
# **What to notice.** More parameters did not mean a lower error: from AlexNet to GoogLeNet the
# error was more than halved with an eighth of the parameters. Nor is depth paid for in products:
# ResNet-152 takes fewer than VGG-16. Keep in mind that not only the architecture changed in these
# three years: augmentation, normalisation and the ways of testing did, too.
#
# **What to change.** Take torchvision's forms, and the accuracies that its documentation states
# for one look at each image. Draw products over parameters: which networks use each of their
# weights most often?
