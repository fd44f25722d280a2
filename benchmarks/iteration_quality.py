"""How many L-BFGS iterations from the photograph a feed-forward style is worth: of ours, or of the PyTorch tutorial's.

Ours steps in a pyramid, and its first iterations are worth more than those of plain L-BFGS (`training/gatys.py`).
Both are measured by content + style weight x style, the part of the training's objective that judges one picture
(without coherence, grid and total variation), in float32 and on pictures of 8 bits.
"""

import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.keyframe_recipes import tutorial_pictures
from realtime.catalogue import Style, read_model
from realtime.engine import open_engine
from realtime.stylizer import Stylizer
from training.gatys import PictureOptimizer
from training.gatys_objective import GatysObjective, ObjectiveWeights, feature_network
from training.keyframe import device_and_dtype
from training.photograph import load_picture, to_tensor
from training.recipe import load_recipe
from training.vgg import Vgg19

ROOT = Path(__file__).parent.parent


def iteration_report(
    style: Style,
    photographs: Sequence[Path],
    *,
    pictures: Path,
    vgg: Vgg19,
    iterations: Sequence[int],
    size_px: int,
    by_tutorial: bool = False,
) -> dict[str, Any]:
    """Return the losses of the network's pictures and of L-BFGS after each number of `iterations`, and its worth."""
    recipe = load_recipe(ROOT / style.card["recipe"])
    painting = load_picture(pictures / recipe.picture, short_side_px=recipe.style_size_px)
    targets = [(to_tensor(painting).unsqueeze(0), 1.0)]
    weights = ObjectiveWeights(style=recipe.style_weight)
    exact_network = feature_network(vgg)
    fast_network = feature_network(vgg, dtype=device_and_dtype("cpu", "auto")[1])
    stylizer = Stylizer(open_engine(read_model(style), engine="onnxruntime", device="cpu"))
    rows = []
    for path in photographs:
        photograph = np.array(load_picture(path, short_side_px=size_px))
        content = _tensor(photograph)
        exact = GatysObjective(exact_network, content, targets, weights=weights)
        made = {"network": _tensor(stylizer.stylize(photograph).stylized), "0": content}
        if by_tutorial:
            pictures = tutorial_pictures(vgg, content, targets[0][0], weights)
        else:
            fast = GatysObjective(fast_network, content, targets, weights=weights)
            iterates = PictureOptimizer(fast, content).run(max(iterations))
            pictures = (iterate.picture for iterate in islice(iterates, 1, None))  # after the content itself
        for iteration, picture in enumerate(islice(pictures, max(iterations)), 1):
            if iteration in iterations:
                made[str(iteration)] = picture
        rows.append({name: _losses(exact, picture) for name, picture in made.items()})
        print(f"{style.name}: {path.name} worth {worth(rows[-1]):.1f}", file=sys.stderr, flush=True)
    worths = sorted(worth(row) for row in rows)
    return {
        "style": style.name,
        "style_weight": recipe.style_weight,
        "size_px": size_px,
        "optimizer": "the PyTorch tutorial's" if by_tutorial else "ours",
        "photographs": len(rows),
        "losses": {
            name: {key: statistics.fmean(row[name][key] for row in rows) for key in rows[0][name]} for name in rows[0]
        },
        "worth_iterations": {
            "median": _known(statistics.median(worths)),
            "min": _known(worths[0]),
            "max": _known(worths[-1]),
        },
        "rows": rows,
    }


def worth(row: Mapping[str, Mapping[str, float]]) -> float:
    """Return after how many iterations L-BFGS has the objective of the network; infinite if it never has.

    Between two measured numbers of iterations the logarithm of the objective is taken for a straight line.
    """
    target = row["network"]["objective"]
    counts = sorted(int(name) for name in row if name != "network")
    reached = [row[str(count)]["objective"] for count in counts]
    if target >= reached[0]:
        return 0.0
    for (before, after), (high, low) in zip(pairwise(counts), pairwise(reached), strict=True):
        if low <= target:
            return before + (after - before) * math.log(high / target) / math.log(high / low)
    return math.inf


def iteration_table(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return the means over photographs as Markdown: objective (content + weight x style)."""
    if not reports:
        return ""
    counts = [name for name in reports[0]["losses"] if name not in ("network", "0")]
    head = ["style", "weight", "network", "worth iterations", "photograph", *(f"L-BFGS {count}" for count in counts)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for report in reports:
        figures = [_cell(report["losses"][name]) for name in ("network", "0", *counts)]
        spread = report["worth_iterations"]
        median, least, most = (_worth_cell(spread[key], last=counts[-1]) for key in ("median", "min", "max"))
        worths = f"{median} ({least} to {most})"
        lines.append(
            f"| {report['style']} | {report['style_weight']:g} | {figures[0]} | {worths} | "
            + " | ".join(figures[1:])
            + " |"
        )
    note = (
        f"Objective (content + weight x style), means over {reports[0]['photographs']} photographs, short side "
        f"{reports[0]['size_px']} px; L-BFGS: {reports[0]['optimizer']}; worth: median (least to most).\n"
    )
    return "\n".join([*lines, "", note])


def _known(value: float) -> float | None:
    """Return the worth as JSON has it: None is more iterations than were done."""
    return value if math.isfinite(value) else None


def _worth_cell(value: float | None, *, last: str) -> str:
    return f"{value:.0f}" if value is not None else f"over {last}"


def _cell(losses: Mapping[str, float]) -> str:
    return f"{losses['objective']:.3f} ({losses['content']:.3f}, {losses['style']:.4f})"


def _losses(objective: GatysObjective, picture: torch.Tensor) -> dict[str, float]:
    with torch.no_grad():
        terms = objective((picture * 255).round() / 255)
        return {"objective": objective.total(terms).item(), **{name: term.item() for name, term in terms.items()}}


def _tensor(rgb: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(rgb).permute(2, 0, 1).unsqueeze(0).float() / 255
