"""What every implementation of the archive port does; run on the fake and on a real Orthanc."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import pydicom
import pytest

from orthanc_stl_plugin.errors import BadRequest, NotFound
from orthanc_stl_plugin.formats.dicom.encapsulated import PRIVATE_KEYWORD
from orthanc_stl_plugin.model.geometry import ImagePlane
from orthanc_stl_plugin.services.ports.archive import Archive, SeriesRecord, StoredInstance
from tests.conformance.remote_archive import RemoteArchive
from tests.support import dicom_samples as samples
from tests.support.fake_archive import FakeArchive
from tests.support.orthanc_server import PLUGIN_SCRIPT, OrthancServer
from tools.demo import figurine

SCRIPT = Path(__file__).parent / "served_archive.py"
DOCUMENT = b"solid a\nendsolid a\n"
SERIES = "2.25.83419"
TAGS = {
    "SeriesInstanceUID": SERIES,
    "SeriesDescription": "Hélène",
    "ConceptNameCodeSequence": [
        {"CodeValue": "129019", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Mixed"}
    ],
}


SLICES = list(islice(figurine.ct_series(figurine.scan()), 2))


@dataclass
class Setting:
    """An archive with one study of one series of two images."""

    archive: Archive
    study_id: str
    series_id: str
    image_ids: list[str]
    server: OrthancServer | None = None

    @contextmanager
    def uploaded(self, content: bytes, planes: tuple[ImagePlane, ...]) -> Iterator[str]:
        """The identifier of an instance that is made from images, for as long as it is needed."""
        if self.server is not None:
            yield str(self.server.upload(content)["ID"])
            self.archive.delete_series(pydicom.dcmread(BytesIO(content)).SeriesInstanceUID)
            return
        assert isinstance(self.archive, FakeArchive)
        self.archive.instances["made"] = {}, None
        self.archive.known_source_images["made"] = planes
        yield "made"
        del self.archive.instances["made"], self.archive.known_source_images["made"]


@pytest.fixture(scope="module", params=["fake", "real"])
def setting(request: pytest.FixtureRequest) -> Iterator[Setting]:
    if request.param == "fake":
        yield Setting(fake_archive(), "study", "series", ["image0", "image1"])
        return
    with OrthancServer({PLUGIN_SCRIPT: str(SCRIPT)}) as server:
        stored = [server.upload(image) for image in SLICES]
        yield Setting(
            RemoteArchive(server),
            stored[0]["ParentStudy"],
            stored[0]["ParentSeries"],
            [one["ID"] for one in stored],
            server,
        )


def fake_archive() -> FakeArchive:
    images = [pydicom.dcmread(BytesIO(image)) for image in SLICES]
    names = ["image0", "image1"]
    record = SeriesRecord(
        series_id="series",
        series_instance_uid=images[0].SeriesInstanceUID,
        study_id="study",
        instance_ids=tuple(names),
        references=tuple((image.SOPClassUID, image.SOPInstanceUID) for image in images),
        modality="CT",
        description="CT",
        frame_of_reference_uid=images[0].FrameOfReferenceUID,
    )
    study: dict[str, object] = {
        "PatientID": figurine.PATIENT_ID,
        "StudyDescription": "Micro-CT of a figurine",
    }
    return FakeArchive(
        studies={"study": study},
        instances={name: ({"SeriesNumber": "1"}, None) for name in names},
        parents=dict.fromkeys(names, "study"),
        known_series={"series": record},
        files=dict(zip(names, SLICES, strict=True)),
    )


@pytest.fixture
def stored(setting: Setting, tmp_path: Path) -> Iterator[StoredInstance]:
    document = tmp_path / "a.stl"
    document.write_bytes(DOCUMENT)
    instance = setting.archive.create_instance(setting.study_id, TAGS, document, "model/stl")
    yield instance
    setting.archive.delete_series(SERIES)


def test_looks_go_along_with_the_document_to_the_byte(setting: Setting, tmp_path: Path):
    document, textured_model = tmp_path / "a.stl", tmp_path / "a.glb"
    document.write_bytes(DOCUMENT)
    textured_model.write_bytes(bytes(range(255)) * 5)
    made = setting.archive.create_instance(
        setting.study_id, TAGS, document, "model/stl", textured_model
    )
    assert setting.archive.textured_model(made.instance_id) == bytes(range(255)) * 5 + b"\0"
    assert PRIVATE_KEYWORD in setting.archive.instance_tags(made.instance_id)
    padded = setting.archive.encapsulated_document(made.instance_id)
    assert padded.rstrip(b"\0") == DOCUMENT
    setting.archive.delete_series(SERIES)


def test_the_last_number_of_the_series_of_a_study_is_the_highest(setting: Setting, tmp_path: Path):
    assert setting.archive.last_series_number(setting.study_id) == 1
    document = tmp_path / "a.stl"
    document.write_bytes(DOCUMENT)
    for number in ("9", "10"):
        tags = {**TAGS, "SeriesNumber": number}
        setting.archive.create_instance(setting.study_id, tags, document, "model/stl")
        assert setting.archive.last_series_number(setting.study_id) == int(number)
        setting.archive.delete_series(SERIES)


def test_an_instance_without_looks_says_so(setting: Setting, stored: StoredInstance):
    assert PRIVATE_KEYWORD not in setting.archive.instance_tags(stored.instance_id)
    with pytest.raises(NotFound):
        setting.archive.textured_model(stored.instance_id)


def test_a_study_has_the_tags_of_its_patient_and_its_own(setting: Setting):
    tags = setting.archive.study_tags(setting.study_id)
    assert tags["PatientID"] == figurine.PATIENT_ID
    assert tags["StudyDescription"] == "Micro-CT of a figurine"


@pytest.mark.parametrize("unknown", ["nope", "6ed7e8a4-60deff42-5e22a424-2128629f-158d0b3a"])
def test_an_unknown_study_is_not_found(setting: Setting, unknown: str):
    with pytest.raises(NotFound, match=unknown):
        setting.archive.study_tags(unknown)
    with pytest.raises(NotFound, match="there is no study"):
        setting.archive.last_series_number(unknown)


def test_a_new_instance_is_told_with_its_place(setting: Setting, stored: StoredInstance):
    assert stored.answer["ID"] == stored.instance_id
    assert stored.answer["Path"] == f"/instances/{stored.instance_id}"
    assert stored.answer["ParentStudy"] == setting.study_id


def test_a_new_instance_has_the_tags_that_were_given(setting: Setting, stored: StoredInstance):
    tags = setting.archive.instance_tags(stored.instance_id)
    assert tags["SeriesDescription"] == "Hélène"
    assert tags["ConceptNameCodeSequence"] == TAGS["ConceptNameCodeSequence"]


def test_a_new_instance_is_an_encapsulated_stl(setting: Setting, stored: StoredInstance):
    tags = setting.archive.instance_tags(stored.instance_id)
    assert tags["SOPClassUID"] == "1.2.840.10008.5.1.4.1.1.104.3"
    assert tags["Modality"] == "M3D"
    assert tags["MIMETypeOfEncapsulatedDocument"] == "model/stl"
    assert "EncapsulatedDocument" in tags


def test_a_new_instance_belongs_to_the_patient(setting: Setting, stored: StoredInstance):
    assert setting.archive.instance_tags(stored.instance_id)["PatientID"] == figurine.PATIENT_ID


def test_the_document_comes_back_with_its_padding(setting: Setting, stored: StoredInstance):
    assert setting.archive.encapsulated_document(stored.instance_id) == DOCUMENT + b"\0"


def test_an_unknown_instance_is_not_found(setting: Setting):
    for ask in (
        setting.archive.instance_tags,
        setting.archive.encapsulated_document,
    ):
        with pytest.raises(NotFound, match="nope"):
            ask("nope")


def test_nothing_is_stored_in_an_unknown_study(setting: Setting, tmp_path: Path):
    document = tmp_path / "a.stl"
    document.write_bytes(DOCUMENT)
    with pytest.raises(NotFound, match="nope"):
        setting.archive.create_instance("nope", TAGS, document, "model/stl")


def test_a_tag_that_dicom_does_not_know_is_refused(setting: Setting, tmp_path: Path):
    document = tmp_path / "a.stl"
    document.write_bytes(DOCUMENT)
    with pytest.raises(BadRequest, match="tags"):
        setting.archive.create_instance(
            setting.study_id, {**TAGS, "NoSuchTag": "x"}, document, "model/stl"
        )


def test_a_series_is_deleted_with_its_instances_and_no_others(setting: Setting, tmp_path: Path):
    document = tmp_path / "a.stl"
    document.write_bytes(DOCUMENT)
    made = [
        setting.archive.create_instance(setting.study_id, tags, document, "model/stl").instance_id
        for tags in (TAGS, TAGS, {**TAGS, "SeriesInstanceUID": f"{SERIES}.1"})
    ]
    assert setting.archive.delete_series(SERIES) == 2
    for gone in made[:2]:
        with pytest.raises(NotFound):
            setting.archive.instance_tags(gone)
    for left in (made[2], *setting.image_ids):
        setting.archive.instance_tags(left)
    assert setting.archive.delete_series(f"{SERIES}.1") == 1


def test_a_series_that_is_not_there_is_deleted_already(setting: Setting):
    assert setting.archive.delete_series(SERIES) == 0


def test_an_instance_knows_its_study(setting: Setting, stored: StoredInstance):
    assert setting.archive.study_of(setting.image_ids[0]) == setting.study_id
    assert setting.archive.study_of(stored.instance_id) == setting.study_id


def test_a_series_tells_of_its_images(setting: Setting):
    series = setting.archive.series(setting.series_id)
    images = [pydicom.dcmread(BytesIO(image)) for image in SLICES]
    assert (series.series_id, series.study_id) == (setting.series_id, setting.study_id)
    assert series.series_instance_uid == images[0].SeriesInstanceUID
    assert sorted(series.instance_ids) == sorted(setting.image_ids)
    assert set(series.references) == {(one.SOPClassUID, one.SOPInstanceUID) for one in images}
    assert (series.modality, series.description) == ("CT", "CT")
    assert series.frame_of_reference_uid == images[0].FrameOfReferenceUID


def test_the_file_of_an_instance_comes_back(setting: Setting):
    content = setting.archive.instance_file(setting.image_ids[1])
    sent, received = (pydicom.dcmread(BytesIO(one)) for one in (SLICES[1], content))
    assert received.SOPInstanceUID == sent.SOPInstanceUID
    assert received.PixelData == sent.PixelData


def test_unknown_resources_are_not_found(setting: Setting):
    for ask in (setting.archive.series, setting.archive.study_of, setting.archive.instance_file):
        with pytest.raises(NotFound, match="nope"):
            ask("nope")


@pytest.mark.parametrize("tail", ["?x", "/../{id}", "/simplified-tags", "#", "%00"])
def test_only_an_identifier_names_a_resource(setting: Setting, tail: str):
    odd = setting.image_ids[0] + tail.format(id=setting.image_ids[1])
    for ask in (setting.archive.instance_tags, setting.archive.study_of):
        with pytest.raises(NotFound):
            ask(odd)


def segmentation_of(images: Sequence[pydicom.Dataset], *, is_series_named: bool) -> bytes:
    """A SEG of the images, which its frames name as what they were derived from."""
    volume = np.ones((8, 8, len(images)), dtype=np.bool_)
    dataset = samples.seg_dataset(samples.seg_frames(volume), np.eye(4))
    dataset.StudyInstanceUID = images[0].StudyInstanceUID
    dataset.PatientID = images[0].PatientID
    dataset.ReferencedSeriesSequence[0].SeriesInstanceUID = images[0].SeriesInstanceUID
    if not is_series_named:
        del dataset.ReferencedSeriesSequence
    for frame, image in zip(dataset.PerFrameFunctionalGroupsSequence, images, strict=True):
        source = samples.item(
            ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID
        )
        frame.DerivationImageSequence = [samples.item(SourceImageSequence=[source])]
    return samples.file_bytes(dataset)


@pytest.mark.parametrize("is_series_named", [True, False])
def test_a_segmentation_finds_the_images_that_it_was_made_from(
    setting: Setting, is_series_named: bool
):
    images = [pydicom.dcmread(BytesIO(image)) for image in SLICES]
    planes = {plane_of(image) for image in images}
    seg = segmentation_of(images, is_series_named=is_series_named)
    for made in (seg, rtstruct_on(images)):
        with setting.uploaded(made, tuple(planes)) as instance_id:
            assert set(setting.archive.source_images(instance_id)) == planes


def plane_of(image: pydicom.Dataset) -> ImagePlane:
    x, y, z = map(float, image.ImagePositionPatient)
    a, b, c, d, e, f = map(float, image.ImageOrientationPatient)
    row_mm, column_mm = map(float, image.PixelSpacing)
    return ImagePlane(
        image.SOPInstanceUID,
        image.SeriesInstanceUID,
        (x, y, z),
        (a, b, c, d, e, f),
        (row_mm, column_mm),
        (image.Rows, image.Columns),
        float(image.SliceThickness),
    )


def rtstruct_on(images: Sequence[pydicom.Dataset]) -> bytes:
    """A structure set that names the series of the images."""
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]], dtype=np.float64)
    dataset = samples.rtstruct_dataset([samples.RoiSample(1, "one", (square,))])
    dataset.StudyInstanceUID = images[0].StudyInstanceUID
    dataset.PatientID = images[0].PatientID
    dataset.SeriesInstanceUID = f"{samples.ROOT}.77"
    dataset.SOPInstanceUID = f"{samples.ROOT}.78"
    [frame] = dataset.ReferencedFrameOfReferenceSequence
    [series] = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    return samples.file_bytes(dataset)


def test_an_image_was_made_from_no_other(setting: Setting):
    assert setting.archive.source_images(setting.image_ids[0]) == ()
    with pytest.raises(NotFound):
        setting.archive.source_images("nope")


def test_an_instance_in_another_character_set_is_one_of_the_study(setting: Setting, tmp_path: Path):
    if setting.server is None:
        pytest.skip("character sets are Orthanc's")
    document = tmp_path / "a.stl"
    document.write_bytes(DOCUMENT)
    study = samples.image_dataset(np.zeros((4, 4), np.uint8))
    study.SpecificCharacterSet = "ISO_IR 100"
    study.StudyInstanceUID, study.SeriesInstanceUID = f"{SERIES}.7", f"{SERIES}.8"
    study.PatientID, study.PatientName, study.StudyDescription = (
        "\u00e4 7",
        "B\u00f6hm^J",
        "Gr\u00f6\u00dfe",
    )
    study.PatientSex, study.ReferringPhysicianName, study.StudyDate = "F", "M\u00fcller", "20200102"
    study_id = setting.server.upload(samples.file_bytes(study))["ParentStudy"]
    name = "\u82b1 \u03a9 \u00e9"
    tags = {**TAGS, "SpecificCharacterSet": "ISO_IR 192", "SeriesDescription": name}
    made = setting.archive.create_instance(study_id, tags, document, "model/stl")
    assert made.answer["ParentStudy"] == study_id
    found = setting.archive.instance_tags(made.instance_id)
    assert found["SeriesDescription"] == name
    for keyword in ("PatientID", "PatientName", "PatientSex", "StudyDescription", "StudyDate"):
        assert found[keyword] == str(study[keyword].value), keyword
    assert found["ReferringPhysicianName"] == "M\u00fcller"
    setting.archive.delete_series(SERIES)
    setting.archive.delete_series(f"{SERIES}.8")
