from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import NotFound, UnusableSource
from orthanc_stl_plugin.model.mesh import MeshOptions
from orthanc_stl_plugin.services.encode import Encoder, NiftiOrder
from orthanc_stl_plugin.services.spool import Spool
from orthanc_stl_plugin.services.work import Workers
from tests.fake_archive import FakeArchive

SETTINGS = Settings(workers=1)
MASK = np.zeros((8, 9, 10), dtype=np.uint8)
MASK[2:6, 3:6, 4:7] = 1


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    pool = Workers(SETTINGS)
    yield pool
    pool.close()


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive(studies={"s": {"PatientID": "p"}})


@pytest.fixture
def encoder(archive: FakeArchive, workers: Workers, tmp_path: Path) -> Iterator[Encoder]:
    spool = Spool(str(tmp_path))
    yield Encoder(archive, workers, spool, SETTINGS)
    assert [path.name for path in spool.folder.iterdir()] == ["lock"]
    spool.close()


def order(mask: np.ndarray, study: str = "s", **tags: str) -> NiftiOrder:
    nifti = nib.Nifti1Image(mask, np.eye(4)).to_bytes()
    return NiftiOrder(nifti, study, MeshOptions(), tags)


def test_a_model_is_stored_with_the_length_of_its_document(encoder: Encoder, archive: FakeArchive):
    stored = encoder.encode_nifti(order(MASK))
    tags, document = archive.instances[stored.instance_id]
    assert document is not None
    assert tags["EncapsulatedDocumentLength"] == str(len(document))


def test_the_tags_of_the_order_win(encoder: Encoder, archive: FakeArchive):
    stored = encoder.encode_nifti(order(MASK, DocumentTitle="Liver"))
    assert archive.instances[stored.instance_id][0]["DocumentTitle"] == "Liver"


def test_an_unknown_study_is_found_out_before_any_work(encoder: Encoder):
    with pytest.raises(NotFound, match="'x'"):
        encoder.encode_nifti(order(MASK, study="x"))


def test_nothing_is_stored_when_the_mask_is_empty(encoder: Encoder, archive: FakeArchive):
    with pytest.raises(UnusableSource):
        encoder.encode_nifti(order(MASK * 0))
    assert archive.instances == {}
