"""The subjects of a stream, however many they are: the server lists at most 100,000 at a time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from nats.js import JetStreamContext

OVERLAP = 1000
"""Subjects that a page has in common with the one before: if as many have gone meanwhile, none is passed over."""


@dataclass(frozen=True, slots=True)
class _Page:
    """Sorted subjects, from the one after `offset` others; `total` is how many there are on all pages."""

    subjects: Sequence[str]
    offset: int
    total: int

    @property
    def end(self) -> int:
        return self.offset + len(self.subjects)


async def subjects_of(js: JetStreamContext, stream: str, filter_subject: str, *, overlap: int = OVERLAP) -> list[str]:
    """Return the subjects that match and have a message, sorted. Raises NatsError.

    One that comes or goes meanwhile may be missing or not; no other is.
    """
    page = await _page(js, stream, filter_subject, 0)
    found = list(page.subjects)
    while page.end < page.total:
        page = await _page(js, stream, filter_subject, max(page.end - overlap, 0))
        while page.offset and (not page.subjects or page.subjects[0] > found[-1]):
            # So many have gone that there may be others before this page.
            page = await _page(js, stream, filter_subject, max(page.offset - overlap, 0))
        last = found[-1]
        found += [subject for subject in page.subjects if subject > last]
    return found


async def _page(js: JetStreamContext, stream: str, filter_subject: str, offset: int) -> _Page:
    # nats-py can ask for the first page only.
    answer = await js._api_request(
        f"{js._prefix}.STREAM.INFO.{stream}",
        json.dumps({"subjects_filter": filter_subject, "offset": offset}).encode(),
        timeout=js._timeout,
    )
    return _Page(sorted(answer["state"].get("subjects") or ()), offset, answer.get("total") or 0)
