"""Settings and environment: every shipped file is valid, every mistake has a sentence."""

from pathlib import Path

import pytest

from finetuning.config import Settings, environment, load_settings
from finetuning.errors import ConfigError
from tests.fine_tuning.world import ROOT

SHIPPED = sorted((ROOT / "fine-tuning" / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_configuration_is_valid(path: Path) -> None:
    settings = load_settings(path)
    assert settings.extract.max_tokens <= settings.train.sequence_length
    assert settings.train.tokens_per_step >= settings.train.sequence_length


def test_both_models_have_a_configuration() -> None:
    assert {path.stem for path in SHIPPED} >= {"demo", "codellama-7b"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("train: {lerning_rate: 1}", "train.lerning_rate"),
        ("train: {rank: -1}", "train.rank"),
        ("export: {quantization: Q3}", "export.quantization"),
        ("nonsense: {}", "nonsense"),
        ("train: [", "cannot be read"),
        ("- 1", "file"),
        ("train: {sequence_length: 256}\nextract: {max_tokens: 512}", "max_tokens"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=named):
        load_settings(path)


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("")
    assert load_settings(path) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", ""),
        ("MODELS_DIR", ""),
        ("FINETUNE_BASE", "/none"),
        ("N_THREADS", "two"),
        ("FINETUNE_SOURCE", "/none"),
    ],
)
def test_a_wrong_environment_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str) -> None:
    good = {"DATABASE_URL": "postgresql://x/y", "MODELS_DIR": str(tmp_path), "FINETUNE_BASE": str(tmp_path)}
    for key, content in {**good, name: value}.items():
        monkeypatch.setenv(key, content)
    with pytest.raises(ConfigError, match=name):
        environment()
