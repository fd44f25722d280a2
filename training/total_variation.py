"""Total variation: a penalty on noise that neither content nor style loss sees (Johnson et al. 2016, section 3.2)."""

from torch import Tensor


def total_variation(pictures: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels (anisotropic)."""
    return (pictures.diff(dim=2).abs().mean() + pictures.diff(dim=3).abs().mean()) / 2
