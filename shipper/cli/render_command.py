"""`shipper render`."""

from __future__ import annotations

from pathlib import Path

import click

from shipper.cli.options import where_options
from shipper.operations.where import Where


@click.command("render")
@where_options
@click.option(
    "--image",
    metavar="REF",
    help="This image, with the configuration of now. A tag is resolved to the digest of the platform.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write files instead of one text."
)
@click.option("--kustomize", is_flag=True, help="Also a kustomization.yaml that names the files.")
def command(where: Where, image: str | None, out: Path | None, kustomize: bool) -> int:
    """Write out what the platform would be given: manifests with the image by digest, for Argo CD or Flux.

    Without --image those of the release that serves. The same release gives the same bytes; nothing is deployed.
    """
    from shipper.operations.render import RenderOptions, render, write

    options = RenderOptions(image=image, kustomize=kustomize)
    if out is None:
        click.echo("---\n".join(text for _, text in render(where, options)), nl=False)
        return 0
    done = write(where, options, out)
    told = [*((path, "wrote") for path in done.written), *((path, "removed") for path in done.removed)]
    for path, what in sorted(told):
        click.echo(f"{what} {path}", err=True)
    if done.unchanged:
        click.echo(f"{done.unchanged} unchanged", err=True)
    return 0
