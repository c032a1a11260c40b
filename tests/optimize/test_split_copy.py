"""The split of a COPY before an install: what is split, and for each precondition a trap that must not be."""

from __future__ import annotations

import json
import os

import pytest

from dfkit.context import plan
from dfkit.model import Model
from dfkit.optimize import Proposal
from dfkit.optimize.passes import ContextFacts, Facts
from dfkit.optimize.split_copy import rewrite
from dfkit.syntax import parse
from dfkit.text import Source, apply

PACKAGE = json.dumps({"name": "a", "scripts": {"start": "node a.js"}, "dependencies": {"express": "^4.0.0"}})
NODE = {"package.json": PACKAGE, "a.js": "1"}
PYTHON = {"requirements.txt": "flask==2.0  # web\ngunicorn>=20,<22\n", "app.py": "1"}
RUBY = {"Gemfile": 'source "https://gems.example"\n\ngem "rack", "~> 2.0", require: false\n', "a.rb": "1"}
GO = {
    "go.mod": "module a\n\ngo 1.21\n\nrequire b.org/c v1.2.0\n",
    "go.sum": "b.org/c v1.2.0 h1:x=\nb.org/c v1.2.0/go.mod h1:y=\n",
    "main.go": "package main",
}
NPM = "FROM node:20\nWORKDIR /app\nCOPY . .\nRUN {}\n"
PIP = "FROM python:3.12\nCOPY . /app\nWORKDIR /app\nRUN {}\n"
BUNDLE = "FROM ruby:3\nWORKDIR /app\nCOPY . .\nRUN {}\n"
INSTALL = "pip install -r requirements.txt"


@pytest.fixture
def context(tmp_path):
    """A build context with these files; a text that starts with `->` is a link."""

    def made(files):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("->"):
                file.symlink_to(text[2:])
            elif isinstance(text, bytes):
                file.write_bytes(text)
            else:
                file.write_text(text)
        return ContextFacts(os.fspath(tmp_path), {entry.path: entry for entry in plan(tmp_path).entries})

    return made


def once(text, context):
    found = list(rewrite(Model(parse(Source(text))), Facts(context)))
    return [each for each in found if isinstance(each, Proposal)], [each.why for each in found if not isinstance(each, Proposal)]


@pytest.fixture
def split(context):
    """The text after the pass, which has nothing more to propose for it; None if it proposes nothing, and then says why."""

    def split(text, files):
        facts = context(files)
        made, refused = once(text, facts)
        if not made:
            return None if refused else text
        new = apply(text, made[0].fix.edits)
        assert once(new, facts)[0] == []
        return new

    return split


@pytest.fixture
def refusal(context):
    """Why the pass leaves a text alone."""

    def refusal(text, files):
        made, refused = once(text, context(files))
        assert made == []
        (why,) = refused
        return why

    return refusal


def test_npm_ci_reads_the_package_and_its_lock(split):
    files = NODE | {"package-lock.json": '{"lockfileVersion": 3, "packages": {"": {}}}', ".npmrc": "@a:registry=https://a.org\n"}
    assert split(NPM.format("npm ci --omit=dev"), files) == (
        "FROM node:20\nWORKDIR /app\nCOPY .npmrc package-lock.json package.json ./\nRUN npm ci --omit=dev\nCOPY . .\n"
    )


def test_npm_install_without_a_lock_reads_the_package(split):
    assert split(NPM.format("npm install --production"), NODE) == (
        "FROM node:20\nWORKDIR /app\nCOPY package.json ./\nRUN npm install --production\nCOPY . .\n"
    )


def test_an_add_of_a_folder_is_split_and_stays_an_add(split):
    text = "FROM python:3.12\n# the app\nADD . /app\nWORKDIR /app\n\n# what it needs\nRUN pip install -r requirements.txt\n\nEXPOSE 80\n"
    assert split(text, PYTHON) == (
        "FROM python:3.12\nCOPY requirements.txt /app/\nWORKDIR /app\n\n# what it needs\n"
        "RUN pip install -r requirements.txt\n# the app\nADD . /app\n\nEXPOSE 80\n"
    )


