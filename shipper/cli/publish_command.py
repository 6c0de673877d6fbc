"""`shipper publish`."""

from __future__ import annotations

import click

from shipper.cli.options import json_option, verbosity_options, where_options
from shipper.operations.where import Where


@click.command("publish")
@where_options
@click.option("--image", metavar="REF", help="Publish this image instead of building one; it is judged all the same.")
@click.option("--fresh", is_flag=True, help="Use nothing that an earlier run found out; check everything again.")
@json_option
@verbosity_options
def command(where: Where, image: str | None, fresh: bool, as_json: bool, quiet: bool, verbose: int) -> int:
    """Build, check and publish the image of a service, as a release does, and deploy nothing.

    For clusters that Argo CD or Flux write to. Ends with the image by digest, which `shipper render --image` takes;
    with -q that is all that is printed. Needs [image] repository; the target is asked for its platform alone, and for
    nothing where [image] platform is set.
    """
    from shipper.operations.publish import PublishOptions, publish
    from shipper.reporting import open_sinks

    with open_sinks(as_json=as_json, quiet=quiet, verbose=verbose) as sinks:
        return publish(where, sinks, PublishOptions(fresh=fresh, image=image))
