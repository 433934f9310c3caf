from mysingle.base import BaseDocument

if True:
	class Item(BaseDocument):
		name: str = "x"
	from mysingle.logging import get_logger
	get_logger("tabs")
