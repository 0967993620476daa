r"""How close samples are to data: modes, distances of features, precision and recall, decibels.

None of these numbers says it all. A network that repeats one good sample has a high precision and
no recall; one that repeats the training data has both. Look at the samples, too.

Chapter: :doc:`/generative/gans`.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

__all__ = [
    "ModeCoverage",
    "PrecisionRecall",
    "Verdict",
    "classifier_verdict",
    "frechet_distance",
    "mode_coverage",
    "precision_recall",
    "psnr",
]

Features = Callable[[Tensor], Tensor]


# --- mixtures -----------------------------------------------------------------------------------


class ModeCoverage(NamedTuple):
    """What samples have of a mixture.

    Attributes:
        found: how many modes have their samples.
        quality: the share of samples that are close to a centre, from 0 to 1.
        evenness: from 0, all close samples at one centre, to 1, equally many at each.
        counts: (K,), the close samples of each centre.
    """

    found: int
    quality: float
    evenness: float
    counts: Int[Tensor, "K"]


def mode_coverage(
    samples: Tensor,
    centers: Tensor,
    sigma: float,
    *,
    within: float = 3.0,
    least: float = 0.1,
) -> ModeCoverage:
    r"""Count the modes of a mixture that samples have found, and the samples that are good.

    A sample is close if its distance to the nearest centre is at most :math:`3\sigma`. (Of true
    samples in the plane :math:`1 - e^{-9/2} = 98.9\,\%` are.) A mode is found if it has a tenth at
    least of the samples that it would have if all modes had equally many. Evenness is the entropy
    of the shares of close samples, divided by :math:`\log K`.

    Args:
        samples: points (N, D).
        centers: (K, D), those of the mixture's components.
        sigma: their standard deviation along each axis, above 0.
        within: what is close, in standard deviations.
        least: the share of its even share that a mode must have to be found, from 0 to 1; one
            sample at least is always asked for.

    Raises:
        ValueError: if the shapes do not fit, nothing is given, or a number is out of range.

    Example:
        >>> centers = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
        >>> samples = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.5, 0.0], [0.0, 0.1]])
        >>> found, quality, evenness, counts = mode_coverage(samples, centers, 0.05)
        >>> found, quality, evenness, counts.tolist()
        (1, 0.75, 0.0, [3, 0])
    """
    if samples.dim() != 2 or centers.dim() != 2 or samples.shape[1] != centers.shape[1]:
        raise ValueError(
            f"mode_coverage: expected samples (N, D) and centers (K, D), got "
            f"{tuple(samples.shape)} and {tuple(centers.shape)}"
        )
    if not len(samples) or not len(centers):
        raise ValueError(
            f"mode_coverage: expected samples and centers, got {len(samples)} and {len(centers)}"
        )
    if not (sigma > 0 and within > 0 and 0 <= least <= 1):
        raise ValueError(
            "mode_coverage: expected sigma and within above 0 and least from 0 to 1, got "
            f"{sigma}, {within} and {least}"
        )
    distance, nearest = torch.cdist(samples, centers.to(samples)).min(1)
    close = distance <= within * sigma
    counts = torch.bincount(nearest[close], minlength=len(centers))
    needed = max(least * len(samples) / len(centers), 1.0)
    found = int((counts >= needed).sum())
    return ModeCoverage(found, close.double().mean().item(), _evenness(counts), counts)


def _evenness(counts: Tensor) -> float:
    """The entropy of the shares, as a part of the most that it can be."""
    share = counts.double() / counts.sum().clamp_min(1)
    if len(counts) == 1:
        return share.item()
    return -torch.xlogy(share, share).sum().item() / math.log(len(counts)) + 0.0  # no −0


# --- features -----------------------------------------------------------------------------------


def _measured(x: Tensor, features: Features | None, batch_size: int) -> Tensor:
    """The features (N, F) in float64; a module looks on in evaluation mode and stays as it was."""
    if features is None:
        return x.detach().flatten(1).double()
    modules = list(features.modules()) if isinstance(features, nn.Module) else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        with torch.no_grad():
            return torch.cat(
                [features(part).flatten(1) for part in torch.split(x, batch_size)]
            ).double()
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def _both(
    name: str, real: Tensor, fake: Tensor, features: Features | None, batch_size: int, least: int
) -> tuple[Tensor, Tensor]:
    if real.dim() < 2 or real.shape[1:] != fake.shape[1:]:
        raise ValueError(
            f"{name}: expected examples and samples of one shape, got {tuple(real.shape)} and "
            f"{tuple(fake.shape)}"
        )
    if min(len(real), len(fake)) < least:
        raise ValueError(
            f"{name}: expected {least} examples and {least} samples at least, got {len(real)} and "
            f"{len(fake)}"
        )
    both = _measured(real, features, batch_size), _measured(fake, features, batch_size)
    for which, x in zip(("examples", "samples"), both, strict=True):
        if not torch.isfinite(x).all():
            raise ValueError(f"{name}: expected finite features, those of the {which} are not")
    return both


def frechet_distance(
    real: Tensor,
    fake: Tensor,
    features: Features | None = None,
    *,
    batch_size: int = 256,
) -> float:
    r"""Return the squared Fréchet distance of two Gaussians with the features' means and variances.

    .. math:: \lVert \mu - \tilde\mu \rVert^2 + \operatorname{tr} \bigl(
        \Sigma + \tilde\Sigma - 2 (\Sigma^{1/2} \tilde\Sigma \Sigma^{1/2})^{1/2} \bigr)
       :label: metrics-frechet-distance

    The formula is that of the "Fréchet inception distance". **The number is not**: that one takes
    its features from one certain network, Inception v3, trained on ImageNet; this one takes them
    from whatever network is given, such as a classifier of digits up to its last layer but one.
    Numbers can be compared for one and the same network, and equally many samples (few make it too
    large), and with nothing else. Nor is it the Inception score, which looks at the classes alone.

    Args:
        real: examples (N, …), 2 or more.
        fake: samples (M, …), 2 or more.
        features: what makes features (B, F) of examples (B, …), a function or a module, which
            looks on in evaluation mode; None to compare the examples themselves, flattened.
        batch_size: how many at a time.

    Raises:
        ValueError: if the shapes differ, there are too few, or features are not finite.

    Example:
        >>> x = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
        >>> round(frechet_distance(x, x + torch.tensor([3.0, 0.0, 4.0])), 4)
        25.0
    """
    x, y = _both("frechet_distance", real, fake, features, batch_size, 2)
    apart = (x.mean(0) - y.mean(0)).square().sum()
    first, second = (torch.cov(z.T).reshape(z.shape[1], z.shape[1]) for z in (x, y))
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ second @ root).clamp_min(0).sqrt().sum()
    spread = first.trace() + second.trace() - 2 * shared
    return max(float((apart + spread).item()), 0.0)


class PrecisionRecall(NamedTuple):
    """What samples have in common with data.

    Attributes:
        precision: the share of samples that lie among the data, from 0 to 1: are they good?
        recall: the share of data that lie among the samples, from 0 to 1: are they all there?
    """

    precision: float
    recall: float


def precision_recall(
    real: Tensor,
    fake: Tensor,
    features: Features | None = None,
    *,
    k: int = 3,
    batch_size: int = 256,
) -> PrecisionRecall:
    r"""Return which share of samples lies among data, and which share of data among samples.

    Around each point of a set lies a ball up to its :math:`k`-th nearest neighbour in that set. A
    point lies among the set if it is in one of the balls:

    .. math:: \text{precision} = \frac1M \sum_j \bigl[\, \exists i : \lVert \tilde\phi_j - \phi_i
        \rVert \le \lVert \phi_i - \mathrm{NN}_k(\phi_i) \rVert \,\bigr],

    and recall is the same with data and samples exchanged. (Kynkäänniemi and others, "Improved
    precision and recall metric for assessing generative models", 2019.)

    Args:
        real: examples (N, …), more than k.
        fake: samples (M, …), more than k; equally many are best, as more make wider nets.
        features: see :func:`frechet_distance`.
        k: which neighbour sets a ball's radius, 1 or more.
        batch_size: how many at a time.

    Raises:
        ValueError: if the shapes differ, there are too few, or features are not finite.

    Example:
        >>> data = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
        >>> precision_recall(data, torch.tensor([[0.2], [0.4], [0.6], [30.0]]), k=1)
        PrecisionRecall(precision=0.75, recall=1.0)

    All the data are within the ball of the stray sample at 30, the nearest of whose kind is far
    off: a recall by nearest neighbours is easily too large.
    """
    if k < 1:
        raise ValueError(f"precision_recall: expected k of 1 or more, got {k}")
    x, y = _both("precision_recall", real, fake, features, batch_size, k + 1)

    def inside(points: Tensor, centers: Tensor) -> float:
        parts = torch.split(centers, batch_size)
        # Each point is its own nearest neighbour, at 0.
        radii = torch.cat([_distances(p, centers).kthvalue(k + 1, dim=1).values for p in parts])
        found = [(_distances(p, centers) <= radii).any(1) for p in torch.split(points, batch_size)]
        return torch.cat(found).double().mean().item()

    return PrecisionRecall(inside(y, x), inside(x, y))


def _distances(x: Tensor, y: Tensor) -> Tensor:
    # Not by matrix products, whose rounding would set a point apart from itself.
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


# --- a classifier's verdict ---------------------------------------------------------------------


class Verdict(NamedTuple):
    """What a classifier makes of samples.

    Attributes:
        recognised: the share that it gives one class with confidence, from 0 to 1.
        evenness: from 0, all of those are of one class, to 1, equally many of each.
        counts: (K,), how many of those are of each class.
    """

    recognised: float
    evenness: float
    counts: Int[Tensor, "K"]


def classifier_verdict(
    classifier: Features,
    samples: Tensor,
    *,
    confidence: float = 0.9,
    batch_size: int = 256,
) -> Verdict:
    r"""Let a classifier say how many samples it recognises, and how evenly over the classes.

    A sample is recognised if the largest probability, the softmax of the classifier's scores, is
    at least ``confidence``. Evenness is the entropy of the recognised samples' classes, divided by
    :math:`\log K`. A classifier is often sure of what is none of its classes: let it judge real
    examples and noise, too, and compare.

    Args:
        classifier: makes scores (B, K) of samples (B, …); a module looks on in evaluation mode.
        samples: (N, …), at least one.
        confidence: from 0 to 1.
        batch_size: how many at a time.

    Raises:
        ValueError: if there are no samples, or the confidence is out of range.

    Example:
        >>> scores = torch.tensor([[9.0, 0.0], [0.0, 9.0], [0.1, 0.0]])
        >>> recognised, evenness, counts = classifier_verdict(lambda x: x, scores)
        >>> round(recognised, 3), evenness, counts.tolist()
        (0.667, 1.0, [1, 1])
    """
    if not len(samples) or not 0 <= confidence <= 1:
        raise ValueError(
            f"classifier_verdict: expected samples and a confidence from 0 to 1, got "
            f"{len(samples)} and {confidence}"
        )
    scores = _measured(samples, classifier, batch_size)
    e = torch.exp(scores - scores.amax(1, keepdim=True))
    p, classes = (e / e.sum(1, keepdim=True)).max(1)
    sure = p >= confidence
    counts = torch.bincount(classes[sure], minlength=scores.shape[1])
    return Verdict(sure.double().mean().item(), _evenness(counts), counts)


# --- reconstruction -----------------------------------------------------------------------------


def psnr(input: Tensor, target: Tensor, *, data_range: float = 1.0) -> float:
    r"""Return how far a reconstruction's error lies below the range of the data, in decibels.

    .. math:: 10 \log_{10} \frac{R^2}{\frac1n \sum_i (x_i - t_i)^2}
       :label: metrics-psnr

    Three decibels more are half the squared error; twenty are a tenth of the error. It is infinite
    where there is none.

    Args:
        input: the reconstruction :math:`x`, any shape with at least one number.
        target: what it shall be, :math:`t`, of the same shape.
        data_range: the difference :math:`R` of the largest and the least value possible, above 0.

    Raises:
        ValueError: if the shapes differ, nothing is given, or the range is not above 0.

    Example:
        >>> round(psnr(torch.full((4,), 0.1), torch.zeros(4)), 4)
        20.0
    """
    if input.shape != target.shape or input.numel() == 0:
        raise ValueError(
            f"psnr: expected two tensors of one shape, not empty, got {tuple(input.shape)} and "
            f"{tuple(target.shape)}"
        )
    if not data_range > 0:
        raise ValueError(f"psnr: expected a range above 0, got {data_range}")
    error = (input.detach().double() - target.detach().double()).square().mean()
    return (10 * torch.log10(data_range**2 / error)).item()
