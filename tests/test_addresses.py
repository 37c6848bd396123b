"""Keys in addresses reach no message and no file."""

import copy

import pytest

from sflow_pipeline.addresses import redact_address, redact_text, strip_secrets
from sflow_pipeline.errors import OutputError, SflowError
from sflow_pipeline.storage.filesystem import Folder


@pytest.mark.parametrize(
    ("address", "shown", "stored"),
    [
        ("s3://AKIA:se/cr+et@bucket/a", "s3://***@bucket/a", "s3://bucket/a"),
        ("s3://AKIA@bucket/a", "s3://***@bucket/a", "s3://bucket/a"),
        ("https://u:p@host:9000/x", "https://***@host:9000/x", "https://host:9000/x"),
        ("s3://b/a?secret_key=x&region=eu", "s3://b/a?secret_key=***&region=eu", "s3://b/a?region=eu"),
        ("abfs://c@account/a?sig=x", "abfs://c@account/a?sig=***", "abfs://c@account/a"),
        ("gs://anonymous@b/a", "gs://anonymous@b/a", "gs://anonymous@b/a"),
        ("/data/a@b?key=x", "/data/a@b?key=x", "/data/a@b?key=x"),
    ],
)
def test_addresses(address: str, shown: str, stored: str) -> None:
    assert redact_address(address) == shown
    assert strip_secrets(address) == stored
    assert redact_text(f"in '{address}': no") == f"in '{shown}': no"


def test_errors_carry_no_keys_not_even_to_another_process() -> None:
    error = copy.copy(OutputError("s3://KEY:SECRET@b/x: no", hint="see s3://KEY:SECRET@b/x"))
    assert "SECRET" not in f"{error!r} {error} {error.message} {error.hint} {error.args}"


def test_folder_shows_no_keys_and_still_has_them() -> None:
    folder = Folder("s3://KEY:SECRET@bucket/a?region=eu-west-1")
    assert "SECRET" not in f"{folder.uri} {folder!r}"
    assert "SECRET" in copy.copy(folder).full_uri
    with pytest.raises(SflowError) as caught:
        Folder("s4://KEY:SECRET@bucket/a")
    assert "SECRET" not in f"{caught.value.message} {caught.value.hint}"
