"""Models with textures: dropped with their pictures, and seen with them."""

import io
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched, downloaded, picture
from tests.browser.test_create import made
from tests.support.mesh_samples import painted_picture
from tests.support.orthanc_server import OrthancServer

STAGE = "#stage canvas"
# A standing board, 20 wide and 10 high: its picture is red left and blue right.
BOARD_OBJ = (
    b"mtllib board.mtl\nv 0 0 0\nv 20 0 0\nv 20 0 10\nv 0 0 10\nv 0 2 0\nv 20 2 0\nv 20 2 10\n"
    b"v 0 2 10\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl Board\n"
    b"f 1/1 2/2 3/3 4/4\nf 6/2 5/1 8/4 7/3\nf 5/1 1/1 4/4 8/4\nf 2/2 6/2 7/3 3/3\n"
    b"f 4/4 3/3 7/3 8/4\nf 5/1 6/2 2/2 1/1\n"
)
BOARD_MTL = b"newmtl Board\nKd 1 1 1\nmap_Kd board.png\n"


@pytest.fixture
def board(tmp_path: Path) -> list[Path]:
    """The model, its materials and its picture, as a camera's software writes them."""
    files = {"Board.obj": BOARD_OBJ, "board.mtl": BOARD_MTL, "board.png": painted_picture(64, 32)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in files]


def red_and_blue(page: Page) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) where the stage is red, and where it is blue."""
    red, green, blue = np.moveaxis(picture(page, STAGE)[..., :3].astype(int), -1, 0)
    return red > 2 * np.maximum(green, blue), blue > 2 * np.maximum(green, red)


def attached(page: Page, files: list[Path]) -> None:
    page.locator("#file").set_input_files(files)
    made(page)


def test_a_dropped_obj_is_seen_with_its_picture_where_it_belongs(
    watched: Watched, ct: dict[str, str], board: list[Path]
):
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    attached(page, board)
    expect(page.locator("#result .message")).to_have_count(1)  # no warning
    mesh = downloaded(page, "Download Board as STL")
    assert mesh.is_watertight
    assert mesh.extents == pytest.approx([20, 2, 10])
    page.get_by_role("link", name="Open in the 3D viewer").click()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#models li")).to_contain_text("400 mm³ · 12 triangles")
    red, blue = red_and_blue(page)
    assert red.sum() > 5000
    assert blue.sum() > 5000
    # x grows to the right when one looks from the front.
    assert np.nonzero(red)[1].mean() < np.nonzero(blue)[1].mean() - 50
    assert watched.seriously_inaccessible() == []


def test_textures_can_be_taken_off(watched: Watched, ct: dict[str, str], board: list[Path]):
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    attached(page, board)
    page.get_by_role("link", name="Open in the 3D viewer").click()
    page.wait_for_selector("html[data-ready]")
    page.get_by_label("Textures and colours").uncheck()
    assert [colour.sum() for colour in red_and_blue(page)] == [0, 0]
    page.get_by_label("Textures and colours").check()
    assert all(colour.sum() > 5000 for colour in red_and_blue(page))
    page.get_by_label("Opacity of Board").fill("0")
    assert [colour.sum() for colour in red_and_blue(page)] == [0, 0]


def test_an_obj_without_its_picture_is_stored_and_says_what_is_missing(
    watched: Watched, ct: dict[str, str], board: list[Path]
):
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    attached(page, board[:2])
    expect(page.locator("#result")).to_contain_text("'board.png', which 'Board' names, did not")


def test_two_models_at_once_are_refused(
    watched: Watched, ct: dict[str, str], board: list[Path], tmp_path: Path
):
    (tmp_path / "Other.ply").write_bytes(b"ply")
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    page.locator("#file").set_input_files([*board, tmp_path / "Other.ply"])
    expect(page.get_by_role("alert")).to_have_text(
        "Several models at once: Board.obj, Other.ply. Choose one, with its materials and textures."
    )
    expect(page.get_by_role("button", name="Create the model")).to_be_disabled()


def test_a_model_whose_y_axis_is_up_stands_in_the_viewer(
    watched: Watched, ct: dict[str, str], tmp_path: Path
):
    path = tmp_path / "Pillar.ply"
    pillar = trimesh.creation.box((2, 30, 4))
    pillar.visual.vertex_colors = (200, 0, 0, 255)
    pillar.export(path)
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    page.locator("#file").set_input_files(path)
    page.get_by_label("Which axis points up").select_option("Y (most 3D software)")
    made(page)
    assert downloaded(page, "Download Pillar as STL").extents == pytest.approx([2, 4, 30])
    page.get_by_role("link", name="Open in the 3D viewer").click()
    page.wait_for_selector("html[data-ready]")
    rows, columns = np.nonzero(red_and_blue(page)[0])
    assert np.ptp(rows) > 5 * np.ptp(columns)


def test_a_painted_glb_of_other_software_is_seen_in_its_colours(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str], tmp_path: Path
):
    box = trimesh.creation.box((0.2, 0.2, 0.2))
    box.visual = trimesh.visual.TextureVisuals(
        uv=np.full((len(box.vertices), 2), 0.1),
        material=trimesh.visual.material.PBRMaterial(
            baseColorTexture=Image.open(io.BytesIO(painted_picture(64, 32))), metallicFactor=1.0
        ),
    )
    path = tmp_path / "Dice.glb"
    box.export(path)
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    attached(page, [path])
    page.get_by_role("link", name="Open in the 3D viewer").click()
    page.wait_for_selector("html[data-ready]")
    red, blue = red_and_blue(page)
    assert red.sum() > 5000
    assert blue.sum() == 0
