"""The IIIF Image API over a real Orthanc: what a viewer, a cache and a proxy rely on."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.frame_encoders import JPEG, jpeg_ybr
from tests.support.frame_samples import frame_file, photograph
from tests.support.image_service import ImageService, slide_levels, stored_series
from tests.support.orthanc_server import OrthancServer
from tests.support.slide_samples import Codec, LevelSample

WIDTH, HEIGHT = 701, 509
SIZES = [(701, 509), (351, 255), (176, 128)]
LIKE = LevelSample(1, 1, tile_width=128, tile_height=128)
V2, V3 = "2", "3"
BOTH_VERSIONS = pytest.mark.parametrize("version", [V2, V3])
PYTHON_PLUGIN = '"Plugins" : [ "/usr/share/orthanc/plugins/libOrthancPython.so" ]'
WITH_OFFICIAL = PYTHON_PLUGIN.replace(" ]", ', "/usr/share/orthanc/plugins/libOrthancWSI.so" ]')


@pytest.fixture(scope="module")
def slide(orthanc: OrthancServer) -> str:
    levels = slide_levels(1, SIZES, LIKE, Codec(JPEG, jpeg_ybr, "YBR_FULL_422"))
    return stored_series(orthanc, levels)


@pytest.fixture(scope="module")
def frame(orthanc: OrthancServer) -> str:
    return orthanc.upload(frame_file(photograph(WIDTH, HEIGHT), series=1))["ID"]


@pytest.fixture(scope="module", params=["slide", "frame"])
def base(request: pytest.FixtureRequest, slide: str, frame: str) -> str:
    """A base URI's path, before the version."""
    is_slide = request.param == "slide"
    return f"/series/{slide}/iiif" if is_slide else f"/instances/{frame}/frames/0/iiif"


@pytest.fixture
def service(orthanc: OrthancServer, base: str) -> ImageService:
    return ImageService(orthanc, f"{base}/3")


@BOTH_VERSIONS
def test_every_size_that_is_listed_is_served_exactly(
    orthanc: OrthancServer, base: str, version: str
):
    service = ImageService(orthanc, f"{base}/{version}")
    sizes = [(one["width"], one["height"]) for one in service.info()["sizes"]]
    assert sizes == sorted(sizes)
    assert sizes[-1] == (WIDTH, HEIGHT)
    for width, height in sizes:
        by_version = f"{width},{height}" if version == V3 else f"{width},"
        assert service.size(f"full/{by_version}/0/default.jpg") == (width, height)


@BOTH_VERSIONS
def test_every_tile_that_is_listed_is_served_exactly(
    orthanc: OrthancServer, base: str, version: str
):
    service = ImageService(orthanc, f"{base}/{version}")
    (tiles,) = service.info()["tiles"]
    for factor in tiles["scaleFactors"]:
        step_x, step_y = tiles["width"] * factor, tiles["height"] * factor
        for y in range(0, HEIGHT, step_y):
            for x in range(0, WIDTH, step_x):
                width, height = min(step_x, WIDTH - x), min(step_y, HEIGHT - y)
                expected = -(-width // factor), -(-height // factor)
                region = f"{x},{y},{width},{height}"
                if version == V3:
                    size = service.size(f"{region}/{expected[0]},{expected[1]}/0/default.jpg")
                    assert size == expected
                else:
                    # The ratio decides the height of a narrow tile whose width was rounded up.
                    size = service.size(f"{region}/{expected[0]},/0/default.jpg")
                    by_ratio = round(expected[0] * height / width)
                    assert size in {expected, (expected[0], by_ratio)}


@BOTH_VERSIONS
def test_the_document_is_at_the_address_that_it_gives(
    orthanc: OrthancServer, base: str, version: str
):
    service = ImageService(orthanc, f"{base}/{version}")
    information = service.info()
    assert (information["width"], information["height"]) == (WIDTH, HEIGHT)
    address = information["id" if version == V3 else "@id"]
    assert address == orthanc.url + service.base


def test_the_base_uri_leads_to_the_document(service: ImageService):
    answer = service.get("")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{service.server.url}{service.base}/info.json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("tail", ["/info.json", "/full/max/0/default.jpg"])
def test_pages_of_other_sites_may_use_the_answers(service: ImageService, tail: str):
    assert service.get(tail).headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "request_",
    [
        "full/max/0/default.jpg",
        "square/^900,/!90/color.png",
        "pct:10,10,30.5,40/!200,200/22.5/bitonal.gif",
        "128,128,128,128/128,/0/default.jpg",
        "640,384,999,999/max/0/gray.webp",
    ],
)
@BOTH_VERSIONS
def test_the_canonical_address_gives_the_same_bytes(
    orthanc: OrthancServer, base: str, version: str, request_: str
):
    asked = request_.replace("^", "") if version == V2 else request_
    answer = orthanc.get(f"{base}/{version}/{asked}")
    assert answer.status_code == 200, answer.text
    canonical = orthanc.session.get(answer.links["canonical"]["url"])
    assert canonical.content == answer.content
    assert canonical.headers["ETag"] == answer.headers["ETag"]
    assert canonical.links["canonical"] == answer.links["canonical"]


