"""Manifests and collections of a real Orthanc, opened with everything that they name."""

import base64
import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

from tests.support.collection_samples import MPEG_4, PARAMETRIC_MAP
from tests.support.dicom_samples import composite, file_bytes, image_dataset, item
from tests.support.iiif_crawler import PRESENTATION, SCENE, Crawler
from tests.support.orthanc_server import PROJECT, OrthancServer
from tests.support.slide_samples import LevelSample, written_slide
from tools.demo import figurine

SHARED = PROJECT.parent / "shared/data"
MUSEUM = {
    '"Provider" : { "Url" : "", "Name" : "", "Logo" : "" }': (
        '"Provider" : { "Url" : "https://museum.example/", "Name" : {"en": "Museum"},'
        ' "Logo" : "https://museum.example/logo.png" }'
    ),
    '"RequiredStatement" : ""': '"RequiredStatement" : {"en": "Museum", "nl": "Museum"}',
    '"Rights" : ""': '"Rights" : "https://creativecommons.org/licenses/by/4.0/"',
    '"HomepageTemplate" : ""': '"HomepageTemplate" : "https://museum.example/{AccessionNumber}"',
    '"Workers" : 0': '"Workers" : 1',
}
# Its manifest names a picture that cannot be drawn: no tag tells that the document is empty.
EMPTY_MODEL = "innoforce_fodicom4_empty_stl.dcm"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def noise(number: int, width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 255, (height, width, 3), dtype=np.uint8)


def photograph(number: int, pixels: NDArray[np.uint8]) -> Dataset:
    """A colour photograph of a study about a vase, with tags that are hard to write."""
    dataset = composite(SECONDARY_CAPTURE, number, "XC")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.77", "1.2.77.1"
    dataset.SOPInstanceUID = f"1.2.77.1.{number}"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "SECRET-1"
    dataset.StudyDescription = '花瓶 "نقش" <b>&amp;</b>'
    dataset.SeriesDescription = "<script>alert(1)</script>"
    dataset.StudyDate = "20200131"
    dataset.AccessionNumber = "12/3"
    dataset.BodyPartExamined = ""
    dataset.Manufacturer = "A'B"
    dataset.SpecimenDescriptionSequence = [
        item(SpecimenShortDescription="Clay"),
        item(SpecimenShortDescription="Straw"),
    ]
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "RGB"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    dataset["PixelData"].VR = "OB"
    return dataset


def film() -> Dataset:
    dataset = image_dataset(np.zeros((3, 20, 30), np.uint8), 1, "1.2.840.10008.5.1.4.1.1.3.1")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.78", "1.2.78.1"
    dataset.Modality = "US"
    return dataset


def report() -> Dataset:
    dataset = composite("1.2.840.10008.5.1.4.1.1.88.11", 1, "SR")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.79", "1.2.79.1"
    return dataset


def unseen(study: str, transfer_syntax_uid: str) -> bytes:
    """A parametric map of floating point numbers, or a video, which has no frames to take out."""
    dataset = composite(PARAMETRIC_MAP, 1, "OT")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.SOPInstanceUID = f"{study}.1.1"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 4, 6, 2
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    if transfer_syntax_uid == MPEG_4:
        dataset.BitsAllocated = 8
        dataset.PixelData = encapsulate([bytes(100)])
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    else:
        dataset.BitsAllocated = 32
        dataset.FloatPixelData = bytes(4 * 6 * 2 * 4)
    return file_bytes(dataset, UID(transfer_syntax_uid))


def pdf() -> Dataset:
    """An encapsulated document of a modality that images have too."""
    dataset = composite("1.2.840.10008.5.1.4.1.1.104.1", 1, "OT")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.80", "1.2.80.1"
    dataset.SOPInstanceUID = "1.2.80.1.1"
    dataset.EncapsulatedDocument = b"%PDF-1.4"
    return dataset


