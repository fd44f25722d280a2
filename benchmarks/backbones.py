"""Compare backbones on the same pairs of photograph and painting, with the same optimiser and weights.

    python -m benchmarks.backbones vgg19=vgg19 small=small cifar10=runs/classifier/network.safetensors \\
        untrained=random-vgg19 --photographs A.jpg B.jpg --paintings C.jpg D.jpg --vgg FILE --sheet sheet.png

A backbone is NAME=SPEC, SPEC as `stylize-keyframe --backbone` takes it, or random-vgg19 or random-resnet50. The first
photograph goes with the first painting and so on. Prints Markdown; content and style loss are VGG19's, of
weights/README.md: 0 is the photograph itself and the painting itself, and each backbone minimised its own.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torchvision.models import resnet50, vgg19

from training.backbone_choice import BackboneChoice, choose_backbone
from training.classifier import load_classifier
from training.gatys_objective import GatysObjective, ObjectiveWeights, feature_network
from training.keyframe import Keyframe, KeyframeSettings
from training.photograph import load_picture, to_tensor
from training.vgg import Vgg19

RANDOM = {"random-vgg19": vgg19, "random-resnet50": resnet50}
LABEL_PX = 16
Pair = tuple[Image.Image, Image.Image]


def main() -> None:
    options = _parser().parse_args()
    if len(options.photographs) != len(options.paintings):
        raise SystemExit(f"{len(options.photographs)} photographs cannot go with {len(options.paintings)} paintings")
    pairs = [
        (_square(photograph, options.size), _square(painting, options.size))
        for photograph, painting in zip(options.photographs, options.paintings, strict=True)
    ]
    weights = ObjectiveWeights()
    judge = feature_network(Vgg19(weights.layers, weights=options.vgg))
    rows = [{"name": "photograph itself", **_means(judge, pairs, [photograph for photograph, _ in pairs])}]
    made: dict[str, list[Image.Image]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, spec in options.backbones:
            choice = _choose(spec, vgg=options.vgg, folder=Path(folder))
            made[name] = [_stylize(choice, *pair, iterations=options.iterations) for pair in pairs]
            rows.append({"name": name, "spec": spec, **_facts(spec), **_means(judge, pairs, made[name])})
            print(f"{name}: {rows[-1]}", file=sys.stderr, flush=True)
            contact_sheet(pairs, made).save(options.sheet)
    print(table(rows))
    print(
        f"\n{len(pairs)} pairs, {options.size} px, {options.iterations} iterations of L-BFGS, judged by {options.vgg}."
    )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as Markdown; what is not known of a backbone is left empty."""
    head = ("backbone", "data", "top-1", "minutes", "content loss", "style loss")
    lines = ["| " + " | ".join(head) + " |", "|---|---|---:|---:|---:|---:|"]
    for row in rows:
        top1 = f"{100 * row['top1']:.1f} %" if "top1" in row else ""
        minutes = f"{row['minutes']:.0f}" if "minutes" in row else ""
        cells = (row["name"], row.get("data", ""), top1, minutes, f"{row['content']:.3f}", f"{row['style']:.4f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def contact_sheet(pairs: Sequence[Pair], made: Mapping[str, Sequence[Image.Image]]) -> Image.Image:
    """Lay each pair and what was made of it in a row, all squares of one size, under the names of the columns."""
    side = pairs[0][0].width
    columns = {"photograph": [pair[0] for pair in pairs], "painting": [pair[1] for pair in pairs], **made}
    sheet = Image.new("RGB", (side * len(columns), LABEL_PX + side * len(pairs)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, (name, pictures) in enumerate(columns.items()):
        draw.text((column * side + 2, 2), name, fill="black")
        for row, picture in enumerate(pictures):
            sheet.paste(picture, (column * side, LABEL_PX + row * side))
    return sheet


def _choose(spec: str, *, vgg: Path, folder: Path) -> BackboneChoice:
    if spec not in RANDOM:
        return choose_backbone(spec, vgg=vgg if spec == "vgg19" else None)
    torch.manual_seed(1)
    build: Callable[[], torch.nn.Module] = RANDOM[spec]
    path = folder / f"{spec}.safetensors"
    state = build().state_dict()
    save_file({name: tensor for name, tensor in state.items() if not name.startswith(("classifier.", "fc."))}, path)
    return choose_backbone(f"{spec.removeprefix('random-')}:{path}")


def _stylize(choice: BackboneChoice, photograph: Image.Image, painting: Image.Image, *, iterations: int) -> Image.Image:
    layers = choice.layers
    weights = ObjectiveWeights(content_layers={layers.content: 1.0}, style_layers=dict.fromkeys(layers.style, 1.0))
    settings = KeyframeSettings(size_px=photograph.width, iterations=iterations, weights=weights)
    keyframe = Keyframe(photograph, [(painting, 1.0)], settings, backbone=choice.open(weights.layers))
    for _ in keyframe.run():
        pass
    return keyframe.best_picture()


def _facts(spec: str) -> dict[str, Any]:
    """Return what the file of a classifier says of its training."""
    path = Path(spec.removeprefix("home:"))
    if path.suffix != ".safetensors" or not path.is_file():
        return {}
    _, facts = load_classifier(path)
    return {"data": facts.data, "top1": facts.top1, "minutes": facts.minutes}


def _means(judge: Vgg19, pairs: Sequence[Pair], pictures: Sequence[Image.Image]) -> dict[str, float]:
    terms = []
    for (photograph, painting), picture in zip(pairs, pictures, strict=True):
        content, style, found = (to_tensor(each).unsqueeze(0) for each in (photograph, painting, picture))
        objective = GatysObjective(judge, content, [(style, 1.0)], weights=ObjectiveWeights())
        with torch.no_grad():
            terms.append({name: term.item() for name, term in objective(found).items()})
    return {name: fmean(each[name] for each in terms) for name in terms[0]}


def _square(path: Path, side_px: int) -> Image.Image:
    picture = load_picture(path, side_min_px=side_px)
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.resize((side_px, side_px), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))


def _backbone_argument(text: str) -> tuple[str, str]:
    name, separator, spec = text.partition("=")
    if not separator or not name or not spec:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=SPEC")
    return name, spec


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add(
        "backbones", nargs="+", type=_backbone_argument, metavar="NAME=SPEC", help="backbones in the order of the sheet"
    )
    add("--photographs", nargs="+", type=Path, required=True, metavar="FILE")
    add("--paintings", nargs="+", type=Path, required=True, metavar="FILE", help="as many")
    add("--vgg", type=Path, metavar="FILE", help="VGG19 as safetensors, which judges [torchvision's]")
    add("--size", type=int, default=256, metavar="PX", help="side of the squares [%(default)s]")
    add("--iterations", type=int, default=100, metavar="N", help="[%(default)s]")
    add("--sheet", type=Path, required=True, metavar="FILE.png", help="contact sheet, written after each backbone")
    add("--json", type=Path, metavar="FILE", help="write the figures here, too")
    return parser


if __name__ == "__main__":
    main()
