"""Deep Learning from First Principles: the book's reference implementations.

Every name is loaded when it is first used, so that ``import dlbook`` costs next to nothing
beside ``import torch``.
"""

from dlbook._lazy import lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy(
    __name__,
    modules=[
        "autodiff",
        "ops",
        "init",
        "nn",
        "models",
        "optim",
        "data",
        "interpret",
        "metrics",
        "train",
        "plot",
        "exercises",
        "testing",
    ],
    names={"train.devices": ["device"], "train.seeds": ["seed_everything"]},
)
