"""A product in a few words, for the line that says that its stage has ended."""

from __future__ import annotations

from functools import singledispatch

from shipper.model import Approval, Deployable, Deployment, Evidence, Image, Noun, Readiness, Sealed, Source
from shipper.model.quantities import show_size


@singledispatch
def summary_of(product: Noun) -> str:
    """A few words; empty when there is nothing to say."""
    return ""


@summary_of.register
def _(product: Source) -> str:
    commit = product.commit[:10] if product.commit else "no commit"
    dirty = " + changes" if product.dirty else ""
    return f"{commit}{dirty}, {product.files} files, {show_size(product.size)}"


@summary_of.register
def _(product: Readiness) -> str:
    return f"{product.platform} for {product.target}"


@summary_of.register
def _(product: Image) -> str:
    cached = ", all cached" if product.cached else ""
    return f"{short(product.config_digest)}, {show_size(product.size)}{cached}"


@summary_of.register
def _(product: Evidence) -> str:
    return f"{product.status}: {product.reason}" if product.status != "passed" else product.reason


@summary_of.register
def _(product: Approval) -> str:
    return f"approved on {len(product.evidence)} pieces of evidence"


@summary_of.register
def _(product: Deployable) -> str:
    main = product.images.get("main")
    if main is None:
        return ""
    return main.reference if product.published else f"{short(main.config_digest)} is on the target's engine"


@summary_of.register
def _(product: Deployment) -> str:
    if not product.changed:
        return f"#{product.number} serves already; nothing to do"
    return f"#{product.number} serves, proof: {product.verdict.proof}"


@summary_of.register
def _(product: Sealed) -> str:
    return ""


def short(digest: str) -> str:
    """The first 12 hexadecimal digits of a digest, as people read them."""
    return digest.removeprefix("sha256:")[:12]
