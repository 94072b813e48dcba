"""A bad setting stops the start with a sentence that names it; nobody runs with a mode that is open by mistake."""

import pytest

from assistant.config import SettingsError, load_settings

OIDC = {
    "OIDC_ISSUER": "https://login.example.org", "OIDC_CLIENT_ID": "assistant", "OIDC_CLIENT_SECRET": "secret",
    "PUBLIC_URL": "https://assistant.example.org",
}  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/none")


def refused(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    return str(error.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "assistant.example.org"])
def test_local_mode_refuses_every_address_but_this_machines(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert "AUTH_MODE=accounts" in refused(monkeypatch, AUTH_MODE="local", HOST=host)


@pytest.mark.parametrize("password", ["short", "changeme-changeme"])
def test_a_default_or_short_admin_password_is_refused(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    assert refused(monkeypatch, ADMIN_PASSWORD=password).startswith("ADMIN_PASSWORD")


@pytest.mark.parametrize("missing", ["OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "PUBLIC_URL"])
def test_half_an_identity_provider_is_refused_by_what_is_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    assert missing in refused(monkeypatch, **{name: value for name, value in OIDC.items() if name != missing})


def test_an_identity_provider_is_asked_over_tls_and_not_in_local_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "https" in refused(monkeypatch, **OIDC | {"OIDC_ISSUER": "http://login.example.org"})
    assert "AUTH_MODE" in refused(monkeypatch, **OIDC, AUTH_MODE="local")


def test_a_whole_identity_provider_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**OIDC, "OIDC_DOMAINS": "Example.org, corp.example"}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.oidc_domains == ("Example.org", "corp.example")
    assert settings.oidc_name == "single sign-on"
