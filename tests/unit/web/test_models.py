import pytest

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.web.models import _label_names


def test_labels_have_names():
    assert _label_names({"1": "Liver", "65535": " Spleen "}) == {1: "Liver", 65535: "Spleen"}


@pytest.mark.parametrize("number", ["0", "65536", "-1", "1.5", "x", "", "²", "9" * 5000])
def test_a_label_is_a_number_from_1_to_65535(number: str):
    with pytest.raises(BadRequest, match='"LabelNames" has the key .*: it must be 1-65535'):
        _label_names({number: "Liver"})
