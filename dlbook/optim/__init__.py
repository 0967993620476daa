"""Optimisers: rules that turn gradients into steps, and schedules for the length of the steps.

The optimisers bear the names, the argument order, the parameter groups and the state
dictionaries of :mod:`torch.optim`, so that either can stand in for the other, in the middle of a
training run too. Bookkeeping (groups, hooks, state dictionaries) is inherited from
:class:`torch.optim.Optimizer`; the update rules are written out here.

:mod:`~dlbook.optim.lr_scheduler` changes the learning rate in the course of training;
:func:`clip_grad_norm_` and :func:`clip_grad_value_` shorten gradients before a step.
:func:`sgd_step` is the plain step for parameters that live in dictionaries.
"""

from dlbook._lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    modules=[
        "adaptive",
        "base",
        "clipping",
        "gradient_descent",
        "lion",
        "lr_scheduler",
        "muon",
        "second_order",
    ],
    names={
        "adaptive": ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop"],
        "clipping": ["clip_grad_norm_", "clip_grad_value_"],
        "gradient_descent": ["SGD", "sgd_step"],
        "lion": ["Lion"],
        "muon": ["Muon"],
        "second_order": ["LBFGS", "Newton"],
    },
)
