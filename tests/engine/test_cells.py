import pytest

from assistant.engine.cells import CellLedger


def test_a_shared_prefix_is_counted_once() -> None:
    cells = CellLedger(100)
    cells.open(0)
    cells.extend(0, 30)
    cells.open(1)
    cells.share(0, 1, 20)
    cells.extend(1, 5)
    assert (cells.free, cells.live, cells.idle) == (65, 35, 0)


def test_cells_come_free_when_the_last_sequence_lets_go() -> None:
    cells = CellLedger(100)
    cells.open(0)
    cells.extend(0, 30)
    cells.open(1)
    cells.share(0, 1, 20)
    cells.drop(0)
    assert (cells.free, cells.live) == (80, 20)
    cells.drop(1)
    assert (cells.free, cells.live) == (100, 0)


def test_idle_cells_are_those_no_live_sequence_holds() -> None:
    cells = CellLedger(100)
    cells.open(0)
    cells.extend(0, 30)
    cells.open(1)
    cells.share(0, 1, 20)
    cells.release(0)
    assert (cells.free, cells.live, cells.idle) == (70, 20, 10)
    cells.revive(0)
    assert (cells.live, cells.idle) == (30, 0)


def test_more_cells_than_are_free_are_refused() -> None:
    cells = CellLedger(10)
    cells.open(0)
    with pytest.raises(ValueError, match="free cells"):
        cells.extend(0, 11)
    assert cells.free == 10
