"""The contract, word for word."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.bootstrap import Platform
from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.transcript import Transcript, rewrite, scripts
from tests.platforms import migrate


@pytest.fixture(scope="module")
def untouched(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    url = new_database()
    migrate(url, tmp_path_factory.mktemp("transcripts"))
    return url


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Over a database whose agents and workers are those of the transcripts."""
    if settings.sqlite:
        return settings
    return settings.model_copy(update={"database_url": request.getfixturevalue("untouched")})


@pytest.mark.parametrize(
    ("path", "written"), scripts().items(), ids=[path.stem for path in scripts()]
)
async def test_the_server_says_what_is_written(
    path: Path, written: str, service: Caller, platform: Platform
) -> None:
    said = await Transcript(service, platform).play(written)
    if os.environ.get("INTURN_WRITE_TRANSCRIPTS"):
        rewrite(path, said)
    else:
        assert said == written
