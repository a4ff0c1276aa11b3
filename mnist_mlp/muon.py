"""Muon: momentum whose every step is made orthogonal, for the matrices of a network."""

from collections.abc import Iterable

import torch
from torch import Tensor

NEWTON_SCHULZ_STEPS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024, "Muon"


class Muon(torch.optim.Optimizer):
    """For weights of two dimensions or more; all but the first are taken as one.

    The same as torch.optim.Muon (PyTorch 2.9 and newer), which computes in bfloat16: processors are
    slow with that, and a step takes more than twice as long.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.02,
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            lr, momentum = group["lr"], group["momentum"]
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                state = self.state[weights]
                if not state:
                    state["momentum"] = torch.zeros_like(weights)
                average = state["momentum"].lerp_(weights.grad, 1 - momentum)
                step = orthogonal(weights.grad.lerp(average, momentum).flatten(1))
                weights.mul_(1 - lr * group["weight_decay"])
                weights.sub_(step.view_as(weights), alpha=lr)


def orthogonal(matrix: Tensor) -> Tensor:
    """(rows, columns) float32: the same singular vectors, all singular values near 1."""
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T
    x = matrix / (matrix.norm() + 1e-12)
    a, b, c = COEFFICIENTS
    # Each Newton-Schulz step multiplies x by a polynomial of its Gram matrix, which is smaller.
    gram = x @ x.T
    identity = product = torch.eye(len(gram), device=gram.device)
    for _ in range(NEWTON_SCHULZ_STEPS):
        factor = a * identity + b * gram + c * gram @ gram
        product, gram = factor @ product, factor @ gram @ factor
    return product @ x
