"""
Scenarios that share a stack, so that one command of the engine serves all of them.

A command takes a second of processor time to start its processes, and almost none for a resource.
A scenario is a generator. It yields its next step, and receives the outcome of the step for its own
resources: the name of each one is the scenario's name, or begins with that and a hyphen. While the
others go on, its program stays the same, and each command checks that this changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.engine.harness import Outcome, Program, Story


@dataclass(frozen=True)
class Update:
    """A preview and an update, or an update that changes nothing."""

    program: Program
    promised: int
    """The starts that the preview shows."""
    paid: int
    """The starts that the ledger gains."""
    stays: bool = False
    """Whether it changes nothing."""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """
    An update that fails and starts nothing, after all other steps of the scenarios.

    The step after it begins with the program before it.
    """

    program: Program
    is_preview: bool = False
    """Whether it is a preview that fails."""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refresh:
    """A refresh, at once: the other scenarios have one, too."""


@dataclass(frozen=True)
class Later:
    """All scenarios wait for each other; then the service's clock is advanced for all of them."""

    seconds: float = 0


class Seen(NamedTuple):
    """The outcomes of a step for a scenario's resources: the same twice if it has one command."""

    shown: Outcome
    """Of the preview."""
    done: Outcome
    """Of the update or refresh."""


Step = Update | Failure | Refresh | Later
Scenario = Generator[Step, Seen, None]


def pays(program: Program, starts: int, **options: Any) -> Update:
    """Preview, then up: what was promised is what the ledger gains, and both are `starts`."""
    return Update(program, starts, starts, options=options)


def pays_for(program: Program, *, promised: int, paid: int, **options: Any) -> Update:
    """Preview, then up, where the service refuses some of the starts that were shown."""
    return Update(program, promised, paid, options=options)


def stays(program: Program, **options: Any) -> Update:
    """Up: nothing changes, and nothing is paid."""
    return Update(program, 0, 0, stays=True, options=options)


def nothing() -> None:
    """Declare nothing."""


class _Player:
    """A scenario, its next step, and its part of the program."""

    def __init__(self, scenario: Callable[[Story], Scenario], story: Story) -> None:
        self.name = scenario.__name__.replace("_", "-")
        self.program: Program = nothing
        self._scenario = scenario(story)
        self.step: Step | None = next(self._scenario)

    def see(self, shown: Outcome, done: Outcome) -> None:
        """Go on to the next step, if there is one."""
        try:
            self.step = self._scenario.send(Seen(shown.of(self.name), done.of(self.name)))
        except StopIteration:
            self.step = None


def play(story: Story, *scenarios: Callable[[Story], Scenario]) -> None:
    """Run scenarios together, each to its end; an assertion in one of them ends all."""
    players = [_Player(scenario, story) for scenario in scenarios]
    names = [player.name for player in players]
    assert not [(a, b) for a in names for b in names if a.startswith(f"{b}-")], "whose is it?"
    while waiting := [player for player in players if player.step is not None]:
        steps = [player.step for player in waiting]
        if any(isinstance(step, Refresh) for step in steps):
            refreshed = story.refresh()
            _see(players, Refresh, refreshed)
        elif updates := [step for step in steps if isinstance(step, Update)]:
            _update(story, players, max((step.options for step in updates), key=len))
        elif later := [step.seconds for step in steps if isinstance(step, Later)]:
            story.emulator.advance(max(later))
            _see(players, Later, Outcome(""))
        else:
            _fail(story, players)


def _see(players: list[_Player], kind: type[Step], outcome: Outcome) -> None:
    for player in players:
        if isinstance(player.step, kind):
            player.see(outcome, outcome)


def _together(parts: list[Program]) -> Program:
    def program() -> None:
        for part in parts:
            part()

    return program


def _update(story: Story, players: list[_Player], options: Mapping[str, Any]) -> None:
    """Take the next step of all whose step is an update with these options."""
    steps = {
        player.name: player.step
        for player in players
        if isinstance(player.step, Update) and player.step.options == options
    }
    for player in players:
        if player.name in steps:
            player.program = steps[player.name].program
    program = _together([player.program for player in players])
    if all(step.stays for step in steps.values()):
        shown = done = story.stays(program, **options)
    else:
        promised = sum(step.promised for step in steps.values())
        paid = sum(step.paid for step in steps.values())
        done = story.pays_for(program, promised=promised, paid=paid, **options)
        shown = story.shown
    for player in players:
        step = steps.get(player.name)
        assert shown.of(player.name).starts == (step.promised if step else 0), player.name
        if step is None or step.stays:
            assert done.of(player.name).changed == [], player.name
    for player in players:
        if player.name in steps:
            player.see(shown, done)


def _fail(story: Story, players: list[_Player]) -> None:
    """Take the next step of one scenario alone: an error of it ends the whole update."""
    failing = next(player for player in players if isinstance(player.step, Failure))
    assert isinstance(failing.step, Failure)
    wrong = failing.step.program
    parts = [wrong if player is failing else player.program for player in players]
    ledger = story.emulator.ledger()
    command = story.preview if failing.step.is_preview else story.try_up
    failed = command(_together(parts), **failing.step.options)
    assert failed.failed, failing.name
    assert story.emulator.ledger() == ledger
    failing.see(failed, failed)
