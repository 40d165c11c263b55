"""Dockerfile and compose file, as far as reading them tells."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def part(name: str) -> str:
    """One service of the compose file."""
    return re.search(rf"(?m)^  {name}:\n((?:    .*\n|\n)+)", COMPOSE)[1]


class TestDockerfile:
    def test_a_read_only_service_has_a_place_to_write(self):
        """The line that it shows names a volume for the folder that the service is told to use."""
        (line,) = re.findall(r"#   (docker run .*--read-only.*)", DOCKERFILE)
        folder = re.search(r"THORASCOPE_DATA_DIR=(\S+)", DOCKERFILE)[1]

        assert f"-v thorascope:{folder} " in line

    def test_a_new_volume_belongs_to_the_services_user(self):
        """It takes over the owner that its folder has when it is declared, which is not root's to be."""
        assert DOCKERFILE.index("chown thorascope /data") < DOCKERFILE.index("\nVOLUME /data\n")


class TestCompose:
    @pytest.mark.parametrize("name", ["api", "worker"])
    def test_what_reads_strangers_files_has_limits(self, name):
        """A file that asks for all memory, or a process that starts copies of itself, takes down nobody else."""
        limits = dict(re.findall(r"(?m)^    (\w+): (\S+)", part(name)))

        assert {"mem_limit", "pids_limit"} <= limits.keys()

    @pytest.mark.parametrize("name", ["api", "worker"])
    def test_a_name_server_that_is_silent_holds_nobody_up(self, name):
        """Looking up `redis` has no other limit: ten seconds by default."""
        assert 'dns_opt: ["timeout:1", "attempts:1"]' in part(name)

    def test_the_ledger_is_the_last_to_go(self):
        """Where the machine is short of memory."""
        assert "oom_score_adj: -500" in part("redis")
