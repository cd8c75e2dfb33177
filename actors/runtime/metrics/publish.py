"""Publishes samples as Ray's metrics, at a fixed pace: nothing is sent to Ray per message or order."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from actors.runtime.metrics import samples
from actors.runtime.metrics.samples import Sample
from actors.runtime.metrics.table import Kind, Metric

if TYPE_CHECKING:
    from actors.runtime.actor_runner import ActorRunner

_log = logging.getLogger(__name__)

PERIOD_S = 5.0
ENDED = ("STOPPED", "FENCED")


class Instrument(Protocol):
    """One of Ray's metrics, by what is done with a value: set, added, observed."""

    def take(self, value: float, tags: dict[str, str]) -> None: ...


class Publisher:
    """Gives samples to instruments, made by `make` when first needed."""

    def __init__(self, make: Callable[[Metric], Instrument]) -> None:
        self._make = make
        self._instruments: dict[str, Instrument] = {}
        self._last: dict[tuple[str, tuple[str, ...]], Sample] = {}

    def publish(self, found: Iterable[Sample]) -> None:
        """One period's samples, all of them: a gauge that is missing now is not known any more."""
        now = {(one.metric.name, one.tags): one for one in found if one.metric.kind is not Kind.HISTOGRAM}
        for key, one in now.items():
            if one.metric.kind is Kind.GAUGE:
                self._take(one, one.value)
            elif grown := one.value - self._total(key):
                self._take(one, grown)
        for key, gone in self._last.items():
            if key not in now and gone.metric.kind is Kind.GAUGE:
                self._take(gone, 0.0 if gone.metric.is_state else math.nan)
        self._last = now

    def observe(self, found: Iterable[Sample]) -> None:
        """Values of histograms."""
        for one in found:
            self._take(one, one.value)

    def _total(self, key: tuple[str, tuple[str, ...]]) -> float:
        last = self._last.get(key)
        return 0.0 if last is None else last.value

    def _take(self, sample: Sample, value: float) -> None:
        name = sample.metric.name
        if name not in self._instruments:
            self._instruments[name] = self._make(sample.metric)
        self._instruments[name].take(value, dict(zip(sample.metric.tags, sample.tags, strict=True)))


class _RayInstrument:
    def __init__(self, metric: Metric) -> None:
        from ray.util import metrics

        about = {"name": metric.name, "description": f"{metric.help} Unit: {metric.unit}.", "tag_keys": metric.tags}
        match metric.kind:
            case Kind.GAUGE:
                self._take: Callable[..., None] = metrics.Gauge(**about).set
            case Kind.COUNTER:
                self._take = metrics.Counter(**about).inc
            case Kind.HISTOGRAM:
                self._take = metrics.Histogram(boundaries=list(metric.boundaries), **about).observe

    def take(self, value: float, tags: dict[str, str]) -> None:
        self._take(value, tags)


def publish(runner: ActorRunner, components: Callable[[], Sequence[Mapping[str, Any]]] = tuple) -> None:
    """Show an actor in Ray's metrics until it has ended; blocks. `components`: what the supervision sees, where the
    actor is the orchestrator. A failure here is logged and harms nothing else."""
    publisher, pause, failure = Publisher(_RayInstrument), threading.Event(), ""
    while True:
        health = runner.health()
        try:
            found = [*samples.of_actor(health, runner.seen, time.time()), *samples.of_components(components())]
            publisher.publish(found)
            publisher.observe(samples.observations(str(runner.name), runner.seen))
            failure = ""
        except Exception as error:  # noqa: BLE001 - what only shows must not end what acts; it is tried again
            if failure != (failure := f"{type(error).__name__}: {error}"):
                _log.exception("the metrics of %s could not be published", runner.name)
        if health["state"] in ENDED:
            return
        pause.wait(PERIOD_S)


def start(runner: ActorRunner, components: Callable[[], Sequence[Mapping[str, Any]]] = tuple) -> None:
    """`publish` on a thread of its own."""
    threading.Thread(target=publish, args=(runner, components), name="metrics", daemon=True).start()
