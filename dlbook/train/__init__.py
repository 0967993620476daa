"""Training: the loop and what a run needs around it.

:func:`fit` trains any module with any optimiser and loss; :class:`History` is what it measured.
Devices, seeds, checkpoints, progress and early stopping each have a file of their own and can be
used without ``fit``.
"""

from dlbook._lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    modules=[
        "adversarial",
        "batches",
        "checkpoints",
        "comparison",
        "devices",
        "early_stopping",
        "evaluation",
        "history",
        "landscapes",
        "loop",
        "progress",
        "range_tests",
        "run",
        "search",
        "seeds",
        "states",
        "transfer",
    ],
    names={
        "adversarial": ["AdversarialHistory", "AdversarialRun", "fit_adversarial"],
        "checkpoints": ["CheckpointError"],
        "comparison": ["Comparison", "Difference", "Summary", "compare"],
        "devices": ["device"],
        "early_stopping": ["EarlyStopping"],
        "evaluation": ["accuracy", "evaluate"],
        "history": ["History"],
        "loop": ["NonFiniteLossError", "fit"],
        "range_tests": ["RangeTest", "range_test"],
        "run": ["Callback", "Run"],
        "seeds": ["seed_everything"],
        "transfer": ["freeze", "load_except", "parameter_groups", "unfreeze"],
    },
)
