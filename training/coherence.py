"""Temporal coherence: what is painted must move as the picture moves (Ruder et al. 2018, eq. 9), and ignore its noise.

Departure: the error is split into luminance, which counts fully, and colour, which counts less, since the eye sees
flicker mostly as a change of brightness.
"""

from torch import Tensor

from training.motion import warp
from training.palette import luminance


def coherence_loss(
    stylized: Tensor, stylized_moved: Tensor, *, flow: Tensor, valid: Tensor, chroma_weight: float
) -> Tensor:
    """Return the mean of M (l^2 + chroma_weight |e - l|^2 / 3) over the pixels where M is 1.

    `e` = W(y, u) - y' is the difference of (B, 3, H, W) between the warped output and the output of the warped input,
    `l` its luminance; an error in grey counts the same as the plain mean square. `valid` M is (B, 1, H, W).
    """
    error = warp(stylized, flow)[0] - stylized_moved
    brightness = luminance(error)
    colour = (error - brightness).square().mean(dim=1, keepdim=True)
    cost = brightness.square() + chroma_weight * colour
    return (cost * valid).mean() / valid.mean().clamp(min=1e-6)
