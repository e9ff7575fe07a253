"""What the server says, on pages in another language than its own."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from playwright.sync_api import expect

from tests.browser.conftest import Watched

MAKING_MS = 30_000
SHOW = """async (sentence) =>
  (await import('/stl/app/js/sentences.js')).sentenceText(sentence)"""


def test_an_empty_threshold_is_told_in_french(watched: Watched, ct: dict[str, str]):
    page = watched.open(f"/stl/app/create.html?series={ct['ParentSeries']}&lang=fr")
    page.wait_for_selector("#threshold:not([hidden])")
    page.locator("#lower").fill("99999")
    page.get_by_role("button", name="Créer le modèle").click()
    expect(page.locator("#result").get_by_role("alert")).to_have_text(
        "Aucun voxel n’a de valeur à partir de 99999 : elles vont de -1115 à 1354 HU",  # noqa: RUF001
        timeout=MAKING_MS,
    )
    page = watched.open("/stl/app/index.html?lang=fr")
    expect(page.locator("#job-rows tr").first).to_contain_text("Aucun voxel")


def test_a_refused_order_is_told_in_french(watched: Watched, rtstruct: dict[str, str]):
    watched.expect("400")
    page = watched.open(f"/stl/app/create.html?series={rtstruct['ParentSeries']}&lang=fr")
    expect(page.locator("#structure-rows tr").last).to_contain_text("n’a pas de contour")  # noqa: RUF001
    page.locator("#triangles").fill("3")
    page.get_by_role("button", name="Créer le modèle").click()
    expect(page.get_by_role("alert")).to_contain_text("il en faut au moins 100")


def test_a_warning_is_told_in_french(watched: Watched, ct: dict[str, str], tmp_path: Path):
    box = trimesh.creation.box((10, 20, 30))
    box.update_faces(np.arange(len(box.faces)) > 0)
    path = tmp_path / "Tesson.stl"
    box.export(path)
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}&lang=fr")
    page.locator("#file").set_input_files(path)
    page.get_by_role("button", name="Créer le modèle").click()
    expect(page.locator("#result .message").nth(1)).to_have_text(
        "La surface de 'Tesson' n’est pas fermée : son volume est inconnu",  # noqa: RUF001
        timeout=MAKING_MS,
    )


def said(code: str, message: str = "", **parameters: object) -> dict[str, object]:
    return {"Code": code, "Parameters": parameters, "Message": message}


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        (
            said("DiskFull", Setting="a (b) {Setting} $&"),
            "Le disque qui contient a (b) {Setting} $& est plein",
        ),
        (
            said("GzipTooLarge", LimitBytes=1048576, MaxVolumeMib=1),
            "Une fois décompressé, le fichier dépasse sa limite de 1048576 octets"
            " (MaxVolumeMiB = 1)",
        ),
        (
            said(
                "OfStructure",
                Name="GTV: 1",
                Note=said("GapsFilled", WidestMm=6.123456, UsualMm=3, Count=2),
            ),
            "'GTV: 1' : intervalles entre les plans, de 6,123 mm au plus au lieu de 3 mm,"
            " comblés : 2",
        ),
        (said("OfStructure", Name="Vase", Note=said("New", "it is round")), "'Vase' : it is round"),
        (said("New", "the disk is round", Disk="x"), "the disk is round"),
        (said("constructor", "the disk is round"), "the disk is round"),
        ({"Message": "what another plugin says"}, "what another plugin says"),
    ],
)
def test_a_sentence_keeps_its_values_and_an_unknown_one_stays_english(
    watched: Watched, sentence: dict[str, object], text: str
):
    page = watched.open_without_images("?lang=fr")
    assert page.evaluate(SHOW, sentence) == text


def test_in_english_the_server_speaks_itself(watched: Watched):
    page = watched.open_without_images("?lang=en")
    sentence = "the mask is empty: no voxel is inside"
    assert page.evaluate(SHOW, said("NoVoxelInside", sentence)) == sentence
