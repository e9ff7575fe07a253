"""What the server says, on pages in another language than its own."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from playwright.sync_api import expect

from tests.browser.conftest import Watched

MAKING_MS = 30_000
TRANSLATE = """async (sentence) =>
  (await import('/stl/app/js/sentences.js')).translated(sentence)"""


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


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("the disk that holds a (b) {} is full", "Le disque qui contient a (b) {} est plein"),
        (
            "the gzip stream inflates to more than its limit of 9 bytes (MaxVolumeMiB = 1)",
            "Une fois décompressé, le fichier dépasse sa limite de 9 octets (MaxVolumeMiB = 1)",
        ),
        (
            "'GTV: 1': gaps between planes, of up to 6 mm where 3 mm is usual, left open: 2",
            "'GTV: 1': intervalles entre les plans, de 6 mm au plus au lieu de 3 mm,"
            " laissés ouverts : 2",
        ),
        (
            "'Vase': its slices are 1 mm thick and lie 9 mm apart: what lies between is filled",
            "'Vase' : ses coupes ont 1 mm d’épaisseur et sont à 9 mm l’une de l’autre :"  # noqa: RUF001
            " l’intervalle est comblé",  # noqa: RUF001
        ),
        ("'Vase': POINT contours ignored: 2", "'Vase': contours POINT laissés de côté : 2"),
        ("'Vase': it is round", "'Vase': it is round"),
        ("the disk is round", "the disk is round"),
        ("", ""),
    ],
)
def test_a_sentence_keeps_its_values_and_an_unknown_one_stays(
    watched: Watched, said: str, told: str
):
    page = watched.open_without_images("?lang=fr")
    assert page.evaluate(TRANSLATE, said) == told


def test_in_english_the_server_speaks_itself(watched: Watched):
    page = watched.open_without_images("?lang=en")
    sentence = "the mask is empty: no voxel is inside"
    assert page.evaluate(TRANSLATE, sentence) == sentence
