"""All rows by name, and the public objects that need none, each with its reason."""

import types
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from dlbook.testing._row import Kind, Row

ROOMS = (
    "activations",
    "architectures",
    "arithmetic",
    "attention",
    "autoencoders",
    "convolution",
    "gans",
    "init",
    "layers",
    "losses",
    "models",
    "nn",
    "normalization",
    "optim",
    "pooling",
    "recurrent",
    "regularization",
    "sequences",
    "transformers",
)
PACKAGES = (
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
)

#: Public objects that no row can describe, and what proves them instead.
exemptions: Mapping[str, str] = {
    "autodiff.Array": "a name for a type",
    "autodiff.Primitive": "made by `primitive`; tests/test_autodiff.py",
    "autodiff.Tape": "tests/test_autodiff.py",
    "autodiff.Variable": "tests/test_autodiff.py",
    "autodiff.check_gradients": "tests/test_autodiff.py",
    "autodiff.Row": "tests/test_autodiff.py",
    "autodiff.implements": "tests/test_autodiff.py",
    "autodiff.jvp": "tests/test_autodiff.py",
    "autodiff.numerical_gradient": "tests/test_autodiff.py",
    "autodiff.primitive": "tests/test_autodiff.py",
    "init.calculate_gain": "a table of numbers; tests/test_init.py",
    "init.fans": "counts, without a tensor to compare; tests/test_init.py",
    "init.gaussian_mean": "an integral that PyTorch has no function for; tests/test_init.py",
    "models.Adaline": "its own learning rule, and no derivative; tests/test_neurons.py",
    "models.BooleanNetwork": "whole truth tables; tests/test_neurons.py",
    "models.*Hebbian*": "their own learning rules, and no derivatives; tests/test_neurons.py",
    "models.Mistakes": "a record; tests/test_neurons.py",
    "models.OjaUnit": "its own learning rule, and no derivative; tests/test_neurons.py",
    "models.Perceptron": "its own learning rule, and no derivative; tests/test_neurons.py",
    "models.Separation": "a record; tests/test_neurons.py",
    "models.ThresholdUnit": "whole truth tables; tests/test_neurons.py",
    "models.*ummary": "counts and a table of them; tests/test_summaries.py",
    "models.Autoencoder": "made of two other modules; tests/test_autoencoder.py",
    "models.DeepContractiveAutoencoder": "made of another; tests/test_autoencoder.py",
    "models.DenoisingAutoencoder": "made of another; tests/test_autoencoder.py",
    "models.Penalized*": "a record, and a sum of two numbers in it; tests/test_autoencoder.py",
    "models.SparseAutoencoder": "made of another; tests/test_autoencoder.py",
    "models.jacobian_penalty": "asks the engine, not a rule; tests/test_autoencoder.py",
    "models.ELBO*": "a record, and the mean of what is in it; tests/test_vae.py",
    "models.ImportanceWeightedVAE": "made of another; tests/test_vae.py",
    "models.Posterior": "a record; tests/test_vae.py",
    "models.VAE*": "made of other modules, and a record; tests/test_vae.py",
    "models.elbo": "two rows together; tests/test_vae.py",
    "models.exact_log_likelihood": "compared with a closed form; tests/test_vae.py",
    "models.AlexNet*": "too large for a row; tests/test_architectures.py",
    "models.C3_TABLE": "a table; tests/test_architectures.py",
    "models.GoogLeNet*": "too large for a row; tests/test_architectures.py",
    "models.ResNet": "too large for a row; tests/test_architectures.py",
    "models.digit_bitmaps": "drawings; tests/test_architectures.py",
    "models.*resnet*": "make networks that are tested; tests/test_architectures.py",
    "models.projection": "makes two layers; tests/test_architectures.py",
    "models.vgg*": "make networks that are tested; tests/test_architectures.py",
    "models.Cooccurrences": "a record; tests/test_word_vectors.py",
    "models.GAMES": "pairs of losses that have rows; tests/test_gan.py",
    "models.Game": "a pair of losses; tests/test_gan.py",
    "models.gradient_penalty": "asks for the critic's graph; tests/test_gan.py",
    "models.optimal_*": "densities, without a derivative; tests/test_gan.py",
    "models.spectrally_normalized": "as spectral_norm; tests/test_dcgan.py",
    "models.spectral_norm": "gives a layer a SpectralNorm; tests/test_gan.py",
    "models.Decoded": "a record; tests/test_seq2seq.py",
    "models.Words": "a list of words; tests/test_word_vectors.py",
    "models.WordVectors": "compared with loops; tests/test_word_vectors.py",
    "models.beam_search": "compared with exhaustive search; tests/test_seq2seq.py",
    "models.cooccurrences": "counts, compared with loops; tests/test_word_vectors.py",
    "models.detached": "the same numbers; tests/test_recurrent_models.py",
    "models.keep_probabilities": "counted; tests/test_word_vectors.py",
    "models.noise_distribution": "counted; tests/test_word_vectors.py",
    "models.skip_gram_pairs": "random, counted; tests/test_word_vectors.py",
    "models.train_*": "loops, not formulas; tests/test_word_vectors.py",
    "models.binary_inputs": "counts; tests/test_neurons.py",
    "models.retina": "compared with torch's interpolation; tests/test_neurons.py",
    "models.separation": "a proof's two constants; tests/test_neurons.py",
    "models.?Layer": "learning rules of their own, compared with loops; tests/test_neocognitron.py",
    "models.Neocognitron": "its own learning rule; tests/test_neocognitron.py",
    "models.FIELD_KINDS": "a list of names; tests/test_neocognitron.py",
    "models.TCNetwork": "compared with loops; tests/test_neocognitron.py",
    "models.field_*": "measures of weights; tests/test_neocognitron.py",
    "models.tc_*": "drawings; tests/test_neocognitron.py",
    "nn.Sequential": "PyTorch's own container",
    "nn.TransformerDecoder": "made of another module; tests/test_attention.py",
    "nn.TransformerEncoder": "made of another module; tests/test_attention.py",
    "models.*_network": "set by hand, with their error; tests/test_universal_approximation.py",
    "models.KeyValueCache": "holds what a network computed; tests/test_gpt.py",
    "models.convert_gpt2": "renames and transposes; tests/test_gpt.py",
    "models.gpt2": "too large for a row; tests/test_gpt.py",
    "models.keep_top_?": "what may be drawn, without a derivative; tests/test_gpt.py",
    "models.sample": "random tokens; tests/test_gpt.py",
    "models.vit_*": "make networks that are tested; tests/test_vit.py",
    "models.HandSet": "what they return; tests/test_universal_approximation.py",
    "optim.Newton": "asks for the loss's graph; tests/test_optim_second_order.py",
    "optim.clip_grad_norm_": "changes gradients in place; tests/test_optim_clipping.py",
    "optim.clip_grad_value_": "changes gradients in place; tests/test_optim_clipping.py",
    "optim.sgd_step": "works on plain dictionaries; tests/test_optim.py",
    "data.*": "data, not formulas; tests/test_data*.py",
    "metrics.*": "measures of samples, compared with loops; tests/test_metrics.py",
    "interpret.*": "pictures of networks, not formulas; tests/test_interpret.py",
    "train.*": "a loop, not a formula; tests/test_train*.py",
    "plot.*": "drawings; the gallery runs them all, tests/test_plot*.py",
    "exercises.*": "checks of readers' code; tests/test_exercises*.py",
}


def _collect() -> dict[str, Row]:
    found: dict[str, Row] = {}
    for room in ROOMS:
        for row in import_module(f"dlbook.testing.{room}").ROWS:
            if row.name in found:
                raise ValueError(f"registry: expected one row for {row.name}, got two")
            found[row.name] = row
    return found


registry: Mapping[str, Row] = types.MappingProxyType(_collect())


def rows(kind: Kind | None = None) -> list[Row]:
    """Return the rows of one kind, or all of them.

    Args:
        kind: ``"op"``, ``"module"``, ``"optimizer"`` or ``"init"``.

    Example:
        >>> rows("optimizer")[0].name
        'optim.SGD'
    """
    return [row for row in registry.values() if kind is None or row.kind == kind]


def public_objects() -> Iterator[tuple[str, Any]]:
    """Yield the name below ``dlbook`` and the value of everything that a package exports."""
    for package in PACKAGES:
        module = import_module(f"dlbook.{package}")
        for name in module.__all__:
            value = getattr(module, name)
            if not isinstance(value, types.ModuleType):
                yield f"{package}.{name}", value
