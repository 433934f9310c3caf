from unittest import mock


def check() -> None:
    mock.patch("corpus.module.BaseServiceClient")


check()
