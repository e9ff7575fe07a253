"""Some thousand odd addresses; `python -m tests.support.fuzz_iiif` asks for any number."""

from itertools import islice

from tests.support.fuzz_iiif import SETTINGS, Grammar, ask_all, stored_bases
from tests.support.orthanc_server import OrthancServer

COUNT = 3000


def test_no_address_is_answered_with_an_error_of_the_server():
    with OrthancServer(SETTINGS) as server:
        bases = stored_bases(server)
        outcome = ask_all(server, islice(Grammar(bases, seed=1).asks(), COUNT), connections=3)
        assert outcome.wrong == []
        assert outcome.statuses.total() == COUNT
        assert outcome.statuses[200] > COUNT / 5, "most requests should have a meaning"
        assert server.get(f"{bases[0]}/info.json").ok
