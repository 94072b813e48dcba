from finetuning.curve import MOST_POINTS, curve


def test_a_short_training_shows_every_step() -> None:
    assert curve([3.0, 2.0], [[0, 3.5], [2, 2.5]], 4096) == {
        "train": [[1, 3.0], [2, 2.0]],
        "dev": [[0, 3.5], [2, 2.5]],
        "tokens_per_step": 4096,
    }


def test_a_long_training_is_averaged_to_a_bounded_number_of_points() -> None:
    steps = 10 * MOST_POINTS + 7
    drawn = curve([float(step) for step in range(steps)], [[step, 1.0] for step in range(steps)], 1)
    assert len(drawn["train"]) <= MOST_POINTS
    assert drawn["train"][0] == [11, 5.0], "the mean of the first eleven steps, at the last of them"
    assert drawn["train"][-1][0] == steps
    assert len(drawn["dev"]) == MOST_POINTS
    assert (drawn["dev"][0][0], drawn["dev"][-1][0]) == (0, steps - 1)


def test_before_the_first_step_there_is_nothing_to_draw() -> None:
    assert curve([], [], 1) == {"train": [], "dev": [], "tokens_per_step": 1}
