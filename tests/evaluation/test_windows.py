"""How a text is cut: every id is scored as often, and after as much, as the protocol says."""

import pytest

from numgpt.evaluation.windows import ending, rolling, strided


def scored(windows):
    return [token for window in windows for token in window.ids[-window.n_scored :]]


@pytest.mark.parametrize("n", [2, 7, 8, 9, 16, 17, 23])
def test_disjoint_windows_leave_out_the_first_id_of_each(n):
    windows = strided(list(range(n)), 8, 8)
    assert scored(windows) == [i for i in range(n) if i % 8]


@pytest.mark.parametrize(("n", "stride"), [(30, 3), (30, 7), (31, 5), (9, 4), (8, 4), (5, 2)])
def test_overlapping_windows_score_all_but_the_first_once(n, stride):
    windows = strided(list(range(n)), 8, stride)
    assert scored(windows) == list(range(1, n))
    assert all(len(window.ids) <= 8 for window in windows)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 16, 17, 23])
def test_rolling_windows_score_every_id_once(n):
    windows = rolling(list(range(n)), 8, first=-1)
    assert scored(windows) == list(range(n))
    assert windows[0].ids[0] == -1
    assert all(len(window.ids) <= 9 for window in windows)
    assert len(windows[-1].ids) == min(n + 1, 9)  # the last reads back as far as it can


def test_a_mask_says_what_is_scored():
    assert [window.mask.tolist() for window in strided([5, 6, 7, 8], 3, 2)] == [[False, True, True], [False, True]]


def test_a_context_is_cut_on_the_left_and_the_cut_counted():
    window, cut = ending([1, 2, 3, 4, 5], [6, 7], 4)
    assert (window.ids, window.n_scored, cut) == ([3, 4, 5, 6, 7], 2, 2)
    window, cut = ending([1], [6, 7], 4)
    assert (window.ids, window.n_scored, cut) == ([1, 6, 7], 2, 0)
