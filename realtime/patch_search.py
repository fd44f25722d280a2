"""Find patches of a key frame's input that look like those of another frame: what motion cannot bring is looked up.

A frame is cut into cells of 4x4 pixels. The descriptor of a cell are the colours of its neighbourhood of 3x3 cells and,
weakly, its place; neighbouring cells then agree on one offset where that costs little, so that strokes stay whole: a
Potts prior, by iterated conditional modes (Besag 1986). Guidance by colour and place is that of Jamriska et al. (2019).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

CELL_PX = 4
# Squared levels of CIE L*a*b* (8 bits a channel): a pixel of distance counts as so many levels, the neighbours of a
# cell count half in each channel. A cell rather agrees with a neighbour than be better by this.
PLACE_LEVELS_PER_PX = 0.4
NEIGHBOUR_WEIGHT = 0.5
DISAGREEMENT_COST = 150.0
# What has been carried to a cell is only replaced by what is better by this: else moving water would flicker.
CHANGE_COST = 400.0
SWEEPS = 6
# Cells that are compared with all others at once: 60 MB of distances at 640x360.
_QUERIES_AT_ONCE = 1024
_AROUND = ((0, 1), (0, -1), (1, 0), (-1, 0))
_OUTSIDE_COST = 1e9


class PatchSearch:
    """Looks patches up in `rgb` (H, W, 3) uint8, at least one cell large; all other pictures have its size."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self._rows, self._columns = max(1, rgb.shape[0] // CELL_PX), max(1, rgb.shape[1] // CELL_PX)
        self._known = self._descriptors(rgb).reshape(self._rows * self._columns, -1)
        self._known_squares = np.square(self._known).sum(axis=1)

    def fill(
        self,
        rgb: NDArray[np.uint8],
        displacement: NDArray[np.float32],
        *,
        doubtful: NDArray[np.bool_],
        useless: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return `displacement` (H, W, 2) with cells looked up for `rgb`, and where that is, (H, W).

        Those of `useless` (H, W) always are, those of `doubtful` (H, W) where something clearly better is found.
        """
        size = (self._columns, self._rows)
        useless_cells, holes = (
            cv2.resize(where.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
            for where in (useless, doubtful | useless)
        )
        if not holes.any():
            return displacement, np.zeros_like(useless)
        means = np.asarray(cv2.resize(displacement, size, interpolation=cv2.INTER_AREA)).reshape(*holes.shape, 2)
        offsets = np.rint(means / CELL_PX).astype(np.int64)
        carried = offsets.copy()
        # No cell has this offset.
        carried[useless_cells] = self._rows + self._columns
        wanted = self._descriptors(rgb)[holes]
        offsets[holes] = self._nearest(wanted, holes)
        self._agree(offsets, wanted, holes, carried[holes])
        changed = holes & (offsets != carried).any(axis=-1)
        full_size = (rgb.shape[1], rgb.shape[0])
        filled = cv2.resize(changed.astype(np.uint8), full_size, interpolation=cv2.INTER_NEAREST) > 0
        found = cv2.resize((offsets * CELL_PX).astype(np.float32), full_size, interpolation=cv2.INTER_NEAREST)
        return np.where(filled[..., np.newaxis], found, displacement).astype(np.float32), filled

    def _descriptors(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what is compared of each cell, (rows, columns, 29)."""
        size = (self._columns, self._rows)
        lab = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), size, interpolation=cv2.INTER_AREA)
        padded = np.pad(np.asarray(lab, dtype=np.float32).reshape(*size[::-1], 3), ((1, 1), (1, 1), (0, 0)), "edge")
        parts = []
        for y, x in np.ndindex(3, 3):
            weight = 1.0 if (y, x) == (1, 1) else NEIGHBOUR_WEIGHT
            parts.append(weight * padded[y : y + self._rows, x : x + self._columns])
        place = np.stack(np.meshgrid(np.arange(self._columns), np.arange(self._rows)), axis=-1)
        parts.append(PLACE_LEVELS_PER_PX * CELL_PX * place)
        return np.concatenate(parts, axis=-1).astype(np.float32)

    def _nearest(self, wanted: NDArray[np.float32], holes: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the offset in cells, (n, 2) as x, y, from each of the n holes to the cell that is most alike."""
        best = np.empty(len(wanted), dtype=np.int64)
        for begin in range(0, len(wanted), _QUERIES_AT_ONCE):
            rows = slice(begin, begin + _QUERIES_AT_ONCE)
            best[rows] = (self._known_squares - 2 * (wanted[rows] @ self._known.T)).argmin(axis=1)
        y, x = np.nonzero(holes)
        return np.stack([best % self._columns - x, best // self._columns - y], axis=-1)

    def _agree(
        self,
        offsets: NDArray[np.int64],
        wanted: NDArray[np.float32],
        holes: NDArray[np.bool_],
        carried: NDArray[np.int64],
    ) -> None:
        """Let holes take over offsets of neighbours, or those carried there, where that lowers the energy.

        Changes `offsets`.
        """
        y, x = np.nonzero(holes)

        def energy(tried: NDArray[np.int64], neighbours: list[NDArray[np.int64]]) -> NDArray[np.float64]:
            there_x, there_y = x + tried[:, 0], y + tried[:, 1]
            outside = (there_x < 0) | (there_y < 0) | (there_x >= self._columns) | (there_y >= self._rows)
            there = there_y.clip(0, self._rows - 1) * self._columns + there_x.clip(0, self._columns - 1)
            unlike = np.square(self._known[there] - wanted).sum(axis=1)
            disagreeing = sum((tried != other).any(axis=1) for other in neighbours)
            changes = (tried != carried).any(axis=1)
            cost = unlike + DISAGREEMENT_COST * disagreeing + CHANGE_COST * changes + _OUTSIDE_COST * outside
            return np.asarray(cost, dtype=np.float64)

        for sweep in range(SWEEPS):
            padded = np.pad(offsets, ((1, 1), (1, 1), (0, 0)), "edge")
            neighbours = [padded[y + 1 + step_y, x + 1 + step_x] for step_y, step_x in _AROUND]
            best = offsets[y, x]
            lowest = energy(best, neighbours)
            for tried in (*neighbours, carried):
                found = energy(tried, neighbours)
                better = found < lowest
                best = np.where(better[:, np.newaxis], tried, best)
                lowest = np.where(better, found, lowest)
            # Neighbours that changed at once could swap their offsets forever: as on a chessboard, every other one.
            changes = (x + y + sweep) % 2 == 0
            offsets[y[changes], x[changes]] = best[changes]
