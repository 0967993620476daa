"""How good what a network has made is: measures that need no network of their own."""

from dlbook._lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    modules=["generative"],
    names={
        "generative": [
            "ModeCoverage",
            "PrecisionRecall",
            "Verdict",
            "classifier_verdict",
            "frechet_distance",
            "mode_coverage",
            "precision_recall",
            "psnr",
        ],
    },
)
