"""The figures of a style's card in words: what the list of styles and the tables made from the catalogue show."""

from collections.abc import Mapping
from typing import Any

# By the keys of `scores`; each kind of style has its own (`export/score_*.py` says what they mean).
WORDS = {
    "style_loss": "style loss {:.3f}",
    "content_loss": "content loss {:.2f}",
    "cycle_psnr_photographs_db": "cycle PSNR {:.1f} dB from photographs",
    "cycle_psnr_paintings_db": "{:.1f} dB from paintings",
    "gram_distance": "Gram distance {:.2f}",
    "gram_distance_of_photographs": "{:.2f} before",
    "warping_error": "E_warp {:.4f}",
}


def figures_of(card: Mapping[str, Any]) -> list[str]:
    """Return what the card of any kind of style tells of its quality, such as "style loss 0.029"; cards may lack it."""
    scores = card.get("scores", {})
    return [words.format(scores[key]) for key, words in WORDS.items() if key in scores]
