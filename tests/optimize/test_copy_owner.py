"""Owner and mode set by COPY: what is moved there, and for each precondition a trap that must not be."""

from __future__ import annotations

import os

import pytest

from dfkit.context import plan
from dfkit.optimize import BaseFacts, Facts, Proposal
from dfkit.optimize.copy_owner import PASS
from dfkit.optimize.passes import ContextFacts
from tests.optimize.conftest import proposals, refusals, rewritten

NODE = "FROM node:20\n"


@pytest.fixture
def facts(tmp_path):
    """A context with a folder `src` of two files and a file `a.sh`."""
    (tmp_path / "src/in").mkdir(parents=True)
    (tmp_path / "src/b").write_text("b")
    (tmp_path / "src/in/c").write_text("c")
    (tmp_path / "a.sh").write_text("a")
    return look(tmp_path)


def look(folder, **base):
    context = ContextFacts(os.fspath(folder), {entry.path: entry for entry in plan(folder).entries})
    return Facts(context, (lambda _: BaseFacts(**base)) if base else Facts().base)


def refused(text, facts):
    found = proposals(PASS, text, facts)
    assert not any(isinstance(each, Proposal) for each in found)
    (why,) = refusals(PASS, text, facts)
    return why


def silent(text, facts):
    return proposals(PASS, text, facts) == []


def test_a_tree_gets_its_owner_where_it_is_copied(facts):
    text = NODE + "COPY src /srv/app\nRUN chown -R 1000:1000 /srv/app\nCMD x\n"
    new = rewritten(PASS, text, facts)
    assert new == NODE + "COPY --chown=1000:1000 src /srv/app\nCMD x\n"
    assert silent(new, facts)
    assert [each.gain for each in proposals(PASS, text, facts)] == [f"{2 + 0} bytes"]


def test_a_folder_that_may_be_older_than_the_copy_keeps_its_chown(facts):
    new = rewritten(PASS, NODE + "WORKDIR /app\nCOPY src .\nRUN chown -vR node:node /app && chmod +x b\n", facts)
    assert new == NODE + "WORKDIR /app\nCOPY --chown=node:node src .\nRUN chown -v node:node /app && chmod +x b\n"
    assert rewritten(PASS, NODE + "RUN mkdir -p /app\nCOPY src /app\nRUN chown -R 1:1 /app\n", facts).endswith(
        "RUN chown 1:1 /app\n"
    )


def test_a_file_gets_its_owner_where_it_is_copied(facts):
    text = NODE + "COPY a.sh /usr/local/bin/\nRUN chown node /usr/local/bin/a.sh && echo x\n"
    assert rewritten(PASS, text, facts) == NODE + "COPY --chown=node:0 a.sh /usr/local/bin/\nRUN echo x\n"


@pytest.mark.parametrize(
    ("owner", "value"), [("node", "node:0"), ("5", "5:0"), (":grp", "0:grp"), ("node:grp", "node:grp"), ("5:6", "5:6")]
)
def test_owner_and_group_are_written_out(facts, owner, value):
    new = rewritten(PASS, f"{NODE}COPY src /app\nRUN chown -R {owner} /app\n", facts)
    assert f"COPY --chown={value} src" in new


def test_an_octal_mode_is_given_where_it_is_copied(facts):
    text = NODE + "COPY --chown=1:1 a.sh /a.sh\nCOPY src /app\nRUN chmod 0755 /a.sh\nRUN chmod -R 750 /app\n"
    new = rewritten(PASS, text, facts)
    assert new == NODE + "COPY --chown=1:1 --chmod=0755 a.sh /a.sh\nCOPY --chmod=750 src /app\nRUN chmod 750 /app\n"
    assert silent(new, facts)


def test_all_copies_of_a_tree_get_its_owner(facts):
    text = NODE + "COPY src /app/src\nCOPY a.sh /app/\nRUN chown -R 5:5 /app\n"
    assert rewritten(PASS, text, facts) == NODE + "COPY --chown=5:5 src /app/src\nCOPY --chown=5:5 a.sh /app/\n"