@BOTH_VERSIONS
def test_links_name_the_profile(orthanc: OrthancServer, base: str, version: str):
    profile = f"http://iiif.io/api/image/{version}/level2.json"
    for tail in ("info.json", "full/max/0/default.jpg"):
        assert orthanc.get(f"{base}/{version}/{tail}").links["profile"]["url"] == profile


def test_the_document_is_json_unless_json_ld_is_asked_for(service: ImageService):
    assert service.get("/info.json").headers["Content-Type"] == "application/json"
    linked = service.get("/info.json", Accept="application/ld+json")
    assert linked.headers["Content-Type"] == (
        'application/ld+json;profile="http://iiif.io/api/image/3/context.json"'
    )
    assert "Accept" in linked.headers["Vary"]


@pytest.mark.parametrize("tail", ["/info.json", "/full/max/0/default.jpg", "/full/64,/0/gray.png"])
def test_what_a_client_has_is_not_sent_again(service: ImageService, tail: str):
    first = service.get(tail)
    assert first.headers["Cache-Control"] == "no-cache"
    again = service.get(tail, If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert service.get(tail, If_None_Match='"other"').content == first.content


def test_json_and_json_ld_have_their_own_etags(service: ImageService):
    linked = service.get("/info.json", Accept="application/ld+json")
    assert linked.headers["ETag"] != service.get("/info.json").headers["ETag"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("^1402,1018", (1402, 1018)),
        ("^1402,", (1402, 1018)),
        ("^,1018", (1402, 1018)),
        ("^pct:200", (1402, 1018)),
        ("^!2000,1018", (1402, 1018)),
        ("!300,509", (300, 218)),
    ],
)
def test_sizes_enlarge_after_a_caret(service: ImageService, size: str, expected: tuple[int, int]):
    assert service.size(f"full/{size}/0/default.jpg") == expected


