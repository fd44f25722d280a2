"""The option of trainings that says by which network pictures are compared; without torch, for commands that start."""

import argparse

# The backbones that have the layers of the perceptual losses (`perceptual.py`).
PERCEPTUAL = ("vgg19", "small")


def add_backbone_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backbone",
        choices=PERCEPTUAL,
        help="what pictures are compared by: small is twice as fast on processors without bf16 [vgg19, or small where "
        "it cannot be had]",
    )
