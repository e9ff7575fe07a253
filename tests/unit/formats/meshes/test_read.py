import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.formats.meshes.read import (
    ImportedModel,
    MeshFile,
    MeshFormat,
    MeshLimits,
    read_mesh,
)
from orthanc_stl_plugin.formats.meshes.sidecar_files import SidecarFiles, unzipped
from orthanc_stl_plugin.mesh.measure import report
from tests.support.mesh_samples import painted_picture

# Its centre and its sides differ along each axis: no swap of axes stays unseen.
BOX = trimesh.creation.box((2, 3, 5)).apply_translation((10, 20, 40))
# Files of other software, written by hand: a tetrahedron of volume 1/6, and a quadrilateral.
TETRAHEDRON_OBJ = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
SQUARE_OBJ = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n"
POINTS_PLY = (
    b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\n"
    b"property float z\nend_header\n0 0 0\n1 1 1\n"
)


KINDS = (MeshFormat.STL, MeshFormat.OBJ, MeshFormat.PLY, MeshFormat.GLB)


def read(
    content: bytes, kind: MeshFormat, max_triangles: int = 100, **further: object
) -> ImportedModel:
    """The model in a file, of millimetres unless `further` says otherwise."""
    limits = MeshLimits(max_triangles, texture_pixels=1 << 12, unpacked_bytes=1 << 20)
    told: dict[str, Any] = {"millimetres_per_unit": 1.0, **further}
    return read_mesh(MeshFile(content, kind, **told), limits)


def exported(mesh: trimesh.Trimesh, kind: MeshFormat) -> bytes:
    content = mesh.export(file_type=kind.lower())
    assert isinstance(content, bytes | str)
    return content.encode() if isinstance(content, str) else content


@pytest.mark.parametrize("kind", [MeshFormat.STL, MeshFormat.OBJ, MeshFormat.PLY])
def test_a_file_keeps_its_axes_and_stays_closed(kind: MeshFormat):
    told = report(read(exported(BOX, kind), kind).mesh)
    assert told.is_watertight
    assert told.volume_mm3 == pytest.approx(30)
    assert np.array(told.bounds_mm) == pytest.approx(BOX.bounds)


def test_what_is_up_in_gltf_is_towards_the_head():
    told = report(read(exported(BOX, MeshFormat.GLB), MeshFormat.GLB).mesh)
    assert told.volume_mm3 == pytest.approx(30)
    assert told.centroid_mm == pytest.approx((10, -40, 20))


def test_all_parts_of_a_scene_stand_where_the_scene_puts_them():
    scene = trimesh.Scene()
    scene.add_geometry(BOX)
    scene.add_geometry(BOX, transform=trimesh.transformations.translation_matrix((0, 0, 100)))
    content = scene.export(file_type="glb")
    told = report(read(content, MeshFormat.GLB).mesh)
    assert told.volume_mm3 == pytest.approx(60)
    assert told.centroid_mm == pytest.approx((10, -90, 20))


def test_an_obj_of_triangles_is_read():
    assert report(read(TETRAHEDRON_OBJ, MeshFormat.OBJ).mesh).volume_mm3 == pytest.approx(1 / 6)


def test_polygons_become_triangles():
    assert len(read(SQUARE_OBJ, MeshFormat.OBJ).mesh.faces) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_more_triangles_than_the_limit_are_refused(kind: MeshFormat):
    with pytest.raises(TooLarge, match=f"{kind} document has 12 .* MaxTriangles = 11"):
        read(exported(BOX, kind), kind, 11)


@pytest.mark.parametrize("kind", [MeshFormat.PLY, MeshFormat.GLB])
@pytest.mark.parametrize("length", [0, 3, 30, 200, -7])
def test_a_truncated_file_is_refused(kind: MeshFormat, length: int):
    with pytest.raises(UnusableSource):
        read(exported(BOX, kind)[:length], kind)


@pytest.mark.parametrize("kind", MeshFormat)
@pytest.mark.parametrize("content", [b"", b"nothing", b"\0" * 500, b"\xff\xfe" * 300])
def test_what_is_no_mesh_is_refused(kind: MeshFormat, content: bytes):
    with pytest.raises(UnusableSource):
        read(content, kind)


