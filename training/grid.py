"""A penalty on patterns locked to the pixel grid, the checkerboard of networks that upsample.

The output is made of 4x4 blocks from features on a grid of 8 pixels; whatever pattern repeats with that period comes
from the network and not from the painting. Our own term: no cost at run time, where a larger kernel at full size would
cost milliseconds a frame (a 3x3 convolution of three channels at 1280x720: 6 ms on two cores).
"""

from torch import Tensor, nn

PERIOD_PX = 8
# The pattern is estimated in windows of this many periods: brush strokes average out, the grid does not.
WINDOW_PERIODS = 8
BLUR_PX = 5


def grid_loss(pictures: Tensor) -> Tensor:
    """Return the mean square of what repeats every `PERIOD_PX` pixels in the fine detail of (B, 3, H, W)."""
    batch, colours, height, width = pictures.shape
    blurred = nn.functional.avg_pool2d(pictures, BLUR_PX, stride=1, padding=BLUR_PX // 2, count_include_pad=False)
    rows, columns = height // PERIOD_PX, width // PERIOD_PX
    detail = (pictures - blurred)[:, :, : rows * PERIOD_PX, : columns * PERIOD_PX]
    phases = detail.reshape(batch, colours, rows, PERIOD_PX, columns, PERIOD_PX).permute(0, 1, 3, 5, 2, 4)
    phases = phases.reshape(batch, colours * PERIOD_PX**2, rows, columns)  # one plane for each place in the period
    window = min(WINDOW_PERIODS, rows, columns)
    return nn.functional.avg_pool2d(phases, window, stride=max(1, window // 2)).square().mean()
