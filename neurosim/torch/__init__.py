"""The same circuits in PyTorch: a twin of the leaky family, spike for spike. Needs the extra ``torch``; nothing else imports it."""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ImportError(
        "neurosim.torch needs PyTorch, which is not installed; install neurosim with its extra: pip install 'neurosim[torch]'"
    )

from neurosim.torch.backend import Torch

__all__ = ["Torch"]
