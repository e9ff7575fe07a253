import base64

import numpy as np

from orthanc_stl_plugin.formats.dicom.icon import icon_item, with_numbers


def test_the_tables_as_numbers_are_the_ones_as_bytes() -> None:
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[:2] = (255, 128, 1, 255)
    item = icon_item(picture)
    numbered = with_numbers(item)
    for colour in ("Red", "Green", "Blue"):
        keyword = f"{colour}PaletteColorLookupTableData"
        content = base64.b64decode(item[keyword].partition(",")[2])
        entries = [int(entry) for entry in numbered[keyword].split("\\")]
        assert b"".join(entry.to_bytes(2, "little") for entry in entries) == content


def test_all_else_in_an_icon_stays_as_it_is() -> None:
    item = icon_item(np.full((4, 4, 4), 200, np.uint8))
    changed = {keyword for keyword, value in with_numbers(item).items() if value != item[keyword]}
    assert changed == {
        f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")
    }
