"""Releases that go well."""

from __future__ import annotations

from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.scenario import scenario


@scenario()
def first_release(here: Here) -> None:
    """Where nothing serves, a release is number 1, and users get it."""
    here.answers_nothing()
    done = expect(here.release("one"), 0).done
    assert done.changed
    assert done.number == 1
    assert done.previous is None
    assert done.verdict.ok
    here.answers("one")
    here.lost_nothing()


@scenario()
def second_release(here: Here) -> None:
    """A second release takes all of the traffic, and the first one is what came before it."""
    first = expect(here.release("one"), 0).done
    second = expect(here.release("two"), 0).done
    assert (second.number, second.previous) == (2, first.revision)
    assert here.serves() == {second.revision: 100}
    here.answers("two")
    here.lost_nothing()


@scenario()
def the_same_release_twice(here: Here) -> None:
    """Releasing what serves already changes nothing, and says so."""
    expect(here.release("one"), 0)
    before = here.observe()
    again = expect(here.release("one"), 0).done
    assert not again.changed
    assert again.number == 1
    after = here.observe()
    assert (after.serving, after.revisions, after.stamp) == (before.serving, before.revisions, before.stamp)
    here.answers("one")


@scenario()
def a_release_of_configuration_alone(here: Here) -> None:
    """The same image with another environment is another release."""
    here.sets(run={"env": {"MODE": "old"}})
    expect(here.release("one"), 0)
    here.answers("old", "/env/MODE")
    here.sets(run={"env": {"MODE": "new"}})
    done = expect(here.release("one"), 0).done
    assert done.changed
    here.answers("new", "/env/MODE")


@scenario()
def a_release_with_a_new_secret_value(here: Here) -> None:
    """The same image with another secret value is another release, and its service reads the new value."""
    here.knows(LICENCE="first value")
    expect(here.release("one"), 0)
    here.answers("first value", "/secrets/LICENCE")
    here.knows(LICENCE="second value")
    done = expect(here.release("one"), 0).done
    assert done.changed
    here.answers("second value", "/secrets/LICENCE")
    here.lost_nothing()


@scenario()
def ten_releases(here: Here) -> None:
    """Releases do not pile up: what is kept does not grow, and the stamp stays under 200 characters."""
    for number in range(1, 11):
        done = expect(here.release(f"release {number}"), 0).done
        assert done.number == number
    now = here.observe()
    here.answers("release 10")
    keeps = here.target().traits.keeps_revisions
    assert keeps or len(now.revisions) <= 3, f"{len(now.revisions)} revisions are left"
    assert len(now.stamp.model_dump_json()) < 200
    here.lost_nothing()


@scenario()
def a_release_of_an_older_commit(here: Here) -> None:
    """A late build does not overwrite a newer one: the record of what serves says of which time it is."""
    expect(here.release("newer", commit_time=2_000), 0)
    expect(here.release("older", commit_time=1_000), 16)
    here.answers("newer")
    expect(here.release("newest", commit_time=3_000), 0)
    here.answers("newest")