def test_comments_of_a_removed_run_go_to_the_copy(facts):
    text = NODE + "# sources\nCOPY src /app\n# not root's\nRUN chown -R 5:5 /app\n"
    assert rewritten(PASS, text, facts) == NODE + "# not root's\n# sources\nCOPY --chown=5:5 src /app\n"


def test_installs_elsewhere_before_the_copy_are_no_obstacle(facts):
    text = "FROM python:3.12\nRUN pip install flask && apt-get update && apt-get install -y git\nCOPY src /app\nRUN chown -R 5:5 /app\n"
    assert "--chown=5:5" in rewritten(PASS, text, facts)


def test_without_a_context_it_refuses_and_says_so():
    assert "context" in refused(NODE + "COPY src /app\nRUN chown -R 5:5 /app\n", Facts())


# 1. All files come from COPYs.


@pytest.mark.parametrize(
    "text",
    [
        NODE + "COPY . /app\nRUN chown 5:5 /app/a.sh\n",
        NODE + "COPY . /app\nRUN chown -R 5:5 /app/src\n",
        NODE + "COPY src /app\nRUN chown 5:5 /app\n",
        NODE + "COPY src /app\nRUN chown -R 5:5 /var/lib/x\n",
        NODE + "COPY src /app\nRUN chown -R 5:5 /app || true\n",
        NODE + "COPY src /app\nRUN chown -R 5:5 /app /data\n",
        NODE + "COPY src /app\nUSER 5\nRUN chown -R 5:5 /app\n",
        NODE + "COPY src /app\nRUN chown -R 5:5 /app\nFROM debian\n",
    ],
)
def test_what_is_no_tree_or_file_of_a_copy_is_left_alone(facts, text):
    assert silent(text, facts)


@pytest.mark.parametrize(
    "before",
    [
        "RUN make",
        "RUN mkdir /app/logs",
        "RUN touch /app/x",
        "WORKDIR /app/x",
        "RUN useradd -m -d /app x",
        "COPY --from=x /y /app/z",
        "VOLUME /app",
    ],
)
def test_what_may_have_files_there_is_no_tree_of_copies(facts, before):
    refused(f"{NODE}{before}\nCOPY src /app\nRUN chown -R 5:5 /app\n", facts)


@pytest.mark.parametrize("base", ["example.org/base", "node:onbuild"])
def test_a_base_that_may_have_files_there_is_refused(facts, base):
    assert "base" in refused(f"FROM {base}\nCOPY src /app\nRUN chown -R 5:5 /app\n", facts)


def test_what_is_known_of_the_base_decides(tmp_path, facts):
    text = "FROM example.org/base\nCOPY src /app\nRUN chown -R 5:5 /app\n"
    folder = facts.context.root
    assert "--chown" in rewritten(PASS, text, look(folder, paths=frozenset({"/", "/usr"})))
    refused(text, look(folder, paths=frozenset({"/app", "/app/x"})))
    refused(text, look(folder, paths=frozenset({"/"}), config={"OnBuild": ["RUN touch /app/x"]}))


def test_copies_of_the_stage_below_are_not_changed(facts):
    assert silent(f"{NODE.strip()} AS b\nCOPY src /app\nFROM b\nRUN chown -R 5:5 /app\n", facts)
    refused(f"{NODE.strip()} AS b\nCOPY src /app/x\nFROM b\nCOPY src /app\nRUN chown -R 5:5 /app\n", facts)


def test_a_destination_that_may_be_a_folder_is_refused(facts):
    assert "folder" in refused("FROM node:20\nCOPY a.sh /opt\nRUN chown 5:5 /opt\n", facts)
    assert "folder" in refused("FROM nginx\nCOPY a.sh /etc/nginx/conf.d\nRUN chown 5:5 /etc/nginx/conf.d\n", facts)


# 2. Nothing between.


