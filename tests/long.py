"""What only `manage.py test --long` runs of a test with many cases."""

from functools import partial

import pytest

long = partial(pytest.param, marks=pytest.mark.long)