def test_requirements_that_name_others_are_followed(split):
    files = {
        "r/all.txt": "-r base.txt\n-c ../c.txt\n",
        "r/base.txt": "flask\n",
        "c.txt": "flask<3\n",
        "r/dev.txt": "pytest",
        "app.py": "1",
    }
    assert split(PIP.format("pip install --no-cache-dir -r r/all.txt"), files) == (
        "FROM python:3.12\nCOPY c.txt /app/\nCOPY r/all.txt r/base.txt /app/r/\nWORKDIR /app\n"
        "RUN pip install --no-cache-dir -r r/all.txt\nCOPY . /app\n"
    )


def test_bundle_install_reads_the_gemfile_and_a_frozen_lock(split):
    assert split(BUNDLE.format("bundle install"), RUBY).splitlines()[2:] == ["COPY Gemfile ./", "RUN bundle install", "COPY . ."]
    files = RUBY | {"Gemfile.lock": "GEM\n", ".ruby-version": "3.1\n"}
    text = BUNDLE.format("bundle config set frozen true && bundle install --jobs 4")
    assert split(text, files).splitlines()[2] == "COPY .ruby-version Gemfile Gemfile.lock ./"


def test_yarn_with_a_frozen_lock_reads_it(split):
    text = NPM.format("yarn --frozen-lockfile")
    assert split(text, NODE | {"yarn.lock": "# yarn lockfile v1\n"}).splitlines()[2] == "COPY package.json yarn.lock ./"


def test_go_mod_download_reads_go_mod_and_go_sum(split):
    text = "FROM golang:1.21\nWORKDIR /src\nCOPY . .\nRUN go mod download\nRUN go build -o /a .\n"
    assert split(text, GO) == (
        "FROM golang:1.21\nWORKDIR /src\nCOPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\nRUN go build -o /a .\n"
    )


def test_a_package_in_a_folder_is_copied_to_its_folder(split):
    text = "FROM node:20\nCOPY . /app\nWORKDIR /app/web\nRUN npm install\n"
    files = {"web/package.json": PACKAGE, "web/a.js": "1", "b": "2"}
    assert split(text, files) == "FROM node:20\nCOPY web/package.json /app/web/\nWORKDIR /app/web\nRUN npm install\nCOPY . /app\n"


def test_a_copied_folder_is_split_like_the_context(split):
    text = "FROM node:20\nWORKDIR /app\nCOPY --chown=1:2 web .\nRUN npm install\n"
    assert split(text, {"web/package.json": PACKAGE, "web/a.js": "1"}) == (
        "FROM node:20\nWORKDIR /app\nCOPY --chown=1:2 web/package.json ./\nRUN npm install\nCOPY --chown=1:2 web .\n"
    )


def test_the_copy_moves_below_all_runs_that_do_not_touch_the_tree(split):
    text = "FROM node:20\nWORKDIR /app\nCOPY . .\nRUN apt-get update && apt-get install -y git\nRUN npm install\nRUN useradd x\nRUN make\n"
    assert split(text, NODE).splitlines()[2:] == [
        "COPY package.json ./",
        "RUN apt-get update && apt-get install -y git",
        "RUN npm install",
        "RUN useradd x",
        "COPY . .",
        "RUN make",
    ]


def test_a_relative_destination_stays_the_same_folder(split):
    text = "FROM node:20\nWORKDIR /app\nCOPY . .\nWORKDIR /app/web\nRUN npm install\n"
    new = split(text, {"web/package.json": PACKAGE, "web/a.js": "1"})
    assert new == "FROM node:20\nWORKDIR /app\nCOPY web/package.json ./web/\nWORKDIR /app/web\nRUN npm install\nCOPY . /app\n"


def test_a_package_below_another_is_refused(refusal):
    text = "FROM node:20\nCOPY . /app\nWORKDIR /app/web\nRUN {}\n"
    files = {"web/package.json": PACKAGE, "web/a.js": "1"}
    assert ".npmrc" in refusal(text.format("yarn"), files | {".npmrc": "fund=false"})
    assert "package.json" in refusal(text.format("npm install"), files | NODE)