@pytest.fixture(scope="module")
def server() -> Iterator[OrthancServer]:
    """A CT of the figurine with its model, photographs, a film, a slide; what nobody can see."""
    with OrthancServer(MUSEUM) as server:
        scans = [server.upload(one) for one in islice(figurine.ct_series(figurine.scan()), 4)]
        nifti = base64.b64encode(figurine.nifti(figurine.mask(figurine.scan()))).decode()
        model = server.post(
            "/stl/encode-nifti", {"Nifti": nifti, "ParentStudy": scans[0]["ParentStudy"]}
        )
        assert model.ok, model.text
        for dataset in (
            photograph(1, noise(1, 300, 200)),
            photograph(2, noise(2, 150, 401)),
            film(),
            report(),
            pdf(),
        ):
            server.upload(file_bytes(dataset))
        server.upload(unseen("1.2.81", ExplicitVRLittleEndian))
        server.upload(unseen("1.2.82", MPEG_4))
        for level in written_slide(((700, 500), (350, 250)), LevelSample(1, 1, 64, 64)):
            for file in level.files:
                server.upload(file.content)
        yield server


def study_id(server: OrthancServer, uid: str) -> str:
    query = {"Level": "Study", "Query": {"StudyInstanceUID": uid}}
    (found,) = server.post("/tools/find", query).json()
    return str(found)


def vase(server: OrthancServer) -> str:
    return f"/studies/{study_id(server, '1.2.77')}/iiif"


@pytest.fixture(scope="module")
def documents(server: OrthancServer) -> list[Any]:
    """Everything that the collection leads to, opened with all that it names."""
    crawler = Crawler(server.url)
    documents = crawler.everything(f"{server.url}/iiif/collection.json")
    listed = [
        f"/{level}/{identifier}/iiif/{kind}.json"
        for level, kind in (
            ("series", "manifest"),
            ("studies", "collection"),
            ("patients", "collection"),
        )
        for identifier in server.get(f"/{level}").json()
    ]
    return documents + [
        crawler.document(server.url + path) for path in listed if server.get(path).ok
    ]


def test_everything_that_a_client_can_reach_opens_with_the_right_type_and_size(
    documents: list[Any],
):
    kinds = [document["type"] for document in documents]
    # Studies: CT with model, photographs, film, slide. Series: one more.
    assert kinds.count("Manifest") == 4 + 5
    # The whole, the studies but for the report, the patients.
    assert kinds.count("Collection") == 1 + 4 + 3


def test_every_document_has_the_museums_statement(documents: list[Any]):
    for document in documents:
        assert document["requiredStatement"]["value"] == {"en": ["Museum"], "nl": ["Museum"]}
        if document["type"] == "Manifest":
            assert document["rights"] == "http://creativecommons.org/licenses/by/4.0/"


def test_no_document_names_a_patient(documents: list[Any]):
    text = json.dumps(documents, ensure_ascii=False)
    for secret in ("Doe", "SECRET-1", figurine.PATIENT_ID, "Phantom"):
        assert secret not in text


def test_photographs_are_shown_in_their_order_with_their_sizes(server: OrthancServer):
    manifest = server.get(f"{vase(server)}/manifest.json").json()
    sizes = [(canvas["width"], canvas["height"]) for canvas in manifest["items"]]
    assert sizes == [(300, 200), (150, 401)]
    assert manifest["navDate"] == "2020-01-31T00:00:00Z"
    assert manifest["homepage"][0]["id"] == "https://museum.example/12%2F3"


def test_hard_tags_come_through(server: OrthancServer):
    manifest = server.get(f"{vase(server)}/manifest.json").json()
    assert manifest["label"] == {"none": ['花瓶 "نقش" <b>&amp;</b>']}
    shown = {pair["label"]["en"][0]: pair["value"]["none"] for pair in manifest["metadata"]}
    assert shown == {
        "Date": ["2020-01-31"],
        "Modality": ["XC"],
        "Specimen": ["Clay", "Straw"],
        "Manufacturer": ["A'B"],
        "Images": ["2"],
    }
    (series,) = server.get(f"{vase(server)}/collection.json").json()["items"]
    assert series["label"] == {"none": ["<script>alert(1)</script> "]}


def test_the_attributes_come_as_dicom_json(server: OrthancServer):
    answer = server.get(f"{vase(server)}/dicom.json")
    assert answer.headers["Content-Type"] == "application/dicom+json"
    (attributes,) = answer.json()
    assert attributes["0020000D"] == {"vr": "UI", "Value": ["1.2.77"]}
    assert attributes["00081030"] == {"vr": "LO", "Value": ['花瓶 "نقش" <b>&amp;</b>']}
    assert not {"00100010", "00100020", "00080050"} & set(attributes)


