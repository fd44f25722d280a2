"""A history of generated pictures for discriminators (Shrivastava et al. 2017; Zhu et al. 2017, section 4)."""

import numpy as np
import torch
from torch import Tensor

CAPACITY = 50


class PictureBuffer:
    """Keep the last pictures of a generator, so that its discriminator does not forget what it once unmasked.

    The pictures (3, H, W) are the only state; what is drawn is a function of the generator that is handed in.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self.pictures: list[Tensor] = []

    def exchange(self, generated: Tensor, random: np.random.Generator) -> Tensor:
        """Return as many pictures as `generated` (B, 3, H, W) has: each a new one or, at even
        odds, an old one whose place it takes.

        Until the buffer is full all new pictures are kept and returned.
        """
        exchanged = []
        for view in generated.detach():
            picture = view.clone()  # not a part of its batch, all of which a checkpoint would hold
            if len(self.pictures) < self._capacity:
                self.pictures.append(picture)
                exchanged.append(picture)
            elif random.random() < 0.5:
                place = int(random.integers(self._capacity))
                exchanged.append(self.pictures[place])
                self.pictures[place] = picture
            else:
                exchanged.append(picture)
        return torch.stack(exchanged)
