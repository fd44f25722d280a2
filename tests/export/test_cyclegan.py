"""A CycleGAN becomes a style like every other: exact on every engine, scored in its own figures, listed and run."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export import card, sample  # noqa: E402
from export.cli import main  # noqa: E402
from export.sample import Sample  # noqa: E402
from export.score_cyclegan import cyclegan_scores  # noqa: E402
from export.style import export_style  # noqa: E402
from export.verify import PSNR_MAX_DB, PSNR_MIN_DB  # noqa: E402
from realtime.catalogue import load_catalogue, verify_style  # noqa: E402
from realtime.loaded_style import load_style  # noqa: E402
from realtime.style_choice import StyleChoice  # noqa: E402
from realtime.style_figures import figures_of  # noqa: E402
from tests.models import identity_model, invert_model  # noqa: E402
from tests.test_weights import CARD_FIELDS  # noqa: E402
from training.cyclegan import SlimGenerator  # noqa: E402
from training.perceptual import STYLE_LAYERS  # noqa: E402
from training.recipe import CycleGanRecipe  # noqa: E402
from training.run_folder import NETWORK_FILE, save_network  # noqa: E402
from training.trainer_cyclegan import UNPAINTER_FILE  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

Picture = NDArray[np.uint8]


def _generator(seed: int) -> SlimGenerator:
    """Return a generator that does something, which an untrained one does not."""
    torch.manual_seed(seed)
    generator = SlimGenerator().eval()
    torch.nn.init.constant_(generator.strength, 0.5)
    return generator


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a folder as the training of a CycleGAN leaves it."""
    folder = tmp_path / "run"
    folder.mkdir()
    recipe = CycleGanRecipe(name="dusk", title="Dusk")
    metadata = {"network": "SlimGenerator", "recipe": json.dumps(dataclasses.asdict(recipe)), "steps": "7"}
    for seed, file in enumerate((NETWORK_FILE, UNPAINTER_FILE)):
        save_network(folder / file, _generator(seed).state_dict(), metadata | {"minutes": "1.5"})
    return folder


@pytest.fixture
def vgg(vgg_file: Path) -> Vgg19:
    return Vgg19(STYLE_LAYERS, weights=vgg_file)


def test_generator_is_the_same_on_every_engine_and_in_int8(smooth_pictures: list[Picture]) -> None:
    sized = {(16, 16): smooth_pictures[0][:16, :16], (17, 31): smooth_pictures[1][:31, :17]}

    exported = export_style(_generator(0), Sample(sized, smooth_pictures[2:8], {}))

    assert {parity.engine.split()[0] for parity in exported.parities} >= {"ONNX", "OpenVINO"}
    assert exported.variants["int8"][1] >= PSNR_MIN_DB["int8"]


def test_published_generator_has_its_figures_and_runs(
    run: Path, photographs: Path, vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "SIZES", ((16, 16), (17, 31)))
    monkeypatch.setattr(sample, "CALIBRATION_SIDE_PX", 48)
    monkeypatch.setattr(card, "engine_times_ms", lambda models: dict.fromkeys(models, 1.5))
    words = [run, "--publish", tmp_path / "styles", "--photographs", photographs, "--pictures", photographs]

    assert main([*map(str, words), "--vgg", str(vgg_file)]) == 0

    style = load_catalogue(tmp_path / "styles")["dusk"]
    verify_style(style)
    assert set(style.card) >= CARD_FIELDS
    assert style.card["kind"] == "cyclegan"
    assert "vgg" not in style.card["training"]
    assert len(figures_of(style.card)) == 4
    assert style.card["scores"]["short_side_px"] == 256
    loaded = load_style(StyleChoice(style, (), ()), engine="onnxruntime", device="cpu", precision="fp32")
    frame = np.full((30, 50, 3), 90, dtype=np.uint8)
    assert loaded.stylizer(size_px=None, shifts=1).stylize(frame).stylized.shape == frame.shape
    loaded.close()


def test_generators_that_change_nothing_return_every_picture_and_bring_none_nearer(
    smooth_pictures: list[Picture], vgg: Vgg19
) -> None:
    photographs = {Path("a"): smooth_pictures[0], Path("b"): smooth_pictures[1]}
    paintings = {Path("c"): smooth_pictures[2], Path("d"): smooth_pictures[3]}

    models = identity_model(), identity_model()
    scores = cyclegan_scores(*models, photographs=photographs, paintings=paintings, backbone=vgg)

    assert scores["cycle_psnr_photographs_db"] == scores["cycle_psnr_paintings_db"] == PSNR_MAX_DB
    assert scores["gram_distance"] == scores["gram_distance_of_photographs"] > 0
    assert scores["share_nearer"] == 0
    assert (scores["photographs"], scores["paintings"]) == (["a", "b"], ["c", "d"])


def test_painter_of_negatives_brings_negatives_of_paintings_home(smooth_pictures: list[Picture], vgg: Vgg19) -> None:
    """Photographs whose negatives are the paintings: an inverting painter makes them exactly that."""
    paintings = {Path(str(number)): picture // 3 for number, picture in enumerate(smooth_pictures[:3])}
    photographs = {name: 255 - picture for name, picture in paintings.items()}

    models = invert_model(), identity_model()
    scores = cyclegan_scores(*models, photographs=photographs, paintings=paintings, backbone=vgg)

    assert scores["share_nearer"] == 1
    assert scores["gram_distance"] < scores["gram_distance_of_paintings"] < scores["gram_distance_of_photographs"]
    assert scores["cycle_psnr_photographs_db"] < 20


def test_one_painting_is_refused(smooth_pictures: list[Picture], vgg: Vgg19) -> None:
    one = {Path("a"): smooth_pictures[0]}

    with pytest.raises(ValueError, match="2 paintings or more, but only 1 can be read"):
        cyclegan_scores(identity_model(), identity_model(), photographs=one, paintings=one, backbone=vgg)