def test_the_model_of_the_figurine_is_a_picture_and_a_download(server: OrthancServer):
    scan = server.post("/tools/find", {"Level": "Study", "Query": {"ModalitiesInStudy": "M3D"}})
    manifest = server.get(f"/studies/{scan.json()[0]}/iiif/manifest.json").json()
    assert [one["format"] for one in manifest["rendering"]] == ["model/stl", "model/gltf-binary"]
    scenes = [one["id"] for one in manifest["seeAlso"] if one["type"] == "Manifest"]
    answer = server.session.get(scenes[0])
    assert answer.headers["Content-Type"] == SCENE
    body = answer.json()["items"][0]["items"][0]["items"][0]["body"]
    model = server.session.get(body["id"])
    assert (model.status_code, model.headers["Content-Type"]) == (200, body["format"])


@pytest.mark.parametrize("uid", ["1.2.79", "1.2.80", "1.2.81", "1.2.82"])
def test_what_nobody_can_see_has_no_manifest_and_is_told_nowhere(server: OrthancServer, uid: str):
    study = study_id(server, uid)
    answer = server.get(f"/studies/{study}/iiif/manifest.json")
    assert answer.status_code == 422
    assert "holds no image" in answer.json()["Details"]
    assert study not in server.get("/iiif/collection.json").text
    assert study not in {name for _, name in changes(server)}


def test_a_study_has_properties_of_its_own(server: OrthancServer):
    study = study_id(server, "1.2.78")
    own = json.dumps({"label": {"en": "Echo", "ja": "心エコー"}}).encode()
    assert server.session.put(f"{server.url}/studies/{study}/metadata/IIIF", data=own).ok
    manifest = server.get(f"/studies/{study}/iiif/manifest.json").json()
    assert manifest["label"] == {"en": ["Echo"], "ja": ["心エコー"]}
    assert server.session.delete(f"{server.url}/studies/{study}/metadata/IIIF").ok
    assert server.get(f"/studies/{study}/iiif/manifest.json").json()["label"] != manifest["label"]


def test_what_iiif_does_not_take_of_its_own_properties_is_told(server: OrthancServer):
    study = study_id(server, "1.2.78")
    plain = server.get(f"/studies/{study}/iiif/manifest.json").json()
    own = f"{server.url}/studies/{study}/metadata/IIIF"
    assert server.session.put(own, data=b'{"navDate": "1850"}').ok
    assert server.get(f"/studies/{study}/iiif/manifest.json").json() == plain
    (fault,) = server.get("/stl/status").json()["MetadataFaults"][study]
    assert fault.startswith("'navDate' is left out: it must be a time with its zone")
    assert server.session.delete(own).ok
    assert server.get("/stl/status").json()["MetadataFaults"] == {}


