"""The services of the examples as one platform: sign up, sign in and use a service, through the gateway."""

import re
import shutil
from pathlib import Path

import httpx
from tests.tooling.devplatform.conftest import STARTED, free_ports, running

EXAMPLES = Path(__file__).parents[3] / "examples"
PORT = re.compile(r"^(port|grpc_port) = \d+$", re.MULTILINE)
ALICE = {"email": "alice@example.com", "password": "a rather long passphrase"}


def test_from_sign_up_to_a_strategy(tmp_path: Path) -> None:
    """Accounts, tokens, identity and its proof go together without a setting; a header alone is believed nowhere."""
    for folder in ("iam_service", "strategy_service", "market_data_service"):
        shutil.copytree(EXAMPLES / folder, tmp_path / folder)
    ports = iter(free_ports(6))
    text = (EXAMPLES / "mysingle.toml").read_text() + "\n[gateway]\nport = 1\n"
    (tmp_path / "mysingle.toml").write_text(PORT.sub(lambda match: f"{match[1]} = {next(ports)}", text))
    with running(tmp_path, "--no-reload") as platform:
        platform.wait_for(STARTED)
        somebody = {"X-User-Id": "a11ce0000000000000000001"}
        direct = httpx.get(f"{platform.address('strategy-service')}/strategies", headers=somebody)
        with httpx.Client(base_url=platform.address("gateway")) as front:
            claimed = front.get("/strategies", headers=somebody)
            signed_up = front.post("/api/v1/auth/register", json=ALICE)
            token = platform.wait_for("/verify-email?token=").partition("token=")[2]
            verified = front.post("/api/v1/auth/verify", json={"token": token})
            signed_in = front.post("/api/v1/auth/login", json=ALICE)
            mine = {"Authorization": f"Bearer {signed_in.json().get('access_token')}"}
            listed = front.get("/strategies", headers=mine)
        platform.end()

    assert [claimed.status_code, direct.status_code] == [401, 401]
    assert [signed_up.status_code, verified.status_code // 100, signed_in.status_code] == [201, 2, 200]
    assert (listed.status_code, listed.json()["items"]) == (200, [])
