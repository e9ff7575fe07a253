"""What Orthanc's memory gains from many requests: nothing."""

import numpy as np

from tests.support import dicom_samples as samples
from tests.support.fuzz_iiif import rss_mib
from tests.support.orthanc_server import OrthancServer

ROUNDS = 100
MOST_MIB = 60


def test_opening_an_image_again_and_again_leaves_no_memory_behind():
    stored = samples.f_volume().astype(np.int16)
    image = samples.file_bytes(samples.ct_datasets(stored, samples.oblique_affine())[0])
    with OrthancServer() as server:
        open_again_and_again(server, image)
        before = rss_mib(server.process.pid)
        open_again_and_again(server, image)
        assert rss_mib(server.process.pid) < before + MOST_MIB


def open_again_and_again(server: OrthancServer, image: bytes) -> None:
    for _ in range(ROUNDS):
        instance = server.upload(image)["ID"]
        assert server.get(f"/instances/{instance}/frames/0/iiif/3/info.json").ok
        server.session.delete(f"{server.url}/instances/{instance}").raise_for_status()
