from __future__ import annotations

from dfkit.build.classic import Transcript, _for_podman
from dfkit.build.events import StepDone, StepFailed, StepLog, StepStarted
from dfkit.build.request import BuildRequest, query

PODMAN = [
    "[1/2] STEP 1/2: FROM busybox AS one\n",
    "[1/2] STEP 2/2: RUN echo from-one\n",
    "--> Using cache 0034f91d15d448e3\n",
    "--> 0034f91d15d4\n",
    "[2/2] STEP 1/2: FROM busybox\n",
    "[2/2] STEP 2/2: RUN printf hi; printf two >&2\n",
    "hi",
    "two",
    "[2/2] COMMIT docker.io/library/x:1\n",
    "--> a9b1dacc7526\n",
    "Successfully tagged docker.io/library/x:1\n",
    "a9b1dacc75260ce3491637c28a081082e954bdc2b13db810ef52cdc75ce53938\n",
    "Successfully built a9b1dacc7526\n",
]
DOCKER = [
    "Step 1/3 : FROM busybox",
    "\n",
    " ---> 8a3a0b0c1d2e\n",
    "Step 2/3 : RUN echo one",
    "\n",
    " ---> Using cache\n",
    " ---> 1a3a0b0c1d2e\n",
    "Step 3/3 : RUN echo two",
    "\n",
    " ---> Running in 0123456789ab\n",
    "two\n",
    "\x1b[91mthree\n",
    "Removing intermediate container 0123456789ab\n",
    " ---> 2a3a0b0c1d2e\n",
    "Successfully built 2a3a0b0c1d2e\n",
    "Successfully tagged x:1\n",
]


def read(pieces):
    transcript = Transcript()
    events = [event for piece in (*pieces, "") for event in transcript.read(piece.encode())]
    return transcript, events


def test_podmans_steps_logs_and_cache_hits_are_found():
    transcript, events = read(PODMAN)
    assert [(step.name, step.cached) for step in transcript.steps()] == [
        ("[stage-0 1/2] FROM busybox AS one", False),
        ("[stage-0 2/2] RUN echo from-one", True),
        ("[stage-1 1/2] FROM busybox", False),
        ("[stage-1 2/2] RUN printf hi; printf two >&2", False),
    ]
    assert [event.line for event in events if isinstance(event, StepLog)] == ["hitwo"]
    assert [step.instruction for step in transcript.steps()][1] == "RUN echo from-one"
    assert len({step.digest for step in transcript.steps()}) == 4


def test_the_classic_builders_steps_are_found():
    transcript, events = read(DOCKER)
    assert [(step.name, step.cached, step.logs) for step in transcript.steps()] == [
        ("[1/3] FROM busybox", False, ()),
        ("[2/3] RUN echo one", True, ()),
        ("[3/3] RUN echo two", False, ("two", "\x1b[91mthree")),
    ]
    assert [type(event) for event in events] == [
        *(StepStarted, StepDone),
        *(StepStarted, StepDone),
        *(StepStarted, StepLog, StepLog, StepDone),
    ]


def test_a_step_that_fails_has_its_exit_code():
    for reason in (
        'building at STEP "RUN exit 3": while running runtime: exit status 3',
        "The command '/bin/sh -c exit 3' returned a non-zero code: 3",
    ):
        transcript = Transcript()
        for piece in ("STEP 1/2: FROM busybox\n", "STEP 2/2: RUN exit 3\n", "some words\n"):
            list(transcript.read(piece.encode()))
        (failed,) = transcript.fail(reason)
        assert isinstance(failed, StepFailed)
        assert failed.exit_code == 3
        assert transcript.failed().logs == ("some words",)
    assert list(Transcript().fail("no step runs")) == []


def test_a_heading_may_come_in_pieces_and_what_comes_before_the_first_is_nobodys():
    _, events = read(["Trying to pull\nSt", "ep 1/1 : FR", "OM a\n"])
    assert [event.name for event in events if isinstance(event, StepStarted)] == ["[1/1] FROM a"]


def test_podman_takes_lists_of_texts():
    request = BuildRequest(tags=("a", "b"), extra_hosts=("x:1.2.3.4", "y:::1"), ulimits={"nofile": (1, 2)})
    given = _for_podman(query(request), request)
    assert [value for name, value in given if name == "t"] == ["a", "b"]
    assert ("extrahosts", '["x:1.2.3.4", "y:::1"]') in given
    assert ("ulimits", '["nofile=1:2"]') in given
    assert len(given) == len(dict(given)) + 1
