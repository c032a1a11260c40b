"""Images before and after the passes that move COPYs and set owners: the same files, and an install that is not run again.

The bases are what scripts/base-images makes; the installs ask their registries for one small package each.
"""

from __future__ import annotations

import json
import os

import pytest

from dfkit.build import BuildRequest, Folders, build
from dfkit.context import plan
from dfkit.image import SavedImage, flatten
from dfkit.model import Model
from dfkit.optimize import Facts, Proposal, copy_owner, split_copy
from dfkit.optimize.passes import ContextFacts
from dfkit.syntax import parse
from dfkit.text import apply
from dfkit.verify import compare

pytestmark = pytest.mark.engine

NODE = {
    "package.json": json.dumps({"name": "a", "version": "1.0.0", "private": True, "dependencies": {"isarray": "2.0.5"}}),
    "src/a.js": "1",
    "public/index.html": "<p>",
}
PYTHON = {"requirements.txt": "-r base/six.txt\n", "base/six.txt": "six==1.16.0\n", "base/note": "1", "app.py": "print(1)\n"}
RUBY = {"Gemfile": "source 'https://gems.example'\ngem 'rake'\n", "lib/a.rb": "1"}
SPLITS = {
    "npm": ("FROM node:20\nWORKDIR /usr/src/app\nCOPY . .\nRUN npm install --production\nCMD npm start\n", NODE, "src/a.js"),
    "npm as a user": (
        "FROM node:20\nCOPY --chown=7:8 . /x/app\nWORKDIR /x/app\nRUN npm install && useradd a\nUSER a\n",
        NODE,
        "src/a.js",
    ),
    "pip": (
        "FROM python:3.12\nADD . /app\nWORKDIR /app\n\nRUN pip install -r requirements.txt\nCMD python app.py\n",
        PYTHON,
        "app.py",
    ),
    "bundler": ("FROM ruby:3\nWORKDIR /app\nCOPY . /app\nRUN bundle install --local\n", RUBY, "lib/a.rb"),
}
LOGS = ("added,removed:/root/.npm/_logs/*",)
"""Their names are times."""
OWNERS = """FROM debian:12
RUN useradd -u 1234 bob && groupadd -g 4321 grp && mkdir /opt/old
WORKDIR /app
COPY src .
COPY src /srv/new
COPY src /opt/old
COPY src/deep /code/a/deep
COPY f /code/
COPY f /usr/local/bin/f
COPY f /f
RUN chown -R bob:grp /app
RUN chown -R bob /srv/new
RUN chown -R :grp /opt/old
RUN chown -Rv 77:88 /code
RUN chown bob:grp /usr/local/bin/f && chmod 750 /usr/local/bin/f
RUN chmod 0640 /f
RUN chmod -R 770 /srv/new
"""


@pytest.fixture
def context(tmp_path):
    """A folder with these files and the modes of a usual checkout, one folder apart."""

    def made(files):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o644)
        for folder in tmp_path.rglob("*/"):
            folder.chmod(0o755)
        if (tmp_path / "base").is_dir():
            (tmp_path / "base").chmod(0o2775)
        return tmp_path

    return made


@pytest.fixture
def made(engine):
    """Build a text with a folder; the result."""
    images = []

    def made(text, folder, **fields):
        planned = plan(folder)
        result = build(engine, BuildRequest(network="host", **fields), Folders(planned, text.encode()))
        images.append(result.image_id)
        return result

    yield made
    for image in dict.fromkeys(images):
        engine.remove(image)


@pytest.fixture
def flat(engine):
    def flat(result):
        with SavedImage.read(engine.save(result.image_id)) as image:
            return flatten(image)

    return flat


def rewritten(pass_, text, folder):
    """The text after all that a pass proposes."""
    facts = Facts(ContextFacts(os.fspath(folder), {entry.path: entry for entry in plan(folder).entries}))
    while made := [each for each in pass_.rewrite(Model(parse(text)), facts) if isinstance(each, Proposal)]:
        text = apply(text, made[0].fix.edits)
    return text


@pytest.mark.parametrize("case", SPLITS)
def test_a_split_copy_makes_the_same_image_and_an_edit_does_not_install_again(case, context, made, flat):
    text, files, edited = SPLITS[case]
    folder = context(files)
    new = rewritten(split_copy.PASS, text, folder)
    assert new != text
    before, noise, after = (made(each, folder, no_cache=True) for each in (text, text, new))
    assert compare(flat(before), flat(after), noise=flat(noise), declared=LOGS).differences == ()
    (folder / edited).write_text("# edited\n")
    again = made(new, folder)
    assert not any("install" in step.name for step in again.executed)
    assert again.image_id != after.image_id


def test_owners_and_modes_given_by_copy_are_the_same(context, made, flat):
    folder = context({"src/b": "b", "src/deep/c": "c", "f": "f"})
    new = rewritten(copy_owner.PASS, OWNERS, folder)
    assert new.count("--chown") == 5
    assert new.count("--chmod") == 3
    before, after = (made(each, folder, no_cache=True) for each in (OWNERS, new))
    assert compare(flat(before), flat(after)).differences == ()