@pytest.mark.parametrize("name", ["manifest.json", "collection.json", "dicom.json"])
def test_what_a_client_has_already_is_not_sent_again(server: OrthancServer, name: str):
    first = server.get(f"{vase(server)}/{name}")
    known = {"If-None-Match": first.headers["ETag"]}
    again = server.get(f"{vase(server)}/{name}", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Access-Control-Allow-Origin"] == "*"


def test_a_changed_study_is_sent_again(server: OrthancServer):
    first = server.get(f"{vase(server)}/manifest.json")
    stored = server.upload(file_bytes(photograph(3, noise(3, 10, 10))))
    known = {"If-None-Match": first.headers["ETag"]}
    assert len(server.get(f"{vase(server)}/manifest.json", headers=known).json()["items"]) == 3
    assert server.session.delete(server.url + stored["Path"]).ok
    assert len(server.get(f"{vase(server)}/manifest.json").json()["items"]) == 2


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", PRESENTATION),
        ("application/json", "application/json"),
        ("application/ld+json, application/json;q=0.5", PRESENTATION),
    ],
)
def test_plain_json_is_sent_to_who_asks_for_it(server: OrthancServer, accept: str, media_type: str):
    answer = server.get(f"{vase(server)}/manifest.json", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == media_type
    assert "Accept" in answer.headers["Vary"]


def test_addresses_begin_as_the_proxy_tells(server: OrthancServer):
    headers = {"X-Forwarded-Host": "museum.example", "X-Forwarded-Proto": "https"}
    manifest = server.get(f"{vase(server)}/manifest.json", headers=headers).json()
    assert manifest["id"] == f"https://museum.example{vase(server)}/manifest.json"
    assert server.url not in json.dumps(manifest)


def test_the_addresses_of_the_official_plugin_answer_too(server: OrthancServer):
    crawler = Crawler(server.url)
    (slide,) = server.post("/tools/find", {"Level": "Series", "Query": {"Modality": "SM"}}).json()
    manifest = crawler.document(f"{server.url}/wsi/iiif/series/{slide}/manifest.json")
    assert (manifest["items"][0]["width"], manifest["items"][0]["height"]) == (700, 500)
    (frames,) = server.post(
        "/tools/find", {"Level": "Instance", "Query": {"Modality": "US"}}
    ).json()
    address = f"{server.url}/wsi/iiif/frames-pyramids/{frames}"
    assert len(crawler.document(f"{address}/2/manifest.json")["items"]) == 1
    # A proxy may let through what lies below /wsi/iiif/ and nothing else.
    for url in (f"/wsi/iiif/series/{slide}", f"/wsi/iiif/frames-pyramids/{frames}/2"):
        text = server.get(f"{url}/manifest.json").text
        services = set(re.findall(r'"id": ?"([^"]*)", ?"type": ?"ImageService3"', text))
        assert services
        for service in services:
            assert service.startswith(f"{server.url}/wsi/iiif/")
            path = service.removeprefix(server.url)
            assert server.get(f"{path}/info.json").json()["id"] == service
    assert server.session.get(f"{address}/3/manifest.json").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/studies/nope/iiif/manifest.json",
        "/studies/nope/iiif/collection.json",
        "/studies/nope/iiif/dicom.json",
        "/series/nope/iiif/manifest.json",
        "/series/nope/iiif/scene.json",
        "/patients/nope/iiif/collection.json",
        "/iiif/collection/2.json",
        "/iiif/collection/0.json",
        "/iiif/collection/-1.json",
        "/iiif/collection/x.json",
        "/iiif/collection/99999999999999999999.json",
        "/iiif/discovery/page-1.json",
        "/wsi/iiif/series/nope/manifest.json",
        "/wsi/iiif/frames-pyramids/nope/0/manifest.json",
        "/wsi/iiif/frames-pyramids/nope/x/manifest.json",
    ],
)
def test_what_is_not_there_is_404(server: OrthancServer, path: str):
    assert server.get(path).status_code == 404


def changes(server: OrthancServer) -> list[tuple[str, str]]:
    collection = server.get("/iiif/discovery/all-changes.json").json()
    assert collection["type"] == "OrderedCollection"
    page = server.session.get(collection["last"]["id"]).json()
    assert page["partOf"]["id"] == collection["id"]
    return [(one["type"], one["object"]["id"].split("/")[4]) for one in page["orderedItems"]]


def test_harvesters_learn_what_comes_and_goes_even_over_a_restart():
    with OrthancServer({'"Workers" : 0': '"Workers" : 1'}) as server:
        assert changes(server) == []
        study = server.upload(file_bytes(film()))["ParentStudy"]
        assert changes(server) == [("Create", study)]
        server.stop()
        with server:
            assert changes(server) == [("Create", study)]
            server.session.delete(f"{server.url}/studies/{study}")
            assert changes(server) == [("Delete", study)]


def shared_files(folder: str) -> list[Path]:
    return sorted(path for path in (SHARED / folder).rglob("*") if path.is_file())


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are absent")
def test_every_real_file_is_shown_and_everything_opens():
    with OrthancServer(MUSEUM) as server:
        for folder in ("wsi", "image", "seg", "encapsulated"):
            for path in shared_files(folder):
                if path.name != EMPTY_MODEL:
                    server.post("/instances", path.read_bytes())
        for number, path in enumerate(shared_files("photo"), start=1):
            with Image.open(path) as opened:
                pixels = np.asarray(opened.convert("RGB"))
            server.upload(file_bytes(photograph(number, pixels)))
        crawler = Crawler(server.url, most_images=100_000)
        documents = crawler.everything(f"{server.url}/iiif/collection.json")
        for series in server.get("/series").json():
            address = f"{server.url}/series/{series}/iiif/manifest.json"
            documents.append(crawler.document(address))
        assert sum(document["type"] == "Manifest" for document in documents) > 40
