"""Every command of the README is run, and every generated table is what its source says."""

import os
import re
import shutil
import subprocess
import sys
from itertools import islice, takewhile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from export.page import TABLE_BEGIN, TABLE_END, styles_table
from realtime.catalogue import WEIGHTS_FOLDER
from realtime.live_keys import keys_table
from realtime.live_settings import LiveControls, LiveSettings
from realtime.options import options_table
from realtime.settings import Controls, Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
# What needs a camera is run with a stand-in of it, in test_readme_live.py.
LIVE_COMMANDS = [command for command in COMMANDS if command.startswith("stylize-webcam") and "samples/" not in command]
# These two build the environment that the tests run in; .ci/run executes them in fresh ones.
INSTALL_COMMANDS = [command for command in COMMANDS if command.startswith("pip install")]
# The figures that make a command take minutes, and what the test puts in their place.
SHORTENED = {
    "--minutes 30": "--minutes 0.02",
    "--iterations 300": "--iterations 1 --size 64",
    "--keyframes keys/": "--keyframes keys/ --end 0.2",
    "--gatys painting.jpg": "--gatys painting.jpg --gatys-keyframes 1 --size 64 --end 0.2",
    "stylize bench": "stylize bench --engine openvino",
    "sheet.jpg": "sheet.jpg --style scream --style great-wave",
}
COMMAND_TIMEOUT_S = 280
# The sample clip as the commands get it: as it is, they took eight minutes on two cores with AVX2.
CLIP_SIZE, CLIP_END_S, CLIP_STEP = (640, 360), 4, 3


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder as the README assumes it, and VGG19 with random weights where torch would cache it."""
    safetensors = pytest.importorskip("safetensors")
    torch = pytest.importorskip("torch")
    del safetensors
    from torchvision.models import VGG19_Weights, vgg19

    folder = tmp_path_factory.mktemp("readme")
    (folder / "samples" / "gallery").mkdir(parents=True)
    shutil.copy(ROOT / "samples" / "gallery" / "styles.jpg", folder / "samples" / "gallery" / "styles.jpg")
    _write_small(ROOT / "samples" / "coast.mp4", folder / "samples" / "coast.mp4")
    (folder / "training").symlink_to(ROOT / "training")
    random = np.random.default_rng(0)
    for name, count in (("photographs", 6), ("paintings", 1)):
        (folder / name).mkdir()
        for index in range(count):
            picture = random.integers(0, 256, (36, 40, 3), dtype=np.uint8)
            Image.fromarray(picture).resize((300, 288)).save(folder / name / f"{index}.jpg")
    for name in ("classes/sea", "classes/sky"):
        shutil.copytree(folder / "photographs", folder / name)
    shutil.copy(folder / "paintings" / "0.jpg", folder / "painting.jpg")
    Image.linear_gradient("L").resize((160, 90)).save(folder / "mask.png")
    (folder / "paintings" / "0.jpg").rename(folder / "paintings" / "vincent-van-gogh_the-starry-night.jpg")
    checkpoints = folder / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    state = vgg19().features.state_dict(prefix="features.")
    torch.save(state, checkpoints / Path(VGG19_Weights.IMAGENET1K_V1.url).name)
    return folder


def _write_small(source: Path, target: Path) -> None:
    """Write every few frames of the beginning of a video, small and without sound; .ci/run takes the whole."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream("libx264", rate=read.streams.video[0].average_rate, options={"preset": "ultrafast"})
        stream.width, stream.height = CLIP_SIZE
        begun = takewhile(lambda frame: frame.time < CLIP_END_S, read.decode(video=0))
        for frame in islice(begun, None, None, CLIP_STEP):
            written.mux(stream.encode(frame.reformat(*CLIP_SIZE)))
        written.mux(stream.encode(None))


def test_the_install_commands_are_those_that_ci_executes() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    quiet = ci.replace(" --quiet --disable-pip-version-check", "")
    for command in INSTALL_COMMANDS:
        install, _, run = command.partition(" && ")
        assert install in quiet
        assert run.split()[0] in quiet


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if command not in INSTALL_COMMANDS + LIVE_COMMANDS]
)
def test_a_command_of_the_readme_works(command: str, workplace: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TORCH_HOME": str(workplace / "torch"),
        "STYLECAST_STYLES": str(workplace / "styles"),
    }
    short = command
    for long_option, short_option in SHORTENED.items():
        short = short.replace(long_option, short_option)
    done = subprocess.run(
        short, shell=True, cwd=workplace, env=environment, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("page", "thumbnails"), [(ROOT / "README.md", "weights/thumbnails"), (WEIGHTS_FOLDER / "README.md", "thumbnails")]
)
def test_the_table_of_styles_is_that_of_the_catalogue(page: Path, thumbnails: str) -> None:
    shown = page.read_text(encoding="utf-8").split(TABLE_BEGIN)[1].split(TABLE_END)[0].strip()
    assert shown == styles_table(WEIGHTS_FOLDER, thumbnails=thumbnails)
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", shown):
        assert (page.parent / picture).is_file()


def test_the_table_of_options_is_that_of_the_declarations() -> None:
    assert _between("options: generated by realtime.settings", "options") == options_table(Controls, Settings)


def test_the_tables_of_live_options_and_keys_are_those_of_the_declarations() -> None:
    assert _between("live options: generated by realtime.live_settings", "live options") == options_table(
        LiveControls, LiveSettings
    )
    assert _between("keys: generated by realtime.live_keys", "keys") == keys_table()


def _between(begin: str, end: str) -> str:
    return README.split(f"<!-- {begin}, do not edit -->")[1].split(f"<!-- end of {end} -->")[0].strip()


def test_the_pictures_of_the_readme_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
