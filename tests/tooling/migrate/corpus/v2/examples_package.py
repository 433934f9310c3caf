

# TODO(mysingle v2): DemoClient was removed; copy what you need from the documentation. See docs/how-to/migrate-from-v1.md#imports
class DemoClient:
    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        raise NotImplementedError("DemoClient was removed in mysingle 2")

DEMO = DemoClient("corpus")