@pytest.mark.parametrize(
    "between",
    [
        "RUN make",
        "RUN ls /app",
        "RUN touch /app/x",
        "WORKDIR /app/x",
        "RUN npm install --prefix /app",
        "RUN pip install -r /app/b",
        "RUN cd /app && npm ci",
    ],
)
def test_what_touches_the_files_between_is_refused(facts, between):
    assert "line 3" in refused(f"{NODE}COPY src /app\n{between}\nRUN chown -R 5:5 /app\n", facts)


def test_a_command_before_it_in_its_run_is_between_too(facts):
    refused(NODE + "COPY src /app\nRUN touch /app/x && chown -R 5:5 /app\n", facts)


@pytest.mark.parametrize(
    "run",
    [
        "RUN useradd x\nRUN chown -R x:x /app",
        "RUN useradd x && chown -R x:x /app",
        "RUN apt-get install -y x\nRUN chown -R x:x /app",
    ],
)
def test_a_user_made_after_the_copy_is_refused(facts, run):
    assert "user" in refused(f"{NODE}COPY src /app\n{run}\n", facts)
    assert "--chown=5:5" in rewritten(PASS, f"{NODE}COPY src /app\n{run}\n".replace("x:x", "5:5"), facts)


# 3. No folders above.


def test_folders_above_that_copy_would_make_are_refused(facts):
    text = NODE + "COPY src /srv/x/app\nRUN chown -R 5:5 /srv/x/app\n"
    assert "/srv/x" in refused(text, facts)
    assert "--chown" in rewritten(PASS, text.replace("COPY", "RUN mkdir -p /srv/x\nCOPY", 1), facts)
    assert "/n" in refused(NODE + "COPY a.sh /n/a.sh\nRUN chown 5:5 /n/a.sh\n", facts)
    assert "--chmod" in rewritten(PASS, NODE + "COPY a.sh /n/a.sh\nRUN chmod 755 /n/a.sh\n", facts)


# 4. Owner and group.


@pytest.mark.parametrize("owner", ["node:", "node.node", "$USER", "$(id -u):0", '"$U:$U"'])
def test_an_owner_that_is_not_plain_is_refused(facts, owner):
    refused(f"{NODE}COPY src /app\nRUN chown -R {owner} /app\n", facts)


@pytest.mark.parametrize("option", ["-h", "-L", "--from=0", "--reference=/x"])
def test_options_that_copy_has_not_are_left_alone(facts, option):
    new = f"{NODE}COPY src /app\nRUN chown -R {option} 5:5 /app\n"
    assert not any(isinstance(each, Proposal) for each in proposals(PASS, new, facts))


def test_a_copy_with_an_owner_is_refused(facts):
    assert "already" in refused(NODE + "COPY --chown=1 src /app\nRUN chown -R 5:5 /app\n", facts)
    assert "already" in refused(NODE + "COPY --link src /app\nRUN chown -R 5:5 /app\n", facts)


# 5. Plain files.


def test_links_and_special_bits_are_refused(facts):
    text = NODE + "COPY src /app\nRUN chown -R 5:5 /app\n"
    folder = facts.context.root
    os.symlink("b", os.path.join(folder, "src/l"))
    assert "link" in refused(text, look(folder))
    os.unlink(os.path.join(folder, "src/l"))
    os.chmod(os.path.join(folder, "src/b"), 0o4755)
    assert "set-user-id" in refused(text, look(folder))


# 6. Octal modes.


@pytest.mark.parametrize("mode", ["+x", "u=rwX", "4755", "1777", "75"])
def test_other_modes_are_refused(facts, mode):
    assert mode in refused(f"{NODE}COPY a.sh /a.sh\nRUN chmod {mode} /a.sh\n", facts)


def test_an_old_frontend_is_refused(facts):
    assert "--chmod" in refused("# syntax=docker/dockerfile:1.1\n" + NODE + "COPY a.sh /a.sh\nRUN chmod 755 /a.sh\n", facts)
