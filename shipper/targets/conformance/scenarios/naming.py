"""Names and values that break what was not quoted."""

from __future__ import annotations

from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.scenario import scenario

LONGEST = "a23456789-b23456789-c23456789-d23456789x"
assert len(LONGEST) == 40

HOSTILE = {
    "NEWLINES": "first\nsecond\n\nlast\n",
    "QUOTES": """it's "quoted" and `ticked`""",
    "SHELL": "$(touch /tmp/owned) ${HOME} $HOME ; rm -rf / & | > < * ? [a] {b} ~ ! #",
    "BACKSLASHES": r"a\nb\\c\0 \x41 %s %d %%",
    "UNICODE": "Grüße, 世界, 🚢, e\u0301, \u202eright-to-left",
    "SPACES": "  leading, trailing, and\ttabs  ",
    "EMPTY": "",
    "JSON": '{"a": [1, "b"], "c": null}',
    "EQUALS": "a=b=c",
    "LONG": "x" * 4000,
    "_UNDER_9": "a name that starts with an underscore",
}


@scenario()
def hostile_environment(here: Here) -> None:
    """Environment values arrive byte for byte, at a release and at a rollback to it."""
    here.sets(run={"env": HOSTILE})
    expect(here.release("one"), 0)
    for name, value in HOSTILE.items():
        here.answers(value, f"/env/{name}")
    here.sets(run={"env": {}})
    expect(here.release("two"), 0)
    expect(here.rollback(), 0)
    for name, value in HOSTILE.items():
        here.answers(value, f"/env/{name}")


@scenario()
def hostile_secrets(here: Here) -> None:
    """Secret values arrive byte for byte, under names as long as they may be."""
    values = {**HOSTILE, "S" * 128: "a long name"}
    here.knows(**values)
    expect(here.release("one"), 0)
    for name, value in values.items():
        here.answers(value, f"/secrets/{name}")
    here.lost_nothing()


@scenario(service=LONGEST)
def the_longest_service_name(here: Here) -> None:
    """Forty characters, through releases and a rollback."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    expect(here.rollback(), 0)
    here.answers("one")
    assert here.settings.service.service == LONGEST


@scenario(service="x")
def the_shortest_service_name(here: Here) -> None:
    """One character."""
    expect(here.release("one"), 0)
    here.answers("one")