def test_points_without_faces_are_no_surface():
    with pytest.raises(UnusableSource, match="no triangle"):
        read(POINTS_PLY, MeshFormat.PLY)


def test_coordinates_that_are_no_numbers_are_refused():
    content = TETRAHEDRON_OBJ.replace(b"v 0 0 1", b"v 0 0 nan")
    with pytest.raises(UnusableSource, match="OBJ document"):
        read(content, MeshFormat.OBJ)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shape_that_lies_too_far_from_the_origin_is_refused(kind: MeshFormat):
    # In this place float32 goes in steps of 0.5, as with UTM coordinates in metres.
    far = BOX.copy().apply_translation((512_345.3, 5_412_345.7, 120.1))
    reason = f"{kind} document holds the coordinate 54123.*, and its shape extends over [456]"
    with pytest.raises(UnusableSource, match=reason):
        read(exported(far, kind), kind)


def test_a_small_shape_far_down_the_table_is_read():
    far = BOX.copy().apply_translation((0, 0, -1500))
    told = report(read(exported(far, MeshFormat.OBJ), MeshFormat.OBJ).mesh)
    assert told.volume_mm3 == pytest.approx(30, rel=1e-3)  # of steps of 0.0001 mm


def test_vertices_of_two_coordinates_are_refused():
    with pytest.raises(UnusableSource, match="OBJ document have fewer than 3 coordinates"):
        read(b"v 0 1\nv 1 2\nv 2 4\nf 1 2 3\n", MeshFormat.OBJ)


# One square of one unit, on the floor when z is up; its picture is red left, blue right.
PAINTED_OBJ = (
    b"mtllib my statue.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
    b"vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl Skin\nf 1/1 2/2 3/3 4/4\n"
)
MTL = b"newmtl Skin\nKd 1 1 1\nmap_Kd -s 1 1 1 C:\\scans\\My Skin.PNG\n"


def sidecar_files(**files: bytes) -> SidecarFiles:
    return SidecarFiles.of(
        {"My Statue.mtl": MTL, "textures/my skin.png": painted_picture(), **files}
    )


def textured(model: ImportedModel, folder: Path) -> trimesh.Scene:
    assert model.write_textured is not None
    model.write_textured(folder / "a.glb")
    return trimesh.load_scene(folder / "a.glb")


def test_an_obj_keeps_the_picture_of_its_material(tmp_path: Path):
    model = read(PAINTED_OBJ, MeshFormat.OBJ, sidecar_files=sidecar_files())
    assert model.missing == ()
    [part] = textured(model, tmp_path).geometry.values()
    texture = part.visual.material.baseColorTexture
    assert texture.size == (4, 2)
    # trimesh counts from below, as OBJ does: the corner at x = 0 is red.
    left = part.visual.uv[np.argmin(part.vertices[:, 0])]
    assert left[0] == 0
    assert texture.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_what_lies_on_the_floor_still_lies_on_it_in_gltf(tmp_path: Path):
    model = read(PAINTED_OBJ, MeshFormat.OBJ, sidecar_files=sidecar_files())
    low, high = textured(model, tmp_path).bounds
    assert low == pytest.approx((0, 0, -0.001))  # metres; y is up, the back is -z
    assert high == pytest.approx((0.001, 0, 0))
    assert report(model.mesh).bounds_mm == ((0, 0, 0), (1, 1, 0))


def test_an_obj_whose_y_axis_is_up_stands(tmp_path: Path):
    model = read(PAINTED_OBJ, MeshFormat.OBJ, sidecar_files=sidecar_files(), is_y_up=True)
    assert textured(model, tmp_path).bounds[1] == pytest.approx((0.001, 0.001, 0))
    assert report(model.mesh).bounds_mm == ((0, 0, 0), (1, 0, 1))


