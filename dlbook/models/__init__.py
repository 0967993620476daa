"""Whole networks, one a file."""

from dlbook._lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    modules=["mlp", "neurons", "summaries", "universal_approximation"],
    names={
        "mlp": ["MLP"],
        "neurons": [
            "Adaline",
            "BooleanNetwork",
            "HebbianNetwork",
            "HebbianUnit",
            "Mistakes",
            "NormalizedHebbianNetwork",
            "OjaUnit",
            "Perceptron",
            "Separation",
            "ThresholdUnit",
            "binary_inputs",
            "retina",
            "separation",
        ],
        "summaries": ["LayerSummary", "Summary", "summary"],
        "universal_approximation": [
            "HandSet",
            "box_network",
            "cosine_network",
            "interpolating_network",
            "sawtooth_network",
            "square_network",
            "staircase_network",
        ],
    },
)
