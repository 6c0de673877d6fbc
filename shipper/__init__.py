"""shipper: from a Dockerfile to verified traffic in one command, and back in one command."""
