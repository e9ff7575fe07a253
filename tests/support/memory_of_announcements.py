"""A memory of announcements that lasts as long as the test."""

from __future__ import annotations

from dataclasses import dataclass, field

from orthanc_stl_plugin.services.presentation.change_discovery import Memory


@dataclass
class MemoryInMemory:
    """What was saved last, and how often something was."""

    memory: Memory = field(default_factory=Memory)
    saved: int = 0

    def load(self) -> Memory:
        return self.memory

    def save(self, memory: Memory) -> None:
        self.memory = memory
        self.saved += 1