def test_an_install_of_named_packages_is_nothing_to_split_for(split):
    text = "FROM ruby:3\nWORKDIR /app\nCOPY . .\nRUN gem install rake && npm install -g yarn && pip install flask\nRUN make\n"
    assert split(text, NODE) == text


def test_line_ends_and_case_are_kept(split):
    text = "from node:20\r\nworkdir /app\r\ncopy . .\r\nrun npm install\r\n"
    assert split(text, NODE) == "from node:20\r\nworkdir /app\r\ncopy package.json ./\r\nrun npm install\r\ncopy . .\r\n"


def test_only_the_manifests_are_copied_already(split):
    text = "FROM node:20\nWORKDIR /app\nCOPY package.json ./\nRUN npm install\nCOPY . .\n"
    assert split(text, NODE) == text


def test_without_a_context_it_refuses_and_says_so():
    made, (why,) = once(NPM.format("npm ci"), None)
    assert made == []
    assert "context" in why


# 1. Only RUNs whose reads are known.


@pytest.mark.parametrize(
    "run",
    [
        "npm install && npm run build",
        "npm install --foreground-scripts",
        "npm install $FLAGS",
        "npm install ./plugin",
        "npm install express",
        "npm install > /app/log",
        "test -f a.js && npm install",
        "cat a.js; npm install",
        "env X=1 npm install",
        "NODE_OPTIONS=--require=./a.js npm install",
        "cd src && npm install",
    ],
)
def test_a_run_that_may_read_sources_is_not_crossed(refusal, run):
    refusal(NPM.format(run), NODE | {"src/b.js": "1", "plugin/package.json": "{}"})


@pytest.mark.parametrize(
    "between",
    ["RUN make", "RUN --mount=type=bind,target=/m npm install", "VOLUME /app", "COPY a.js ./", "COPY --from=x /a /app/"],
)
def test_what_stands_between_and_may_touch_the_tree_is_not_crossed(refusal, between):
    assert "line 4" in refusal(f"FROM node:20\nWORKDIR /app\nCOPY . .\n{between}\nRUN npm install\n", NODE)


@pytest.mark.parametrize(
    "between", ["COPY a.js /srv/", "ENV A=1", "LABEL a=b", "EXPOSE 1", "USER node", "ENV PATH=/app/node_modules/.bin:$PATH"]
)
def test_what_stands_between_and_does_not_touch_the_tree_is_crossed(split, between):
    assert split(f"FROM node:20\nWORKDIR /app\nCOPY . .\n{between}\nRUN npm install\n", NODE).endswith(
        f"COPY package.json ./\n{between}\nRUN npm install\nCOPY . .\n"
    )


# 2. No path in the tree, no script that reads it.


@pytest.mark.parametrize(
    "package",
    [
        {"scripts": {"postinstall": "node a.js"}},
        {"scripts": {"prepare": "tsc"}},
        {"dependencies": {"b": "file:./b"}},
        {"dependencies": {"b": "link:b"}},
        {"devDependencies": {"b": "../b"}},
        {"dependencies": {"b": "b.tgz"}},
        {"dependencies": {"b": "workspace:*"}},
        {"overrides": {"x": {"b": "file:b"}}},
        {"dependencies": {"@prisma/client": "5"}},
        {"workspaces": ["b"]},
        {"packageManager": "pnpm@9"},
    ],
)
def test_a_package_that_reads_its_sources_is_refused(refusal, package):
    refusal(NPM.format("npm install"), NODE | {"package.json": json.dumps(package)})


def test_scripts_that_do_not_run_are_no_obstacle(split):
    files = NODE | {"package.json": json.dumps({"scripts": {"postinstall": "node a.js"}})}
    assert split(NPM.format("npm install --ignore-scripts"), files) is not None


