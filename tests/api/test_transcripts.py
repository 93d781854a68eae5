"""The contract, word for word."""

import os
from pathlib import Path

import pytest

from shared.bootstrap import Platform
from tests.api.caller import Caller
from tests.api.transcript import Transcript, rewrite, scripts


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
