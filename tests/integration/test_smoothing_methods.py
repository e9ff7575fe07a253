"""Every source through every method of smoothing, end to end, in a real Orthanc: one sphere."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import trimesh
from numpy.typing import NDArray
from pydicom.uid import generate_uid

from orthanc_stl_plugin.model.geometry import Grid
from tests.support import dicom_samples as samples
from tests.support.orthanc_server import OrthancServer
from tests.support.phantoms import sampled, sphere, voxel_centres_mm

RADIUS_MM, CENTRE_MM = 7.3, (9.2, 8.7, 9.6)
SPHERE = sphere(RADIUS_MM, CENTRE_MM)
GRID = Grid((20, 18, 19), np.eye(4))
MASK = sampled(SPHERE, GRID)
REDUCED = 8  # voxels along each axis: the sphere has 15
ITERATIONS = 40
NONE, LAPLACIAN, TAUBIN, CONSTRAINED = "None", "Laplacian", "Taubin", "Constrained"
PLACES_MM = 1e-3  # float32 of coordinates of some 20 mm, written as STL


@dataclass
class Maker:
    """Makes models of one source.

    Attributes:
        path: of the route.
        body: what every request holds.
        made: the models so far, by resolution, method and iterations.
    """

    server: OrthancServer
    path: str
    body: Mapping[str, object]
    made: dict[tuple[int, str, int], Model] = field(default_factory=dict)

    def model(self, method: str, iterations: int = ITERATIONS, resolution: int = 256) -> Model:
        key = (resolution, method, iterations)
        if key not in self.made:
            smoothing = {"Method": method, "Iterations": iterations}
            body = {**self.body, "Smoothing": smoothing, "Resolution": resolution}
            answer = self.server.post(self.path, body)
            assert answer.status_code == 200, answer.text
            self.made[key] = self._read(answer.json()["ID"])
        return self.made[key]

    def _read(self, instance: str) -> Model:
        stl = self.server.get(f"/instances/{instance}/stl").content
        dicom = pydicom.dcmread(io.BytesIO(self.server.get(f"/instances/{instance}/file").content))
        mesh: Any = trimesh.load_mesh(io.BytesIO(stl), file_type="stl")
        self.server.session.delete(f"{self.server.url}/instances/{instance}")
        return Model(mesh, str(dicom.DerivationAlgorithmSequence[0].AlgorithmParameters))


@dataclass
class Model:
    mesh: trimesh.Trimesh
    parameters: str

    @property
    def volume_mm3(self) -> float:
        return float(self.mesh.volume)

    @property
    def vertices(self) -> NDArray[np.float64]:
        """In the order of the STL: a triangle's three follow each other."""
        return np.asarray(self.mesh.triangles.reshape(-1, 3))


def nifti(labels: NDArray[np.uint8]) -> str:
    image = nib.Nifti1Image(labels, np.diag([-1.0, -1, 1, 1]))
    return base64.b64encode(image.to_bytes()).decode()


def uploaded(server: OrthancServer, dataset: pydicom.Dataset, kind: str) -> dict[str, str]:
    """Stores an instance as one of a study of this module's own."""
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        dataset[keyword].value = generate_uid(entropy_srcs=[kind, dataset[keyword].value])
    return server.upload(samples.file_bytes(dataset))


def of_a_mask(server: OrthancServer, study: str) -> Maker:
    body = {"Nifti": nifti(MASK.astype(np.uint8)), "ParentStudy": study}
    return Maker(server, "/stl/encode-nifti", body)


def of_a_label_map(server: OrthancServer, study: str) -> Maker:
    labels = np.where(MASK, 5, 9).astype(np.uint8)
    body = {"Nifti": nifti(labels), "ParentStudy": study, "Labels": [5]}
    return Maker(server, "/stl/encode-nifti", body)


def of_a_seg(server: OrthancServer, _: str) -> Maker:
    dataset = samples.seg_dataset(samples.seg_frames(MASK), GRID.affine, names=("Ball",))
    return Maker(server, "/stl/encode-seg", {"Instance": uploaded(server, dataset, "seg")["ID"]})


def circle(height_mm: float) -> NDArray[np.float64]:
    """The outline of the sphere at this height."""
    radius = np.sqrt(RADIUS_MM**2 - (height_mm - CENTRE_MM[2]) ** 2)
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    points = np.array(CENTRE_MM[:2]) + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return samples.on_plane(points, height_mm)


def of_a_structure_set(server: OrthancServer, _: str) -> Maker:
    heights = [z for z in range(GRID.shape[2]) if abs(z - CENTRE_MM[2]) < RADIUS_MM]
    roi = samples.RoiSample(4, "Ball", tuple(circle(z) for z in heights))
    dataset = samples.rtstruct_dataset([roi])
    stored = uploaded(server, dataset, "structure set")
    return Maker(server, "/stl/encode-rtstruct", {"Instance": stored["ID"]})


