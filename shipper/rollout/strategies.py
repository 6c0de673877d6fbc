"""Which rollout it is, and how the steps of a canary become shares that the target can set: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from shipper.errors import UsageError
from shipper.model import GateSettings, Observation, Revision, Settings, Traits, short

BAKES = ("blue-green", "canary")
"""Strategies with a bake time, during which gates are asked."""


def strategy_of(settings: Settings, traits: Traits) -> str:
    """`[rollout] strategy`, or the target's own default: the first that it names, never one that must be asked for.

    Raises UsageError (2) when the target cannot roll out like that.
    """
    wanted = settings.rollout.strategy
    if wanted is None:
        return next((name for name in traits.strategies if name != "recreate"), "recreate")
    if wanted not in traits.strategies:
        raise UsageError(
            f'this target cannot roll out "{wanted}"',
            hint=f"choose one of: {', '.join(traits.strategies)}",
            cause="strategy",
        )
    if wanted == "canary" and (traits.weight_step is None or traits.max_sharing < 2):
        raise UsageError(
            'this target cannot roll out "canary": no two revisions share its traffic',
            hint=f"choose one of: {', '.join(name for name in traits.strategies if name != wanted)}",
            cause="strategy",
        )
    return wanted


def unasked_gates(settings: Settings, traits: Traits) -> Iterator[str]:
    """What to say of gates that somebody has configured, and that no bake time asks. Raises as `strategy_of`."""
    strategy, gate = strategy_of(settings, traits), settings.rollout.gate
    asked = {name: getattr(gate, name) for name in ("command", "error_rate", "latency")}
    named = [name for name, value in asked.items() if value not in (None, GateSettings.model_fields[name].default)]
    if named and strategy not in BAKES:
        other = " or ".join(name for name in BAKES if name in traits.strategies)
        hold = "holds" if len(named) == 1 else "hold"
        way_out = f": choose {other}" if other else ""
        yield f"rollout.gate.{' and '.join(named)} never {hold} with {strategy}, which has no bake time{way_out}"


def steps_of(steps: Sequence[int], step: int) -> tuple[int, ...]:
    """Shares in percent that the target can set: rounded up to its step, rising, below 100."""
    rounded = [-(-share // step) * step for share in steps]
    return tuple(dict.fromkeys(share for share in sorted(rounded) if share < 100))


def shared(stable: Mapping[str, int], name: str, share: int, step: int, sharing: int) -> dict[str, int]:
    """`share` percent for `name`, the rest for what is stable, in proportion, in multiples of `step`; 100 in all.

    At most `sharing` revisions in all: of what is stable the largest stay.
    """
    largest = sorted(stable, key=lambda one: -stable[one])[: sharing - 1]
    whole, rest = sum(stable[one] for one in largest), 100 - share
    weights = {one: stable[one] * rest // whole // step * step for one in largest}
    weights[largest[0]] += rest - sum(weights.values())
    return {**{one: weight for one, weight in weights.items() if weight}, name: share}


def stable_weights(before: Observation, verified: Collection[int], quarantined: Collection[str]) -> dict[str, int]:
    """What traffic is put back to: revision name to percent, empty when nothing served.

    What serves, but without what a dead run left there unverified: the verified rest shares all of the traffic; when
    nothing verified serves, the newest verified revision that runs has it, else what was there before us. Where nothing
    is known to be verified (a lost ledger and a lost stamp, the first release) it is what serves, as it serves.
    """
    weights = {revision.name: revision.weight for revision in before.serving}
    known = [found for found in before.serving if _trusted(found, verified, quarantined)]
    if len(known) == len(before.serving):
        return weights
    if known:
        return _all_traffic({found.name: found.weight for found in known})
    there = [found for found in before.revisions if found.state == "running"]
    good = [found for found in there if _trusted(found, verified, quarantined)]
    return {max(good, key=lambda found: found.number or 0).name: 100} if good else weights


def trusted(before: Observation, verified: Collection[int], quarantined: Collection[str]) -> tuple[str, ...]:
    """Names of our revisions that were verified here and are not quarantined, oldest first: the ways back."""
    ours = [found for found in before.revisions if found.release is not None]
    fit = [found for found in ours if _trusted(found, verified, quarantined)]
    return tuple(found.name for found in sorted(fit, key=lambda found: found.number or 0))


def _trusted(found: Revision, verified: Collection[int], quarantined: Collection[str]) -> bool:
    """What is not ours was there before us: it is trusted as it was found. What has vanished is no way back."""
    if found.release is None:
        return found.state != "failed"
    return found.number in verified and short(found.fingerprint or "") not in quarantined


def _all_traffic(weights: Mapping[str, int]) -> dict[str, int]:
    whole = sum(weights.values())
    shares = {name: weight * 100 // whole for name, weight in weights.items()}
    shares[next(iter(shares))] += 100 - sum(shares.values())
    return shares
