"""Laws of manifests, whatever stands in the tags."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from iiif_prezi3 import Manifest

from orthanc_stl_plugin.formats.dicom.attributes import (
    dicom_json,
    filled,
    filled_address,
    midnight,
    readable_values,
)
from orthanc_stl_plugin.iiif.presentation.canvas import fitted
from orthanc_stl_plugin.iiif.presentation.order import Placed, stacks
from tests.support.collection_samples import BASE, Stage, add_series, add_study, image
from tests.support.iiif_crawler import values

# Anything that JSON can carry, half surrogates and control characters included.
TEXTS = st.text(st.characters(codec=None), max_size=40)
KEYWORDS = st.sampled_from(
    ["StudyDate", "StudyTime", "PatientName", "PatientAge", "StudyDescription", "Manufacturer"]
)
COORDINATES = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))
POINTS = st.tuples(COORDINATES, COORDINATES, COORDINATES)
PLACED = st.builds(
    Placed,
    image_id=st.uuids().map(str),
    number=st.none() | st.integers(-5, 5),
    position_mm=st.none() | POINTS,
    directions=st.none() | st.tuples(POINTS, POINTS),
)


@given(
    study=st.dictionaries(KEYWORDS, TEXTS),
    series=st.dictionaries(st.sampled_from(["SeriesDescription", "BodyPartExamined"]), TEXTS),
    numbers=st.lists(TEXTS, min_size=1, max_size=4),
)
def test_every_manifest_is_valid_whatever_the_tags_hold(
    study: dict[str, str], series: dict[str, str], numbers: list[str]
):
    stage = Stage()
    add_study(stage.catalogue, **study)
    add_series(
        stage.catalogue,
        "ct",
        *(
            image(f"i{index}", InstanceNumber=number, ImagePositionPatient=number)
            for index, number in enumerate(numbers)
        ),
        **series,
    )
    content = stage.presenter().study_manifest("study", BASE).content
    manifest: Any = json.loads(content.decode("utf-8"))
    Manifest(**manifest)
    assert len(manifest["items"]) == len(numbers)
    identifiers = [one["id"] for one in values(manifest) if one["type"] == "Canvas"]
    assert len(set(identifiers)) == len(numbers)


@given(text=TEXTS)
def test_no_value_is_taken_for_html(text: str):
    stage = Stage()
    add_study(stage.catalogue, StudyDescription=f"<{text}>", Manufacturer=f"<{text}>")
    add_series(stage.catalogue, "ct", image("i"))
    manifest = json.loads(stage.presenter().study_manifest("study", BASE).content)
    written = [
        *manifest["label"]["none"],
        *(one for pair in manifest["metadata"] for one in pair["value"]["none"]),
    ]
    assert not [one for one in written if one.startswith("<") and one.endswith(">")]


@given(keyword=KEYWORDS, text=TEXTS)
def test_readable_values_are_never_blank(keyword: str, text: str):
    tags = {keyword: text}
    assert all(value.strip() for value in readable_values(tags, keyword))
    assert filled(f"{{{keyword}}}", tags) != ""
    date = midnight(tags, keyword)
    assert date is None or len(date) == len("2026-01-01T00:00:00Z")
    json.dumps(dicom_json(tags, [keyword]), allow_nan=False)


@given(text=TEXTS.filter(lambda text: text < "\ud800" or text > "\udfff"))
def test_a_value_cannot_leave_its_place_in_an_address(text: str):
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    address = filled_address("https://m/{AccessionNumber}/x", {"AccessionNumber": text})
    assert address is None or (address.count("/") == 4 and not set(address) & set("?#<> \"'"))


@given(images=st.lists(PLACED, max_size=12, unique_by=lambda one: one.image_id))
def test_every_image_is_in_one_stack_once(images: list[Placed]):
    shown = [image_id for stack in stacks(images) for image_id in stack.image_ids]
    assert sorted(shown) == sorted(one.image_id for one in images)


@given(images=st.lists(PLACED, max_size=12, unique_by=lambda one: one.image_id))
def test_the_order_does_not_depend_on_how_the_archive_lists(images: list[Placed]):
    assert stacks(images) == stacks(images[::-1])


@given(width=st.integers(1, 1 << 20), height=st.integers(1, 1 << 20), limit=st.integers(1, 5000))
def test_a_fitted_size_lies_within_the_limit_and_keeps_the_proportions(
    width: int, height: int, limit: int
):
    fit_width, fit_height = fitted(width, height, limit)
    assert 1 <= fit_width <= min(limit, width)
    assert 1 <= fit_height <= min(limit, height)
    scale = min(1, limit / max(width, height))
    for side, fit in ((width, fit_width), (height, fit_height)):
        assert abs(fit - side * scale) <= 0.5 + 1e-6 or fit == 1  # half a pixel, and float noise
