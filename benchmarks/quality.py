"""Compare styles with Gatys' optimisation, any-style models with paintings, and the flicker of styles.

    awk -F'\\t' '$3 == "val" {print $1}' DATA/content/PROVENANCE.tsv > val.txt
    python -m benchmarks.quality --photographs DATA/content --list val.txt --pictures DATA/style --vgg FILE
        [--sequences DATA/sequences/davis --baseline FILE.onnx] [--json FILE]

Prints Markdown, one table a part. Takes hours on two cores; --count and --iterations shorten it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.any_style_quality import any_style_report, any_style_table
from benchmarks.iteration_quality import iteration_report, iteration_table
from benchmarks.temporal_quality import temporal_report, temporal_table
from realtime.catalogue import load_catalogue
from training.perceptual import STYLE_LAYERS
from training.photograph import list_pictures
from training.vgg import Vgg19


def main() -> None:
    options = _parser().parse_args()
    catalogue = load_catalogue()
    unknown = set(options.styles or ()) - set(catalogue)
    if unknown:
        raise SystemExit(f"no such styles: {', '.join(sorted(unknown))}; there are {', '.join(catalogue)}")
    chosen = [catalogue[name] for name in options.styles or catalogue]
    feed_forward = [style for style in chosen if style.card["kind"] == "feed-forward"]
    any_style = [style for style in chosen if style.card["kind"] == "adain"]
    photographs = _photographs(options.photographs, options.list)
    vgg = Vgg19(STYLE_LAYERS, weights=options.vgg)
    report: dict[str, Any] = {"vgg": vgg.weights_name, "iterations": [], "any_style": [], "temporal": []}
    if not options.skip_iterations:
        for style in feed_forward:
            row = iteration_report(
                style,
                photographs[: options.count],
                pictures=options.pictures,
                vgg=vgg,
                iterations=options.iterations,
                size_px=options.size,
                by_tutorial=options.tutorial,
            )
            report["iterations"].append(row)
            _save(report, options.json)
        print(iteration_table(report["iterations"]))
    if any_style:
        paintings = list_pictures(options.pictures)
        for style in any_style:
            report["any_style"].append(any_style_report(style, photographs, paintings, vgg=vgg))
        print(any_style_table(report["any_style"]))
    else:
        print("None of the chosen styles is an any-style model.\n")
    if options.sequences:
        for style in (style for style in chosen if style not in any_style):
            rows = temporal_report(style, options.sequences, baseline=options.baseline, frames_max=options.frames)
            report["temporal"] += rows
        print(temporal_table(report["temporal"]))
    _save(report, options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, required=True, metavar="DIR", help="photographs to stylise")
    parser.add_argument("--list", type=Path, metavar="FILE", help="names of those to take, one a line [all]")
    parser.add_argument("--pictures", type=Path, required=True, metavar="DIR", help="style pictures")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG19 safetensors [torchvision's weights]")
    parser.add_argument(
        "--styles", type=lambda text: text.split(","), metavar="NAME,...", help="[all of the catalogue]"
    )
    parser.add_argument(
        "--iterations", type=_counts, default=(10, 20, 50, 100), metavar="N,...", help="of L-BFGS [10,20,50,100]"
    )
    parser.add_argument("--count", type=int, default=20, metavar="N", help="photographs a style [%(default)s]")
    parser.add_argument("--size", type=int, default=384, metavar="PX", help="their short side [%(default)s]")
    parser.add_argument(
        "--tutorial", action="store_true", help="by L-BFGS as in PyTorch's tutorial, which begins slower than ours"
    )
    parser.add_argument("--skip-iterations", action="store_true", help="leave the comparison with L-BFGS out")
    parser.add_argument("--sequences", type=Path, metavar="DIR", help="folders of frames, for the warping error")
    parser.add_argument("--baseline", type=Path, metavar="FILE.onnx", help="style whose flicker is the ceiling")
    parser.add_argument("--frames", type=int, default=50, metavar="N", help="of each sequence [%(default)s]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here, too")
    return parser


def _counts(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(part) for part in text.split(",")}))


def _photographs(folder: Path, names: Path | None) -> list[Path]:
    files = list_pictures(folder)
    if names is None:
        return files
    wanted = set(names.read_text(encoding="utf-8").split())
    found = [path for path in files if path.name in wanted]
    missing = sorted(wanted - {path.name for path in found})
    if missing:
        raise SystemExit(f"{names} names {len(missing)} files that are not in {folder}, such as {missing[0]}")
    return found


def _save(report: dict[str, Any], path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
