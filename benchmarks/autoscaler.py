"""How many functions KEDA and Kubernetes' Horizontal Pod Autoscaler (HPA) let run, from the lag of their consumer.

Sources: KEDA's ScaledObject (https://keda.sh/docs/latest/reference/scaledobject-spec/), and the HPA's algorithm with
its default behaviour (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details).
"""

from dataclasses import dataclass, field
from math import ceil

TOLERANCE = 0.1
"""Of the ratio of lag and target, within which the HPA changes nothing."""
MORE_AT_ONCE = 4
"""Pods that the HPA adds in one step at least; otherwise it doubles them at most."""


@dataclass(frozen=True, slots=True)
class ScaledObject:
    """What a `ScaledObject` says, and the HPA's own times; seconds."""

    max_replicas: int
    lag_threshold: int
    activation_lag_threshold: int = 0
    polling_interval: float = 30.0
    cooldown_period: float = 300.0
    sync_period: float = 15.0
    stabilization_window: float = 300.0


@dataclass
class Autoscaler:
    """KEDA's operator, which wakes and puts to sleep, and the HPA between one function and `max_replicas`."""

    given: ScaledObject
    replicas: int = 0
    _active_at: float = float("-inf")
    _recommended: list[tuple[float, int]] = field(default_factory=list)

    def poll(self, now: float, lag: int) -> int:
        """Do what KEDA does every `polling_interval`; return how many functions are wanted."""
        if lag > self.given.activation_lag_threshold:
            self._active_at = now
            self.replicas = max(self.replicas, 1)
        elif now - self._active_at >= self.given.cooldown_period:
            self.replicas = 0
            self._recommended.clear()
        return self.replicas

    def sync(self, now: float, lag: int) -> int:
        """Do what the HPA does every `sync_period`; return likewise. It leaves zero functions alone."""
        if self.replicas:
            self._recommended.append((now, self._desired(lag)))
            since = now - self.given.stabilization_window
            self._recommended = [one for one in self._recommended if one[0] >= since]
            calm = max(replicas for _, replicas in self._recommended)  # more is done at once, less after the window
            most = max(self.replicas + MORE_AT_ONCE, 2 * self.replicas)
            self.replicas = max(1, min(calm, most, self.given.max_replicas))
        return self.replicas

    def _desired(self, lag: int) -> int:
        if abs(lag / (self.given.lag_threshold * self.replicas) - 1) <= TOLERANCE:
            return self.replicas
        return ceil(lag / self.given.lag_threshold)