@pytest.mark.parametrize(
    "line",
    [
        "-e .",
        ".",
        "./b",
        "b @ file:///app/b",
        "b.whl",
        "b-1.0.tar.gz",
        "-f dist",
        "--find-links=./x",
        "-r gone.txt",
        "/app/b",
        "c/d",
    ],
)
def test_requirements_in_the_tree_are_refused(refusal, line):
    refusal(PIP.format(INSTALL), PYTHON | {"requirements.txt": f"flask\n{line}\n"})


@pytest.mark.parametrize(
    "line",
    [
        "b @ https://a.org/b.zip",
        "git+https://a.org/b.git@v1#egg=b",
        "b[x]>=1; python_version < '3'",
        "-i https://a.org",
        "b==1 \\\n  --hash=sha256:0",
    ],
)
def test_requirements_from_elsewhere_are_split(split, line):
    assert split(PIP.format(INSTALL), PYTHON | {"requirements.txt": f"flask\n{line}\n"}) is not None


@pytest.mark.parametrize(
    "call",
    [
        "pip install .",
        "pip install -e . -r requirements.txt",
        "pip install -r requirements.txt ./b",
        "pip install -t lib -r requirements.txt",
    ],
)
def test_an_install_of_the_tree_itself_is_refused(context, call):
    assert once(PIP.format(call), context(PYTHON))[0] == []


def test_modules_of_the_tree_that_pip_would_import_are_refused(refusal, split):
    text = PIP.format("python -m pip install -r requirements.txt")
    assert "`code.py`" in refusal(text, PYTHON | {"code.py": "1"})
    assert split(PIP.format(INSTALL), PYTHON | {"code.py": "1"}) is not None


@pytest.mark.parametrize(
    "env", ["PYTHONPATH=/app", "PYTHONPATH=$PYTHONPATH:/app", "PIP_CONSTRAINT=app.py", "PATH=/app/bin:$PATH"]
)
def test_variables_that_name_the_tree_are_refused(refusal, env):
    text = PIP.format(INSTALL).replace("COPY", f"ENV {env}\nCOPY")
    assert env.partition("=")[0] in refusal(text, PYTHON | {"bin/pip": "1"})


@pytest.mark.parametrize("env", ["PYTHONPATH=/lib/x", "APP=/app", "PIP_NO_CACHE_DIR=1", "PATH=/opt/venv/bin:$PATH"])
def test_other_variables_are_no_obstacle(split, env):
    assert split(PIP.format(INSTALL).replace("COPY", f"ENV {env}\nCOPY"), PYTHON) is not None


@pytest.mark.parametrize(
    "line",
    [
        "gemspec",
        'gem "a", path: "a"',
        'eval_gemfile "x"',
        'gem "a", File.read("v")',
        'gem "a", [File.read "v"]',
        'gem "#{`cat v`}"',
        "require_relative 'x'",
    ],
)
def test_a_gemfile_that_reads_files_is_refused(refusal, line):
    refusal(BUNDLE.format("bundle install"), RUBY | {"Gemfile": RUBY["Gemfile"] + line + "\n"})


@pytest.mark.parametrize(
    "line",
    [
        "ruby '3.1.0'",
        "group :test, :development do\n  gem 'a', group: [:a, :b]\nend",
        "gem 'a', git: 'https://a.org/a.git',\n  branch: 'x'",
    ],
)
def test_a_gemfile_that_reads_nothing_is_split(split, line):
    assert split(BUNDLE.format("bundle install"), RUBY | {"Gemfile": RUBY["Gemfile"] + line + "\n"}) is not None


def test_go_modules_in_the_tree_are_refused(refusal):
    text = "FROM golang:1.21\nWORKDIR /src\nCOPY . .\nRUN go mod download\n"
    refusal(text, GO | {"go.mod": GO["go.mod"] + "replace b.org/c => ./c\n"})


@pytest.mark.parametrize(
    ("base", "files"),
    [("golang:1.17-alpine", {}), ("debian", {}), ("golang", {"go.work": "go 1.21"}), ("golang", {"go.sum": ""})],
)
def test_go_that_may_write_its_files_is_refused(refusal, base, files):
    refusal(f"FROM {base}\nWORKDIR /src\nCOPY . .\nRUN go mod download\n", GO | files)


