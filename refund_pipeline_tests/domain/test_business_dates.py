"""The date a store's books show, where clocks are put forward and back, and in leap years.

An event tells a moment, never a local time, so no local time is ever ambiguous or missing here.
"""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.events import RefundEvent, parse_line
from refund_pipeline.domain.transactions import business_date
from refund_pipeline_tests.fakes import event_line

NEW_YORK, BERLIN, CAIRO, HAVANA = (
    *("America/New_York", "Europe/Berlin"),
    *("Africa/Cairo", "America/Havana"),
)


def booked(requested_at: str, zone: str) -> str:
    parsed = parse_line(event_line(1, requested_at=requested_at).encode(), tenant="demo")
    assert isinstance(parsed, RefundEvent), parsed
    return business_date(parsed.requested_at, zone).isoformat()


@pytest.mark.parametrize(
    ("zone", "requested_at", "expected"),
    [
        # put forward: the day has 23 hours, and 02:30 does not exist
        (NEW_YORK, "2026-03-08T04:59:59.999999Z", "2026-03-07"),
        (NEW_YORK, "2026-03-08T05:00:00Z", "2026-03-08"),
        (NEW_YORK, "2026-03-08T02:30:00-05:00", "2026-03-08"),
        (NEW_YORK, "2026-03-08T02:30:00-04:00", "2026-03-08"),
        (NEW_YORK, "2026-03-09T03:59:59.999999Z", "2026-03-08"),
        (NEW_YORK, "2026-03-09T04:00:00Z", "2026-03-09"),
        (BERLIN, "2027-03-27T23:00:00Z", "2027-03-28"),
        (BERLIN, "2027-03-28T21:59:59.999Z", "2027-03-28"),
        (BERLIN, "2027-03-28T22:00:00Z", "2027-03-29"),
        # put back: the day has 25 hours, and 01:30 comes twice
        (NEW_YORK, "2026-11-01T03:59:59.999999Z", "2026-10-31"),
        (NEW_YORK, "2026-11-01T01:30:00-04:00", "2026-11-01"),
        (NEW_YORK, "2026-11-01T01:30:00-05:00", "2026-11-01"),
        (NEW_YORK, "2026-11-02T04:59:59.999999Z", "2026-11-01"),
        (NEW_YORK, "2026-11-02T05:00:00Z", "2026-11-02"),
        (BERLIN, "2027-10-30T22:00:00Z", "2027-10-31"),
        (BERLIN, "2027-10-31T22:59:59.999Z", "2027-10-31"),
        (BERLIN, "2027-10-31T23:00:00Z", "2027-11-01"),
        # where it happens at midnight: a day that begins at 01:00, and a 23:30 that comes twice
        (CAIRO, "2026-04-23T21:59:59.999999Z", "2026-04-23"),
        (CAIRO, "2026-04-23T22:00:00Z", "2026-04-24"),
        (CAIRO, "2026-10-29T23:30:00+03:00", "2026-10-29"),
        (CAIRO, "2026-10-29T23:30:00+02:00", "2026-10-29"),
        (CAIRO, "2026-10-29T22:00:00Z", "2026-10-30"),
        (HAVANA, "2026-11-01T00:30:00-04:00", "2026-11-01"),
        (HAVANA, "2026-11-01T00:30:00-05:00", "2026-11-01"),
        # leap years, and the ends of a year
        ("Asia/Tokyo", "2028-02-28T15:00:00Z", "2028-02-29"),
        (NEW_YORK, "2028-03-01T04:59:59.999Z", "2028-02-29"),
        (NEW_YORK, "2028-02-29T23:59:59.999-05:00", "2028-02-29"),
        ("UTC", "2028-03-01T00:00:00.000Z", "2028-03-01"),
        (NEW_YORK, "2027-01-01T04:59:59.999Z", "2026-12-31"),
        ("Pacific/Kiritimati", "2026-12-31T10:00:00.000Z", "2027-01-01"),
    ],
)
def test_a_moment_has_the_date_of_the_stores_wall_clock(
    zone: str, requested_at: str, expected: str
) -> None:
    assert booked(requested_at, zone) == expected


moments = st.datetimes(
    datetime(2024, 1, 1),  # noqa: DTZ001 - the zone is added
    datetime(2030, 1, 1),  # noqa: DTZ001
    timezones=st.just(timezone.utc),
)
zones = st.sampled_from([NEW_YORK, BERLIN, CAIRO, HAVANA, "Australia/Lord_Howe", "Asia/Tokyo"])


@given(moment=moments, minutes=st.integers(0, 3 * 24 * 60), zone=zones)
def test_what_happens_later_is_never_booked_earlier(
    moment: datetime, minutes: int, zone: str
) -> None:
    later = moment + timedelta(minutes=minutes)
    assert business_date(moment, zone) <= business_date(later, zone)


@given(moment=moments, minutes=st.integers(-14 * 60, 14 * 60), zone=zones)
def test_how_the_moment_is_written_makes_no_difference(
    moment: datetime, minutes: int, zone: str
) -> None:
    written = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert business_date(written, zone) == business_date(moment, zone)
    assert abs(business_date(moment, zone) - moment.date()) <= timedelta(days=1)
    assert isinstance(business_date(moment, zone), date)
