"""For tests of Headway and of what extends it: contract suites for every port, fakes, and a clock that jumps."""
