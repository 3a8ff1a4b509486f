"""The image and the compose file fit the code, and each other."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from packaging.utils import canonicalize_name

from deployments.docker import dockerfile, keep_runtime

ROOT: Final = Path(__file__).parents[2]
DEPLOYMENTS: Final = ROOT / "deployments"
DOCKER: Final = DEPLOYMENTS / "docker"
HOME: Final = "/srv/spsetl"
STAGES: Final = dockerfile.read_stages((DOCKER / "Dockerfile").read_text("utf-8"))
IMAGE: Final = STAGES[-1]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))


def test_image_runs_without_rights_and_tells_its_health() -> None:
    """The image's user is not root, its health check and its command are files of it, and it is built in stages."""
    copied = {word for kind, said in IMAGE.steps if kind == "COPY" for word in said.split()}
    named = {word for word in (*IMAGE.command, *IMAGE.health_check) if word.startswith(HOME)}
    port = IMAGE.environment["PREFECT_WORKER_WEBSERVER_PORT"]

    assert len(STAGES) == 2
    assert min(IMAGE.user) > 0
    assert {path.removeprefix(HOME + "/") for path in named} <= copied
    assert f":{port}/" in IMAGE.health_check[-1]
    assert IMAGE.environment["CREDENTIALS_DIRECTORY"] == "/run/secrets"
    assert IMAGE.environment["PREFECT_SERVER_UI_STATIC_DIRECTORY"].startswith("/var/lib/prefect/")  # no UI without


def test_image_holds_pinned_packages_and_no_secret() -> None:
    """Packages come by make-venv.sh, which asks for each one's hash, and no variable holds a secret."""
    runs = [said for stage in STAGES for kind, said in stage.steps if kind == "RUN"]
    installing = [said for said in runs if "pip" in said or "make-venv" in said]

    assert installing[0] == "deployments/make-venv.sh python3 /opt/spsetl deployments/constraints.txt"
    assert "--require-hashes" in (DEPLOYMENTS / "make-venv.sh").read_text("utf-8")
    assert all("--no-deps" in said for said in installing[1:])
    assert [name for name in IMAGE.environment if re.search("PASSWORD|SECRET|TOKEN|AUTH", name)] == []


def test_only_what_the_image_copies_reaches_its_build() -> None:
    """.dockerignore lets through exactly the files and folders that the Dockerfile copies, all of which exist."""
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    copied = {
        source
        for stage in STAGES
        for kind, said in stage.steps
        if kind == "COPY" and not said.startswith("--from")
        for source in said.split()[:-1]
    }

    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_no_image_names_a_registry() -> None:
    """Base images and images of services are named without a host, with a version."""
    images = [stage.base for stage in STAGES] + [service["image"] for service in COMPOSE["services"].values()]

    assert [image for image in images if not re.fullmatch(r"[a-z]+(:[\w.-]+)?", image)] == []
    assert [image for image in images if ":" not in image and image != "spsetl"] == []


def test_image_keeps_what_spsetl_needs_alone() -> None:
    """The packages that run spsetl and its report stay, the linters and the tests go."""
    needed = keep_runtime.find_needed("spsetl", {"report"})

    assert {"spsetl", "duckdb", "prefect", "altair", "asyncpg"} <= needed
    assert not needed & {canonicalize_name(name) for name in ("pytest", "ruff", "mypy", "sqlfluff", "keyring")}


def test_image_has_extras_that_there_are() -> None:
    """The extras that the Dockerfile keeps are declared; another name ends the build instead of being left out."""
    (line,) = (said for stage in STAGES for kind, said in stage.steps if kind == "RUN" and "keep_runtime.py" in said)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]

    assert set(line.partition("keep_runtime.py ")[2].split()) == {"report", "otel"} <= set(declared)
    with pytest.raises(SystemExit, match="no extra of spsetl: no-such"):
        keep_runtime.check_extras("spsetl", {"report", "no-such"})


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_service_of_compose_is_closed_in_and_fits(name: str) -> None:
    """Each service has a read-only root, gains no rights, and names what the file or the image defines."""
    service = COMPOSE["services"][name]
    is_ours = service["image"] == "spsetl"
    mounted = {one.partition(":")[0] for one in service.get("volumes", [])}
    words = " ".join(service.get("command", [])) + " ".join(service.get("healthcheck", {}).get("test", []))
    paths = {path.removeprefix(HOME + "/") for path in re.findall(rf"{HOME}/[\w./-]+", words)}

    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_drop") == ["ALL"] or not is_ours
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    assert mounted <= set(COMPOSE["volumes"])
    assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
    assert paths <= {word for kind, said in IMAGE.steps if kind == "COPY" for word in said.split()}
    assert service.get("restart") == (None if name == "deploy" else "unless-stopped")
    assert not {key for key in service.get("environment", {}) if key.endswith(("PASSWORD", "AUTH_STRING"))}


def test_services_of_compose_wait_for_health() -> None:
    """What another service waits for has a health check, and only the deployment, which ends, has none."""
    services = COMPOSE["services"]
    awaited = {other: how for one in services.values() for other, how in one.get("depends_on", {}).items()}

    assert {how["condition"] for how in awaited.values()} == {"service_healthy"}
    assert [name for name in awaited if "test" not in services[name]["healthcheck"]] == []
    assert [name for name, one in services.items() if one.get("healthcheck") == {"disable": True}] == ["deploy"]
    assert {name for name, one in services.items() if one.get("ports")} == {"server"}
    assert services["server"]["ports"] == ["127.0.0.1:4200:4200"]


def test_files_of_the_compose_file_are_made_by_its_guide() -> None:
    """Secrets and settings are the user's files: the guide makes them, and git leaves them out."""
    guide, ignored = (DOCKER / "README.md").read_text("utf-8"), (DOCKER / ".gitignore").read_text("utf-8").split()
    secrets = [secret["file"] for secret in COMPOSE["secrets"].values()]

    assert [path for path in (*secrets, "spsetl.env") if path not in guide] == []
    assert {"/secrets/", "/spsetl.env"} <= set(ignored)
    assert (DOCKER / COMPOSE["services"]["worker"]["build"]["context"]).resolve() == ROOT
    assert (DOCKER / "spsetl.env.example").exists()