# 3. What the install makes, and what it writes.


@pytest.mark.parametrize(
    ("run", "files"),
    [
        ("npm install", {"package-lock.json": "{}"}),
        ("npm install", {"npm-shrinkwrap.json": "{}"}),
        ("yarn install", {"yarn.lock": ""}),
        ("npm ci", {"node_modules/b/package.json": "{}"}),
        ("npm ci", {"binding.gyp": "{}"}),
        ("yarn --frozen-lockfile", {".yarnrc.yml": ""}),
        ("npm ci", {".npmrc": "cafile=ca.pem"}),
        ("npm ci", {"package-lock.json": '{"packages": {"node_modules/b": {"link": true, "resolved": "b"}}}'}),
        ("npm ci", {"package-lock.json": '{"packages": {"node_modules/@prisma/client": {"hasInstallScript": true}}}'}),
        ("npm ci", {"package.json": "{"}),
    ],
)
def test_what_the_tree_brings_and_the_install_writes_is_refused(refusal, run, files):
    refusal(NPM.format(run), NODE | files)


def test_ignored_install_output_is_no_obstacle(split):
    files = NODE | {"node_modules/b/package.json": "{}", ".dockerignore": "node_modules\n"}
    assert split(NPM.format("npm install"), files) is not None


def test_a_gemfile_lock_that_may_change_is_refused(refusal):
    assert "frozen" in refusal(BUNDLE.format("bundle install"), RUBY | {"Gemfile.lock": "GEM\n"})


# 4. Where it goes and what it means.


def test_a_variable_that_changes_between_is_refused(refusal):
    text = "FROM node:20\nENV D=/app\nWORKDIR /app\nCOPY . $D\nENV D=/x\nRUN npm install\n"
    assert "variable" in refusal(text, NODE)


def test_other_flags_are_refused(refusal):
    assert "flags" in refusal("FROM node:20\nWORKDIR /app\nCOPY --link . .\nRUN npm install\n", NODE)


def test_an_archive_that_add_unpacks_is_refused(tmp_path):
    import gzip

    (tmp_path / "package.json").write_text(PACKAGE)
    (tmp_path / "src").mkdir()
    (tmp_path / "data").write_bytes(gzip.compress(b"1"))
    facts = ContextFacts(os.fspath(tmp_path), {entry.path: entry for entry in plan(tmp_path).entries})
    text = "FROM node:20\nWORKDIR /app\nADD package.json data src ./\nRUN npm install\n"
    made, (why,) = once(text, facts)
    assert made == []
    assert "unpacks" in why
    assert once(text.replace("ADD", "COPY"), facts)[0] != []


# 5. A folder for the tree.


@pytest.mark.parametrize("folder", ["/", "/root", "/usr/local", "/home/node", "/etc/app", "/srv"])
def test_a_destination_that_holds_more_is_refused(refusal, folder):
    refusal(f"FROM node:20\nWORKDIR {folder}\nCOPY . .\nRUN npm install\n", NODE)


def test_settings_of_a_user_whose_home_is_not_known_are_refused(refusal):
    text = "FROM node:20\nUSER x\nWORKDIR /app\nCOPY . .\nRUN npm install\n"
    assert "home" in refusal(text, NODE | {".config/a": "1"})


# 6. Owners and modes.


def test_a_folder_with_another_mode_is_refused_where_it_may_become_the_destination(context):
    facts = context({"web/package.json": PACKAGE, "web/a.js": "1"})
    os.chmod(os.path.join(facts.root, "web"), 0o700)
    facts = ContextFacts(facts.root, {entry.path: entry for entry in plan(facts.root).entries})
    text = "FROM node:20\nCOPY web /app\nWORKDIR /app\nRUN npm install\n"
    assert once(text, facts)[0] == []
    assert once(text.replace("COPY", "WORKDIR /app\nCOPY"), facts)[0] != []


def test_a_manifest_that_is_a_link_is_refused(refusal):
    refusal(PIP.format(INSTALL), {"requirements.txt": "->r.txt", "r.txt": "flask", "app.py": "1"})
