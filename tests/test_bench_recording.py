"""The recording bench: how figures are held to their bars, and that the store is measured."""

import argparse
import json

import pytest

from bench.measure import Settings
from bench.recording import command
from bench.recording.measures import Measure


@pytest.mark.parametrize(
    ("samples", "bar", "is_rate", "met"),
    [
        ([3.0, 2.0], 2.5, False, "met"),
        ([3.0, 2.6], 2.5, False, "MISSED"),
        ([3.0, 2.0], 2.5, True, "met"),
        ([2.0, 2.4], 2.5, True, "MISSED"),
        ([2.5], 2.5, True, "met"),
        ([2.5], None, True, ""),
    ],
)
def test_the_best_sample_is_held_to_the_bar(samples, bar, is_rate, met):
    assert Measure("name", "us", samples, bar, is_rate).met == met


def test_the_section_has_every_figure(tmp_path, monkeypatch):
    figures = [Measure("hand over", "ns", [12.0, 1500.0, 40.0], 1000.0)]
    monkeypatch.setattr(command, "PARTS", (lambda rounds, quick: figures,))
    body, data = command.run(Settings(tmp_path), argparse.Namespace(quick=True))
    assert "| hand over | 12 ns | 40 | 1,000 ns | met |" in body.splitlines()
    assert json.loads(data)["measures"][0]["samples"] == [12.0, 1500.0, 40.0]
