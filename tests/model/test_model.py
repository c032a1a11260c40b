from dfkit.model import Model
from dfkit.syntax import parse


def model(text, **build_args):
    return Model(parse(text), build_args=build_args)


def test_stages_by_name_number_and_inheritance():
    m = model("FROM a AS One\nFROM one AS two\nFROM b\nCOPY --from=0 x y\nCOPY --from=TWO x y\nCOPY --from=img x y")
    one, two, last = m.stages
    assert two.base is one
    assert last.image == "b"
    assert [m.references(node)[0].stage for node in last.instructions] == [one, two, None]
    assert m.reachable(last) == {0, 1, 2}
    assert m.stage("1") is two
    assert not m.is_shipped(one)


def test_unreachable_stages():
    m = model("FROM a AS x\nFROM b AS y\nFROM scratch\nRUN --mount=from=y,target=/z true")
    assert m.reachable(m.final) == {1, 2}


def test_the_last_stage_of_a_name_is_meant():
    m = model("FROM a AS x\nFROM b AS x\nFROM x")
    assert m.final.base is m.stages[1]


def test_global_arguments_in_from():
    assert model("ARG V=1\nFROM a:$V").final.image == "a:1"
    assert model("ARG V=1\nFROM a:$V", V="2").final.image == "a:2"
    assert model("ARG V\nFROM a:${V:-3}").final.image is None, "a build argument may give it"


def test_an_argument_must_be_declared_in_its_stage():
    m = model("ARG V=1\nFROM scratch\nENV A=$V\nARG V\nENV B=$V\nENV C=x")
    names = m.scope(m.final.instructions[-1]).names()
    assert names["A"].value == ""
    assert names["B"].value == "1"


def test_pairs_of_one_env_see_the_values_before_it():
    m = model("FROM scratch\nENV A=1\nENV A=2 B=$A\nRUN x")
    assert m.scope(m.final.instructions[-1]).binding("B").value == "1"


def test_a_name_that_the_base_may_set_is_not_known():
    m = model("FROM debian\nWORKDIR $HOME/x\nRUN y")
    assert m.state(m.final.instructions[-1]).workdir is None
    assert m.scope(m.final.instructions[-1]).expand("$HOME") is None


def test_state_is_inherited_through_stages():
    m = model('FROM debian:12 AS a\nUSER app\nWORKDIR /a\nWORKDIR b\nSHELL ["/bin/bash", "-c"]\nFROM a\nRUN x')
    state = m.state(m.final.instructions[0])
    assert (state.user, state.workdir, state.shell) == ("app", "/a/b", ("/bin/bash", "-c"))


def test_what_official_bases_are_known_to_set():
    assert model("FROM debian:12").end_state(model("FROM debian:12").final).user == "root"
    assert model("FROM corp/base:1").end_state(model("FROM corp/base:1").final).user is None


def test_windows():
    m = model("FROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN x")
    assert m.state(m.final.instructions[0]).os == "windows"
    assert m.state(m.final.instructions[0]).shell[0] == "cmd"


def reads(text, triggers=(), target=None):
    m = model(text)
    use = m.context_use(m.stage(target) if target else None, triggers=lambda image: triggers)
    return [read.source for read in use.reads], use.reasons


def test_what_a_build_reads_from_the_context():
    text = (
        "FROM a AS x\nCOPY only /x\nFROM b\nARG N=f\nCOPY ./a/../$N *.txt /y\nADD https://e.x/y.tgz /z\nCOPY --from=x /only /q\n"
        "RUN --mount=type=bind,source=pkg,target=/p true\nCOPY <<E /h\nE\n"
    )
    assert reads(text) == (["only", "f", "*.txt", "pkg"], ())
    assert reads(text.replace("COPY --from=x /only /q\n", "")) == (["f", "*.txt", "pkg"], ())


def test_the_whole_context_for_a_dot_or_a_bind_without_source():
    assert reads("FROM a\nCOPY . /x")[0] == ["."]
    assert reads("FROM a\nRUN --mount=target=/src make")[0] == ["."]


def test_triggers_of_a_base_read_too():
    assert reads("FROM a", ["COPY app /x", "RUN y"])[0] == ["app"]
    m = model("FROM a")
    assert "ONBUILD triggers of `a`" in m.context_use(triggers=lambda image: None).reasons[0]


def test_triggers_of_a_stage_run_in_its_children():
    assert reads("FROM a AS x\nONBUILD COPY f /f\nFROM x")[0] == ["f"]
    assert reads("FROM a AS x\nONBUILD COPY f /f")[0] == []


def test_a_source_that_is_not_known_means_everything():
    _, reasons = reads("FROM a\nARG X\nCOPY $X /y")
    assert "line 3" in reasons[0]


def test_a_foreign_frontend_means_everything():
    assert "frontend" in reads("# syntax=corp/front:1\nFROM a")[1][0]
    assert reads("# syntax=docker/dockerfile:1.7-labs\nFROM a")[1] == ()
