"""Modules: operations with parameters, under torch.nn's names, exchanging state with torch.nn.

Containers are PyTorch's own: ``Sequential`` here is :class:`torch.nn.Sequential`.

Chapter: :doc:`/foundations/layers`.
"""

from torch.nn import Sequential as Sequential

from dlbook._lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    modules=[
        "activations",
        "attention",
        "convolution",
        "layers",
        "losses",
        "normalization",
        "pooling",
        "recurrent",
        "regularization",
        "transformers",
    ],
    names={
        "activations": [
            "CELU",
            "ELU",
            "GELU",
            "Hardsigmoid",
            "Hardswish",
            "Hardtanh",
            "LeakyReLU",
            "LogSigmoid",
            "Mish",
            "PReLU",
            "ReLU",
            "ReLU6",
            "SELU",
            "SiLU",
            "Sigmoid",
            "Softplus",
            "Softsign",
            "Tanh",
            "Tanhshrink",
        ],
        "attention": [
            "AdditiveAttention",
            "LearnedEncoding",
            "MultiheadAttention",
            "RotaryEmbedding",
            "SinusoidalEncoding",
        ],
        "convolution": ["Conv1d", "Conv2d", "ConvTranspose2d"],
        "layers": ["Embedding", "Flatten", "Identity", "Linear", "LogSoftmax", "Softmax"],
        "losses": [
            "BCELoss",
            "BCEWithLogitsLoss",
            "CrossEntropyLoss",
            "HingeLoss",
            "HuberLoss",
            "KLDivLoss",
            "L1Loss",
            "MSELoss",
            "MultiMarginLoss",
            "NLLLoss",
            "SmoothL1Loss",
        ],
        "normalization": [
            "BatchNorm1d",
            "BatchNorm2d",
            "BatchNorm3d",
            "GroupNorm",
            "InstanceNorm1d",
            "InstanceNorm2d",
            "LayerNorm",
            "LocalResponseNorm",
            "RMSNorm",
        ],
        "pooling": [
            "AdaptiveAvgPool1d",
            "AdaptiveAvgPool2d",
            "AdaptiveMaxPool1d",
            "AdaptiveMaxPool2d",
            "AvgPool1d",
            "AvgPool2d",
            "MaxPool1d",
            "MaxPool2d",
        ],
        "recurrent": ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNCell"],
        "regularization": ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "StochasticDepth"],
        "transformers": [
            "TransformerDecoder",
            "TransformerDecoderLayer",
            "TransformerEncoder",
            "TransformerEncoderLayer",
        ],
    },
)
__all__ += ["Sequential"]
