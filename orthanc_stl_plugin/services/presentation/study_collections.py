"""Collections: the series of a study, the studies of a patient, all studies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orthanc_stl_plugin.config import Texts
from orthanc_stl_plugin.config.texts import texts
from orthanc_stl_plugin.errors import NotFound, UnusableSource
from orthanc_stl_plugin.iiif.presentation.addresses import Addresses
from orthanc_stl_plugin.iiif.presentation.collection import Collection, Member, write_collection
from orthanc_stl_plugin.iiif.presentation.descriptive import LabelledValue
from orthanc_stl_plugin.iiif.presentation.manifest import NO_LINKS, Links, Whole
from orthanc_stl_plugin.services.ports.catalogue import (
    Catalogue,
    SeriesEntry,
    StudyChoice,
    StudyEntry,
    modalities_of,
)
from orthanc_stl_plugin.services.presentation.descriptions import Counts, Describer
from orthanc_stl_plugin.services.presentation.document_cache import Document, StudyMemory, document
from orthanc_stl_plugin.services.presentation.series_view import Viewer, series_in_order
from orthanc_stl_plugin.services.presentation.visibility import study_shows

PAGE_SIZE: Final = 100


class Collector:
    """Lists what there is.

    `base` is the address of the server's root, as the client sees it. Where a `label` is asked
    for, only studies with this label of Orthanc are listed; the empty one lists all.

    Args:
        catalogue: knows what there is.
        describer: finds the words.
        viewer: finds the thumbnails.
        memory: keeps what was made.
        collection_label: the name of the collection of all studies.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        describer: Describer,
        viewer: Viewer,
        memory: StudyMemory,
        collection_label: Texts,
    ) -> None:
        self._catalogue = catalogue
        self._describer = describer
        self._viewer = viewer
        self._memory = memory
        self._collection_label = collection_label

    def study_collection(self, study_id: str, base: str) -> Document:
        """The series of a study.

        Raises:
            NotFound: no such study.
            UnusableSource: it holds no image and no model.
        """
        study = self._catalogue.study(study_id)

        def make() -> Document:
            addresses = Addresses(base)
            series = series_in_order(self._catalogue, self._describer, study_id)
            members = tuple(self._series_members(addresses, series))
            if not members:
                raise UnusableSource("StudyNothingToShow", study_id=study_id)
            description = self._describer.study(study, series, Counts(len(members)))
            links = Links(part_of=Whole(addresses.collection(), self._collection_label))
            own = addresses.study_collection(study_id)
            return document(write_collection(Collection(own, description, members, links)))

        return self._memory.documents.get(study, ("study collection", base), make)

    def patient_collection(self, patient_id: str, base: str, label: str = "") -> Document:
        """The studies of a patient.

        Raises:
            NotFound: there is none to list.
        """
        addresses = Addresses(base)
        studies = self._catalogue.studies(StudyChoice(label, patient_id))
        members = self._study_members(addresses, studies)
        if not members:
            raise NotFound("PatientNothingToShow", patient_id=patient_id[:80])
        own = addresses.patient_collection(patient_id)
        return self._collection(own, members[0].label, members, len(members))

    def collection(self, base: str, label: str = "") -> Document:
        """All studies, or the collections that hold them by the hundred."""
        addresses = Addresses(base)
        count = self._catalogue.study_count(label)
        if count <= PAGE_SIZE:
            studies = self._catalogue.studies(StudyChoice(label))
            members = self._study_members(addresses, studies)
            count = len(members)
        else:
            members = tuple(_pages(addresses, count))
        return self._collection(addresses.collection(), self._collection_label, members, count)

    def collection_page(self, number: int, base: str, label: str = "") -> Document:
        """A part of the collection of all studies, counted from 1.

        Raises:
            NotFound: there is no such part.
        """
        addresses = Addresses(base)
        choice = StudyChoice(label, since=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE)
        studies = self._catalogue.studies(choice) if number >= 1 else []
        if not studies:
            raise NotFound("NoSuchPart", part=number)
        first = choice.since + 1
        name = texts(f"{first}-{first + len(studies) - 1}")
        links = Links(part_of=Whole(addresses.collection(), self._collection_label))
        members = self._study_members(addresses, studies)
        own = addresses.collection_page(number)
        return self._collection(own, name, members, len(members), links)

    def _collection(
        self,
        address: str,
        label: Texts,
        members: tuple[Member, ...],
        count: int,
        links: Links = NO_LINKS,
    ) -> Document:
        number = LabelledValue(texts("Objects", language="en"), texts(str(count)))
        summary = texts(f"{count} object{'' if count == 1 else 's'}", language="en")
        description = self._describer.general(label, summary, [number])
        return document(write_collection(Collection(address, description, members, links)))

    def _series_members(
        self, addresses: Addresses, series: Iterable[SeriesEntry]
    ) -> Iterable[Member]:
        for entry in series:
            if picture := self._viewer.first_picture(addresses, entry):
                own = addresses.series_manifest(entry.series_id)
                label = self._describer.series_label(entry.tags)
                yield Member(own, is_collection=False, label=label, thumbnail=picture)

    def _study_members(
        self, addresses: Addresses, studies: Iterable[StudyEntry]
    ) -> tuple[Member, ...]:
        return tuple(member for study in studies for member in self._members_of(addresses, study))

    def _members_of(self, addresses: Addresses, study: StudyEntry) -> tuple[Member, ...]:
        """The study, if it shows anything."""

        def make() -> tuple[Member, ...]:
            series = series_in_order(self._catalogue, self._describer, study.study_id)
            pictures = (self._viewer.first_picture(addresses, entry) for entry in series)
            thumbnail = next((picture for picture in pictures if picture), None)
            if thumbnail is None and not study_shows(
                self._catalogue, study.study_id, modalities_of(study.tags)
            ):
                return ()
            description = self._describer.study(study, series, Counts(len(series)))
            member = Member(
                addresses.study_manifest(study.study_id),
                is_collection=False,
                label=description.label,
                thumbnail=thumbnail,
                nav_date=description.nav_date,
                homepage=description.homepage,
            )
            return (member,)

        return self._memory.members.get(study, addresses.base, make)


def _pages(addresses: Addresses, count: int) -> Iterable[Member]:
    for first in range(1, count + 1, PAGE_SIZE):
        name = texts(f"{first}-{min(count, first + PAGE_SIZE - 1)}")
        address = addresses.collection_page(first // PAGE_SIZE + 1)
        yield Member(address, is_collection=True, label=name)
