import numpy as np
import pytest
import trimesh

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.formats.meshfile import MeshFormat, read_mesh
from orthanc_stl_plugin.mesh.measure import report

# Its centre and its sides differ along each axis: no swap of axes stays unseen.
BOX = trimesh.creation.box((2, 3, 5)).apply_translation((10, 20, 40))
TRIANGLES = 12
# Files of other software, written by hand: a tetrahedron of volume 1/6, and a quadrilateral.
TETRAHEDRON_OBJ = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
SQUARE_OBJ = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n"
POINTS_PLY = (
    b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\n"
    b"property float z\nend_header\n0 0 0\n1 1 1\n"
)


def exported(mesh: trimesh.Trimesh, kind: MeshFormat) -> bytes:
    content = mesh.export(file_type=kind.lower())
    assert isinstance(content, bytes | str)
    return content.encode() if isinstance(content, str) else content


@pytest.mark.parametrize("kind", [MeshFormat.STL, MeshFormat.OBJ, MeshFormat.PLY])
def test_a_file_keeps_its_axes_and_stays_closed(kind: MeshFormat):
    told = report(read_mesh(exported(BOX, kind), kind, TRIANGLES))
    assert told.is_watertight
    assert told.volume_mm3 == pytest.approx(30)
    assert np.array(told.bounds_mm) == pytest.approx(BOX.bounds)


def test_what_is_up_in_gltf_is_towards_the_head():
    told = report(read_mesh(exported(BOX, MeshFormat.GLB), MeshFormat.GLB, TRIANGLES))
    assert told.volume_mm3 == pytest.approx(30)
    assert told.centroid_mm == pytest.approx((10, -40, 20))


def test_all_parts_of_a_scene_stand_where_the_scene_puts_them():
    scene = trimesh.Scene()
    scene.add_geometry(BOX)
    scene.add_geometry(BOX, transform=trimesh.transformations.translation_matrix((0, 0, 100)))
    content = scene.export(file_type="glb")
    told = report(read_mesh(content, MeshFormat.GLB, 2 * TRIANGLES))
    assert told.volume_mm3 == pytest.approx(60)
    assert told.centroid_mm == pytest.approx((10, -90, 20))


def test_an_obj_of_triangles_is_read():
    assert report(read_mesh(TETRAHEDRON_OBJ, MeshFormat.OBJ, 4)).volume_mm3 == pytest.approx(1 / 6)


def test_polygons_become_triangles():
    assert len(read_mesh(SQUARE_OBJ, MeshFormat.OBJ, 10).faces) == 2


@pytest.mark.parametrize("kind", MeshFormat)
def test_more_triangles_than_the_limit_are_refused(kind: MeshFormat):
    with pytest.raises(TooLarge, match=f"{kind} document has 12 .* MaxTriangles = 11"):
        read_mesh(exported(BOX, kind), kind, 11)


@pytest.mark.parametrize("kind", [MeshFormat.PLY, MeshFormat.GLB])
@pytest.mark.parametrize("length", [0, 3, 30, 200, -7])
def test_a_truncated_file_is_refused(kind: MeshFormat, length: int):
    with pytest.raises(UnusableSource):
        read_mesh(exported(BOX, kind)[:length], kind, TRIANGLES)


@pytest.mark.parametrize("kind", MeshFormat)
@pytest.mark.parametrize("content", [b"", b"nothing", b"\0" * 500, b"\xff\xfe" * 300])
def test_what_is_no_mesh_is_refused(kind: MeshFormat, content: bytes):
    with pytest.raises(UnusableSource):
        read_mesh(content, kind, TRIANGLES)


def test_points_without_faces_are_no_surface():
    with pytest.raises(UnusableSource, match="no triangle"):
        read_mesh(POINTS_PLY, MeshFormat.PLY, TRIANGLES)


def test_coordinates_that_are_no_numbers_are_refused():
    content = TETRAHEDRON_OBJ.replace(b"v 0 0 1", b"v 0 0 nan")
    with pytest.raises(UnusableSource, match="OBJ document"):
        read_mesh(content, MeshFormat.OBJ, TRIANGLES)
