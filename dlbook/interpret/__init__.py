"""What a trained network looks at, and what it would like to see.

Everything here takes any :class:`torch.nn.Module`, ours or PyTorch's, and leaves it as it was: its
training mode, its parameters and their gradients are untouched, and no hook stays behind, even if
something fails. While it is looked at, it is in evaluation mode. Layers go by the names that they
have in its ``state_dict``.
"""

from dlbook._lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    modules=["attribution", "layers", "maximisation"],
    names={
        "attribution": [
            "grad_cam",
            "guided_backpropagation",
            "input_gradient",
            "integrated_gradients",
            "occlusion",
            "saliency",
        ],
        "layers": ["activations", "layer_names"],
        "maximisation": ["class_maximisation", "deep_dream", "total_variation"],
    },
)
