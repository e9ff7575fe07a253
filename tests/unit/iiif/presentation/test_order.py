import pytest

from orthanc_stl_plugin.iiif.presentation.order import Placed, Point, stacks

AXIAL: tuple[Point, Point] = ((1, 0, 0), (0, 1, 0))
CORONAL: tuple[Point, Point] = ((1, 0, 0), (0, 0, -1))
SAGITTAL: tuple[Point, Point] = ((0, 1, 0), (0, 0, -1))


def axial(name: str, number: int | None, z: float) -> Placed:
    return Placed(name, number, (10.0, 20.0, z), AXIAL)


def order(*images: Placed) -> list[tuple[str, ...]]:
    return [stack.image_ids for stack in stacks(images)]


def test_slices_follow_each_other_in_space_from_where_the_acquisition_began():
    falling = [axial("a", 1, 30), axial("b", 2, 20), axial("c", 3, 10)]
    assert order(falling[2], falling[0], falling[1]) == [("a", "b", "c")]
    rising = [axial("a", 1, 10), axial("b", 2, 20), axial("c", 3, 30)]
    assert order(rising[1], rising[2], rising[0]) == [("a", "b", "c")]


def test_interleaved_numbers_do_not_tear_a_stack_apart():
    interleaved = [axial("a", 1, 0), axial("c", 2, 20), axial("b", 3, 10), axial("d", 4, 30)]
    assert order(*interleaved) == [("a", "b", "c", "d")]


def test_slices_without_numbers_are_ordered_in_space():
    assert order(axial("a", None, 5), axial("b", None, 1)) == [("b", "a")]


def test_images_that_share_places_follow_their_numbers():
    times = [axial("a", 1, 0), axial("b", 2, 10), axial("c", 3, 0), axial("d", 4, 10)]
    assert order(*reversed(times)) == [("a", "b", "c", "d")]


def test_images_without_a_place_follow_their_numbers():
    assert order(Placed("b", 10), Placed("a", 9), Placed("c")) == [("a", "b", "c")]


def test_orientations_are_kept_apart_in_the_order_of_their_first_images():
    images = [
        Placed("c1", 2, (0, 5, 0), CORONAL),
        axial("a2", 3, 10),
        axial("a1", 1, 0),
        Placed("c2", 4, (0, 9, 0), CORONAL),
    ]
    assert order(*images) == [("a1", "a2"), ("c1", "c2")]


@pytest.mark.parametrize(
    ("directions", "plane"),
    [
        (AXIAL, "Axial"),
        (CORONAL, "Coronal"),
        (SAGITTAL, "Sagittal"),
        (((1, 0, 0), (0, 0.7071, 0.7071)), "Oblique"),
        (((1, 0, 0), (1, 0, 0)), ""),
        (((0, 0, 0), (0, 0, 0)), ""),
        (None, ""),
    ],
)
def test_a_stack_knows_its_plane(directions: tuple[Point, Point] | None, plane: str):
    (stack,) = stacks([Placed("a", 1, (0, 0, 0), directions)])
    assert stack.plane == plane


def test_no_images_form_no_stack():
    assert stacks([]) == ()
