"""Measure `stylize-keyframe`: against the PyTorch tutorial's recipe, coarse to fine against one size, and its choices.

    python -m benchmarks.keyframe tutorial CONTENT STYLE --vgg FILE [--size 512 --iterations 300]
    python -m benchmarks.keyframe scales CONTENT STYLE --vgg FILE [--size 1024 --iterations 100]
    python -m benchmarks.keyframe sheet CONTENT STYLE --vgg FILE -o sheet.png [--size 384 --backbone small]

Prints Markdown. All results of one run are judged by one objective in float32, on pictures of 8 bits. Times are of one
machine that does nothing else; only their ratios mean something.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.keyframe_recipes import Pair
from benchmarks.keyframe_sheet import VARIANTS, Variant, sheet_report, sheet_table
from training.photograph import load_picture


def main() -> None:
    options = _parser().parse_args()
    pair = Pair(
        load_picture(options.content),
        load_picture(options.style),
        size_px=options.size,
        vgg=options.vgg,
        style_weight=options.style_weight,
    )
    report: dict[str, Any]
    if options.part == "tutorial":
        report = pair.against_tutorial(options.iterations)
        print(_tutorial_table(report))
    elif options.part == "scales":
        report = pair.scales_at_equal_time(options.iterations)
        print(_scales_table(report))
    else:
        further = [Variant(name, {}, backbone=name) for name in options.backbones]
        report = sheet_report(pair, options.iterations, options.output, variants=(*VARIANTS, *further))
        print(sheet_table(report))
    report |= {
        "content": options.content.name,
        "style": options.style.name,
        "size_px": options.size,
        "vgg": pair.vgg.weights_name,
    }
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _tutorial_table(report: dict[str, Any]) -> str:
    lines = ["| recipe | objective | content | style | seconds an iteration |", "|---|---|---|---|---|"]
    for name, row in report["rows"].items():
        lines.append(
            f"| {name} | {row['total']:.4f} | {row['content']:.4f} | {row['style']:.5f} | {row['iteration_s']:.3f} |"
        )
    return "\n".join([*lines, "", f"{report['speed_ratio']:.2f} times as fast an iteration.\n"])


def _scales_table(report: dict[str, Any]) -> str:
    lines = ["| sizes | objective | content | style | iterations | seconds |", "|---|---|---|---|---|---|"]
    for name, row in report["rows"].items():
        lines.append(
            f"| {name} | {row['total']:.4f} | {row['content']:.4f} | {row['style']:.5f} | {row['iterations']} | "
            f"{row['seconds']:.1f} |"
        )
    return "\n".join([*lines, ""])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("tutorial", "scales", "sheet"))
    parser.add_argument("content", type=Path, metavar="CONTENT", help="photograph")
    parser.add_argument("style", type=Path, metavar="STYLE", help="style picture")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG19 safetensors [torchvision's weights]")
    parser.add_argument("--size", type=int, default=512, metavar="PX", help="short side [%(default)s]")
    parser.add_argument("--iterations", type=int, default=300, metavar="N", help="of each recipe [%(default)s]")
    parser.add_argument("--style-weight", type=float, default=15.0, metavar="W", help="[%(default)s]")
    parser.add_argument("-o", "--output", type=Path, default=Path("sheet.png"), metavar="FILE", help="[%(default)s]")
    parser.add_argument(
        "--backbone",
        dest="backbones",
        action="append",
        default=[],
        metavar="NAME",
        help="one more picture of the sheet, by this network; repeatable",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here, too")
    return parser


if __name__ == "__main__":
    main()