def test_a_picture_in_another_format_becomes_png(tmp_path: Path):
    tiff = sidecar_files(**{"My Skin.PNG": painted_picture(kind="TIFF")})
    [part] = textured(
        read(PAINTED_OBJ, MeshFormat.OBJ, sidecar_files=tiff), tmp_path
    ).geometry.values()
    assert part.visual.material.baseColorTexture.format == "PNG"


def test_a_picture_that_is_missing_is_told():
    alone = SidecarFiles.of({"my statue.mtl": MTL})
    model = read(PAINTED_OBJ, MeshFormat.OBJ, sidecar_files=alone)
    assert model.write_textured is None
    assert model.missing == ("-s 1 1 1 C:\\scans\\My Skin.PNG",)


def test_materials_that_are_missing_are_told():
    assert read(PAINTED_OBJ, MeshFormat.OBJ).missing == ("my statue.mtl",)


def test_colours_of_two_materials_are_kept(tmp_path: Path):
    content = (
        b"mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nusemtl A\nf 1 2 3\nusemtl B\nf 1 3 4\n"
    )
    mtl = b"newmtl A\nKd 1 0 0\nnewmtl B\nKd 0 0.5 0\n"
    model = read(content, MeshFormat.OBJ, sidecar_files=SidecarFiles.of({"a.mtl": mtl}))
    factors = [
        part.visual.material.baseColorFactor.tolist()
        for part in textured(model, tmp_path).geometry.values()
    ]
    # 0.5 of sRGB is 0.214 of light (IEC 61966-2-1), 55 of 255.
    assert sorted(factors) == [[0, 55, 0, 255], [255, 0, 0, 255]]


def test_the_colours_of_vertices_are_kept_as_light(tmp_path: Path):
    box = BOX.copy()
    box.visual.vertex_colors = (255, 188, 0, 255)
    model = read(exported(box, MeshFormat.PLY), MeshFormat.PLY)
    [part] = textured(model, tmp_path).geometry.values()
    # 188 of sRGB is half of the light; trimesh gives 8 of the 16 bits.
    assert part.visual.vertex_attributes["color"][0][:3] / 65535 == pytest.approx(
        (1, 0.5, 0), abs=0.01
    )


def archive(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return target.getvalue()


PACKED = {
    "statue/a.obj": PAINTED_OBJ,
    "statue/my statue.mtl": MTL,
    "statue/my skin.png": painted_picture(),
    "__MACOSX/statue/._a.obj": b"x",
}


def test_an_archive_holds_a_model_and_what_it_needs(tmp_path: Path):
    model = read(archive(**PACKED), MeshFormat.ZIP)
    [part] = textured(model, tmp_path).geometry.values()
    assert part.visual.material.baseColorTexture.size == (4, 2)


@pytest.mark.parametrize("count", [0, 2])
def test_an_archive_holds_exactly_one_model(count: int):
    files = {f"{number}.obj": SQUARE_OBJ for number in range(count)}
    with pytest.raises(UnusableSource, match=f"holds {count} models"):
        read(archive(**files, readme=b""), MeshFormat.ZIP)


def test_an_archive_that_unpacks_to_too_much_is_refused():
    content = archive(**{"a.obj": SQUARE_OBJ, "zeros": bytes(2 << 20)})
    assert len(content) < 1 << 13
    with pytest.raises(TooLarge, match="MaxVolumeMiB = 1"):
        read(content, MeshFormat.ZIP)


def test_an_archive_that_unpacks_to_much_more_than_itself_is_refused():
    """34 KB of three million equal faces took 1.1 GB in Orthanc, and 3 GB in the worker."""
    content = archive(**{"a.obj": SQUARE_OBJ + b"f 1 2 3\n" * 600_000})
    with pytest.raises(TooLarge, match="unpacks to 4[0-9]+.*, more than 100 times as much"):
        unzipped(content, 1 << 30)


def test_a_small_archive_may_be_compressed_well():
    content = archive(**{"a.obj": SQUARE_OBJ, "zeros": bytes(1 << 20)})
    assert len(unzipped(content, 1 << 30)["zeros"]) == 1 << 20


@pytest.mark.parametrize("length", [3, 100, -30])
def test_a_truncated_archive_is_refused(length: int):
    with pytest.raises(UnusableSource, match="no ZIP archive"):
        read(archive(**PACKED)[:length], MeshFormat.ZIP)


def test_pictures_of_too_many_pixels_are_refused():
    large = sidecar_files(**{"My Skin.PNG": painted_picture(100, 50)})
    with pytest.raises(TooLarge, match="5000 pixels, above MaxTexturePixels = 4096"):
        read(PAINTED_OBJ, MeshFormat.OBJ, sidecar_files=large)


@pytest.mark.parametrize(
    "content", [b"", b"nothing", painted_picture()[:40], painted_picture()[:-20]]
)
def test_a_picture_that_is_none_is_refused(content: bytes):
    broken = sidecar_files(**{"My Skin.PNG": content})
    with pytest.raises(UnusableSource, match="texture .* is no picture, or is truncated"):
        read(PAINTED_OBJ, MeshFormat.OBJ, sidecar_files=broken)


def painted_glb() -> bytes:
    square = trimesh.load_mesh(io.BytesIO(SQUARE_OBJ), file_type="obj")
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=Image.open(io.BytesIO(painted_picture()))
    )
    uv = square.vertices[:, :2]
    square.visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    return exported(square, MeshFormat.GLB)


