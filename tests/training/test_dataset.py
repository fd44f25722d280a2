"""What a step sees: the same whatever reads it; frame pairs that fit their flow."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402

from training.clip import ClipPairs  # noqa: E402
from training.dataset import StepDataset, StepSampler  # noqa: E402
from training.motion import warp  # noqa: E402
from training.photograph import PictureFolder, list_pictures  # noqa: E402

SIDE_PX = 16


def _dataset(pictures: Path, *, seed: int = 1, clips: ClipPairs | None = None) -> StepDataset:
    files = list_pictures(pictures)
    return StepDataset(
        PictureFolder(files),
        side_px=SIDE_PX,
        seed=seed,
        paintings=PictureFolder(files[:2]),
        painting_side_px=8,
        clips=clips,
    )


def _clip(folder: Path, *, shift_px: int = 3, frames: int = 3) -> Path:
    """Write frames of a picture that moves to the left, and the flow of all but the last."""
    folder.mkdir(exist_ok=True)
    cells = np.random.default_rng(1).integers(0, 256, (6, 12, 3), dtype=np.uint8)
    wide = np.asarray(Image.fromarray(cells).resize((80, 40), Image.Resampling.BICUBIC))
    for number in range(frames):
        left = number * shift_px
        Image.fromarray(wide[:, left : left + 48]).save(folder / f"frame_{number}.png")
        if number < frames - 1:
            flow = np.zeros((40, 48, 2), np.float32)
            flow[..., 0] = -shift_px
            cv2.writeOpticalFlow(str(folder / f"frame_{number}.flo"), flow)
    return folder


def test_item_depends_on_seed_and_number_alone(pictures: Path) -> None:
    first, again, other = _dataset(pictures), _dataset(pictures), _dataset(pictures, seed=2)
    items = [first[index] for index in range(6)]

    for index in reversed(range(6)):
        same, different = again[index], other[index]
        assert all(torch.equal(same[name], items[index][name]) for name in items[index])
        assert not torch.equal(different["photograph"], items[index]["photograph"])
    assert len({item["photograph"].numpy().tobytes() for item in items}) == 6


def test_item_has_a_still_in_motion_and_a_painting(pictures: Path) -> None:
    item = _dataset(pictures)[0]

    assert {name: tuple(tensor.shape) for name, tensor in item.items()} == {
        "photograph": (3, SIDE_PX, SIDE_PX),
        "moved": (3, SIDE_PX, SIDE_PX),
        "flow": (2, SIDE_PX, SIDE_PX),
        "valid": (1, SIDE_PX, SIDE_PX),
        "painting": (3, 8, 8),
        "strength": (),
    }


def test_a_painting_is_seen_in_ever_other_crops_and_in_part_in_other_colours(pictures: Path) -> None:
    dataset = StepDataset(
        PictureFolder(list_pictures(pictures)),
        side_px=SIDE_PX,
        seed=1,
        paintings=PictureFolder(list_pictures(pictures)[:1]),
        painting_side_px=8,
    )
    paintings = torch.stack([dataset[index]["painting"] for index in range(40)])
    means = paintings.mean(dim=(2, 3))
    other_colors = (means - means.median(dim=0).values).abs().amax(dim=1) > 0.08

    assert len(torch.unique(paintings, dim=0)) == len(paintings)
    assert 8 < other_colors.sum() < 32


def test_most_paintings_are_applied_in_full_and_the_rest_at_any_strength(pictures: Path) -> None:
    dataset = _dataset(pictures)
    strengths = [dataset[index]["strength"].item() for index in range(60)]
    partial = [strength for strength in strengths if strength < 1]

    assert 25 < strengths.count(1.0) < 50
    assert min(partial) < 0.25
    assert max(partial) > 0.75


def test_clips_are_half_of_the_items_and_fit_their_flow(pictures: Path, tmp_path: Path) -> None:
    dataset = _dataset(pictures, clips=ClipPairs(_clip(tmp_path / "clip"), side_px=SIDE_PX))

    items = [dataset[index] for index in range(24)]

    from_clips = [item for item in items if (item["flow"][0] == -3).all()]
    assert 6 <= len(from_clips) <= 18
    for item in from_clips:
        arrived, _ = warp(item["photograph"][None], item["flow"][None])
        assert ((arrived[0] - item["moved"]).abs() * item["valid"]).max() < 0.01
        assert item["valid"][..., :3].sum() == 0  # came from beyond the crop
        assert item["valid"][..., 3:].mean() == 1


def test_pixels_that_their_flow_does_not_lead_to_are_hidden(tmp_path: Path) -> None:
    folder = _clip(tmp_path / "clip", shift_px=0, frames=2)
    frame = np.array(Image.open(folder / "frame_1.png"))
    frame[:, 24:] = 255 - frame[:, 24:] // 2
    Image.fromarray(frame).save(folder / "frame_1.png")

    item = ClipPairs(folder, side_px=40).draw(np.random.default_rng(1))

    changed = (item["photograph"] - item["moved"]).abs().mean(dim=0) > 0.1
    assert changed.any()
    assert torch.equal(item["valid"][0] == 0, changed)


def test_folder_without_pairs_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no frame pairs below .*: expected NAME\.flo beside NAME\.png"):
        ClipPairs(tmp_path, side_px=8)


def test_frame_smaller_than_the_crop_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"frame_\d\.png is 48x40 but must be at least the crop, 64 px"):
        ClipPairs(_clip(tmp_path / "clip"), side_px=64)


def test_a_damaged_pair_is_named_and_another_one_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = _clip(tmp_path / "clip", frames=4)
    (folder / "frame_0.flo").write_bytes(b"no flow")
    (folder / "frame_3.png").write_bytes(b"no picture")
    clips = ClipPairs(folder, side_px=8)

    for seed in range(20):
        assert (clips.draw(np.random.default_rng(seed))["flow"][0] == -3).all()

    told = [record.message for record in caplog.records]
    assert sorted(told)[0].startswith("skipping ")
    assert len(told) == 2
    assert any("frame_0.flo is no Middlebury flow file" in line for line in told)

    (folder / "frame_1.flo").write_bytes(b"no flow")
    with pytest.raises(ValueError, match=r"50 files in a row could not be read; the last: .*\.flo"):
        clips.draw(np.random.default_rng(1))


def test_frames_go_together_by_their_numbers(tmp_path: Path) -> None:
    folder = _clip(tmp_path / "clip", frames=12)

    names = [path.name for path in ClipPairs(folder, side_px=8).files]

    assert names == [name for number in range(11) for name in (f"frame_{number}.png", f"frame_{number}.flo")]


def test_flow_that_is_no_number_is_not_valid(tmp_path: Path) -> None:
    folder = _clip(tmp_path / "clip", shift_px=0, frames=2)
    flow = cv2.readOpticalFlow(str(folder / "frame_0.flo"))
    flow[5, 7] = np.nan
    cv2.writeOpticalFlow(str(folder / "frame_0.flo"), flow)

    item = ClipPairs(folder, side_px=40).draw(np.random.default_rng(1))

    assert item["flow"].isfinite().all()
    assert item["valid"].sum() == item["valid"].numel() - 1


def test_devices_share_out_what_one_would_see_alone() -> None:
    alone = list(itertools.islice(StepSampler(3, batch=4, device=0, devices=1), 2))

    shares = [list(itertools.islice(StepSampler(3, batch=4, device=device, devices=2), 2)) for device in (0, 1)]

    assert alone == [[12, 13, 14, 15], [16, 17, 18, 19]]
    assert [first + second for first, second in zip(*shares, strict=True)] == alone
