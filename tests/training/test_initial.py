"""Where a training starts: another run first, then a style that is there as ONNX."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")
onnx = pytest.importorskip("onnx", reason="training needs onnx: pip install stylecast[train]")

from safetensors.torch import save_file  # noqa: E402

from tests.training.test_recipe import RECIPES  # noqa: E402
from training.adain import SlimAdainNetwork  # noqa: E402
from training.initial import WEIGHTS_FOLDER, load_initial  # noqa: E402
from training.network import SlimNetwork  # noqa: E402
from training.recipe import AdainRecipe, load_recipe  # noqa: E402
from training.run_folder import NETWORK_FILE  # noqa: E402


def _network(seed: int = 1) -> SlimNetwork:
    torch.manual_seed(seed)
    return SlimNetwork(trunk_channels=8, edge_channels=8, residual_blocks=1)


def _write_onnx(path: Path, network: SlimNetwork, names: "list[str] | None" = None) -> None:
    """Write a graph that has nothing but the weights, and a constant as exporters add them."""
    state = network.state_dict()
    initializers = [
        onnx.numpy_helper.from_array(tensor.numpy(), name)
        for name, tensor in zip(names or [f"network.{key}" for key in state], state.values(), strict=True)
    ]
    initializers.append(onnx.numpy_helper.from_array(torch.tensor([1, 2]).numpy(), "shape"))
    path.parent.mkdir(exist_ok=True)
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "style", [], [], initializers)), path)


def _load(network: torch.nn.Module, initial: str, folder: Path) -> Path:
    return load_initial(network, initial, run_folder=folder / "runs" / "new", weights_folder=folder / "weights")


def _are_equal(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    return all(torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters(), strict=True))


def test_run_beside_comes_before_the_style_that_ships(tmp_path: Path) -> None:
    run, shipped, network = _network(1), _network(2), _network(3)
    _write_onnx(tmp_path / "weights" / "dusk.onnx", shipped)

    assert _load(network, "dusk", tmp_path).suffix == ".onnx"
    assert _are_equal(network, shipped)

    (tmp_path / "runs" / "dusk").mkdir(parents=True)
    save_file(run.state_dict(), tmp_path / "runs" / "dusk" / NETWORK_FILE)
    assert _load(network, "dusk", tmp_path).name == NETWORK_FILE
    assert _are_equal(network, run)


def test_what_ships_is_taken_where_it_is_asked_for(tmp_path: Path) -> None:
    run, shipped, network = _network(1), _network(2), _network(3)
    _write_onnx(tmp_path / "weights" / "dusk.onnx", shipped)
    (tmp_path / "runs" / "dusk").mkdir(parents=True)
    save_file(run.state_dict(), tmp_path / "runs" / "dusk" / NETWORK_FILE)

    assert _load(network, "shipped:dusk", tmp_path) == tmp_path / "weights" / "dusk.onnx"
    assert _are_equal(network, shipped)


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
def test_file_is_taken_by_its_path(tmp_path: Path, suffix: str) -> None:
    before, network = _network(1), _network(2)
    path = tmp_path / f"mine{suffix}"
    if suffix == ".onnx":
        _write_onnx(path, before)
    else:
        save_file(before.state_dict(), path)

    assert _load(network, str(path), tmp_path) == path
    assert _are_equal(network, before)


def test_graph_whose_names_were_changed_is_matched_by_order(tmp_path: Path) -> None:
    before, network = _network(1), _network(2)
    _write_onnx(tmp_path / "weights" / "x.onnx", before, [f"w{number}" for number in range(len(before.state_dict()))])

    _load(network, "x", tmp_path)

    assert _are_equal(network, before)


@pytest.mark.skipif(not (WEIGHTS_FOLDER / "starry-night.onnx").is_file(), reason="no weights beside the package")
def test_style_that_ships_is_a_start(tmp_path: Path) -> None:
    network = SlimNetwork()

    path = load_initial(network, "starry-night", run_folder=tmp_path / "new", weights_folder=WEIGHTS_FOLDER)

    assert path == WEIGHTS_FOLDER / "starry-night.onnx"
    with torch.no_grad():
        assert network(torch.rand(1, 3, 32, 32)).std() > 0.01


@pytest.mark.skipif(not (WEIGHTS_FOLDER / "starry-night.onnx").is_file(), reason="no weights beside the package")
@pytest.mark.parametrize("recipe_file", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_can_be_trained_from_what_ships(recipe_file: Path, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file)
    initial = getattr(recipe, "initial", "")
    if not initial:
        pytest.skip("it starts from random weights")
    network = SlimAdainNetwork() if isinstance(recipe, AdainRecipe) else SlimNetwork()

    load_initial(network, initial, run_folder=tmp_path / "new", weights_folder=WEIGHTS_FOLDER)

    assert initial != recipe.name, "its own results would be taken when it is trained anew"


def test_name_that_is_nowhere_is_reported_with_the_places(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"no network 'dusk' to start from; looked for .*runs/dusk/network.* and .*onnx"
    ):
        _load(_network(), "dusk", tmp_path)


def test_network_of_another_shape_is_named_in_one_line(tmp_path: Path) -> None:
    _write_onnx(tmp_path / "weights" / "small.onnx", _network())

    with pytest.raises(ValueError, match=r"small\.onnx does not fit a SlimNetwork as the start: .*encode") as caught:
        _load(SlimNetwork(), "small", tmp_path)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
def test_damaged_file_is_named(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"bad{suffix}").write_bytes(b"\xff\xff\xff\xff")

    with pytest.raises(ValueError, match=rf"bad\{suffix} "):
        _load(_network(), str(tmp_path / f"bad{suffix}"), tmp_path)