@pytest.mark.parametrize(
    ("tail", "status", "sentence"),
    [
        ("/full/702,/0/default.jpg", 400, "takes a ^"),
        ("/701,0,5,5/max/0/default.jpg", 400, "no pixel in an image of 701 x 509"),
        ("/full/^10000,10000/0/default.jpg", 400, "maxArea of 25000000"),
        ("/full/full/0/default.jpg", 400, "version 3 says max"),
        ("/full/max/361/default.jpg", 400, "'361' is no rotation"),
        ("/full/max/0/native.jpg", 400, "'native' is no quality"),
        ("/full/max/0/default.bmp", 400, "'bmp' is no format"),
        ("/full/max/0", 400, "neither info.json nor"),
        ("/info.xml", 400, "neither info.json nor"),
        ("/full/max/0/default.jp2", 501, "jp2 is not built"),
        ("/full/max/0/default.pdf", 501, "pdf is not built"),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_sentence(
    service: ImageService, tail: str, status: int, sentence: str
):
    answer = service.get(tail)
    assert (answer.status_code, answer.json()["HttpStatus"]) == (status, status)
    assert sentence in answer.json()["Details"]


def test_other_methods_are_not_allowed(service: ImageService):
    for tail in ("", "/info.json", "/full/max/0/default.jpg"):
        for method in ("POST", "PUT", "DELETE"):
            answer = service.server.session.request(
                method, service.server.url + service.base + tail, data=b""
            )
            assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


def test_unknown_images_are_not_found(orthanc: OrthancServer, slide: str, frame: str):
    for path in (
        "/series/nope/iiif/3/info.json",
        f"/series/{frame}/iiif/3/info.json",
        f"/series/{slide}/iiif/4/info.json",
        f"/series/{slide}/iiif/4/full/max/0/default.jpg",
        f"/series/{slide}/pyramids/1/iiif/3/info.json",
        f"/series/{slide}/pyramids/x/iiif/3/info.json",
        f"/instances/{frame}/frames/1/iiif/3/info.json",
        f"/instances/{frame}/frames/-1/iiif/3/full/max/0/default.jpg",
    ):
        answer = orthanc.get(path)
        assert answer.status_code == 404, f"{path}: {answer.text}"


def test_a_series_of_photographs_is_no_whole_slide(orthanc: OrthancServer, frame: str):
    series = orthanc.get(f"/instances/{frame}/series").json()["ID"]
    answer = orthanc.get(f"/series/{series}/iiif/3/info.json")
    assert answer.status_code == 422
    assert "no whole slide" in answer.json()["Details"]


def test_what_is_no_image_is_no_image_service(orthanc: OrthancServer):
    sent = frame_file(photograph(8, 8), 2, series=2).replace(
        b"\xe0\x7f\x10\x00", b"\xe1\x7f\x10\x00"
    )
    answer = orthanc.get(f"/instances/{orthanc.upload(sent)['ID']}/frames/0/iiif/3/info.json")
    assert answer.status_code == 422, answer.text


def test_addresses_start_as_the_proxy_says(service: ImageService):
    information = service.get(
        "/info.json",
        X_Forwarded_Host="museum.example",
        X_Forwarded_Proto="https",
        X_Forwarded_Prefix="/pacs",
    ).json()
    assert information["id"] == f"https://museum.example/pacs{service.base}"
    answer = service.get("/full/max/0/default.jpg", Forwarded="host=a.example;proto=https")
    assert answer.links["canonical"]["url"].startswith(f"https://a.example{service.base}/full/")
    assert service.get("/info.json", X_Forwarded_Host="a b").status_code == 400


def test_the_addresses_of_the_official_plugin_answer_the_same(
    orthanc: OrthancServer, slide: str, frame: str
):
    for theirs, ours in (
        (f"/wsi/iiif/tiles/{slide}", f"/series/{slide}/iiif/3"),
        (f"/wsi/iiif/frames/{frame}/0", f"/instances/{frame}/frames/0/iiif/3"),
        (f"/wsi/iiif/frames-pyramids/{frame}/0", f"/instances/{frame}/frames/0/iiif/3"),
    ):
        dropped_in, own = ImageService(orthanc, theirs), ImageService(orthanc, ours)
        assert dropped_in.info() == {**own.info(), "id": orthanc.url + theirs}
        request = "/0,0,256,256/100,/0/default.jpg"
        assert dropped_in.get(request).content == own.get(request).content
        canonical = dropped_in.get(request).links["canonical"]["url"]
        assert canonical.startswith(orthanc.url + theirs)
        assert dropped_in.get("").headers["Location"] == f"{orthanc.url}{theirs}/info.json"


@pytest.fixture(scope="module")
def configured() -> Iterator[ImageService]:
    """Behind an address of its own, with small answers that stay fresh."""
    settings = {
        '"PublicUrl" : ""': '"PublicUrl" : "https://iiif.museum.example/pacs/"',
        '"MaxPixels" : 25000000': '"MaxPixels" : 100000',
        '"MaxAgeSeconds" : 0': '"MaxAgeSeconds" : 60',
        '"Workers" : 0': '"Workers" : 1',
    }
    with OrthancServer(settings) as server:
        series = stored_series(server, slide_levels(3, SIZES, replace(LIKE, rgb=False)))
        yield ImageService(server, f"/series/{series}/iiif/3")


def test_public_url_is_where_addresses_start(configured: ImageService):
    public = f"https://iiif.museum.example/pacs{configured.base}"
    answer = configured.get("/info.json", X_Forwarded_Host="elsewhere.example")
    assert answer.json()["id"] == public
    image = configured.get("/full/64,/0/default.jpg")
    assert image.links["canonical"]["url"].startswith(f"{public}/full/64,")


def test_max_pixels_is_told_and_kept(configured: ImageService):
    information = configured.info()
    assert information["maxArea"] == 100_000
    assert all(size["width"] * size["height"] <= 100_000 for size in information["sizes"])
    assert configured.get("/full/701,509/0/default.jpg").status_code == 400
    width, height = configured.size("full/max/0/default.jpg")
    assert 98_000 < width * height <= 100_000


def test_max_age_lets_browsers_keep_answers_for_a_while(configured: ImageService):
    for tail in ("/info.json", "/full/64,/0/default.jpg"):
        kept = configured.get(tail).headers["Cache-Control"]
        assert kept == "max-age=60, s-maxage=0, must-revalidate"


def test_an_image_without_colour_does_not_offer_it(configured: ImageService):
    assert configured.info()["extraQualities"] == ["gray", "bitonal"]
    assert configured.pixels("full/64,/0/color.png").ndim == 2


def test_the_official_plugin_keeps_its_addresses():
    with OrthancServer({PYTHON_PLUGIN: WITH_OFFICIAL}) as server:
        series = stored_series(server, slide_levels(4, SIZES, LIKE))
        assert server.get(f"/series/{series}/iiif/3/info.json").json()["profile"] == "level2"
        theirs = server.get(f"/wsi/iiif/tiles/{series}/info.json").json()
        assert theirs["profile"] != "level2"
        assert "OrthancWSI is loaded: this one has no routes below /wsi/" in server.log
