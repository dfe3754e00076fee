"""For tests of Headway and of what extends it: contract suites for every port, fakes, and a clock that jumps.

Whoever writes a back-end subclasses the suite of its port in a test file and says how one is made; pytest does the
rest:

    from headway.testing.blobs_contract import BlobsContract

    class TestMyBlobs(BlobsContract):
        def make(self, root):
            return MyBlobs(root)

Suites: `log_contract`, `blobs_contract`, `leases_contract`, `runner_contract`, `target_contract`; they need pytest.
`stateful` walks a log or a store at random beside a model, `strategies` and `folders` make up what they hold; these
need hypothesis. The fakes are the back-ends of the scheme `memory:`. Nothing is imported here.
"""
