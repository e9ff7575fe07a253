"""What IIIF manifests tell, in which words, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin.config.kinds import (
    address,
    header_name,
    language_texts,
    lines,
    named_texts,
    section,
    study_label,
    switch,
    text,
)
from orthanc_stl_plugin.config.texts import NO_LANGUAGE, Texts, Unfit

# What suits a specimen and an examination alike, and names nobody.
_METADATA: Final = [
    {"StudyDate": "Date"},
    {"ModalitiesInStudy": "Modality"},
    {"BodyPartExamined": "Body part"},
    {"SpecimenDescriptionSequence.SpecimenShortDescription": "Specimen"},
    {"SpecimenDescriptionSequence.PrimaryAnatomicStructureSequence.CodeMeaning": "Anatomy"},
    {"Manufacturer": "Manufacturer"},
    {"ManufacturerModelName": "Device"},
]
_LABEL: Final = [
    "{StudyDescription}",
    "{SpecimenDescriptionSequence.SpecimenShortDescription}",
    "{BodyPartExamined} {ModalitiesInStudy}",
    "{ModalitiesInStudy} {StudyDate}",
    "{ModalitiesInStudy}",
]


@dataclass(frozen=True, slots=True)
class Provider:
    """The institution that shows its objects.

    Attributes:
        url: its home page, which identifies it; empty for no provider.
        name: its name.
        logo: the address of an image file; may be empty.
    """

    url: str = address("Url")
    name: Texts = language_texts("Name")
    logo: str = address("Logo")

    def __post_init__(self) -> None:
        if bool(self.url) != bool(self.name) or (self.logo and not self.url):
            raise Unfit("have both Url and Name, or neither")


@dataclass(frozen=True, slots=True)
class Presentation:
    """What manifests tell.

    A template is a text with DICOM keywords in braces; the first of several that has all its
    values is taken. A keyword of a sequence's item follows its sequence after a dot.

    Attributes:
        value_language: the language of the texts in the DICOM files (BCP 47), "none" if unknown.
        label: templates of a study's label.
        series_label: templates of a series' label.
        summary: templates of a study's summary; without any it is counted what there is.
        metadata: keywords, with the label that their values get.
        collection_label: the name of the collection of all studies.
        slide_labels: whole slides show the picture of their paper label, which may name a patient.
        nav_date: the keyword of the date for timelines; empty for none.
        required_statement_label: what precedes the required statement.
        required_statement: what a viewer must show; empty for none.
        rights: the address of a licence or rights statement; empty for none.
        provider: the institution.
        homepage_template: the address of a study's own page, with keywords in braces.
        homepage_label: the name of that page.
        override_metadata: the Orthanc metadata of a study whose JSON replaces any of these for it.
    """

    value_language: str = text("ValueLanguage", NO_LANGUAGE)
    label: tuple[str, ...] = lines("Label", _LABEL)
    series_label: tuple[str, ...] = lines(
        "SeriesLabel",
        ["{SeriesDescription}", "{ProtocolName}", "{Modality} {SeriesNumber}", "{Modality}"],
    )
    summary: tuple[str, ...] = lines("Summary", [])
    metadata: tuple[tuple[str, Texts], ...] = named_texts("Metadata", _METADATA)
    collection_label: Texts = language_texts("CollectionLabel", "Collection")
    slide_labels: bool = switch("SlideLabels", default=True)
    nav_date: str = text("NavDate", "StudyDate")
    required_statement_label: Texts = language_texts("RequiredStatementLabel", "Attribution")
    required_statement: Texts = language_texts("RequiredStatement")
    rights: str = address("Rights")
    provider: Provider = section("Provider", Provider)
    homepage_template: str = text("HomepageTemplate")
    homepage_label: Texts = language_texts("HomepageLabel", "Object page")
    override_metadata: str = text("OverrideMetadata", "IIIF")


@dataclass(frozen=True, slots=True)
class Publish:
    """Which studies the public may see, and who is the public.

    Attributes:
        label: the Orthanc label of the studies that are public; empty when nothing is hidden.
        staff_header: the header by which a reverse proxy tells requests of staff.
        staff_value: its value; every other request is a public one.
    """

    label: str = study_label("Label")
    staff_header: str = header_name("StaffHeader")
    staff_value: str = text("StaffValue")

    def __post_init__(self) -> None:
        if self.label and not (self.staff_header and self.staff_value):
            raise Unfit("have StaffHeader and StaffValue beside Label: by them staff is known")