def of_a_series(server: OrthancServer, _: str) -> Maker:
    share = np.clip(0.5 - SPHERE.distance_mm(voxel_centres_mm(GRID)), 0, 1)
    images = samples.ct_datasets(np.round(share * 2000).astype(np.int16), GRID.affine)
    series = [uploaded(server, image, "series")["ParentSeries"] for image in images][-1]
    return Maker(server, "/stl/encode-series", {"Series": series, "Threshold": 1000 - 1024})


SOURCES = {
    "mask": of_a_mask,
    "label map": of_a_label_map,
    "SEG": of_a_seg,
    "RT-STRUCT": of_a_structure_set,
    "series": of_a_series,
}


@pytest.fixture(scope="module", params=SOURCES)
def maker(request: pytest.FixtureRequest, orthanc: OrthancServer, study: str) -> Maker:
    make: Callable[[OrthancServer, str], Maker] = SOURCES[request.param]
    return make(orthanc, study)


@pytest.mark.parametrize("resolution", [256, REDUCED])
def test_the_methods_move_the_vertices_differently(maker: Maker, resolution: int):
    none, laplacian, taubin = (
        maker.model(method, resolution=resolution).vertices for method in (NONE, LAPLACIAN, TAUBIN)
    )
    assert none.shape == laplacian.shape == taubin.shape
    for one, other in ((none, laplacian), (none, taubin), (laplacian, taubin)):
        assert np.abs(one - other).max() > 0.05
    constrained = maker.model(CONSTRAINED, resolution=resolution).vertices
    for other in (none, laplacian, taubin):  # whose edges are not flipped
        assert constrained.shape != other.shape or np.abs(constrained - other).max() > 0.05


@pytest.mark.parametrize("resolution", [256, REDUCED])
def test_laplacian_smoothing_shrinks_the_sphere_and_the_others_keep_its_volume(
    maker: Maker, resolution: int
):
    none, laplacian, taubin, constrained = (
        maker.model(method, resolution=resolution).volume_mm3
        for method in (NONE, LAPLACIAN, TAUBIN, CONSTRAINED)
    )
    assert laplacian < 0.98 * none
    assert abs(taubin / none - 1) < (1 - laplacian / none) / 3
    assert abs(constrained / none - 1) < (1 - laplacian / none) / 3


@pytest.mark.parametrize("resolution", [256, REDUCED])
@pytest.mark.parametrize("method", [LAPLACIAN, TAUBIN, CONSTRAINED])
def test_the_number_of_iterations_counts(maker: Maker, resolution: int, method: str):
    none = maker.model(NONE, resolution=resolution)
    zero, few, many = (
        maker.model(method, iterations, resolution) for iterations in (0, 1, ITERATIONS)
    )
    assert np.array_equal(zero.vertices, none.vertices)
    assert few.vertices.shape != many.vertices.shape or (
        np.abs(few.vertices - many.vertices).max() > 0.01
    )
    if method == LAPLACIAN:
        assert many.volume_mm3 < few.volume_mm3 < none.volume_mm3


@pytest.mark.parametrize("resolution", [256, REDUCED])
@pytest.mark.parametrize("method", [NONE, LAPLACIAN, TAUBIN, CONSTRAINED])
def test_every_model_is_closed_and_names_the_method_that_ran(
    maker: Maker, resolution: int, method: str
):
    model = maker.model(method, resolution=resolution)
    ran = "none" if method == NONE else f"{method} x {ITERATIONS}"
    assert model.mesh.is_watertight
    assert model.mesh.is_winding_consistent
    assert f"smoothing {ran}" in model.parameters


@pytest.mark.parametrize("name", ["mask", "label map", "SEG"])
def test_without_smoothing_vertices_lie_half_way_between_voxels(
    orthanc: OrthancServer, study: str, name: str
):
    vertices = SOURCES[name](orthanc, study).model(NONE).vertices
    apart = np.sort(np.abs(vertices - np.rint(vertices)), axis=1)
    assert np.allclose(apart, [0, 0, 0.5], atol=PLACES_MM)


def test_without_smoothing_vertices_of_a_series_lie_on_edges_of_its_grid(
    orthanc: OrthancServer, study: str
):
    vertices = of_a_series(orthanc, study).model(NONE).vertices
    apart = np.sort(np.abs(vertices - np.rint(vertices)), axis=1)
    assert np.allclose(apart[:, :2], 0, atol=PLACES_MM)


def test_an_attached_model_is_not_smoothed(orthanc: OrthancServer, study: str):
    given = of_a_mask(orthanc, study).model(NONE).mesh
    content: Any = given.export(file_type="stl")
    body = {
        "File": base64.b64encode(content).decode(),
        "Format": "STL",
        "ParentStudy": study,
    }
    refused = orthanc.post("/stl/attach", {**body, "Smoothing": {"Method": LAPLACIAN}})
    assert refused.status_code == 400
    answer = orthanc.post("/stl/attach", body).json()
    stl = orthanc.get(f"/instances/{answer['ID']}/stl").content
    orthanc.session.delete(f"{orthanc.url}/instances/{answer['ID']}")
    kept: Any = trimesh.load_mesh(io.BytesIO(stl), file_type="stl")
    assert np.array_equal(kept.triangles, given.triangles)
