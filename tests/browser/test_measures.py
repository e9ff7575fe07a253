"""Measures that the viewer tells, of shapes whose size is known."""

import base64
from typing import Any

import numpy as np
import pytest
import trimesh
from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.support.orthanc_server import OrthancServer

MEASURE = """async ([positions, indices]) => {
  const { isClosed } = await import('/stl/app/js/measure.js');
  return isClosed(new Float32Array(positions), indices);
}"""


def as_shown(sizes: str) -> str:
    return sizes.replace(" x ", " \N{MULTIPLICATION SIGN} ")


def attached(orthanc: OrthancServer, study: str, content: bytes, **fields: str) -> str:
    """The series of a model that has been stored in a study."""
    body = {"File": base64.b64encode(content).decode(), "ParentStudy": study, **fields}
    answer = orthanc.post("/stl/attach", body)
    assert answer.ok, answer.text
    return str(answer.json()["ParentSeries"])


@pytest.mark.parametrize(
    ("unit", "measures"),
    [
        ("mm", "1 x 2 x 3 mm · 6 mm³ · 12 triangles"),
        ("um", "1 x 2 x 3 \N{MICRO SIGN}m · 6 \N{MICRO SIGN}m³ · 12 triangles"),
        ("cm", "10 x 20 x 30 mm · 6 cm³ · 12 triangles"),
        ("m", "1 x 2 x 3 m · 6 m³ · 12 triangles"),
        ("[in_i]", "25.4 x 50.8 x 76.2 mm · 98.3 cm³ · 12 triangles"),
    ],
)
def test_a_box_is_measured_in_the_unit_that_it_was_stored_in(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str], unit: str, measures: str
):
    box = trimesh.creation.box((1, 2, 3)).export(file_type="stl")
    series = attached(orthanc, ct["ParentStudy"], box, Format="STL", Unit=unit)
    page = watched.open(f"/stl/app/viewer.html?series={series}")
    expect(page.locator("#models .facts-line")).to_have_text(as_shown(measures))
    expect(page.locator("#size")).to_have_text(as_shown(measures.partition(" · ")[0]))


def test_the_measures_of_a_statue_are_written_as_the_language_does(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str]
):
    statue = trimesh.creation.box((0.6251, 0.4, 1.816)).export(file_type="stl")
    series = attached(orthanc, ct["ParentStudy"], statue, Format="STL", Unit="m")
    page = watched.open(f"/stl/app/viewer.html?series={series}&lang=fr")
    expect(page.locator("#models .facts-line")).to_contain_text(
        as_shown("0,625 x 0,4 x 1,82 m · 0,454 m³")
    )


@pytest.mark.parametrize(
    ("function", "value", "told"),
    [
        ("volumeText", 0, "0 mm³"),
        ("volumeText", 1.2345e-4, "123,000 \N{MICRO SIGN}m³"),
        ("volumeText", 0.0009996, "0.001 mm³"),
        ("volumeText", 999.4, "999 mm³"),
        ("volumeText", 999.6, "1 cm³"),
        ("volumeText", 71_234_567, "71,200 cm³"),
        ("volumeText", 454_000_000, "0.454 m³"),
        ("lengthText", 2.5e-4, "250 nm"),
        ("lengthText", 0.9996, "1 mm"),
        ("lengthText", 9.994, "9.99 mm"),
        ("lengthText", 123.4, "12.3 cm"),
        ("sizeText", [123.4, 999.4, 0.01234], "123 x 999 x 0.0123 mm"),
        ("sizeText", [0.01234, 0.1, 0], "12.3 x 100 x 0 \N{MICRO SIGN}m"),
        ("lengthText", 999.6, "1 m"),
        ("lengthText", 12_345, "12.3 m"),
    ],
)
def test_the_unit_suits_the_size(
    watched: Watched, function: str, value: float | list[float], told: str
):
    page = watched.page
    page.goto(f"{watched.url}/stl/app/texts/en.json")  # not a page, so that nothing else is asked
    load = "async ([name, value]) => (await import('/stl/app/js/units.js'))[name](value)"
    shown = page.evaluate(load, [function, value])
    assert shown.replace("\N{NO-BREAK SPACE}", " ") == as_shown(told)


def test_a_part_that_is_turned_is_no_larger_for_that(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str]
):
    scene = trimesh.Scene()
    ball = trimesh.creation.uv_sphere(radius=0.02, count=[64, 64])
    ball.visual.vertex_colors = np.tile([[200, 90, 30, 255]], (len(ball.vertices), 1))  # type: ignore[union-attr]
    turned = trimesh.transformations.rotation_matrix(np.pi / 4, [1, 1, 0])
    scene.add_geometry(ball, transform=turned)
    glb = scene.export(file_type="glb")
    series = attached(orthanc, ct["ParentStudy"], glb, Format="GLB")
    page = watched.open(f"/stl/app/viewer.html?series={series}")
    expect(page.locator("#size")).to_have_text(as_shown("40 x 40 x 40 mm"))


def test_of_a_large_open_surface_no_volume_is_told(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str]
):
    columns, rows = 720, 360  # 518,400 triangles, without a bottom
    x, y = np.meshgrid(np.arange(columns + 1), np.arange(rows + 1))
    vertices = np.column_stack([x.ravel(), y.ravel(), 9 * np.sin(x / 60).ravel()])
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    first = np.column_stack([corner, corner + 1, corner + columns + 2])
    second = np.column_stack([corner, corner + columns + 2, corner + columns + 1])
    relief = trimesh.Trimesh(vertices, np.vstack([first, second]), process=False)
    stl = relief.export(file_type="stl")
    assert isinstance(stl, bytes)
    series = attached(orthanc, ct["ParentStudy"], stl, Format="STL")
    page = watched.open(f"/stl/app/viewer.html?series={series}")
    expect(page.locator("#models .facts-line")).to_have_text(
        as_shown("720 x 360 x 18 mm · surface not closed · 518,400 triangles")
    )


def pipe() -> trimesh.Trimesh:
    """Its two ends are open, and the one makes up for the other in many a sum."""
    tube: trimesh.Trimesh = trimesh.creation.cylinder(radius=3, height=10, sections=24)
    tube.update_faces(np.abs(tube.face_normals[:, 2]) < 0.5)
    return tube


def turned_over() -> trimesh.Trimesh:
    box = trimesh.creation.box()
    faces = box.faces.copy()
    faces[0] = faces[0][::-1]
    return trimesh.Trimesh(box.vertices, faces, process=False)


def split() -> trimesh.Trimesh:
    """Closed, but each triangle has vertices of its own, and one of them is a mere line."""
    box = trimesh.creation.icosphere(subdivisions=2)
    corners = box.vertices[box.faces].reshape(-1, 3)
    corners = np.vstack([corners, corners[[0, 0, 1]]])
    return trimesh.Trimesh(corners, np.arange(len(corners)).reshape(-1, 3), process=False)


@pytest.mark.parametrize(
    ("mesh", "is_closed"),
    [
        (trimesh.creation.box(), True),
        (trimesh.creation.torus(5, 2), True),
        (split(), True),
        (pipe(), False),
        (turned_over(), False),
    ],
)
def test_a_surface_is_closed_when_each_edge_is_passed_both_ways(
    watched: Watched, mesh: trimesh.Trimesh, is_closed: bool
):
    page = watched.open_without_images()
    given: list[Any] = [mesh.vertices.ravel().tolist(), mesh.faces.ravel().tolist()]
    assert page.evaluate(MEASURE, given) is is_closed
