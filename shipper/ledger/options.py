"""How each kind of store is reached: endpoints and credentials, under the names that the stores' own tools know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipper.errors import LedgerError

if TYPE_CHECKING:
    from obstore.store import AzureStore, ClientConfig, GCSStore, S3Store

_S3 = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_SERVER_SIDE_ENCRYPTION",
    "AWS_SSE_KMS_KEY_ID",
    "AWS_SSE_BUCKET_KEY_ENABLED",
    "AWS_REQUEST_PAYER",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
)
_GCS = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_BEARER_TOKEN",
    "GOOGLE_BASE_URL",
)
_AZURE = (
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_CLIENT_ID",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_STORAGE_TENANT_ID",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_STORAGE_USE_EMULATOR",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_TENANT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_ENDPOINT",
    "AZURE_USE_AZURE_CLI",
)
_NO_RETRIES: Any = {"max_retries": 0}
_NATIVE = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")


def s3(bucket: str, environ: Mapping[str, str], connect: str, limit: str) -> S3Store:
    """S3, or what AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL names. A profile or a signed-in session needs boto3."""
    from obstore.store import S3Store

    config: Any = _chosen(environ, _S3)
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""
    provider: Any = None
    region = environ.get("AWS_DEFAULT_REGION")
    if environ.get("AWS_PROFILE") or not any(environ.get(name) for name in _NATIVE):
        session = _session(environ)
        provider = session and _provided(session)
        region = region or (session and session.region_name)
    config.setdefault("aws_region", region or "us-east-1")
    client = _client(connect, limit, plain=endpoint.startswith("http://"), bundle=environ.get("AWS_CA_BUNDLE"))
    return S3Store(bucket, config=config, client_options=client, retry_config=_NO_RETRIES, credential_provider=provider)


def gcs(bucket: str, environ: Mapping[str, str], connect: str, limit: str) -> GCSStore:
    """Google Cloud Storage, or what STORAGE_EMULATOR_HOST names, as for Google's own libraries (no credentials)."""
    from obstore.store import GCSStore

    config: Any = _chosen(environ, _GCS)
    emulator = environ.get("STORAGE_EMULATOR_HOST", "")
    if emulator:
        config["google_base_url"] = emulator if "://" in emulator else f"http://{emulator}"
        config.setdefault("google_bearer_token", "emulator")  # without one it asks the metadata server
    plain = config.get("google_base_url", "").startswith("http://")
    client = _client(connect, limit, plain=plain)
    return GCSStore(bucket, config=config, client_options=client, retry_config=_NO_RETRIES)


def azure(bucket: str, environ: Mapping[str, str], connect: str, limit: str) -> AzureStore:
    """Azure Blob Storage: the bucket is a container of AZURE_STORAGE_ACCOUNT_NAME."""
    from obstore.store import AzureStore

    config: Any = _chosen(environ, _AZURE)
    if not config.get("azure_storage_account_name"):
        raise LedgerError(
            f"the ledger az://{bucket} cannot be opened: no storage account is named",
            hint="set AZURE_STORAGE_ACCOUNT_NAME",
        )
    plain = environ.get("AZURE_STORAGE_USE_EMULATOR", "").lower() in ("1", "true") or any(
        environ.get(name, "").startswith("http://") for name in ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
    )
    client = _client(connect, limit, plain=plain)
    return AzureStore(bucket, config=config, client_options=client, retry_config=_NO_RETRIES)


def _chosen(environ: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name.lower(): environ[name] for name in names if environ.get(name)}


def _client(connect: str, limit: str, *, plain: bool, bundle: str | None = None) -> ClientConfig:
    """`plain`: the endpoint was given as http://, so that unencrypted is what is wanted."""
    options: ClientConfig = {"connect_timeout": connect, "timeout": limit, "allow_http": plain}
    if bundle:
        try:
            options["root_certificate"] = Path(bundle).read_bytes()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise LedgerError(f"AWS_CA_BUNDLE names {bundle}: {reason}", hint="correct it, or unset it") from error
    return options


def _session(environ: Mapping[str, str]) -> Any:
    """The profile that the aws command would use; None where there is no profile on this machine."""
    files = [environ.get(name) for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")]
    home = Path(environ.get("HOME", "/nonexistent"), ".aws")
    known = [*(Path(file) for file in files if file), home / "config", home / "credentials"]
    if not environ.get("AWS_PROFILE") and not any(path.is_file() for path in known):
        return None
    try:
        import boto3
        import botocore.exceptions
    except ImportError:
        raise LedgerError(
            "an AWS profile is set up, and reading profiles needs boto3",
            hint='in a checkout of shipper: pip install ".[aws]"; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
        ) from None
    try:
        return boto3.Session(profile_name=environ.get("AWS_PROFILE"))
    except botocore.exceptions.BotoCoreError as error:
        hint = "choose another AWS_PROFILE"
        raise LedgerError(f"the AWS profile cannot be used: {str(error)[:200]}", hint=hint) from error


def _provided(session: Any) -> Any:
    """Its credentials, renewed when they expire."""
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider(session)
    except ValueError:
        raise LedgerError("the AWS profile has no credentials", hint="`aws sso login`, or choose AWS_PROFILE") from None