def rewritten(content: bytes, **changes: object) -> bytes:
    """A GLB file with other members in its document."""
    length = struct.unpack_from("<I", content, 12)[0]
    document = json.loads(content[20 : 20 + length]) | changes
    head = json.dumps(document).encode()
    head += b" " * (-len(head) % 4)
    rest = content[20 + length :]
    return (
        struct.pack("<4sIIII", b"glTF", 2, 20 + len(head) + len(rest), len(head), 0x4E4F534A)
        + head
        + rest
    )


def test_a_painted_glb_is_kept_to_the_byte(tmp_path: Path):
    content = painted_glb()
    model = read(content, MeshFormat.GLB, millimetres_per_unit=None)
    textured(model, tmp_path)
    assert (tmp_path / "a.glb").read_bytes() == content


def test_a_painted_glb_in_another_unit_is_given_in_metres(tmp_path: Path):
    model = read(painted_glb(), MeshFormat.GLB, is_y_up=False)
    scene = textured(model, tmp_path)
    assert scene.bounds[1] == pytest.approx((0.001, 0, 0))
    assert report(model.mesh).bounds_mm == ((0, 0, 0), (1, 1, 0))
    [part] = scene.geometry.values()
    assert part.visual.material.baseColorTexture.size == (4, 2)


def test_a_glb_of_one_colour_has_nothing_but_its_shape():
    assert read(exported(BOX, MeshFormat.GLB), MeshFormat.GLB).write_textured is None


def test_a_glb_with_an_index_that_is_not_there_is_refused():
    content = bytearray(exported(BOX, MeshFormat.GLB))
    length = struct.unpack_from("<I", content, 12)[0]
    struct.pack_into("<I", content, 28 + length, 99)  # the indices come first
    with pytest.raises(UnusableSource, match="names the vertex 99, .*: there are 8"):
        read(bytes(content), MeshFormat.GLB)


def test_a_glb_without_views_is_refused():
    content = exported(BOX, MeshFormat.GLB).replace(b'"bufferViews"', b'"bufferFools"')
    with pytest.raises(UnusableSource, match="no GLB"):
        read(content, MeshFormat.GLB)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "needs KHR_draco"),
        ({"images": [{"uri": "https://elsewhere.example/a.png"}]}, "images outside of itself"),
        ({"buffers": [{"byteLength": 4, "uri": "a.bin"}]}, "buffers outside of itself"),
        ({"images": [{"bufferView": 99}]}, "no GLB"),
        ({"images": [{"bufferView": 0}]}, "texture number 1 is no picture"),
        ({"images": 3}, "no GLB"),
        ({"materials": []}, "no GLB"),
    ],
)
def test_a_glb_that_needs_more_than_itself_is_refused(changes: dict[str, object], reason: str):
    with pytest.raises(UnusableSource, match=reason):
        read(rewritten(painted_glb(), **changes), MeshFormat.GLB)
