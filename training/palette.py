"""Keep the colours of the content (Gatys, Bethge, Hertzmann & Shechtman 2016, "Preserving Color in Neural Style ...").

Either the style is painted in luminance alone, or the style picture gets the colours of the content before. All
pictures are (1, 3, H, W) RGB in [0, 1], luminances (1, 1, H, W).
"""

import torch
from skimage.exposure import match_histograms
from torch import Tensor

KEEP_COLORS = ("luminance", "match", "histogram")
# Rec. 601, as in `stylize-video --keep-colors`.
LUMINANCE_OF_RGB = (0.299, 0.587, 0.114)
# Added to the variances of colours, so that a picture of one colour can be matched: a tenth of a grey level, squared.
VARIANCE_MIN = (0.1 / 255) ** 2


def luminance(picture: Tensor) -> Tensor:
    return (picture * torch.tensor(LUMINANCE_OF_RGB).view(1, 3, 1, 1).to(picture)).sum(dim=1, keepdim=True)


def with_luminance(picture: Tensor, luminances: Tensor) -> Tensor:
    """Return `picture` with other luminances and its own chrominance (R - Y, B - Y), cut to [0, 1]."""
    return (picture + (luminances - luminance(picture))).clamp(0, 1)


def match_luminance(style: Tensor, content: Tensor) -> Tensor:
    """Return luminances of `style` with the mean and deviation of those of `content` (eq. 10)."""
    scale = (content.var() + VARIANCE_MIN).sqrt() / (style.var() + VARIANCE_MIN).sqrt()
    return ((style - style.mean()) * scale + content.mean()).clamp(0, 1)


def match_colors(style: Tensor, content: Tensor) -> Tensor:
    """Return `style` with the mean and covariance of the colours of `content`."""
    return _with_moments(style, content).clamp(0, 1)


def match_color_histograms(style: Tensor, content: Tensor) -> Tensor:
    """Return `style` with the histograms of the red, green and blue of `content`.

    Mean and covariance are matched before: channels alone would be matched as if they were independent.
    """
    matched = _with_moments(style, content)
    planes, wanted = (picture[0].permute(1, 2, 0).cpu().numpy() for picture in (matched, content))  # (H, W, 3)
    exact = torch.from_numpy(match_histograms(planes, wanted, channel_axis=-1))
    return exact.permute(2, 0, 1).unsqueeze(0).to(style)


def _with_moments(style: Tensor, content: Tensor) -> Tensor:
    """Return mean and covariance of `content` in any range: A = L_c L_s^-1 (eq. 5, Cholesky)."""
    style_mean, style_root = _mean_and_root(style)
    content_mean, content_root = _mean_and_root(content)
    colors = style.flatten(2)[0] - style_mean  # (3, h w)
    matched = content_root @ torch.linalg.solve_triangular(style_root, colors, upper=False) + content_mean
    return matched.view_as(style)


def _mean_and_root(picture: Tensor) -> tuple[Tensor, Tensor]:
    colors = picture.flatten(2)[0]  # (3, H W)
    covariance = torch.cov(colors) + VARIANCE_MIN * torch.eye(3, device=picture.device)
    return colors.mean(dim=1, keepdim=True), torch.linalg.cholesky(covariance)
