"""Who may, on Knative: a rollback with a Role of exactly what it needs, and with one verb less."""

from __future__ import annotations

import pytest

from shipper_targets.knative.permissions import Uses, needs
from shipper_targets.kubernetes.permissions import required
from tests.e2e.cluster.tiny_knative import TinyKnative

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROLLBACK = required(needs("rollback", Uses()))


def allowed(place: TinyKnative, without: tuple[str, str] | None = None) -> TinyKnative:
    """For somebody who may do exactly what a rollback needs, but for one verb on one resource."""
    less = [one.rule([verb for verb in one.verbs if (one.resource, verb) != without]) for one in ROLLBACK]
    cluster = place.cluster
    return place.as_(cluster.hands.kubeconfig_for(cluster.namespace, [rule for rule in less if rule["verbs"]]))


@pytest.mark.sample(1)
@pytest.mark.parametrize("missing", [("services", "patch"), ("services", "get"), ("revisions", "list")], ids=str)
def test_a_rollback_with_one_verb_less_is_32_names_it_and_what_serves_stays(
    knative_place: TinyKnative, missing: tuple[str, str]
) -> None:
    before, text = knative_place.served(), knative_place.next_text()
    assert any(one.resource == missing[0] and missing[1] in one.verbs for one in ROLLBACK)
    released = knative_place.release(text)
    assert released.code == 0, released
    stable = knative_place.serves

    ended = allowed(knative_place, missing).run(*knative_place.rollback_words)

    assert ended.code == 32, ended
    assert missing[0] in ended.said, ended
    assert missing[1] in ended.said, ended
    assert (knative_place.text(), knative_place.serves) == (text, stable)
    back = allowed(knative_place).run(*knative_place.rollback_words)
    assert back.code == 0, back
    assert knative_place.text() == before
