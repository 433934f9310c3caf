from mysingle.examples.demo import DemoClient

DEMO = DemoClient("corpus")
