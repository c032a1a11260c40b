from __future__ import annotations

import base64

import pytest

from dfkit.context.secrets import LOOKED_AT, Secret, looks_secret, secret_text, secrets
from dfkit.context.tree import walk

BODY = base64.b64encode(bytes(range(48))).decode()


@pytest.mark.parametrize(
    "path",
    [".env", "a/.env.production", ".ssh/config", "x/.git/HEAD", "id_rsa", "k/server.pem", "a/.aws/credentials", ".npmrc",
     "terraform.tfstate", "service-account.json", ".docker/config.json", ".git-credentials"],
)  # fmt: skip
def test_what_looks_secret_is_told(path):
    assert looks_secret(path)


@pytest.mark.parametrize(
    "path", [".env.example", "env", ".gitignore", ".github/x.yml", "id_rsa.pub", "src/key.py", "git/HEAD", "docker/config.json"]
)
def test_what_does_not_look_secret_is_left_alone(path):
    assert looks_secret(path) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}", "a private key"),
        (f"-----BEGIN PRIVATE KEY-----\r\n{BODY}", "a private key"),
        (f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{BODY}", "a private key"),
        (f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{BODY}", "a private key"),
        ('{"key": "-----BEGIN PRIVATE KEY-----\\n' + BODY, "a private key"),
        ("id = AKIA" + "Q3EGJ7" * 2 + "ABCD", "an access key of AWS"),
        ("ghp_" + "a1B2" * 9, "a token of GitHub"),
        ("github_pat_" + "a1" * 41, "a token of GitHub"),
        ("glpat-" + "a1B2-" * 4, "a token of GitLab"),
        ("xoxb-" + "1" * 12 + "-abcdefghijkl", "a token of Slack"),
        ("sk_live_" + "a1" * 12, "a key of Stripe"),
        ("AIza" + "a1_-x" * 7, "a key of Google's"),
        ("npm_" + "a1B2" * 9, "a token of npm"),
        ("pypi-AgE" + "a1" * 30, "a token of PyPI"),
        ("SG." + "a" * 22 + "." + "b" * 43, "a key of SendGrid"),
    ],
)
def test_keys_and_tokens_are_known_by_their_formats(text, what):
    data = f"one\ntwo {text}\n".encode()
    found = secret_text(data)
    assert found
    assert (found[0], data.count(b"\n", 0, found[1])) == (what, 1)


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----", "look for '-----BEGIN RSA PRIVATE KEY-----' in the text", f"-----BEGIN CERTIFICATE-----\n{BODY}",
        "AKIAIOSFODNN7EXAMPLE", "xAKIA" + "Q3EGJ7" * 2 + "ABCD", "AKIA_TABLE", "ghp_short", "xoxb-token", "npm_config_cache", "SG.a.b",
    ],
)  # fmt: skip
def test_what_only_resembles_a_secret_is_left_alone(text):
    assert secret_text(text.encode()) is None


def test_files_are_judged_by_name_and_text(tmp_path):
    files = {
        ".env": "A=1",
        ".git/HEAD": "x",
        ".git/config": "x",
        "a/.ssh/config": "x",
        "cert.pem": f"-----BEGIN CERTIFICATE-----\n{BODY}\n",
        "both.pem": f"-----BEGIN CERTIFICATE-----\n{BODY}\n-----BEGIN PRIVATE KEY-----\n{BODY}\n",
        "far.txt": "x" * LOOKED_AT + f"\n-----BEGIN PRIVATE KEY-----\n{BODY}",
        "notes.txt": f"first\n-----BEGIN PRIVATE KEY-----\n{BODY}\n",
        "plain": "x",
        "sub/.docker/config.json": "{}",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert list(secrets(tmp_path, walk(tmp_path))) == [
        Secret(".env", "settings that often hold passwords"),
        Secret(".git/", "the repository with its history"),
        Secret("a/.ssh/", "SSH keys"),
        Secret("both.pem", "a private key", 3),
        Secret("notes.txt", "a private key", 2),
        Secret("sub/.docker/config.json", "tokens for a registry"),
    ]
