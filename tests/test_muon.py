import pytest
import torch

from mnist_mlp.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(64, 128), (128, 64), (10, 64), (1, 5)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, int]):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = orthogonal(matrix)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.5
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ result @ v.T
    torch.testing.assert_close(turned, turned.diag().diag(), atol=1e-3, rtol=0)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="PyTorch 2.9 and newer have a Muon")
def test_steps_are_those_of_pytorchs_muon():
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(32, 64, generator=generator)
    gradients = torch.randn(5, 32, 64, generator=generator)
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    optimizers = (
        Muon([ours], lr=0.02, momentum=0.95, weight_decay=0.02),
        torch.optim.Muon([theirs], lr=0.02, momentum=0.95, weight_decay=0.02),
    )
    for gradient in gradients:
        for weights, optimizer in zip((ours, theirs), optimizers, strict=True):
            weights.grad = gradient.clone()
            optimizer.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.03 * moved  # theirs computes in bfloat16


def test_filters_are_taken_as_matrices():
    weights = torch.randn(8, 4, 3, 3, requires_grad=True)
    before = weights.detach().clone()
    weights.grad = torch.randn_like(weights)
    Muon([weights], lr=0.1, weight_decay=0).step()
    step = (before - weights.detach()).flatten(1) / 0.1
    values = torch.linalg.svdvals(step)
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_weights_without_a_gradient_stay():
    weights = torch.ones(2, 2, requires_grad=True)
    Muon([weights]).step()
    assert torch.equal(weights, torch.ones(2, 2))
