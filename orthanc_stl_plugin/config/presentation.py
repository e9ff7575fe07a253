"""What IIIF manifests tell, in which words, and to whom."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from orthanc_stl_plugin.config.section import HeaderName, Section, StudyLabel, WebAddress
from orthanc_stl_plugin.config.texts import NO_LANGUAGE, NO_TEXTS, PLAIN_LANGUAGE, Texts, texts
from orthanc_stl_plugin.schema import that_must

Templates = Annotated[tuple[str, ...], that_must('be a list of texts: ["...", ...]')]
# Orthanc sorts the names within an object.
LabelledKeywords = Annotated[
    tuple[Annotated[dict[str, Texts], Meta(min_length=1, max_length=1)], ...],
    that_must('be a list of texts by name: [{"StudyDate": "Date"}, ...]'),
]


def _english(text: str) -> Texts:
    return texts(text, language=PLAIN_LANGUAGE)


# What suits a specimen and an examination alike, and names nobody.
_METADATA = (
    {"StudyDate": _english("Date")},
    {"ModalitiesInStudy": _english("Modality")},
    {"BodyPartExamined": _english("Body part")},
    {"SpecimenDescriptionSequence.SpecimenShortDescription": _english("Specimen")},
    {
        "SpecimenDescriptionSequence.PrimaryAnatomicStructureSequence.CodeMeaning": _english(
            "Anatomy"
        )
    },
    {"Manufacturer": _english("Manufacturer")},
    {"ManufacturerModelName": _english("Device")},
)
_LABEL = (
    "{StudyDescription}",
    "{SpecimenDescriptionSequence.SpecimenShortDescription}",
    "{BodyPartExamined} {ModalitiesInStudy}",
    "{ModalitiesInStudy} {StudyDate}",
    "{ModalitiesInStudy}",
)
_SERIES_LABEL = (
    "{SeriesDescription}", "{ProtocolName}", "{Modality} {SeriesNumber}", "{Modality}"
)  # fmt: skip


class Provider(Section, frozen=True):
    """The institution that shows its objects."""

    url: Annotated[
        WebAddress,
        Meta(description="The home page of the institution"),
    ] = ""
    name: Annotated[
        Texts,
        Meta(description="Its name"),
    ] = NO_TEXTS
    logo: Annotated[
        WebAddress,
        Meta(description="The address of its logo"),
    ] = ""

    def __post_init__(self) -> None:
        """Refuses half an institution."""
        if bool(self.url) != bool(self.name) or (self.logo and not self.url):
            raise ValueError("have both Url and Name, or neither")


class Presentation(Section, frozen=True):
    """What manifests tell.

    A template is a text with DICOM keywords in braces; the first of several that has all its
    values is taken. A keyword of a sequence's item follows its sequence after a dot.
    """

    value_language: Annotated[
        str,
        Meta(description='The language of the texts in the DICOM files, such as `"en"`'),
    ] = NO_LANGUAGE
    label: Annotated[
        Templates,
        Meta(
            description="Templates of the label of a study: DICOM keywords in braces, those "
            "of a sequence's items after a dot. The first that has all its values "
            "counts"
        ),
    ] = _LABEL
    series_label: Annotated[
        Templates,
        Meta(description="Templates of the label of a series"),
    ] = _SERIES_LABEL
    summary: Annotated[
        Templates,
        Meta(
            description="Templates of the summary, for instance "
            "`{SpecimenDescriptionSequence.SpecimenDetailedDescription}`; without "
            "a value, it counts the images and models"
        ),
    ] = ()
    metadata: Annotated[
        LabelledKeywords,
        Meta(description="The attributes that are shown, and what stands before their values"),
    ] = _METADATA
    collection_label: Annotated[
        Texts,
        Meta(description="The name of the collection of all studies"),
    ] = _english("Collection")
    slide_labels: Annotated[
        bool,
        Meta(
            description="Whole slides show the picture of their paper label, which may name a "
            "patient. Without it, that is no IIIF image either"
        ),
    ] = True
    nav_date: Annotated[
        str,
        Meta(description="The date for timelines. Empty: none"),
    ] = "StudyDate"
    required_statement_label: Annotated[
        Texts,
        Meta(description="What stands before the required statement"),
    ] = _english("Attribution")
    required_statement: Annotated[
        Texts,
        Meta(description="What every viewer must show. Empty: nothing"),
    ] = NO_TEXTS
    rights: Annotated[
        WebAddress,
        Meta(description="The address of a licence or of a rights statement"),
    ] = ""
    provider: Provider = Provider()
    homepage_template: Annotated[
        str,
        Meta(
            description="The page of the object itself: "
            "`https://museum.example/objects/{AccessionNumber}`"
        ),
    ] = ""
    homepage_label: Annotated[
        Texts,
        Meta(description="The name of that page"),
    ] = _english("Object page")
    override_metadata: Annotated[
        str,
        Meta(
            description="The Orthanc metadata of a study that holds its own properties, see above"
        ),
    ] = "IIIF"


class Publish(Section, frozen=True):
    """Which studies the public may see, and who is the public."""

    label: Annotated[
        StudyLabel,
        Meta(
            description="Orthanc's label of the studies that the public sees: letters, "
            "digits, `-` and `_`, at most 64. Empty: whoever may connect sees "
            "everything"
        ),
    ] = ""
    staff_header: Annotated[
        HeaderName,
        Meta(description="The header by which a reverse proxy tells requests of staff"),
    ] = ""
    staff_value: Annotated[
        str,
        Meta(description="Its value"),
    ] = ""
    user_header: Annotated[
        HeaderName,
        Meta(
            description="The header by which the reverse proxy names the user, for the audit log. "
            "It counts in requests of staff only"
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuses a label without a way to know staff."""
        if self.label and not (self.staff_header and self.staff_value):
            raise ValueError("have StaffHeader and StaffValue beside Label: by them staff is known")
