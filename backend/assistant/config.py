"""The only reader of the environment. A bad value stops the start with a sentence that says what to do."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from codellama_core.database import DatabaseUrlError, driver_url
from codellama_core.licenses import ALLOWED


class SettingsError(Exception):
    """The environment does not describe a server that can run; the text says which variable and why."""


class Settings(BaseSettings):
    """Names are the environment's, in upper case. Times are seconds."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    database_url: str
    database_wait_s: float = Field(60, ge=0)
    models_dir: Path = Path(".data/models")
    model_path: Path | None = None
    hf_endpoint: str = "https://huggingface.co"
    hf_token: SecretStr | None = None
    api_retention_days: int = Field(30, ge=0)
    training_licenses: Annotated[tuple[str, ...], NoDecode] = ALLOWED
    spool_dir: Path = Path(".data/spool")
    frontend_dist: Path | None = None

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: str | None = None
    max_requests: int = Field(512, ge=1)
    max_connections: int = Field(2048, ge=16)
    head_timeout_s: float = Field(10, gt=0)
    body_timeout_s: float = Field(30, gt=0)
    send_timeout_s: float = Field(30, gt=0)
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    auth_mode: Literal["local", "accounts"] = "accounts"
    admin_email: str | None = None
    admin_password: SecretStr | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_name: str = "single sign-on"
    oidc_domains: Annotated[tuple[str, ...], NoDecode] = ()

    engine: Literal["auto", "llama", "upstream", "mock"] = "auto"
    n_ctx: int = Field(8192, ge=256, le=262_144)
    n_seq_max: int = Field(64, ge=1, le=256)
    max_running: int = Field(16, ge=1, le=256)
    n_threads: int | None = Field(None, ge=1)
    kv_type: Literal["q8_0", "f16"] = "q8_0"
    flash_attention: Literal["auto", "on", "off"] = "auto"
    kv_ram_mib: int = Field(2048, ge=0)
    kv_disk_mib: int = Field(8192, ge=0)
    kv_dir: Path = Path(".data/kv")
    speculation: bool = True
    allow_grammars: bool = False
    queue_max_wait_s: float = Field(120, gt=0)
    max_tokens: int = Field(2048, ge=1)
    max_generation_s: float = Field(600, gt=0)
    drain_s: float | None = Field(None, ge=0)
    reap_after_s: float = Field(90, ge=2)

    upstream_url: str | None = None
    upstream_api_key: SecretStr | None = None
    upstream_model: str | None = None
    upstream_slots: int = Field(32, ge=1)
    upstream_connect_s: float = Field(5, gt=0)
    upstream_first_token_s: float = Field(300, gt=0)

    mock_slots: int = Field(8, ge=1)
    mock_tokens_per_second: float = Field(40, gt=0)
    mock_prefill_per_second: float = Field(4000, gt=0)

    otel_exporter_otlp_endpoint: str | None = None
    otel_service_name: str = "codellama-backend"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"

    @property
    def drain_seconds(self) -> float:
        """How long running answers may go on after a stop signal: DRAIN_S, or as long as the longest can take."""
        return self.queue_max_wait_s + self.max_generation_s if self.drain_s is None else self.drain_s

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: str) -> str:
        try:
            driver_url(value)
        except DatabaseUrlError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("upstream_url")
    @classmethod
    def _is_root_of_an_api(cls, value: str | None) -> str | None:
        """With ``/v1`` where no path is given, and with a slash at the end."""
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{value} is not the address of an API, such as http://gpu-server:8000/v1")
        if parts.username is not None:
            raise ValueError("leave the key out of the address and set UPSTREAM_API_KEY")
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}/"

    @model_validator(mode="after")
    def _upstream_has_an_address(self) -> Self:
        if self.engine == "upstream" and self.upstream_url is None:
            raise ValueError("ENGINE=upstream needs UPSTREAM_URL, such as http://gpu-server:8000/v1")
        return self

    @model_validator(mode="after")
    def _identity_provider_is_described(self) -> Self:
        if self.oidc_issuer is None:
            return self
        if self.auth_mode == "local":
            raise ValueError("OIDC_ISSUER is for AUTH_MODE=accounts; with AUTH_MODE=local nobody signs in")
        needed = {
            "OIDC_CLIENT_ID": self.oidc_client_id, "OIDC_CLIENT_SECRET": self.oidc_client_secret,
            "PUBLIC_URL": self.public_url,
        }  # fmt: skip
        if missing := [name for name, value in needed.items() if value is None]:
            raise ValueError(f"OIDC_ISSUER also needs {' and '.join(missing)}")
        if urlsplit(self.oidc_issuer).scheme != "https" and not is_loopback(urlsplit(self.oidc_issuer).hostname or ""):
            raise ValueError(f"OIDC_ISSUER={self.oidc_issuer} must be https://")
        return self

    @field_validator("cors_origins", "oidc_domains", "training_licenses", mode="before")
    @classmethod
    def _are_separated_by_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not re.fullmatch(r"https?://[\w.-]+(:\d{1,5})?", origin, re.ASCII):
                raise ValueError(f"'{origin}' is no origin; write https://host or http://host:port, comma-separated")
        return value

    @field_validator("admin_password")
    @classmethod
    def _is_not_a_default(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (len(value.get_secret_value()) < 12 or value.get_secret_value().startswith("change")):
            raise ValueError("choose at least 12 characters of your own, for example with 'openssl rand -base64 18'")
        return value

    @model_validator(mode="after")
    def _local_mode_stays_local(self) -> Self:
        if self.auth_mode == "local" and not is_loopback(self.host):
            raise ValueError(
                f"AUTH_MODE=local signs everybody in as admin, so it only runs on 127.0.0.1, not on {self.host}; "
                "set HOST=127.0.0.1 or AUTH_MODE=accounts"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether an address or name can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_settings() -> Settings:
    """Read the environment. Raises SettingsError with one line per fault."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in fault['loc']).upper() or 'settings'}: {fault['msg']}"
            for fault in error.errors()
        ]
        raise SettingsError("\n".join(lines)) from None
